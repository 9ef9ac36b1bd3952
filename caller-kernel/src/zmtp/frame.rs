//! Bytes in, frames out. See [framing](https://rfc.zeromq.org/spec/37/#framing).

use super::limits::Limits;
use bytes::{Buf, BufMut, Bytes, BytesMut};

const MORE: u8 = 1;
const LONG: u8 = 2;
const COMMAND: u8 = 4;

/// One frame of a connection after its greeting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Frame {
    /// A part of a message, and whether more parts follow.
    Part { body: Bytes, more: bool },
    /// A command, not cut into name and data yet.
    Command(Bytes),
}

/// Why bytes are not frames, or not ones that we take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FrameError {
    #[error("a frame has reserved flags: {0:#04x}")]
    Flags(u8),
    #[error("a frame of {size} bytes is over the limit of {limit}")]
    TooLong { size: u64, limit: usize },
}

/// Cuts a stream of bytes into frames, however the bytes arrive.
#[derive(Debug)]
pub(crate) struct Decoder {
    buffer: BytesMut,
    frame: usize,
    command: usize,
}

/// A buffer that grew past this for one frame goes with it. It would be reused whole otherwise.
const KEEP: usize = 256 << 10;

/// The least room that is offered to a read.
const ROOM: usize = 16 << 10;

impl Decoder {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self { buffer: BytesMut::new(), frame: limits.frame, command: limits.command }
    }

    /// From now on each frame stands for another, in as many bytes more: marked as a command or not, it may be any.
    pub(crate) fn wrapped_by(&mut self, overhead: usize) {
        if overhead > 0 {
            self.frame = self.frame.saturating_add(overhead);
            self.command = self.frame;
        }
    }

    /// The buffer to read into, with room.
    ///
    /// It grows with what has arrived and never to what a header merely promises: the room offered is a constant,
    /// and the buffer's own doubling makes long frames cheap.
    pub(crate) fn room(&mut self) -> &mut BytesMut {
        if self.buffer.capacity() - self.buffer.len() < ROOM / 4 {
            self.buffer.reserve(ROOM);
        }
        &mut self.buffer
    }

    /// The next whole frame, or `None` until more bytes come. After an error the stream has no meaning any more.
    pub(crate) fn next(&mut self) -> Result<Option<Frame>, FrameError> {
        let Some(&flags) = self.buffer.first() else { return Ok(None) };
        // A command stands alone.
        if flags & !(MORE | LONG | COMMAND) != 0 || flags & (COMMAND | MORE) == COMMAND | MORE {
            return Err(FrameError::Flags(flags));
        }
        let (head, size) = if flags & LONG != 0 {
            let Some(size) = self.buffer.get(1..9) else { return Ok(None) };
            (9, size.iter().fold(0, |size, &byte| size << 8 | u64::from(byte)))
        } else {
            let Some(&size) = self.buffer.get(1) else { return Ok(None) };
            (2, u64::from(size))
        };
        let limit = if flags & COMMAND != 0 { self.command } else { self.frame };
        let body = match usize::try_from(size) {
            Ok(body) if body <= limit => body,
            _ => return Err(FrameError::TooLong { size, limit }),
        };
        if self.buffer.len() - head < body {
            return Ok(None);
        }
        self.buffer.advance(head);
        let body = self.buffer.split_to(body).freeze();
        if body.len() > KEEP {
            self.buffer = BytesMut::from(&*self.buffer);
        }
        Ok(Some(match flags & COMMAND {
            0 => Frame::Part { body, more: flags & MORE != 0 },
            _ => Frame::Command(body),
        }))
    }
}

/// Writes the head of a part: its body has to follow.
pub(crate) fn put_head(out: &mut BytesMut, size: usize, more: bool) {
    put_flagged(out, size, if more { MORE } else { 0 });
}

/// Writes a whole command.
pub(crate) fn put_command(out: &mut BytesMut, body: &[u8]) {
    put_flagged(out, body.len(), COMMAND);
    out.put_slice(body);
}

fn put_flagged(out: &mut BytesMut, size: usize, flags: u8) {
    match u8::try_from(size) {
        Ok(size) => out.put_slice(&[flags, size]),
        Err(_) => {
            out.put_u8(flags | LONG);
            out.put_u64(size as u64);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoder(limit: usize) -> Decoder {
        Decoder::new(&Limits { frame: limit, command: 100, ..Limits::default() })
    }

    fn feed(decoder: &mut Decoder, bytes: &[u8]) {
        decoder.room().put_slice(bytes);
    }

    fn part(body: &'static [u8], more: bool) -> Frame {
        Frame::Part { body: Bytes::from_static(body), more }
    }

    #[test]
    fn short_long_and_command_frames() {
        let mut decoder = decoder(1000);
        feed(&mut decoder, b"\x01\x02ab\x00\x00\x04\x03xyz");
        feed(&mut decoder, &[2, 0, 0, 0, 0, 0, 0, 1, 0]);
        feed(&mut decoder, &[b'q'; 256]);
        assert_eq!(decoder.next(), Ok(Some(part(b"ab", true))));
        assert_eq!(decoder.next(), Ok(Some(part(b"", false))));
        assert_eq!(decoder.next(), Ok(Some(Frame::Command(Bytes::from_static(b"xyz")))));
        assert_eq!(decoder.next(), Ok(Some(part(&[b'q'; 256], false))));
        assert_eq!(decoder.next(), Ok(None));
    }

    #[test]
    fn a_frame_may_come_byte_by_byte() {
        let mut decoder = decoder(1000);
        let mut bytes = BytesMut::new();
        put_head(&mut bytes, 300, true);
        bytes.put_bytes(b'z', 300);
        let (last, first) = bytes.split_last().unwrap();
        for &byte in first {
            feed(&mut decoder, &[byte]);
            assert_eq!(decoder.next(), Ok(None));
        }
        feed(&mut decoder, &[*last]);
        assert_eq!(decoder.next(), Ok(Some(part(&[b'z'; 300], true))));
    }

    #[test]
    fn reserved_flags_are_refused() {
        for flags in [8, 16, 32, 64, 128, COMMAND | MORE] {
            let mut decoder = decoder(1000);
            feed(&mut decoder, &[flags, 0]);
            assert_eq!(decoder.next(), Err(FrameError::Flags(flags)));
        }
    }

    #[test]
    fn limits_hold_before_the_body_comes() {
        let mut decoder = decoder(1000);
        feed(&mut decoder, &[2, 0, 0, 0, 0, 0, 0, 3, 0xe9]);
        assert_eq!(decoder.next(), Err(FrameError::TooLong { size: 1001, limit: 1000 }));
        let mut decoder = self::decoder(1000);
        feed(&mut decoder, &[4, 101]);
        assert_eq!(decoder.next(), Err(FrameError::TooLong { size: 101, limit: 100 }));
        let mut decoder = self::decoder(usize::MAX >> 1);
        feed(&mut decoder, &[2, 0xff, 0, 0, 0, 0, 0, 0, 0]);
        assert!(matches!(decoder.next(), Err(FrameError::TooLong { .. })));
    }

    #[test]
    fn a_promise_reserves_nothing() {
        let mut decoder = decoder(1 << 40);
        feed(&mut decoder, &[2, 0, 0, 0, 0x40, 0, 0, 0, 0]);
        assert_eq!(decoder.next(), Ok(None));
        assert!(decoder.room().capacity() <= 2 * ROOM);
    }

    #[test]
    fn a_grown_buffer_goes_with_its_frame() {
        let mut decoder = decoder(1 << 40);
        let mut bytes = BytesMut::new();
        put_head(&mut bytes, 2 * KEEP, false);
        bytes.put_bytes(0, 2 * KEEP);
        feed(&mut decoder, &bytes);
        assert!(decoder.next().unwrap().is_some());
        feed(&mut decoder, b"\0\x01a");
        assert!(decoder.room().capacity() < KEEP);
        assert_eq!(decoder.next(), Ok(Some(part(b"a", false))));
    }
}
