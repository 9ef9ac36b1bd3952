//! Commands: a name and its data. See [commands](https://rfc.zeromq.org/spec/37/#commands).

use bytes::{Buf, BufMut, Bytes, BytesMut};

/// A command of a peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// The end of a handshake, with the metadata of the peer.
    Ready(Properties),
    /// The peer refuses us, and why.
    Error(Bytes),
    /// To be answered by a pong with the same context.
    Ping {
        context: Bytes,
    },
    Pong,
    Subscribe(Bytes),
    Cancel(Bytes),
    /// One that we do not know; to be ignored once the handshake is over.
    Unknown,
}

/// Why the body of a command cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a command cannot be read")]
pub(crate) struct CommandError;

/// The longest context of a ping, in bytes.
const CONTEXT: usize = 16;

impl Command {
    pub(crate) fn decode(mut body: Bytes) -> Result<Self, CommandError> {
        let name = take_name(&mut body)?;
        match &*name {
            b"READY" => Properties::decode(body).map(Self::Ready),
            b"ERROR" => take_name(&mut body).map(Self::Error),
            b"PING" => {
                // Two bytes are the time after which it counts us as gone, which is for us to keep or not.
                if body.len() < 2 || body.len() > 2 + CONTEXT {
                    return Err(CommandError);
                }
                Ok(Self::Ping { context: body.slice(2..) })
            }
            b"PONG" => Ok(Self::Pong),
            b"SUBSCRIBE" => Ok(Self::Subscribe(body)),
            b"CANCEL" => Ok(Self::Cancel(body)),
            _ => Ok(Self::Unknown),
        }
    }
}

/// The body of a command: its name and its data.
pub(crate) fn encode(name: &str, data: &[u8]) -> Bytes {
    let mut body = BytesMut::with_capacity(1 + name.len() + data.len());
    put_name(&mut body, name.as_bytes());
    body.put_slice(data);
    body.freeze()
}

/// The metadata that both sides tell at the end of the handshake.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Properties {
    pub(crate) socket_type: Bytes,
    /// Empty when none is given.
    pub(crate) identity: Bytes,
}

impl Properties {
    pub(crate) fn encode(&self) -> Bytes {
        let mut data = BytesMut::new();
        for (name, value) in [("Socket-Type", &self.socket_type), ("Identity", &self.identity)] {
            if name == "Identity" && value.is_empty() {
                continue;
            }
            put_name(&mut data, name.as_bytes());
            data.put_u32(u32::try_from(value.len()).expect("our own metadata is short"));
            data.put_slice(value);
        }
        data.freeze()
    }

    /// Reads metadata; properties that we do not know are passed over.
    pub(crate) fn decode(mut data: Bytes) -> Result<Self, CommandError> {
        let mut properties = Self::default();
        while !data.is_empty() {
            let name = take_name(&mut data)?;
            let size =
                data.try_get_u32().ok().and_then(|size| usize::try_from(size).ok()).ok_or(CommandError)?;
            if data.len() < size {
                return Err(CommandError);
            }
            let value = data.split_to(size);
            if name.eq_ignore_ascii_case(b"Socket-Type") {
                properties.socket_type = value;
            } else if name.eq_ignore_ascii_case(b"Identity") {
                properties.identity = value;
            }
        }
        Ok(properties)
    }
}

fn put_name(out: &mut BytesMut, name: &[u8]) {
    out.put_u8(u8::try_from(name.len()).expect("names of commands are short"));
    out.put_slice(name);
}

fn take_name(body: &mut Bytes) -> Result<Bytes, CommandError> {
    let size = usize::from(body.try_get_u8().map_err(|_| CommandError)?);
    if body.len() < size {
        return Err(CommandError);
    }
    Ok(body.split_to(size))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(body: &'static [u8]) -> Result<Command, CommandError> {
        Command::decode(Bytes::from_static(body))
    }

    #[test]
    fn ready_tells_type_and_identity() {
        let ready = decode(b"\x05READY\x0bSOCKET-type\0\0\0\x06DEALER\x08Identity\0\0\0\x02me\x01X\0\0\0\0");
        let properties =
            Properties { socket_type: Bytes::from_static(b"DEALER"), identity: Bytes::from_static(b"me") };
        assert_eq!(ready, Ok(Command::Ready(properties.clone())));
        assert_eq!(Properties::decode(properties.encode()), Ok(properties));
    }

    #[test]
    fn cut_metadata_is_an_error() {
        let whole = b"\x05READY\x0bSocket-Type\0\0\0\x06DEALER";
        for end in 7..whole.len() {
            assert_eq!(decode(&whole[..end]), Err(CommandError), "cut at {end}");
        }
        assert_eq!(decode(b"\x05READY\x01X\xff\xff\xff\xff"), Err(CommandError));
    }

    #[test]
    fn pings_carry_a_short_context() {
        assert_eq!(decode(b"\x04PING\0\x0aabc"), Ok(Command::Ping { context: Bytes::from_static(b"abc") }));
        assert_eq!(decode(b"\x04PING\0"), Err(CommandError));
        assert_eq!(decode(b"\x04PING\0\x0a0123456789abcdefg"), Err(CommandError));
    }

    #[test]
    fn subscriptions_and_the_unknown() {
        assert_eq!(decode(b"\x09SUBSCRIBEtopic"), Ok(Command::Subscribe(Bytes::from_static(b"topic"))));
        assert_eq!(decode(b"\x06CANCEL"), Ok(Command::Cancel(Bytes::new())));
        assert_eq!(decode(b"\x05ERROR\x02no"), Ok(Command::Error(Bytes::from_static(b"no"))));
        assert_eq!(decode(b"\x04WHAT"), Ok(Command::Unknown));
        assert_eq!(decode(b""), Err(CommandError));
        assert_eq!(decode(b"\x09SUB"), Err(CommandError));
    }
}
