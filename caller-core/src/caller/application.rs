//! A program in an application of gio's.

use std::process::{ExitCode, Termination};

use super::{inner::Caller, run::run};
use crate::{backend::Backend, error::Result, host::Gio};

impl Gio {
    /// Runs `program` in the loop of the application, in this thread, with the backend as its guest; see
    /// [`run`](crate::run). Gives the exit code of the process: what the program gave, or, if the application ended before it,
    /// what that gave.
    ///
    /// # Blocking
    ///
    /// Until the application has ended, and the caller has stopped.
    ///
    /// # Errors
    ///
    /// Those of [`run`](crate::run), except for an application that ends before its program.
    ///
    /// # Panics
    ///
    /// Goes on with a panic of the program, when the loop has ended.
    pub fn run<R: Termination + 'static>(
        &self,
        backend: impl Backend,
        program: impl AsyncFnOnce(Caller) -> R + 'static,
    ) -> Result<ExitCode> {
        match run(self.clone(), backend, program) {
            Ok(output) => Ok(output.report()),
            Err(error) if error.is_host_ended() => Ok(ExitCode::from(self.exit_code().get())),
            Err(error) => Err(error),
        }
    }
}
