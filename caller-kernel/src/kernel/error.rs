//! Why a kernel could not be started.

use std::{io, path::PathBuf};

use crate::{
    connection::ConnectionError, registration::RegistrationError, shell::CellError, zmtp::BindError,
};

/// A kernel could not be started or found.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KernelError {
    /// This process has a kernel, and may have one at a time.
    #[error(
        "a kernel runs in this process already; use it (`Kernel::current`), or stop it and wait for that"
    )]
    Running,
    /// This process has no kernel.
    #[error("no kernel runs in this process; start one with `Kernel::builder`")]
    NotRunning,
    /// The connection file cannot be read or written.
    #[error(transparent)]
    Connection(#[from] ConnectionError),
    /// A socket cannot listen where it should.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The front end that asked to be told where the kernel listens did not take it.
    #[error(transparent)]
    Registration(#[from] RegistrationError),
    /// The shell cannot be made.
    #[error("the shell cannot be made: {0}")]
    Shell(CellError),
    /// One of its callers cannot be started, or has stopped on the way.
    #[error("a caller of the kernel cannot be started: {0}")]
    Caller(#[from] caller::Error),
    /// The file of the history cannot be opened.
    #[error("cannot keep the history in {}: {source}", .path.display())]
    #[non_exhaustive]
    History {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Signals of the process cannot be listened to.
    #[error("cannot listen to signals: {0}")]
    Signals(io::Error),
}
