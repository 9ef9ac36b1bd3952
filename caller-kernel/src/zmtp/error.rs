//! Why a connection ends before its time.

use super::{
    frame::FrameError, greeting::GreetingError, mechanism::HandshakeError, queue::Ended,
    traffic::TrafficError,
};
use bytes::Bytes;
use std::io;

/// Why a connection ended, other than by the socket's closing or the peer's leaving in order.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PeerError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("the handshake took too long")]
    Slow,
    #[error(transparent)]
    Greeting(#[from] GreetingError),
    #[error(transparent)]
    Handshake(#[from] HandshakeError),
    #[error("a socket of type `{}` cannot talk to this one", .0.escape_ascii())]
    SocketType(Bytes),
    #[error("an identity begins with a zero byte or is longer than 255 bytes")]
    Identity,
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error(transparent)]
    Traffic(#[from] TrafficError),
    #[error(transparent)]
    Ended(#[from] Ended),
}
