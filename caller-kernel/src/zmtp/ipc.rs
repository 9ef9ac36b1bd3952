//! Unix sockets, and what becomes of their files.

use std::{
    fs, io,
    os::unix::fs::{FileTypeExt, PermissionsExt},
    path::{Path, PathBuf},
};
use tokio::net::{UnixListener, UnixStream};

/// Accepts connections at a file, which is removed when this is dropped.
#[derive(Debug)]
pub(crate) struct Listener {
    listener: UnixListener,
    path: PathBuf,
}

impl Listener {
    pub(crate) async fn bind(path: &Path) -> io::Result<Self> {
        let listener = match UnixListener::bind(path) {
            // A kernel that was killed leaves its files, and the next one is given the same names.
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && is_left(path).await => {
                fs::remove_file(path)?;
                UnixListener::bind(path)?
            }
            bound => bound?,
        };
        let bound = Self { listener, path: path.to_owned() };
        // Subscribers need no key, so on a shared machine the file's mode is what keeps others out.
        fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
        Ok(bound)
    }

    /// The next connection. Cancel safe: none is lost.
    pub(crate) async fn accept(&self) -> io::Result<UnixStream> {
        Ok(self.listener.accept().await?.0)
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        // It may be gone already, with its folder.
        let _ = fs::remove_file(&self.path);
    }
}

/// Whether it is the file of a socket at which nobody listens any more.
async fn is_left(path: &Path) -> bool {
    // Connections to a file of another kind are refused just the same.
    if !fs::symlink_metadata(path).is_ok_and(|file| file.file_type().is_socket()) {
        return false;
    }
    matches!(UnixStream::connect(path).await, Err(error) if error.kind() == io::ErrorKind::ConnectionRefused)
}
