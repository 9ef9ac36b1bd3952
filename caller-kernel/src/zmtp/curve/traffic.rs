//! Frames in boxes, after the handshake.

use super::{CurveError, TAG, counted, open, seal, take, take_name};
use crate::zmtp::frame::{self, Frame};
use bytes::{Buf, BufMut, BytesMut};
use crypto_box::SalsaBox;
use std::{fmt, sync::Arc};

/// What a frame has more in its box than outside of it: name, number, tag and flags.
pub(crate) const OVERHEAD: usize = NAME.len() + 1 + 8 + TAG + 1;

const NAME: &str = "MESSAGE";
const MORE: u8 = 1;
const COMMAND: u8 = 2;

/// Which side put a frame into its box: the two directions have one key, so their nonces must differ.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Side {
    Client,
    Server,
}

impl Side {
    fn prefix(self) -> &'static [u8; 16] {
        match self {
            Self::Client => b"CurveZMQMESSAGEC",
            Self::Server => b"CurveZMQMESSAGES",
        }
    }
}

/// Puts frames into boxes.
pub(crate) struct Sealer {
    key: Arc<SalsaBox>,
    side: Side,
    /// The number of what was sealed last.
    number: u64,
}

impl Sealer {
    pub(super) fn new(key: Arc<SalsaBox>, side: Side, number: u64) -> Self {
        Self { key, side, number }
    }

    pub(crate) fn part(&mut self, out: &mut BytesMut, body: &[u8], more: bool) {
        self.seal(out, body, if more { MORE } else { 0 });
    }

    pub(crate) fn command(&mut self, out: &mut BytesMut, body: &[u8]) {
        self.seal(out, body, COMMAND);
    }

    /// What a box holds, flags and all.
    #[cfg(any(test, feature = "fuzzing"))]
    pub(crate) fn raw(&mut self, out: &mut BytesMut, plain: &[u8]) {
        self.put(out, plain.len(), |out| out.put_slice(plain));
    }

    fn seal(&mut self, out: &mut BytesMut, body: &[u8], flags: u8) {
        self.put(out, 1 + body.len(), |out| {
            out.put_u8(flags);
            out.put_slice(body);
        });
    }

    fn put(&mut self, out: &mut BytesMut, size: usize, plain: impl FnOnce(&mut BytesMut)) {
        self.number += 1;
        // A plain frame without flags, as libzmq sends it: what it is, is said inside.
        frame::put_head(out, OVERHEAD - 1 + size, false);
        out.put_u8(NAME.len() as u8);
        out.put_slice(NAME.as_bytes());
        out.put_u64(self.number);
        seal(&self.key, &counted(self.side.prefix(), self.number), out, plain);
    }
}

/// Takes frames out of their boxes.
pub(crate) struct Opener {
    key: Arc<SalsaBox>,
    /// That of the other.
    side: Side,
    /// The number of what came last.
    number: u64,
    /// The largest command.
    command: usize,
}

impl Opener {
    pub(super) fn new(key: Arc<SalsaBox>, side: Side, number: u64, command: usize) -> Self {
        Self { key, side, number, command }
    }

    /// What was in a box. After an error the peer cannot be talked to any more.
    pub(crate) fn open(&mut self, frame: Frame) -> Result<Frame, CurveError> {
        let body = match frame {
            // Some may mark it for the command that it is by its name.
            Frame::Part { body, more: false } | Frame::Command(body) => body,
            Frame::Part { .. } => return Err(CurveError::Command),
        };
        let mut rest = &*body;
        take_name(&mut rest, NAME)?;
        let number = u64::from_be_bytes(*take(&mut rest)?);
        if number <= self.number {
            return Err(CurveError::Replay);
        }
        let mut plain = open(&self.key, &counted(self.side.prefix(), number), rest)?;
        self.number = number;
        let flags = plain.try_get_u8().map_err(|_| CurveError::Command)?;
        match flags & (MORE | COMMAND) {
            // Further flags are for versions to come.
            COMMAND if plain.len() > self.command => Err(CurveError::TooLong(self.command)),
            COMMAND => Ok(Frame::Command(plain)),
            more if more & COMMAND == 0 => Ok(Frame::Part { body: plain, more: more & MORE != 0 }),
            // A command stands alone.
            _ => Err(CurveError::Command),
        }
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealer").field("number", &self.number).finish_non_exhaustive()
    }
}

impl fmt::Debug for Opener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opener").field("number", &self.number).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::zmtp::{Limits, frame::Decoder};
    use bytes::Bytes;
    use crypto_box::{PublicKey, SecretKey};

    fn key() -> Arc<SalsaBox> {
        SalsaBox::new(&PublicKey::from([9; 32]), &SecretKey::from([7; 32])).into()
    }

    fn sides() -> (Sealer, Opener) {
        (Sealer::new(key(), Side::Client, 2), Opener::new(key(), Side::Client, 2, 100))
    }

    fn frames(bytes: &[u8]) -> Vec<Frame> {
        let mut decoder = Decoder::new(&Limits::default());
        decoder.room().put_slice(bytes);
        std::iter::from_fn(|| decoder.next().unwrap()).collect()
    }

    fn sealed(write: impl FnOnce(&mut Sealer, &mut BytesMut)) -> (Vec<Frame>, Opener) {
        let (mut sealer, opener) = sides();
        let mut out = BytesMut::new();
        write(&mut sealer, &mut out);
        (frames(&out), opener)
    }

    #[test]
    fn what_is_sealed_is_opened() {
        let long = [7; 1000];
        let (frames, mut opener) = sealed(|sealer, out| {
            sealer.part(out, b"secret", true);
            sealer.command(out, b"\x04PING\0\0");
            sealer.part(out, &long, false);
        });
        // The length is all that shows.
        assert!(matches!(&frames[0], Frame::Part { body, more: false } if body.len() == 6 + OVERHEAD));
        assert!(!format!("{frames:?}").contains("secret"));
        let opened: Vec<_> = frames.into_iter().map(|frame| opener.open(frame).unwrap()).collect();
        assert_eq!(
            opened,
            [
                Frame::Part { body: Bytes::from_static(b"secret"), more: true },
                Frame::Command(Bytes::from_static(b"\x04PING\0\0")),
                Frame::Part { body: Bytes::copy_from_slice(&long), more: false },
            ]
        );
    }

    #[test]
    fn numbers_only_grow() {
        let (frames, mut opener) = sealed(|sealer, out| {
            sealer.part(out, b"one", false);
            sealer.part(out, b"two", false);
        });
        assert!(opener.open(frames[1].clone()).is_ok());
        // What came, and what is older.
        assert_eq!(opener.open(frames[1].clone()), Err(CurveError::Replay));
        assert_eq!(opener.open(frames[0].clone()), Err(CurveError::Replay));
        // Nor is a frame of the handshake's number taken.
        let mut late = Opener::new(key(), Side::Client, 3, 100);
        assert_eq!(late.open(frames[0].clone()), Err(CurveError::Replay));
    }

    #[test]
    fn what_is_changed_or_cut_is_refused() {
        let (frames, _) = sealed(|sealer, out| sealer.part(out, b"secret", false));
        let Frame::Part { body, .. } = &frames[0] else { unreachable!() };
        for at in 0..body.len() {
            let mut changed = body.to_vec();
            changed[at] ^= 1;
            for wrong in [changed.into(), body.slice(..at)] {
                let (_, mut opener) = sides();
                assert!(opener.open(Frame::Part { body: wrong, more: false }).is_err(), "at {at}");
            }
        }
        let (_, mut opener) = sides();
        assert!(opener.open(Frame::Part { body: body.clone(), more: true }).is_err());
        assert!(opener.open(Frame::Command(body.clone())).is_ok());
    }

    #[test]
    fn the_other_direction_is_another() {
        let (frames, _) = sealed(|sealer, out| sealer.part(out, b"secret", false));
        let mut opener = Opener::new(key(), Side::Server, 2, 100);
        assert_eq!(opener.open(frames[0].clone()), Err(CurveError::Box));
    }

    #[test]
    fn commands_have_their_limit_in_boxes_too() {
        let (frames, mut opener) = sealed(|sealer, out| {
            sealer.command(out, &[0; 100]);
            sealer.command(out, &[0; 101]);
            sealer.raw(out, &[MORE | COMMAND]);
            sealer.raw(out, b"");
        });
        assert!(opener.open(frames[0].clone()).is_ok());
        assert_eq!(opener.open(frames[1].clone()), Err(CurveError::TooLong(100)));
        assert_eq!(opener.open(frames[2].clone()), Err(CurveError::Command));
        assert_eq!(opener.open(frames[3].clone()), Err(CurveError::Command));
    }

    #[test]
    fn keys_are_not_shown() {
        let (sealer, opener) = sides();
        assert_eq!(format!("{sealer:?} {opener:?}"), "Sealer { number: 2, .. } Opener { number: 2, .. }");
    }
}
