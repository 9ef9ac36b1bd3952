//! The handshake of CURVE on any bytes, as each of its commands and inside of its boxes.

use crate::zmtp::{
    Limits,
    command::Properties,
    curve::{
        Keys,
        client::Client,
        server::Server,
        traffic::{Opener, Sealer},
    },
    frame::{Decoder, Frame},
};
use bytes::{BufMut, Bytes, BytesMut};
use std::sync::{Arc, LazyLock};

/// One pair for all, as keys take longer to make than anything else here.
static KEYS: LazyLock<Arc<Keys>> = LazyLock::new(|| Arc::new(Keys::new()));

pub(super) fn handshake(data: &[u8]) {
    let limits = Limits::default();
    let server = || Server::new(Arc::clone(&KEYS), Properties::default());
    let client = |metadata: &[u8]| Client::with(&KEYS, Bytes::copy_from_slice(metadata));

    // As the first command: nobody makes a box by chance.
    assert!(server().receive(data).is_err());
    let mut one = client(b"");
    let mut other = server();
    let (welcome, _) = other.receive(&one.hello()).expect("hello is right");
    assert!(one.receive(data).is_err());
    // As the second, and it has no other chance.
    assert!(other.receive(data).is_err());
    assert!(other.receive(&welcome).is_err() && other.traffic(&limits).is_none());

    // As metadata in a box.
    let (mut one, mut other) = (client(data), server());
    let (welcome, _) = other.receive(&one.hello()).expect("hello is right");
    let (initiate, _) = one.receive(&welcome).expect("welcome is right");
    let Ok((ready, Some(_))) = other.receive(&initiate.expect("it follows welcome")) else { return };
    one.receive(&ready).expect("ready is right");
    let (Some((mut opener, _)), Some((_, sealer))) = (other.traffic(&limits), one.traffic(&limits)) else {
        unreachable!("both are done")
    };
    traffic(data, &mut opener, sealer);
}

/// As a frame of the traffic, and in one.
fn traffic(data: &[u8], opener: &mut Opener, mut sealer: Sealer) {
    assert!(opener.open(Frame::Command(Bytes::copy_from_slice(data))).is_err());
    let mut out = BytesMut::new();
    sealer.raw(&mut out, data);
    let mut decoder = Decoder::new(&Limits::default());
    decoder.room().put_slice(&out);
    let Ok(Some(frame)) = decoder.next() else { return };
    assert_eq!(opener.open(frame).is_ok(), data.first().is_some_and(|flags| flags & 3 != 3));
}
