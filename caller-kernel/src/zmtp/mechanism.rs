//! The security mechanism: what happens between greeting and traffic, and to each frame of the traffic.
//!
//! A [`Mechanism`] sends commands of its own until it knows the peer's metadata. Then it becomes an [`Opener`] and a
//! [`Sealer`], one for each direction, which wrap frames or leave them as they are.
//! See [NULL](https://rfc.zeromq.org/spec/37/#the-null-security-mechanism) and [`curve`](super::curve).

#[cfg(feature = "curve")]
use super::curve::{self, CurveError};
use super::{
    command::{self, Command, CommandError, Properties},
    frame::{self, Frame},
    greeting::Greeting,
    limits::Limits,
};
use bytes::{BufMut, Bytes, BytesMut};
#[cfg(feature = "curve")]
use std::sync::Arc;

/// What all peers of a socket have to do to become one. There is no falling back to less.
#[derive(Clone, Debug)]
pub(crate) enum Security {
    Null,
    #[cfg(feature = "curve")]
    Curve(Arc<curve::Keys>),
}

impl Security {
    /// The mechanism for one connection of a socket that tells this of itself.
    pub(crate) fn mechanism(&self, own: Properties) -> Mechanism {
        match self {
            Self::Null => Mechanism::Null { own },
            #[cfg(feature = "curve")]
            Self::Curve(keys) => Mechanism::Curve(curve::server::Server::new(Arc::clone(keys), own).into()),
        }
    }
}

/// One side of a handshake.
#[derive(Debug)]
pub(crate) enum Mechanism {
    /// None: each side tells its metadata, and that is all.
    Null { own: Properties },
    /// Encryption; the server's side.
    #[cfg(feature = "curve")]
    Curve(Box<curve::server::Server>),
    #[cfg(all(test, feature = "curve"))]
    CurveClient(Box<curve::client::Client>),
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
    #[cfg(feature = "curve")]
    #[error(transparent)]
    Curve(#[from] CurveError),
}

impl Mechanism {
    fn name(&self) -> &'static str {
        match self {
            Self::Null { .. } => "NULL",
            #[cfg(feature = "curve")]
            Self::Curve(_) => "CURVE",
            #[cfg(all(test, feature = "curve"))]
            Self::CurveClient(_) => "CURVE",
        }
    }

    /// Our greeting. A mechanism without sides has no server.
    pub(crate) fn greeting(&self) -> Greeting {
        let as_server = match self {
            Self::Null { .. } => false,
            #[cfg(feature = "curve")]
            Self::Curve(_) => true,
            #[cfg(all(test, feature = "curve"))]
            Self::CurveClient(_) => false,
        };
        Greeting::new(self.name(), as_server)
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
            #[cfg(feature = "curve")]
            Self::Curve(_) => Vec::new(),
            #[cfg(all(test, feature = "curve"))]
            Self::CurveClient(client) => vec![client.hello()],
        }
    }

    /// Takes the peer's next frame.
    pub(crate) fn receive(&mut self, frame: Frame) -> Result<Progress, HandshakeError> {
        let Frame::Command(body) = frame else { return Err(HandshakeError::Order) };
        match self {
            Self::Null { .. } => match Command::decode(body)? {
                Command::Ready(peer) => Ok(Progress { send: Vec::new(), done: Some(peer) }),
                Command::Error(reason) => Err(HandshakeError::Peer(reason)),
                _ => Err(HandshakeError::Order),
            },
            #[cfg(feature = "curve")]
            Self::Curve(server) => {
                let (answer, done) = server.receive(&body)?;
                Ok(Progress { send: vec![answer], done })
            }
            #[cfg(all(test, feature = "curve"))]
            Self::CurveClient(client) => {
                let (answer, done) = client.receive(&body)?;
                Ok(Progress { send: answer.into_iter().collect(), done })
            }
        }
    }

    /// What the traffic goes through, once the handshake is done.
    pub(crate) fn traffic(self, limits: &Limits) -> Result<(Opener, Sealer), HandshakeError> {
        #[cfg(feature = "curve")]
        let halves = match self {
            Self::Null { .. } => return Ok((Opener::Plain, Sealer::Plain)),
            Self::Curve(server) => server.traffic(limits),
            #[cfg(test)]
            Self::CurveClient(client) => client.traffic(limits),
        };
        #[cfg(feature = "curve")]
        return halves
            .map(|(opener, sealer)| (Opener::Curve(opener), Sealer::Curve(sealer)))
            .ok_or(HandshakeError::Order);
        #[cfg(not(feature = "curve"))]
        {
            let (Self::Null { .. }, _) = (self, limits);
            Ok((Opener::Plain, Sealer::Plain))
        }
    }
}

/// What comes in goes through this.
#[derive(Debug)]
pub(crate) enum Opener {
    Plain,
    #[cfg(feature = "curve")]
    Curve(curve::traffic::Opener),
}

impl Opener {
    /// The bytes that a frame may be longer than what is in it.
    pub(crate) fn overhead(&self) -> usize {
        match self {
            Self::Plain => 0,
            #[cfg(feature = "curve")]
            Self::Curve(_) => curve::traffic::OVERHEAD,
        }
    }

    /// The frame that a frame stands for. After an error the stream has no meaning any more.
    pub(crate) fn open(&mut self, frame: Frame) -> Result<Frame, HandshakeError> {
        match self {
            Self::Plain => Ok(frame),
            #[cfg(feature = "curve")]
            Self::Curve(opener) => Ok(opener.open(frame)?),
        }
    }
}

/// What goes out goes through this.
#[derive(Debug)]
pub(crate) enum Sealer {
    Plain,
    #[cfg(feature = "curve")]
    Curve(curve::traffic::Sealer),
}

/// Bodies from here on are written as they are; shorter ones are gathered first.
const LARGE: usize = 16 << 10;

impl Sealer {
    /// Writes a part, or but its head: then the body that comes back is to follow, which spares a copy of it.
    pub(crate) fn part<'a>(&mut self, out: &mut BytesMut, body: &'a [u8], more: bool) -> Option<&'a [u8]> {
        match self {
            Self::Plain => {
                frame::put_head(out, body.len(), more);
                if body.len() >= LARGE {
                    return Some(body);
                }
                out.put_slice(body);
            }
            #[cfg(feature = "curve")]
            Self::Curve(sealer) => sealer.part(out, body, more),
        }
        None
    }

    pub(crate) fn command(&mut self, out: &mut BytesMut, body: &[u8]) {
        match self {
            Self::Plain => frame::put_command(out, body),
            #[cfg(feature = "curve")]
            Self::Curve(sealer) => sealer.command(out, body),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
