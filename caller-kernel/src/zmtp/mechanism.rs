//! The security mechanism: what happens between greeting and traffic, and to each frame of the traffic.
//!
//! Another mechanism is another variant: it sends commands of its own until it knows the peer's metadata, and may wrap
//! frames from then on. See [NULL](https://rfc.zeromq.org/spec/37/#the-null-security-mechanism).

use super::{
    command::{self, Command, CommandError, Properties},
    frame::Frame,
};
use bytes::Bytes;

/// The server's side of a handshake.
#[derive(Debug)]
pub(crate) enum Mechanism {
    /// None: each side tells its metadata, and that is all.
    Null { own: Properties },
}

/// How far a handshake came by a command of the peer.
#[derive(Debug)]
pub(crate) struct Progress {
    /// Commands to send now, in this order.
    pub(crate) send: Vec<Bytes>,
    /// The peer's metadata, once the handshake is done.
    pub(crate) done: Option<Properties>,
}

/// Why a handshake ended early.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum HandshakeError {
    #[error("the peer wants the mechanism `{}`, we have {ours}", .theirs.escape_ascii())]
    Mechanism { theirs: Bytes, ours: &'static str },
    #[error("something other than the handshake came first")]
    Order,
    #[error(transparent)]
    Command(#[from] CommandError),
    #[error("the peer reported an error: {}", .0.escape_ascii())]
    Peer(Bytes),
}

impl Mechanism {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Null { .. } => "NULL",
        }
    }

    /// What the greeting says of our side: a mechanism without sides has no server.
    pub(crate) fn as_server(&self) -> bool {
        match self {
            Self::Null { .. } => false,
        }
    }

    /// Checks the name in the peer's greeting.
    pub(crate) fn agree(&self, name: &[u8; 20]) -> Result<(), HandshakeError> {
        let end = name.iter().position(|&byte| byte == 0).unwrap_or(name.len());
        let (theirs, ours) = (&name[..end], self.name());
        if theirs == ours.as_bytes() {
            return Ok(());
        }
        Err(HandshakeError::Mechanism { theirs: Bytes::copy_from_slice(theirs), ours })
    }

    /// What to send before the peer says anything.
    pub(crate) fn start(&mut self) -> Vec<Bytes> {
        match self {
            Self::Null { own } => vec![command::encode("READY", &own.encode())],
        }
    }

    /// Takes the peer's next frame.
    pub(crate) fn receive(&mut self, frame: Frame) -> Result<Progress, HandshakeError> {
        let Frame::Command(body) = frame else { return Err(HandshakeError::Order) };
        match (self, Command::decode(body)?) {
            (Self::Null { .. }, Command::Ready(peer)) => Ok(Progress { send: Vec::new(), done: Some(peer) }),
            (_, Command::Error(reason)) => Err(HandshakeError::Peer(reason)),
            _ => Err(HandshakeError::Order),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::greeting::Greeting, *};

    fn null() -> Mechanism {
        Mechanism::Null {
            own: Properties { socket_type: Bytes::from_static(b"ROUTER"), ..Properties::default() },
        }
    }

    #[test]
    fn null_is_one_ready_each() {
        let mut mechanism = null();
        let sent = mechanism.start();
        assert_eq!(sent, [&b"\x05READY\x0bSocket-Type\0\0\0\x06ROUTER"[..]]);
        let progress = mechanism.receive(Frame::Command(sent[0].clone())).unwrap();
        assert_eq!(progress.done.unwrap().socket_type, "ROUTER");
        assert!(progress.send.is_empty());
    }

    #[test]
    fn anything_else_ends_it() {
        let message = Frame::Part { body: Bytes::new(), more: false };
        assert_eq!(null().receive(message).unwrap_err(), HandshakeError::Order);
        let ping = Frame::Command(Bytes::from_static(b"\x04PING\0\0"));
        assert_eq!(null().receive(ping).unwrap_err(), HandshakeError::Order);
        let error = Frame::Command(Bytes::from_static(b"\x05ERROR\x02no"));
        assert_eq!(null().receive(error).unwrap_err(), HandshakeError::Peer(Bytes::from_static(b"no")));
    }

    #[test]
    fn the_names_must_be_the_same() {
        assert!(null().agree(&Greeting::new("NULL", false).mechanism).is_ok());
        let error = null().agree(&Greeting::new("CURVE", false).mechanism).unwrap_err();
        assert_eq!(error.to_string(), "the peer wants the mechanism `CURVE`, we have NULL");
    }
}
