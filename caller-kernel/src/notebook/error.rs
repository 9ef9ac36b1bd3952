//! Why a notebook cannot be read, run or written.

use std::{io, path::PathBuf};

use crate::shell::CellError;

/// A notebook cannot be read, run or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NotebookError {
    /// The file cannot be read.
    #[error("cannot read {}: {source}", .path.display())]
    #[non_exhaustive]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is not JSON.
    #[error("this is no notebook: {0}")]
    Json(#[from] serde_json::Error),
    /// It is JSON, and not that of a notebook.
    #[error("this is no notebook: {0}")]
    Form(String),
    /// It is of another version of the format.
    #[error(
        "this is a notebook of format {major}, and 4 is needed; convert it with `jupyter nbconvert --to notebook`"
    )]
    #[non_exhaustive]
    Version {
        /// The `nbformat` that it says.
        major: i64,
    },
    /// Its cells are of another language.
    #[error("this is a notebook of {theirs}, and {ours} is needed; run it with a kernel of its own")]
    #[non_exhaustive]
    Language {
        /// The language it says.
        theirs: String,
        /// The language that was to run it.
        ours: String,
    },
    /// There is no shell to run it.
    #[error("no cell can be run: {0}")]
    Shell(CellError),
    /// The file cannot be written.
    #[error("cannot write {}: {source}", .path.display())]
    #[non_exhaustive]
    Write {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}
