//! Encrypted sockets: who knows the public key is let in, and nobody else hears or says anything.

use super::client::{Client, anywhere, soon};
use crate::{
    Class, Connection, Json, Session, Sockets,
    zmtp::{
        Endpoint, Heartbeat, Limits, PeerError, Security, Server,
        command::Properties,
        curve::{Keys, client},
        frame::Frame,
        greeting::Greeting,
        mechanism::Mechanism,
    },
};
use bytes::Bytes;
use serde_json::json;
use std::sync::Arc;

fn mechanism(server: &Keys, socket_type: &'static str) -> Mechanism {
    let own = Properties { socket_type: socket_type.into(), identity: "me".into() };
    Mechanism::CurveClient(client::Client::with(server, own.encode()).into())
}

async fn connect(endpoint: &Endpoint, keys: &Keys, socket_type: &'static str) -> Client {
    let mut client = Client::raw(endpoint).await;
    client.join_with(1, mechanism(keys, socket_type)).await.unwrap();
    client
}

async fn heartbeat() -> (Server, Arc<Keys>) {
    limited(Limits::default()).await
}

async fn limited(limits: Limits) -> (Server, Arc<Keys>) {
    let keys = Arc::new(Keys::new());
    let security = Security::Curve(Arc::clone(&keys));
    (Heartbeat::bind(anywhere(), limits, security).await.unwrap().0, keys)
}

async fn echoes(client: &mut Client) {
    let long = vec![7; 300_000];
    for body in [&b"still"[..], b"", &long] {
        client.send(&[b"", body]).await;
        assert_eq!(client.recv().await.unwrap(), [b"", body]);
    }
}

async fn converse(connection: Connection) {
    let keys = Keys::of_secret(connection.curve_secretkey.as_ref().unwrap()).unwrap();
    let mut sockets = Sockets::bind(connection).await.unwrap();
    let connection = sockets.closer.connection().clone();
    let session = Session::new(&connection.key);
    let endpoint = |port| match connection.transport {
        crate::Transport::Tcp => Endpoint::Tcp(connection.ip.clone(), port),
        crate::Transport::Ipc => Endpoint::Ipc(format!("{}-{port}", connection.ip).into()),
    };
    for (channel, port) in [
        (&mut sockets.shell, connection.shell_port),
        (&mut sockets.control, connection.control_port),
        (&mut sockets.stdin, connection.stdin_port),
    ] {
        let mut client = connect(&endpoint(port), &keys, "DEALER").await;
        let request = session.encode(&session.message("x_request", &Json::empty(), &json!({})).unwrap());
        client.send(&request.iter().map(|part| &part[..]).collect::<Vec<_>>()).await;
        let came = soon(channel.recv()).await.unwrap();
        assert_eq!(came.identities, ["me"]);
        let reply = channel.sender().session().reply(&came, "x_reply", &json!({})).unwrap();
        assert!(channel.sender().send(&reply));
        assert_eq!(session.decode(client.recv().await.unwrap()).unwrap().msg_type(), "x_reply");
    }
    let mut subscriber = connect(&endpoint(connection.iopub_port), &keys, "SUB").await;
    subscriber.command("SUBSCRIBE", b"").await;
    soon(sockets.subscriptions.recv()).await.unwrap();
    let output = sockets.iopub.session().message("stream", &Json::empty(), &json!({})).unwrap();
    sockets.iopub.publish(&output.on_topic("stream"), Class::Essential);
    assert_eq!(session.decode(subscriber.recv().await.unwrap()).unwrap().msg_type(), "stream");
    echoes(&mut connect(&endpoint(connection.hb_port), &keys, "REQ").await).await;

    // None of the five talks to a client without keys, or with those of another kernel.
    let Connection { shell_port, iopub_port, stdin_port, control_port, hb_port, .. } = connection;
    for port in [shell_port, iopub_port, stdin_port, control_port, hb_port] {
        let socket_type = if port == iopub_port { "SUB" } else { "DEALER" };
        let own = Properties { socket_type: socket_type.into(), ..Properties::default() };
        for wrong in [Security::Null.mechanism(own), mechanism(&Keys::new(), socket_type)] {
            let mut client = Client::raw(&endpoint(port)).await;
            let error = client.join_with(1, wrong).await.unwrap_err();
            assert!(matches!(error, PeerError::Handshake(_) | PeerError::Io(_)), "{error}");
            client.end().await;
        }
    }
    sockets.closer.close().await;
}

#[tokio::test]
async fn all_channels_are_encrypted_over_tcp() {
    converse(Connection::new().encrypted()).await;
}

#[cfg(unix)]
#[tokio::test]
async fn all_channels_are_encrypted_over_ipc() {
    let folder = tempfile::tempdir().unwrap();
    converse(Connection::ipc(folder.path().join("kernel").display().to_string()).encrypted()).await;
}

#[tokio::test]
async fn a_ping_and_its_pong_are_encrypted() {
    let (server, keys) = heartbeat().await;
    let mut client = connect(server.endpoint(), &keys, "REQ").await;
    client.command("PING", b"\0\x0acontext").await;
    assert_eq!(client.frame().await, Some(Frame::Command(Bytes::from_static(b"\x04PONGcontext"))));
}

#[tokio::test]
async fn who_breaks_the_rules_is_sent_away_alone() {
    let (server, keys) = heartbeat().await;
    let mut good = connect(server.endpoint(), &keys, "REQ").await;
    let own = || Properties { socket_type: "REQ".into(), ..Properties::default() };
    let hello = client::Client::with(&keys, own().encode()).hello();
    let framed = |command: &[u8]| [&[4, u8::try_from(command.len()).unwrap()], command].concat();
    for bytes in [
        framed(&hello[..199]),
        // Again, where INITIATE is to come.
        [framed(&hello), framed(&hello)].concat(),
        framed(b"\x05READY\x0bSocket-Type\0\0\0\x03REQ"),
        b"\0\x01a".to_vec(),
    ] {
        let mut client = Client::raw(server.endpoint()).await;
        client.write(&Greeting::new("CURVE", false).encode()).await;
        client.write(&bytes).await;
        client.end().await;
        echoes(&mut good).await;
    }
    // What is plain or comes again, after the handshake.
    let mut plain = connect(server.endpoint(), &keys, "REQ").await;
    plain.write(b"\x01\0\0\x05plain").await;
    plain.end().await;
    let mut twice = connect(server.endpoint(), &keys, "REQ").await;
    let sealed = twice.sealed(&[b"", b"x"]);
    twice.write(&sealed).await;
    assert_eq!(twice.recv().await.unwrap(), ["", "x"]);
    twice.write(&sealed).await;
    twice.end().await;
    echoes(&mut good).await;
}

#[tokio::test]
async fn the_limits_are_of_what_is_in_the_boxes() {
    let (server, keys) = limited(Limits { frame: 3000, command: 1000, ..Limits::default() }).await;
    let mut client = connect(server.endpoint(), &keys, "DEALER").await;
    client.send(&[&[7; 3000]]).await;
    assert_eq!(client.recv().await.unwrap(), [&[7; 3000][..]]);
    // The same, marked as the command that it is.
    let mut sealed = client.sealed(&[&[7; 3000]]);
    sealed[0] |= 4;
    client.write(&sealed).await;
    assert_eq!(client.recv().await.unwrap(), [&[7; 3000][..]]);
    client.send(&[&[7; 3001]]).await;
    client.end().await;
}

#[tokio::test]
async fn a_type_that_does_not_fit_is_sent_away() {
    let (server, keys) = heartbeat().await;
    let mut client = Client::raw(server.endpoint()).await;
    // The handshake itself goes well.
    client.join_with(1, mechanism(&keys, "SUB")).await.unwrap();
    client.end().await;
}

#[tokio::test]
async fn a_peer_that_wants_curve_of_a_plain_socket_is_told_by_its_greeting() {
    let server = Heartbeat::bind(anywhere(), Limits::default(), Security::Null).await.unwrap().0;
    let mut client = Client::raw(server.endpoint()).await;
    let error = client.join_with(1, mechanism(&Keys::new(), "REQ")).await.unwrap_err();
    assert_eq!(error.to_string(), "the peer wants the mechanism `NULL`, we have CURVE");
}

#[tokio::test]
async fn without_a_pair_nothing_listens() {
    let mut connection = Connection::new().encrypted();
    connection.curve_publickey = None;
    let error = Sockets::bind(connection).await.unwrap_err();
    assert!(!error.is_in_use());
    assert_eq!(
        error.to_string(),
        "there is a curve key without the other, set `curve_publickey` too, or neither"
    );
}
