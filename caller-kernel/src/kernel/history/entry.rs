//! What the history knows of a cell.

/// A cell that was run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// The number of the kernel that ran it: each is one more than that of the one before.
    pub(crate) session: u64,
    /// Its count.
    pub(crate) line: u32,
    pub(crate) input: String,
    /// What it ended in, as plain text.
    pub(crate) output: Option<String>,
}
