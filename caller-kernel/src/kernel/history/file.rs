//! The file of the history: an object of JSON a line.

use std::{
    collections::HashMap,
    fs,
    io::{self, Read, Seek, Write},
    path::Path,
};

use serde::{Deserialize, Serialize};

use super::Entry;

/// A file that several kernels may append to at the same time: each line is written at once, at the end.
pub(crate) struct File(fs::File);

#[derive(Serialize, Deserialize)]
struct Line<'a> {
    session: u64,
    /// Zero where a session begins.
    #[serde(default)]
    line: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    input: Option<std::borrow::Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    output: Option<std::borrow::Cow<'a, str>>,
}

impl File {
    /// Opens it, and begins a session. Gives its number, and what was stored before.
    pub(crate) fn open(path: &Path) -> io::Result<(Self, u64, Vec<Entry>)> {
        let mut options = fs::OpenOptions::new();
        options.read(true).append(true).create(true);
        // What people type is for them alone.
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(path)?;
        // Held until the number of the session is in the file, so that no two kernels choose the same.
        file.lock()?;
        let begun = Self::begin(&mut file);
        file.unlock()?;
        let (session, entries) = begun?;
        Ok((Self(file), session, entries))
    }

    fn begin(file: &mut fs::File) -> io::Result<(u64, Vec<Entry>)> {
        let mut text = Vec::new();
        file.rewind()?;
        file.read_to_end(&mut text)?;
        let (last, entries) = read(&text);
        let session = last + 1;
        let mut begin = Vec::new();
        if text.last().is_some_and(|last| *last != b'\n') {
            // A line was cut off: what follows is not to be lost with it.
            begin.push(b'\n');
        }
        serde_json::to_writer(&mut begin, &Line { session, line: 0, input: None, output: None })?;
        begin.push(b'\n');
        file.write_all(&begin)?;
        Ok((session, entries))
    }

    pub(crate) fn input(&mut self, session: u64, line: u32, input: &str) -> io::Result<()> {
        self.append(&Line { session, line, input: Some(input.into()), output: None })
    }

    pub(crate) fn output(&mut self, session: u64, line: u32, output: &str) -> io::Result<()> {
        self.append(&Line { session, line, input: None, output: Some(output.into()) })
    }

    fn append(&mut self, line: &Line<'_>) -> io::Result<()> {
        let mut text = serde_json::to_vec(line)?;
        text.push(b'\n');
        self.0.write_all(&text)
    }
}

/// Reads what is there: the last session, and the cells in their order. Lines that make no sense are passed over.
fn read(text: &[u8]) -> (u64, Vec<Entry>) {
    let mut last = 0;
    let mut entries: Vec<Entry> = Vec::new();
    let mut places = HashMap::new();
    for line in text.split(|byte| *byte == b'\n') {
        let Ok(Line { session, line, input, output }) = serde_json::from_slice(line) else { continue };
        last = last.max(session);
        if let Some(input) = input {
            places.insert((session, line), entries.len());
            entries.push(Entry { session, line, input: input.into_owned(), output: None });
        }
        if let Some(output) = output
            && let Some(at) = places.get(&(session, line))
        {
            entries[*at].output = Some(output.into_owned());
        }
    }
    // Kernels that ran at the same time wrote in turn.
    entries.sort_by_key(|entry| entry.session);
    (last, entries)
}
