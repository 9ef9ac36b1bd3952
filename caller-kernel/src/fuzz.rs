//! All that reads bytes of strangers, on any bytes: here from a seed, and by `cargo +nightly fuzz run wire` in the folder of
//! this crate, which takes `cargo install cargo-fuzz`, for as long as one likes.

#[cfg(feature = "curve")]
mod curve;

use crate::{
    wire::Session,
    zmtp::{
        Limits,
        frame::Decoder,
        greeting::{self, Greeting},
        traffic::{self, Assembler, Inbound},
    },
};
use bytes::BufMut;

/// Reads bytes as a greeting, as frames, as messages of subscribers and of clients, and some as the
/// handshake of CURVE. They arrive in pieces whose size the first
/// byte tells.
///
/// # Panics
///
/// When there is a mistake in what it calls.
#[doc(hidden)]
pub fn fuzz_wire(data: &[u8]) {
    let Some((&piece, data)) = data.split_first() else { return };
    if let Some(greeting) = data.first_chunk::<{ greeting::LENGTH }>() {
        let _ = Greeting::decode(greeting);
    }
    // Keys cost more than all the rest, so only some of the inputs have them.
    #[cfg(feature = "curve")]
    if piece % 16 == 0 {
        curve::handshake(data);
    }
    let limits = Limits { frame: 1 << 16, message: 1 << 17, ..Limits::default() };
    let (mut decoder, mut assembler) = (Decoder::new(&limits), Assembler::new(&limits));
    let sessions = [Session::new(""), Session::new("key")];
    for bytes in data.chunks(usize::from(piece) + 1) {
        decoder.room().put_slice(bytes);
        loop {
            let Ok(frame) = decoder.next() else { return };
            let Some(frame) = frame else { break };
            let Ok(inbound) = assembler.push(frame) else { return };
            let Some(Inbound::Message(parts)) = inbound else { continue };
            let _ = traffic::subscription(&parts);
            for session in &sessions {
                let Ok(message) = session.decode(parts.clone()) else { continue };
                let _ = message.content.read::<serde_json::Value>();
                // What was understood can be said again.
                assert!(!session.encode(&message).is_empty());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Json;
    use crate::zmtp::frame::put_head;
    use bytes::BytesMut;
    use fastrand::Rng;
    use std::time::{Duration, Instant};

    /// A stream that could be of a client, to be spoilt.
    fn stream(random: &mut Rng) -> Vec<u8> {
        let session = Session::new(if random.bool() { "key" } else { "" });
        let mut out = BytesMut::new();
        for _ in 0..random.usize(1..4) {
            let code = "\\ud800[{\"".repeat(random.usize(..80));
            let mut message = session
                .message("execute_request", &Json::empty(), &serde_json::json!({ "code": code }))
                .unwrap();
            message.identities.push(bytes::Bytes::from_static(b"me"));
            let parts = session.encode(&message);
            for (index, part) in parts.iter().enumerate() {
                put_head(&mut out, part.len(), index + 1 < parts.len());
                out.put_slice(part);
            }
            out.put_slice(b"\x04\x07\x04PING\0\0\0\x02\x01x");
        }
        out.to_vec()
    }

    fn spoil(bytes: &mut Vec<u8>, random: &mut Rng) {
        for _ in 0..random.usize(..6) {
            let at = random.usize(..bytes.len().max(1)).min(bytes.len());
            match random.u8(..6) {
                0 => bytes.truncate(at),
                1 if at < bytes.len() => bytes[at] ^= 1 << random.u8(..8),
                2 if at < bytes.len() => bytes[at] = random.u8(..),
                3 if at < bytes.len() => drop(bytes.remove(at)),
                4 => bytes.insert(at, random.u8(..)),
                _ => bytes.extend_from_within(at..),
            }
        }
    }

    #[test]
    fn spoilt_input_is_an_error_at_most() {
        let seed = fastrand::u64(..);
        // Shown when the test fails.
        println!("seed {seed}");
        let mut random = Rng::with_seed(seed);
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(2) {
            let mut bytes = vec![random.u8(..)];
            if random.u8(..8) == 0 {
                bytes.extend(std::iter::repeat_with(|| random.u8(..)).take(200));
            } else {
                bytes.extend(stream(&mut random));
                spoil(&mut bytes, &mut random);
            }
            fuzz_wire(&bytes);
        }
    }
}
