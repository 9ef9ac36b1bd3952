//! The file of the history: an object of JSON a line.

use std::{
    collections::HashMap,
    fs::{self, TryLockError},
    io::{self, Read, Seek, SeekFrom, Write},
    path::Path,
    thread,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

use super::entry::Entry;

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
    /// Opens it, and begins a session, whose number it gives.
    pub(crate) fn open(path: &Path) -> io::Result<(Self, u64)> {
        if let Some(folder) = path.parent() {
            create(folder)?;
        }
        let mut options = fs::OpenOptions::new();
        options.read(true).append(true).create(true);
        // What people type is for them alone.
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(path)?;
        // Held until the number of the session is in the file, so that no two kernels choose the same.
        lock(&file)?;
        let begun = Self::begin(&mut file);
        file.unlock()?;
        Ok((Self(file), begun?))
    }

    fn begin(file: &mut fs::File) -> io::Result<u64> {
        let (last, whole) = last_session(file)?;
        let session = last + 1;
        let mut begin = Vec::new();
        if !whole {
            // A line was cut off: what follows is not to be lost with it.
            begin.push(b'\n');
        }
        serde_json::to_writer(&mut begin, &Line { session, line: 0, input: None, output: None })?;
        begin.push(b'\n');
        file.write_all(&begin)?;
        Ok(session)
    }

    /// The cells of all sessions, in the order of these.
    pub(crate) fn entries(&mut self) -> io::Result<Vec<Entry>> {
        let mut text = Vec::new();
        self.0.rewind()?;
        self.0.read_to_end(&mut text)?;
        Ok(entries(&text))
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

/// Makes the folder, if it is not there, for its owner alone.
fn create(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// How long another kernel may take to begin its session.
const PATIENCE: Duration = Duration::from_secs(1);

/// Locks it, unless somebody keeps it to himself.
fn lock(file: &fs::File) -> io::Result<()> {
    let until = Instant::now() + PATIENCE;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::Error(error)) => return Err(error),
            Err(TryLockError::WouldBlock) if Instant::now() < until => thread::sleep(PATIENCE / 100),
            Err(TryLockError::WouldBlock) => {
                let text = "another process keeps it locked";
                return Err(io::Error::new(io::ErrorKind::WouldBlock, text));
            }
        }
    }
}

/// How much of the file is read at a time, unless a line is longer.
const BLOCK: u64 = 1 << 12;

/// The number of the session that began last, and whether the last line is whole. The file may be long: it is read from its
/// end, and as little of it as will do.
fn last_session(file: &mut fs::File) -> io::Result<(u64, bool)> {
    let mut end = file.seek(SeekFrom::End(0))?;
    let (mut whole, mut block) = (None, BLOCK);
    // The end of a line whose beginning is not read yet.
    let mut rest = Vec::new();
    while end > 0 {
        let start = end.saturating_sub(block);
        let mut text = Vec::new();
        file.seek(SeekFrom::Start(start))?;
        file.take(end - start).read_to_end(&mut text)?;
        let whole = *whole.get_or_insert(text.ends_with(b"\n"));
        text.append(&mut rest);
        // What is in front of the first end of a line is not all of its line.
        let first = match text.iter().position(|byte| *byte == b'\n') {
            Some(at) if start > 0 => at + 1,
            None if start > 0 => text.len(),
            _ => 0,
        };
        if let Some(begun) = lines(&text[first..]).rev().find(|line| line.line == 0) {
            return Ok((begun.session, whole));
        }
        if first == text.len() {
            block = block.saturating_mul(2);
        }
        text.truncate(first);
        (rest, end) = (text, start);
    }
    Ok((0, whole.unwrap_or(true)))
}

/// The protocol counts sessions with a sign.
const LAST: u64 = u64::MAX >> 1;

/// The lines of a text. Those that make no sense are passed over, and one that is cut off is one of them.
fn lines(text: &[u8]) -> impl DoubleEndedIterator<Item = Line<'_>> {
    let lines = text.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok());
    lines.filter(|line: &Line<'_>| line.session <= LAST)
}

fn entries(text: &[u8]) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    let mut places = HashMap::new();
    for Line { session, line, input, output } in lines(text) {
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
    entries
}
