//! The history of cells: of this kernel, and of those before it that kept theirs in the same file.

mod file;
mod glob;

use std::{
    collections::HashSet,
    io,
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
};

use self::{file::File, glob::Glob};

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

/// The cells that were run, in memory and, if there is one, in a file.
pub(crate) struct History(Mutex<State>);

struct State {
    session: u64,
    entries: Vec<Entry>,
    file: Option<File>,
}

impl History {
    /// One that is forgotten with the kernel.
    pub(crate) fn in_memory() -> Self {
        Self(State { session: 1, entries: Vec::new(), file: None }.into())
    }

    /// One that goes on in a file, which is made if it is not there.
    ///
    /// # Errors
    ///
    /// The file cannot be opened, read or written.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let (file, session, entries) = File::open(path)?;
        Ok(Self(State { session, entries, file: Some(file) }.into()))
    }

    /// A cell begins.
    pub(crate) fn store(&self, line: u32, input: &str) {
        let mut state = self.state();
        let session = state.session;
        state.write(|file| file.input(session, line, input));
        state.entries.push(Entry { session, line, input: input.to_owned(), output: None });
    }

    /// A cell has ended in something.
    pub(crate) fn store_output(&self, line: u32, output: &str) {
        let mut state = self.state();
        let session = state.session;
        state.write(|file| file.output(session, line, output));
        let known = state.entries.iter_mut().rev().take_while(|entry| entry.session == session);
        if let Some(entry) = known.into_iter().find(|entry| entry.line == line) {
            entry.output = Some(output.to_owned());
        }
    }

    /// The last `n` cells.
    pub(crate) fn tail(&self, n: usize) -> Vec<Entry> {
        let state = self.state();
        let from = state.entries.len().saturating_sub(n);
        state.entries[from..].to_vec()
    }

    /// The cells of one session, from `start` up to but not with `stop`. Sessions of zero and below are counted back from
    /// this one.
    pub(crate) fn range(&self, session: i64, start: i64, stop: Option<i64>) -> Vec<Entry> {
        let state = self.state();
        let session = if session > 0 { session } else { state.session.cast_signed().saturating_add(session) };
        let wanted = |entry: &&Entry| {
            entry.session.cast_signed() == session
                && i64::from(entry.line) >= start
                && stop.is_none_or(|stop| i64::from(entry.line) < stop)
        };
        state.entries.iter().filter(wanted).cloned().collect()
    }

    /// The last `n` cells whose text fits a pattern; with `unique`, each text once, where it was last run.
    pub(crate) fn search(&self, pattern: &str, n: Option<usize>, unique: bool) -> Vec<Entry> {
        let pattern = Glob::new(pattern);
        let state = self.state();
        let mut seen = HashSet::new();
        let fits = state.entries.iter().rev().filter(|entry| pattern.fits(&entry.input));
        let fits = fits.filter(|entry| !unique || seen.insert(&*entry.input));
        let mut found: Vec<_> = fits.take(n.unwrap_or(usize::MAX)).cloned().collect();
        found.reverse();
        found
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn write(&mut self, write: impl FnOnce(&mut File) -> io::Result<()>) {
        let Some(file) = &mut self.file else { return };
        if let Err(error) = write(file) {
            tracing::warn!(%error, "the history cannot be written, and is in memory alone from now on");
            self.file = None;
        }
    }
}

#[cfg(test)]
mod tests;
