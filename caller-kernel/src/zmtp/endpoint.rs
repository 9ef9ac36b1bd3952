//! Where a socket listens: a TCP port, or the file of a Unix socket.

use super::key_error::KeyError;
use std::{fmt, io, net::SocketAddr, path::PathBuf};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{self, TcpListener, TcpStream},
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
            Self::Tcp(host, port) if bare(host).contains(':') => write!(f, "tcp://[{}]:{port}", bare(host)),
            Self::Tcp(host, port) => write!(f, "tcp://{host}:{port}"),
            Self::Ipc(path) => write!(f, "ipc://{}", path.display()),
        }
    }
}

impl Endpoint {
    /// Connects to what listens there.
    pub(crate) async fn connect(&self) -> io::Result<Halves> {
        match self {
            Self::Tcp(host, port) => Ok(tcp_halves(TcpStream::connect((bare(host), *port)).await?)),
            #[cfg(unix)]
            Self::Ipc(path) => {
                let (reader, writer) = net::UnixStream::connect(path).await?.into_split();
                Ok((Box::new(reader), Box::new(writer)))
            }
            #[cfg(not(unix))]
            Self::Ipc(_) => Err(io::Error::new(io::ErrorKind::Unsupported, "use tcp on this system")),
        }
    }
}

/// A host without the brackets in which an address of IPv6 may stand.
fn bare(host: &str) -> &str {
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}

fn tcp_halves(stream: TcpStream) -> Halves {
    // Messages are written whole, and each is waited for. A connection that is gone shows later.
    let _ = stream.set_nodelay(true);
    let (reader, writer) = stream.into_split();
    (Box::new(reader), Box::new(writer))
}

/// A socket cannot listen as its connection says.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BindError {
    /// Not at its endpoint.
    #[error("cannot listen at {endpoint}: {source}")]
    #[non_exhaustive]
    Endpoint {
        /// Where it should listen.
        endpoint: String,
        /// Why it cannot.
        source: io::Error,
    },
    /// Not with its keys.
    #[error(transparent)]
    Keys(#[from] KeyError),
}

impl BindError {
    /// Whether another program listens there.
    #[must_use]
    pub fn is_in_use(&self) -> bool {
        matches!(self, Self::Endpoint { source, .. } if source.kind() == io::ErrorKind::AddrInUse)
    }
}

/// What accepts connections. Dropping it frees its port, or removes its file.
#[derive(Debug)]
pub(crate) enum Listener {
    Tcp(TcpListener),
    #[cfg(unix)]
    Ipc(super::ipc::Listener),
}

pub(crate) type Halves = (Box<dyn AsyncRead + Send + Unpin>, Box<dyn AsyncWrite + Send + Unpin>);

impl Listener {
    /// Listens. The endpoint that comes back names the port that was chosen.
    pub(crate) async fn bind(endpoint: Endpoint) -> Result<(Self, Endpoint), BindError> {
        let bound = match &endpoint {
            Endpoint::Tcp(host, port) => tcp(host, *port).await,
            #[cfg(unix)]
            Endpoint::Ipc(path) => {
                super::ipc::Listener::bind(path).await.map(|listener| (Self::Ipc(listener), endpoint.clone()))
            }
            #[cfg(not(unix))]
            Endpoint::Ipc(_) => Err(io::Error::new(io::ErrorKind::Unsupported, "use tcp on this system")),
        };
        bound.map_err(|source| BindError::Endpoint { endpoint: endpoint.to_string(), source })
    }

    /// The next connection. Cancel safe: none is lost.
    pub(crate) async fn accept(&self) -> io::Result<Halves> {
        match self {
            Self::Tcp(listener) => Ok(tcp_halves(listener.accept().await?.0)),
            #[cfg(unix)]
            Self::Ipc(listener) => {
                let (reader, writer) = listener.accept().await?.into_split();
                Ok((Box::new(reader), Box::new(writer)))
            }
        }
    }
}

async fn tcp(host: &str, port: u16) -> io::Result<(Listener, Endpoint)> {
    let host = if host == "*" { "0.0.0.0" } else { bare(host) };
    let found: Vec<SocketAddr> = net::lookup_host((host, port)).await?.collect();
    let listener = TcpListener::bind(&*found).await?;
    let port = listener.local_addr()?.port();
    Ok((Listener::Tcp(listener), Endpoint::Tcp(host.to_owned(), port)))
}
