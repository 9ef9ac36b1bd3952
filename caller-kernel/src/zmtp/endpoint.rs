//! Where a socket listens: a TCP port, or the file of a Unix socket.

use std::{
    fmt, fs, io,
    net::SocketAddr,
    os::unix::fs::{FileTypeExt, PermissionsExt},
    path::{Path, PathBuf},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{self, TcpListener, UnixListener, UnixStream},
};

/// Where to listen, or where a socket listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Endpoint {
    /// A host name or an address, and a port; port 0 is any that is free.
    Tcp(String, u16),
    /// The path of a Unix socket.
    Ipc(PathBuf),
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(host, port) if host.contains(':') => write!(f, "tcp://[{host}]:{port}"),
            Self::Tcp(host, port) => write!(f, "tcp://{host}:{port}"),
            Self::Ipc(path) => write!(f, "ipc://{}", path.display()),
        }
    }
}

/// A socket cannot listen at its endpoint.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen at {endpoint}: {source}")]
pub struct BindError {
    endpoint: Endpoint,
    source: io::Error,
}

impl BindError {
    /// Whether another program listens there.
    #[must_use]
    pub fn is_in_use(&self) -> bool {
        self.source.kind() == io::ErrorKind::AddrInUse
    }
}

/// What accepts connections. Dropping it frees its port, or removes its file.
#[derive(Debug)]
pub(crate) enum Listener {
    Tcp(TcpListener),
    Ipc(UnixListener, #[expect(dead_code, reason = "removes the file when it is dropped")] Unlink),
}

pub(crate) type Halves = (Box<dyn AsyncRead + Send + Unpin>, Box<dyn AsyncWrite + Send + Unpin>);

impl Listener {
    /// Listens. The endpoint that comes back names the port that was chosen.
    pub(crate) async fn bind(endpoint: Endpoint) -> Result<(Self, Endpoint), BindError> {
        let bound = match &endpoint {
            Endpoint::Tcp(host, port) => tcp(host, *port).await,
            Endpoint::Ipc(path) => ipc(path).await.map(|listener| (listener, endpoint.clone())),
        };
        bound.map_err(|source| BindError { endpoint, source })
    }

    /// The next connection. Cancel safe: none is lost.
    pub(crate) async fn accept(&self) -> io::Result<Halves> {
        match self {
            Self::Tcp(listener) => {
                let (stream, _) = listener.accept().await?;
                // Messages are written whole, and each is waited for. A connection that is gone shows later.
                let _ = stream.set_nodelay(true);
                let (reader, writer) = stream.into_split();
                Ok((Box::new(reader), Box::new(writer)))
            }
            Self::Ipc(listener, _) => {
                let (reader, writer) = listener.accept().await?.0.into_split();
                Ok((Box::new(reader), Box::new(writer)))
            }
        }
    }
}

async fn tcp(host: &str, port: u16) -> io::Result<(Listener, Endpoint)> {
    let host = if host == "*" { "0.0.0.0" } else { host };
    let found: Vec<SocketAddr> = net::lookup_host((host, port)).await?.collect();
    let listener = TcpListener::bind(&*found).await?;
    let port = listener.local_addr()?.port();
    Ok((Listener::Tcp(listener), Endpoint::Tcp(host.to_owned(), port)))
}

async fn ipc(path: &Path) -> io::Result<Listener> {
    let listener = match UnixListener::bind(path) {
        // A kernel that was killed leaves its files, and the next one is given the same names.
        Err(error) if error.kind() == io::ErrorKind::AddrInUse && is_left(path).await => {
            fs::remove_file(path)?;
            UnixListener::bind(path)?
        }
        bound => bound?,
    };
    let unlink = Unlink(path.to_owned());
    // Subscribers need no key, so on a shared machine the file's mode is what keeps others out.
    fs::set_permissions(path, PermissionsExt::from_mode(0o600))?;
    Ok(Listener::Ipc(listener, unlink))
}

/// Whether it is the file of a socket at which nobody listens any more.
async fn is_left(path: &Path) -> bool {
    // Connections to a file of another kind are refused just the same.
    if !fs::symlink_metadata(path).is_ok_and(|file| file.file_type().is_socket()) {
        return false;
    }
    matches!(UnixStream::connect(path).await, Err(error) if error.kind() == io::ErrorKind::ConnectionRefused)
}

/// Removes the file of a socket.
#[derive(Debug)]
pub(crate) struct Unlink(PathBuf);

impl Drop for Unlink {
    fn drop(&mut self) {
        // It may be gone already, with its folder.
        let _ = fs::remove_file(&self.0);
    }
}
