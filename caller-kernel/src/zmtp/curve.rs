//! The mechanism CURVE: both sides prove that they have their keys, and what follows is encrypted.
//!
//! ```text
//! client                                          server
//!   HELLO     C', Box[zeros](C'->S)          ───▶
//!             ◀───          Box[S', cookie](S->C')   WELCOME
//!   INITIATE  cookie, Box[C, vouch, metadata](C'->S') ───▶
//!             ◀───          Box[metadata](S'->C')    READY
//!   MESSAGE   Box[flags, payload](C'->S')    ◀──▶    MESSAGE
//! ```
//!
//! S and C are the keys that last, S' and C' those of one connection. Who does not know S gets no answer at all: neither
//! HELLO nor the vouch, which is `Box[C', S](C->S)`, can be made without it. In Jupyter the clients have S from the
//! connection file, which is why each C is taken: see
//! [JEP 145](https://github.com/jupyter/enhancement-proposals/pull/145).
//!
//! The cookie is where a server over datagrams would keep its state. Ours has a connection to keep it with, for as long as
//! a handshake may take and as many peers as there may be, so the cookie is random bytes that must come back.
//!
//! Follows [CurveZMQ](https://rfc.zeromq.org/spec/26/), and libzmq where that says nothing.

pub(crate) mod z85;

pub(crate) mod keys;

pub(crate) mod traffic;

pub(crate) mod server;

/// The other side, for peers of our own.
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod client;

pub(crate) use keys::Keys;

use super::command::CommandError;
use bytes::{BufMut, Bytes, BytesMut};
use crypto_box::{Nonce, SalsaBox, Tag, aead::AeadInPlace};

/// Why a peer cannot be talked to in secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CurveError {
    #[error("a command is cut, too long, or another than the next one")]
    Command,
    #[error("version {0}.{1} of curve is not served, use 1.0")]
    Version(u8, u8),
    #[error("a box cannot be opened: the peer has other keys, or it was changed on its way")]
    Box,
    #[error("a command came again, or late")]
    Replay,
    #[error("the cookie is not the one of this connection")]
    Cookie,
    #[error("the peer does not vouch for its key")]
    Vouch,
    #[error("a decrypted command is over the limit of {0} bytes")]
    TooLong(usize),
}

impl From<CommandError> for CurveError {
    fn from(_: CommandError) -> Self {
        Self::Command
    }
}

/// The bytes that a box has more than what is in it.
const TAG: usize = 16;

/// A nonce of a prefix and a number that only grows.
fn counted(prefix: &[u8; 16], number: u64) -> Nonce {
    nonce(prefix, &number.to_be_bytes())
}

/// A nonce of a prefix and random bytes.
fn random(prefix: &[u8; 8], random: &[u8; 16]) -> Nonce {
    nonce(prefix, random)
}

fn nonce(prefix: &[u8], rest: &[u8]) -> Nonce {
    let mut nonce = Nonce::default();
    let (start, end) = nonce.split_at_mut(prefix.len());
    start.copy_from_slice(prefix);
    end.copy_from_slice(rest);
    nonce
}

/// Random bytes of the system: keys, nonces and cookies.
fn fresh<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the operating system has no randomness to give");
    bytes
}

/// Appends a box that holds what these write.
fn seal(key: &SalsaBox, nonce: &Nonce, out: &mut BytesMut, plain: impl FnOnce(&mut BytesMut)) {
    let start = out.len();
    out.put_bytes(0, TAG);
    plain(out);
    let (tag, body) = out[start..].split_at_mut(TAG);
    let made =
        key.encrypt_in_place_detached(nonce, b"", body).expect("there is no associated data to refuse");
    tag.copy_from_slice(&made);
}

/// What is in a box.
fn open(key: &SalsaBox, nonce: &Nonce, sealed: &[u8]) -> Result<Bytes, CurveError> {
    let (tag, body) = sealed.split_first_chunk::<TAG>().ok_or(CurveError::Command)?;
    let mut body = BytesMut::from(body);
    key.decrypt_in_place_detached(nonce, b"", &mut body, Tag::from_slice(tag))
        .map_err(|_| CurveError::Box)?;
    Ok(body.freeze())
}

/// Takes the next bytes of a command.
fn take<'a, const N: usize>(body: &mut &'a [u8]) -> Result<&'a [u8; N], CurveError> {
    let (first, rest) = body.split_first_chunk().ok_or(CurveError::Command)?;
    *body = rest;
    Ok(first)
}

/// Takes the name of a command, which must be this one.
fn take_name(body: &mut &[u8], name: &str) -> Result<(), CurveError> {
    let rest = body.strip_prefix(&[u8::try_from(name.len()).expect("names are short")]);
    *body = rest.and_then(|rest| rest.strip_prefix(name.as_bytes())).ok_or(CurveError::Command)?;
    Ok(())
}
