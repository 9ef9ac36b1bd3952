//! A cell on its way in, and the error it may end with.

use std::{fmt, sync::Arc};

use super::Output;

/// A cell to run.
#[derive(Clone)]
pub struct Cell {
    /// Its text.
    pub code: String,
    /// Its number, as in `In [3]`: error messages name it.
    pub count: u32,
    /// Where it prints to, displays, and asks for input.
    pub output: Arc<dyn Output>,
}

impl Cell {
    /// A cell with this text and number, whose output goes there.
    pub fn new(code: impl Into<String>, count: u32, output: Arc<dyn Output>) -> Self {
        Self { code: code.into(), count, output }
    }
}

impl fmt::Debug for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cell").field("count", &self.count).field("code", &self.code).finish_non_exhaustive()
    }
}

/// Why a cell failed: what an `error` message says.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{ename}: {evalue}")]
pub struct CellError {
    /// The kind of error, such as `SyntaxError` or `Interrupted`.
    pub ename: String,
    /// The message.
    pub evalue: String,
    /// The lines that a front end shows: the message, and where it came from.
    pub traceback: Vec<String>,
}

impl CellError {
    /// An error without a place.
    pub fn new(ename: impl Into<String>, evalue: impl Into<String>) -> Self {
        let (ename, evalue) = (ename.into(), evalue.into());
        let traceback = vec![format!("{ename}: {evalue}")];
        Self { ename, evalue, traceback }
    }

    /// The cell was stopped by an [`Interrupter`](super::Interrupter).
    pub fn is_interrupt(&self) -> bool {
        self.ename == INTERRUPTED
    }
}

/// The kind of the error of a cell that was interrupted.
pub(crate) const INTERRUPTED: &str = "Interrupted";
