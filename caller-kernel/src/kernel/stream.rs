//! What Rust code writes to the output of cells with.

use std::{
    fmt,
    io::{self, IoSlice, Write},
    sync::Arc,
};

use crate::shell::{Output, Stream};

/// A text stream of the kernel, for Rust code; made by [`Kernel::stdout`](super::Kernel::stdout) and
/// [`Kernel::stderr`](super::Kernel::stderr).
///
/// What is written in a call that a cell has made, directly or through others, lands in that cell. Elsewhere it belongs to no
/// cell, and front ends show it as they please. It is also written to the stream of the process if the kernel is not
/// [`quiet`](super::KernelBuilder::quiet).
///
/// It cannot be read or sought:
///
/// ```compile_fail
/// fn read(stream: caller_kernel::KernelStream) -> impl std::io::Read { stream }
/// ```
/// ```compile_fail
/// fn seek(stream: caller_kernel::KernelStream) -> impl std::io::Seek { stream }
/// ```
pub struct KernelStream {
    stream: Stream,
    /// Where there is no cell.
    elsewhere: Arc<dyn Output>,
    /// The beginning of a character.
    rest: Vec<u8>,
}

impl KernelStream {
    pub(crate) fn new(stream: Stream, elsewhere: Arc<dyn Output>) -> Self {
        Self { stream, elsewhere, rest: Vec::new() }
    }

    /// Whether it counts as a terminal, as a program asks before it uses colours: it does, front ends show them.
    #[must_use]
    pub fn is_terminal(&self) -> bool {
        true
    }

    /// Writes all of these, without anything between them, as one message.
    ///
    /// # Errors
    ///
    /// None as yet.
    pub fn write_many<T: AsRef<str>>(&mut self, lines: impl IntoIterator<Item = T>) -> io::Result<()> {
        let mut text = Vec::new();
        lines.into_iter().for_each(|line| text.extend_from_slice(line.as_ref().as_bytes()));
        self.write_all(&text)
    }

    fn put(&mut self, bytes: &[u8]) {
        self.rest.extend_from_slice(bytes);
        // What may be the beginning of a character waits for the rest of it.
        let whole = match str::from_utf8(&self.rest) {
            Err(error) if error.error_len().is_none() => error.valid_up_to(),
            _ => self.rest.len() - cut(&self.rest),
        };
        let rest = self.rest.split_off(whole);
        let text = std::mem::replace(&mut self.rest, rest);
        let output = <dyn Output>::current();
        output.as_ref().unwrap_or(&self.elsewhere).stream(self.stream, &String::from_utf8_lossy(&text));
    }
}

/// How many bytes at the end are the beginning of a character, in text with errors before it.
fn cut(bytes: &[u8]) -> usize {
    let last = bytes.utf8_chunks().last();
    let invalid = last.map_or(&[][..], |chunk| chunk.invalid());
    match str::from_utf8(invalid) {
        Err(error) if error.error_len().is_none() => invalid.len(),
        _ => 0,
    }
}

impl Write for KernelStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.put(bytes);
        Ok(bytes.len())
    }

    fn write_vectored(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        let bytes: Vec<u8> = parts.iter().flat_map(|part| part.iter().copied()).collect();
        self.write(&bytes)
    }

    /// Text is sent soon by itself, and before the cell ends; this waits for nothing.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl fmt::Debug for KernelStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KernelStream").field("stream", &self.stream).finish_non_exhaustive()
    }
}
