//! Where a cell's output goes, and where its input comes from.

use std::{fmt, sync::Arc};

use caller::{ContextVar, Pending};

use super::{CommMessage, MimeBundle};

/// The output of the cell that this code runs for. A shell sets it around a cell; calls inherit it.
pub static OUTPUT: ContextVar<Arc<dyn Output>> = ContextVar::new();

/// A text stream of a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stream {
    /// What is printed.
    Stdout,
    /// What is printed as an error or a remark.
    Stderr,
}

impl Stream {
    /// Its name in messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        }
    }
}

impl fmt::Display for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Something to show.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Display {
    /// What.
    pub bundle: MimeBundle,
    /// By which it can be changed later.
    pub id: Option<String>,
    /// Whether it changes what was shown under that id, rather than being shown anew.
    pub update: bool,
}

/// The output and input of one cell.
///
/// It is used by any thread, from within calls, and after the cell has ended. None of its methods blocks; errors of the
/// transport are the kernel's own.
pub trait Output: Send + Sync + 'static {
    /// Writes text.
    fn stream(&self, stream: Stream, text: &str);

    /// Shows something, or changes what was shown.
    fn display(&self, display: Display);

    /// Clears what the cell has shown; with `wait`, when the next thing is there to show.
    fn clear_output(&self, wait: bool);

    /// Asks the front end for a line, unseen if it is a password.
    ///
    /// The pending fails if the front end takes no requests. Cancelling it withdraws the question as far as that can be.
    fn input(&self, prompt: &str, password: bool) -> Pending<String>;

    /// Opens a comm in the front end.
    fn comm_open(&self, id: &str, target: &str, message: CommMessage);

    /// Sends on a comm.
    fn comm_message(&self, id: &str, message: CommMessage);

    /// Closes a comm.
    fn comm_close(&self, id: &str, message: CommMessage);
}

impl dyn Output {
    /// The output of the cell that this code runs for. None where no cell is known.
    pub fn current() -> Option<Arc<dyn Output>> {
        OUTPUT.get()
    }
}

impl fmt::Debug for dyn Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Output")
    }
}
