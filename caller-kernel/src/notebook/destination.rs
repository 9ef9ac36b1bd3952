//! Where a notebook is written to.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind, Write},
    path::{Path, PathBuf},
};

use super::NotebookError;

/// Where a notebook is to be written, which is known to be possible: so it can be found out before hours of cells.
#[derive(Debug)]
pub struct Destination {
    /// What it is called.
    path: PathBuf,
    target: Target,
}

#[derive(Debug)]
enum Target {
    Stdout,
    /// A pipe or a device: what is written goes into it.
    Into(File),
    /// A file, which appears whole, at once.
    File(PathBuf),
}

impl Destination {
    /// A file, there or not. One that is there is replaced, and keeps who may read it; if it is a link, what it leads to is.
    /// What is no file, such as a pipe, is written into. Nothing changes before that.
    ///
    /// # Blocking
    ///
    /// A named pipe is waited for until somebody reads it.
    ///
    /// # Errors
    ///
    /// Nothing can be written there.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, NotebookError> {
        let path = path.as_ref();
        let target = open(path).map_err(|source| failed(path, source))?;
        Ok(Self { path: path.to_owned(), target })
    }

    /// What this process prints to.
    pub fn stdout() -> Self {
        Self { path: "stdout".into(), target: Target::Stdout }
    }

    pub(super) fn write(self, text: &[u8]) -> Result<(), NotebookError> {
        let written = match self.target {
            Target::Stdout => {
                let mut out = io::stdout().lock();
                out.write_all(text).and_then(|()| out.flush())
            }
            Target::Into(mut file) => file.write_all(text),
            Target::File(path) => replace(&path, text),
        };
        match written {
            // A reader that has gone away, such as `head`, has all it wants.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
            written => written.map_err(|source| failed(&self.path, source)),
        }
    }
}

fn failed(path: &Path, source: io::Error) -> NotebookError {
    NotebookError::Write { path: path.to_owned(), source }
}

fn open(path: &Path) -> io::Result<Target> {
    // Also what may be replaced and not written is not to be written.
    match OpenOptions::new().write(true).open(path) {
        Ok(there) if !there.metadata()?.is_file() => return Ok(Target::Into(there)),
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut path = path.to_owned();
    // The end of links that go in circles is an error above.
    while let Ok(target) = path.read_link() {
        path = folder(&path).join(target);
    }
    if !folder(&path).is_dir() {
        let text = format!("there is no folder {}; make it first", folder(&path).display());
        return Err(io::Error::new(ErrorKind::NotFound, text));
    }
    // Not kept, since nothing would remove it if this process were killed.
    drop(temporary(&path)?);
    Ok(Target::File(path))
}

/// The folder that a file is in.
fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// An empty file beside another.
fn temporary(path: &Path) -> io::Result<tempfile::NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // As any file that is made here; otherwise it would be for its owner alone.
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    builder.prefix(".caller-kernel-").tempfile_in(folder(path))
}

/// Puts a file in the place of another.
fn replace(path: &Path, text: &[u8]) -> io::Result<()> {
    let mut file = temporary(path)?;
    file.write_all(text)?;
    if let Ok(before) = fs::metadata(path) {
        file.as_file().set_permissions(before.permissions())?;
    }
    file.persist(path)?;
    Ok(())
}
