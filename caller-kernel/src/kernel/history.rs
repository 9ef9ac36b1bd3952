//! The history of cells: of this kernel, and of those that keep theirs in the same file. The file may be of years, so it is
//! read when somebody asks for it, and not before.

mod entry;

mod file;

mod glob;

use std::{
    collections::HashSet,
    io,
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
};

pub(crate) use self::entry::Entry;
use self::{file::File, glob::Glob};

/// The cells that were run.
pub(crate) struct History(Mutex<State>);

struct State {
    session: u64,
    /// Those of this session that are in no file.
    entries: Vec<Entry>,
    file: Option<File>,
    /// Whether the file can be written, as far as is known.
    writable: bool,
}

impl History {
    /// One that is forgotten with the kernel.
    pub(crate) fn in_memory() -> Self {
        Self(State { session: 1, entries: Vec::new(), file: None, writable: false }.into())
    }

    /// One that goes on in a file, which is made if it is not there.
    ///
    /// # Errors
    ///
    /// The file cannot be opened, read or written.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let (file, session) = File::open(path)?;
        Ok(Self(State { session, entries: Vec::new(), file: Some(file), writable: true }.into()))
    }

    /// A cell begins.
    pub(crate) fn store(&self, line: u32, input: &str) {
        let mut state = self.state();
        let session = state.session;
        if !state.write(|file| file.input(session, line, input)) {
            state.entries.push(Entry { session, line, input: input.to_owned(), output: None });
        }
    }

    /// A cell has ended in something.
    pub(crate) fn store_output(&self, line: u32, output: &str) {
        let mut state = self.state();
        let session = state.session;
        if !state.write(|file| file.output(session, line, output))
            && let Some(entry) = state.entries.iter_mut().rev().find(|entry| entry.line == line)
        {
            entry.output = Some(output.to_owned());
        }
    }

    /// The last `n` cells.
    pub(crate) fn tail(&self, n: usize) -> Vec<Entry> {
        let mut entries = self.entries();
        entries.drain(..entries.len().saturating_sub(n));
        entries
    }

    /// The cells of one session, from `start` up to but not with `stop`. Sessions of zero and below are counted back from
    /// this one.
    pub(crate) fn range(&self, session: i64, start: i64, stop: Option<i64>) -> Vec<Entry> {
        let own = self.state().session;
        let session = if session > 0 { session } else { own.cast_signed().saturating_add(session) };
        let mut entries = self.entries();
        entries.retain(|entry| {
            entry.session.cast_signed() == session
                && i64::from(entry.line) >= start
                && stop.is_none_or(|stop| i64::from(entry.line) < stop)
        });
        entries
    }

    /// The last `n` cells whose text fits a pattern; with `unique`, each text once, where it was last run.
    pub(crate) fn search(&self, pattern: &str, n: Option<usize>, unique: bool) -> Vec<Entry> {
        let pattern = Glob::new(pattern);
        let entries = self.entries();
        let mut seen = HashSet::new();
        let fits = entries.iter().rev().filter(|entry| pattern.fits(&entry.input));
        let fits = fits.filter(|entry| !unique || seen.insert(&*entry.input));
        let mut found: Vec<_> = fits.take(n.unwrap_or(usize::MAX)).cloned().collect();
        found.reverse();
        found
    }

    /// All of them, in the order of their sessions.
    fn entries(&self) -> Vec<Entry> {
        let mut state = self.state();
        let State { session, entries: own, file, .. } = &mut *state;
        let mut entries = file.as_mut().map_or_else(Vec::new, |file| {
            file.entries().unwrap_or_else(|error| {
                tracing::warn!(%error, "the history cannot be read: what is in its file is left out");
                Vec::new()
            })
        });
        let after = entries.partition_point(|entry| entry.session <= *session);
        entries.splice(after..after, own.iter().cloned());
        entries
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Whether it was written.
    fn write(&mut self, write: impl FnOnce(&mut File) -> io::Result<()>) -> bool {
        let Some(file) = self.file.as_mut().filter(|_| self.writable) else { return false };
        if let Err(error) = write(file) {
            tracing::warn!(%error, "the history cannot be written, and is in memory alone from now on");
            self.writable = false;
        }
        self.writable
    }
}

#[cfg(test)]
mod tests;
