//! Who becomes a peer, and who is sent away; and that nobody else notices.

use super::client::{Client, anywhere};
use crate::zmtp::{
    Heartbeat, Limits, Security, Server, command::Properties, frame::Frame, greeting::Greeting,
};
use bytes::Bytes;
use std::time::Duration;

async fn heartbeat(limits: Limits) -> Server {
    Heartbeat::bind(anywhere(), limits, Security::Null).await.unwrap().0
}

async fn echoes(client: &mut Client) {
    client.send(&[b"", b"still"]).await;
    assert_eq!(client.recv().await.unwrap(), [&b""[..], b"still"]);
}

#[tokio::test]
async fn what_comes_is_echoed_unchanged() {
    let server = heartbeat(Limits::default()).await;
    for (minor, socket_type) in [(0, "REQ"), (1, "REQ"), (1, "DEALER")] {
        let mut client = Client::connect_as(minor, server.endpoint(), socket_type, "").await;
        for body in [&b"ping"[..], b"", &[7; 100_000]] {
            client.send(&[b"", body]).await;
            assert_eq!(client.recv().await.unwrap(), [b"", body]);
        }
    }
}

#[tokio::test]
async fn who_speaks_something_else_is_sent_away() {
    let server = heartbeat(Limits::default()).await;
    let mut good = Client::connect(server.endpoint(), "REQ", "").await;
    let old = b"\xff\0\0\0\0\0\0\0\x01\x7f\x01";
    // None of these is as long as a greeting: nobody waits for the rest.
    for bytes in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0; 20], old] {
        let mut client = Client::raw(server.endpoint()).await;
        client.write(bytes).await;
        client.end().await;
        echoes(&mut good).await;
    }
}

#[tokio::test]
async fn who_leaves_early_is_forgotten() {
    let server = heartbeat(Limits::default()).await;
    let greeting = Greeting::new("NULL", false).encode();
    for bytes in [&greeting[..0], &greeting[..5], &greeting[..40], &greeting] {
        let mut client = Client::raw(server.endpoint()).await;
        client.write(bytes).await;
        client.shutdown().await;
        client.end().await;
    }
    echoes(&mut Client::connect(server.endpoint(), "REQ", "").await).await;
}

#[tokio::test]
async fn who_is_no_fit_is_sent_away() {
    let server = heartbeat(Limits::default()).await;
    let long: &'static str = String::leak("x".repeat(256));
    for (mechanism, socket_type, identity) in [
        ("CURVE", "REQ", ""),
        ("PLAIN", "REQ", ""),
        ("NULL", "SUB", ""),
        ("NULL", "", ""),
        ("NULL", "REQ", "\0me"),
        ("NULL", "REQ", long),
    ] {
        let mut client = Client::raw(server.endpoint()).await;
        client.write(&Greeting::new(mechanism, false).encode()).await;
        let own = Properties { socket_type: socket_type.into(), identity: identity.into() };
        client.command("READY", &own.encode()).await;
        client.end().await;
    }
    echoes(&mut Client::connect(server.endpoint(), "REQ", &long[1..]).await).await;
}

#[tokio::test]
async fn a_handshake_is_nothing_else() {
    let server = heartbeat(Limits::default()).await;
    let greeting = Greeting::new("NULL", false).encode();
    // A message, a frame with reserved flags, a command over the limit, metadata that is cut, an error.
    let long = [6, 0, 0, 0, 0, 0, 1, 0, 1];
    for bytes in [&b"\0\x01a"[..], b"\x80\x01a", &long, b"\x04\x08\x05READY\x09S", b"\x04\x09\x05ERROR\x02no"]
    {
        let mut client = Client::raw(server.endpoint()).await;
        client.write(&greeting).await;
        client.write(bytes).await;
        client.end().await;
    }
}

#[tokio::test(start_paused = true)]
async fn who_says_nothing_is_sent_away() {
    let limits = Limits::default();
    let server = heartbeat(limits).await;
    let begun = tokio::time::Instant::now();
    Client::raw(server.endpoint()).await.end().await;
    assert!(begun.elapsed() >= limits.handshake);
}

#[tokio::test]
async fn there_is_a_most_of_peers() {
    let server = heartbeat(Limits { peers: 2, handshake: Duration::MAX, ..Limits::default() }).await;
    let mut first = Client::connect(server.endpoint(), "REQ", "").await;
    let mut second = Client::connect(server.endpoint(), "REQ", "").await;
    Client::raw(server.endpoint()).await.end().await;
    echoes(&mut first).await;
    echoes(&mut second).await;
}

#[tokio::test]
async fn a_ping_is_answered_with_its_context() {
    let server = heartbeat(Limits::default()).await;
    let mut client = Client::connect(server.endpoint(), "REQ", "").await;
    client.command("PING", b"\0\x0acontext").await;
    assert_eq!(client.frame().await, Some(Frame::Command(Bytes::from_static(b"\x04PONGcontext"))));
    echoes(&mut client).await;
}

#[tokio::test]
async fn a_message_in_bytes_and_pieces() {
    let server = heartbeat(Limits::default()).await;
    let mut client = Client::connect(server.endpoint(), "REQ", "").await;
    for byte in b"\x01\x00\x02\0\0\0\0\0\0\0\x03abc" {
        client.write(&[*byte]).await;
        tokio::task::yield_now().await;
    }
    assert_eq!(client.recv().await.unwrap(), [&b""[..], b"abc"]);
}
