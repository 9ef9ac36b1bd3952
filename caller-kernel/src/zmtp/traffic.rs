//! What frames mean after the handshake: messages, and the commands between them.
//! See [traffic](https://rfc.zeromq.org/spec/37/#traffic).

use super::{
    command::{Command, CommandError},
    frame::Frame,
    limits::{FRAME_COST, Limits},
};
use bytes::Bytes;

/// One thing that a peer said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Inbound {
    /// A whole message; it has one part at least.
    Message(Vec<Bytes>),
    /// A wish to get what begins with these bytes, by the command of 3.1. In 3.0 it is a message: see [`subscription`].
    Subscribe(Bytes),
    /// The end of such a wish.
    Cancel(Bytes),
    /// To be answered, with this context.
    Ping(Bytes),
}

/// Why frames are not traffic, or not what we take.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TrafficError {
    #[error("a message is over the limit of {0} bytes")]
    TooLong(usize),
    #[error(transparent)]
    Command(#[from] CommandError),
    #[error("the peer reported an error: {}", .0.escape_ascii())]
    Peer(Bytes),
}

/// Puts frames together.
#[derive(Debug)]
pub(crate) struct Assembler {
    parts: Vec<Bytes>,
    size: usize,
    limit: usize,
}

impl Assembler {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self { parts: Vec::new(), size: 0, limit: limits.message }
    }

    /// Takes a frame, and gives what it completes. After an error the stream has no meaning any more.
    pub(crate) fn push(&mut self, frame: Frame) -> Result<Option<Inbound>, TrafficError> {
        match frame {
            Frame::Part { body, more } => {
                self.size = self.size.saturating_add(body.len()).saturating_add(FRAME_COST);
                if self.size > self.limit {
                    return Err(TrafficError::TooLong(self.limit));
                }
                self.parts.push(body);
                if more {
                    return Ok(None);
                }
                self.size = 0;
                Ok(Some(Inbound::Message(std::mem::take(&mut self.parts))))
            }
            // Between two messages by the specification. But libzmq sends a ping when its time has come, which may be
            // inside of one.
            Frame::Command(body) => match Command::decode(body)? {
                Command::Subscribe(topic) => Ok(Some(Inbound::Subscribe(topic))),
                Command::Cancel(topic) => Ok(Some(Inbound::Cancel(topic))),
                Command::Ping { context } => Ok(Some(Inbound::Ping(context))),
                Command::Error(reason) => Err(TrafficError::Peer(reason)),
                Command::Pong | Command::Ready(_) | Command::Unknown => Ok(None),
            },
        }
    }
}

/// A subscription or its end as subscribers of 3.0 say it: a message whose first byte tells which.
pub(crate) fn subscription(message: &[Bytes]) -> Option<Inbound> {
    let [body] = message else { return None };
    match body.first()? {
        0 => Some(Inbound::Cancel(body.slice(1..))),
        1 => Some(Inbound::Subscribe(body.slice(1..))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(body: &'static [u8], more: bool) -> Frame {
        Frame::Part { body: Bytes::from_static(body), more }
    }

    fn command(body: &'static [u8]) -> Frame {
        Frame::Command(Bytes::from_static(body))
    }

    #[test]
    fn parts_become_a_message() {
        let mut assembler = Assembler::new(&Limits::default());
        assert_eq!(assembler.push(part(b"a", true)), Ok(None));
        assert_eq!(
            assembler.push(part(b"", false)),
            Ok(Some(Inbound::Message(vec![Bytes::from_static(b"a"), Bytes::new()])))
        );
        assert_eq!(
            assembler.push(command(b"\x06CANCELx")),
            Ok(Some(Inbound::Cancel(Bytes::from_static(b"x"))))
        );
        assert_eq!(assembler.push(command(b"\x03FOO")), Ok(None));
    }

    #[test]
    fn a_ping_may_come_inside_of_a_message() {
        let mut assembler = Assembler::new(&Limits::default());
        assembler.push(part(b"a", true)).unwrap();
        assert_eq!(assembler.push(command(b"\x04PING\0\0")), Ok(Some(Inbound::Ping(Bytes::new()))));
        assert!(
            matches!(assembler.push(part(b"b", false)), Ok(Some(Inbound::Message(parts))) if parts == ["a", "b"])
        );
    }

    #[test]
    fn the_limit_counts_all_parts_and_their_number() {
        let limits = Limits { message: 3 * FRAME_COST, ..Limits::default() };
        let mut assembler = Assembler::new(&limits);
        for _ in 0..3 {
            assert_eq!(assembler.push(part(b"", true)), Ok(None));
        }
        assert_eq!(assembler.push(part(b"", false)), Err(TrafficError::TooLong(limits.message)));
        // The next message starts anew.
        let mut assembler = Assembler::new(&limits);
        for _ in 0..10 {
            assert!(assembler.push(part(b"x", false)).is_ok());
        }
    }

    #[test]
    fn a_subscription_of_3_0_is_a_message() {
        let message = |body: &'static [u8]| subscription(&[Bytes::from_static(body)]);
        assert_eq!(message(b"\x01abc"), Some(Inbound::Subscribe(Bytes::from_static(b"abc"))));
        assert_eq!(message(b"\x00"), Some(Inbound::Cancel(Bytes::new())));
        assert_eq!(message(b"\x02abc"), None);
        assert_eq!(message(b""), None);
        assert_eq!(subscription(&[Bytes::from_static(b"\x01"), Bytes::new()]), None);
    }
}
