//! Requests from many, and replies to one.

use super::client::{Client, anywhere, soon};
use crate::zmtp::{Limits, Router, Security, Server};
use bytes::Bytes;
#[cfg(unix)]
use {
    crate::zmtp::Endpoint,
    std::{fs, os::unix::fs::PermissionsExt, path::Path},
};

async fn router(limits: Limits) -> (Server, Router) {
    Router::bind(anywhere(), limits, Security::Null).await.unwrap()
}

async fn recv(router: &mut Router) -> Vec<Bytes> {
    soon(router.recv()).await.unwrap()
}

#[tokio::test]
async fn each_gets_its_own_reply() {
    let (server, mut router) = router(Limits::default()).await;
    let mut named = Client::connect(server.endpoint(), "DEALER", "me").await;
    let mut nameless = Client::connect_as(0, server.endpoint(), "REQ", "").await;
    named.send(&[b"one"]).await;
    assert_eq!(recv(&mut router).await, [&b"me"[..], b"one"]);
    nameless.send(&[b"", b"two"]).await;
    let two = recv(&mut router).await;
    assert_eq!(
        (two[0].len(), two[0][0], &two[1..]),
        (17, 0, &[Bytes::new(), Bytes::from_static(b"two")][..])
    );

    assert!(router.sender().send(&two[0], vec!["".into(), "to two".into()]));
    assert!(router.sender().send(b"me", vec!["to one".into()]));
    assert!(!router.sender().send(b"other", vec!["lost".into()]));
    assert_eq!(named.recv().await.unwrap(), ["to one"]);
    assert_eq!(nameless.recv().await.unwrap(), ["", "to two"]);
}

#[tokio::test]
async fn who_comes_back_takes_over() {
    let (server, mut router) = router(Limits::default()).await;
    let mut before = Client::connect(server.endpoint(), "DEALER", "me").await;
    before.send(&[b"first"]).await;
    recv(&mut router).await;
    let mut after = Client::connect(server.endpoint(), "DEALER", "me").await;
    after.send(&[b"second"]).await;
    recv(&mut router).await;
    // By then the first has left, and has not taken the identity with it.
    assert_eq!(before.recv().await, None);
    assert!(router.sender().send(b"me", vec!["to the second".into()]));
    assert_eq!(after.recv().await.unwrap(), ["to the second"]);
}

#[tokio::test]
async fn who_was_slow_to_join_takes_over_nothing() {
    let (server, mut router) = router(Limits::default()).await;
    let mut before = Client::raw(server.endpoint()).await;
    let mut after = Client::connect(server.endpoint(), "DEALER", "me").await;
    after.send(&[b"hello"]).await;
    recv(&mut router).await;
    before.join("DEALER", "me").await;
    assert_eq!(before.recv().await, None);
    assert!(router.sender().send(b"me", vec!["to the later".into()]));
    assert_eq!(after.recv().await.unwrap(), ["to the later"]);
}

#[tokio::test]
async fn who_left_is_not_there() {
    let (server, mut router) = router(Limits::default()).await;
    let mut client = Client::connect(server.endpoint(), "DEALER", "me").await;
    client.send(&[b"bye"]).await;
    recv(&mut router).await;
    client.shutdown().await;
    client.end().await;
    assert!(!router.sender().send(b"me", vec!["lost".into()]));
    assert_eq!(router.sender().peers(), 0);
}

#[tokio::test]
async fn garbage_ends_one_peer_alone() {
    let (server, mut router) = router(Limits { frame: 1000, message: 2000, ..Limits::default() }).await;
    let mut good = Client::connect(server.endpoint(), "DEALER", "good").await;
    let long = [2, 0, 0, 0, 0, 0, 0, 4, 0];
    let many = b"\x01\x00".repeat(100);
    // Reserved flags, a frame over the limit, a message over the limit, a command that is cut.
    for bytes in [&b"\xff\x01a"[..], &long, &many, b"\x04\x03\x05PO"] {
        let mut bad = Client::connect(server.endpoint(), "DEALER", "").await;
        bad.write(bytes).await;
        bad.end().await;
    }
    let mut cut = Client::connect(server.endpoint(), "DEALER", "").await;
    cut.write(b"\x01\x02ab\x00\x05abc").await;
    cut.shutdown().await;
    cut.end().await;
    // Nothing of all that came through.
    good.send(&[b"still"]).await;
    assert_eq!(recv(&mut router).await, [&b"good"[..], b"still"]);
}

#[tokio::test]
async fn more_than_waits_is_not_lost() {
    let (server, mut router) = router(Limits::default()).await;
    let mut client = Client::connect(server.endpoint(), "DEALER", "me").await;
    let sending = async {
        for number in 0..2000_u32 {
            client.send(&[&number.to_be_bytes()]).await;
        }
    };
    let receiving = async {
        for number in 0..2000_u32 {
            assert_eq!(recv(&mut router).await[1], number.to_be_bytes()[..]);
        }
    };
    tokio::join!(sending, receiving);
}

#[tokio::test]
async fn a_large_message_comes_and_goes_whole() {
    let (server, mut router) = router(Limits::default()).await;
    let mut client = Client::connect(server.endpoint(), "DEALER", "me").await;
    let large: Vec<u8> = (0..20_000_000_u32).map(|number| number as u8).collect();
    let sent: [&[u8]; 2] = [&large, b"end"];
    let (_, mut parts) = tokio::join!(client.send(&sent), recv(&mut router));
    assert!(parts[1] == large);
    let identity = parts.remove(0);
    router.sender().send(&identity, parts);
    assert!(client.recv().await.unwrap()[0] == large);
}

#[tokio::test]
async fn who_does_not_read_is_sent_away() {
    let (server, mut router) = router(Limits { unread: [1 << 20; 3], ..Limits::default() }).await;
    let mut stalled = Client::connect(server.endpoint(), "DEALER", "stalled").await;
    let mut good = Client::connect(server.endpoint(), "DEALER", "good").await;
    for client in [&mut stalled, &mut good] {
        client.send(&[b"hello"]).await;
        recv(&mut router).await;
    }
    let part = Bytes::from(vec![0; 10_000]);
    let mut sent = 0;
    while router.sender().send(b"stalled", vec![part.clone()]) {
        sent += 1;
        assert!(router.sender().send(b"good", vec![part.clone()]));
        assert_eq!(good.recv().await.unwrap(), [&part]);
        assert!(sent < 10_000, "it is never felt");
    }
    assert!(sent >= 100, "sent away after {sent}");
    stalled.end().await;
}

#[tokio::test]
async fn closing_writes_what_is_queued() {
    let (server, mut router) = router(Limits::default()).await;
    let mut client = Client::connect(server.endpoint(), "DEALER", "me").await;
    // Unread input, more than waits and than one read takes, must not make the end a reset.
    client.write(&[&[0, 200][..], &[7; 200]].concat().repeat(1000)).await;
    recv(&mut router).await;
    let part = Bytes::from(vec![7; 100_000]);
    for _ in 0..20 {
        assert!(router.sender().send(b"me", vec![part.clone()]));
    }
    let endpoint = server.endpoint().clone();
    let reading = async {
        for _ in 0..20 {
            assert_eq!(client.recv().await.unwrap(), [&part]);
        }
        assert_eq!(client.recv().await, None);
        drop(client);
    };
    tokio::join!(server.close(), reading);
    assert!(!router.sender().send(b"me", vec![part]));
    while soon(router.recv()).await.is_some() {}
    // The port is free.
    Router::bind(endpoint, Limits::default(), Security::Null).await.unwrap();
}

#[tokio::test]
async fn closing_waits_a_second_at_most() {
    let (server, mut router) = router(Limits::default()).await;
    let mut client = Client::connect(server.endpoint(), "DEALER", "me").await;
    client.send(&[b"hello"]).await;
    recv(&mut router).await;
    assert!(router.sender().send(b"me", vec![vec![0; 20 << 20].into()]));
    // Not before: what waits for a socket would seem to take long.
    tokio::time::pause();
    let begun = tokio::time::Instant::now();
    let endpoint = server.endpoint().clone();
    let again = async {
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        // The port is free before that.
        Router::bind(endpoint, Limits::default(), Security::Null).await.unwrap();
        assert_eq!(begun.elapsed().as_secs(), 0);
    };
    soon(async { tokio::join!(server.close(), again) }).await;
    assert_eq!(begun.elapsed().as_secs(), 1);
}

#[tokio::test]
async fn dropping_closes_too() {
    let (server, mut router) = router(Limits::default()).await;
    let mut client = Client::connect(server.endpoint(), "DEALER", "me").await;
    client.send(&[b"hello"]).await;
    recv(&mut router).await;
    assert!(router.sender().send(b"me", vec!["bye".into()]));
    drop(server);
    assert_eq!(client.recv().await.unwrap(), ["bye"]);
    assert_eq!(client.recv().await, None);
}

#[cfg(unix)]
#[tokio::test]
async fn files_come_and_go() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shell-1");
    let endpoint = Endpoint::Ipc(path.clone());
    let bind = |path: &Path| Router::bind(Endpoint::Ipc(path.into()), Limits::default(), Security::Null);
    let (server, mut router) = bind(&path).await.unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(server.endpoint(), &endpoint);
    let mut client = Client::connect(&endpoint, "DEALER", "me").await;
    client.send(&[b"hello"]).await;
    assert_eq!(recv(&mut router).await, [&b"me"[..], b"hello"]);

    // One that is in use is left alone.
    assert!(bind(&path).await.unwrap_err().is_in_use());
    drop(client);
    server.close().await;
    assert!(!path.exists());

    // One that a killed kernel left is taken over; what is no socket is not.
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    assert!(path.exists());
    bind(&path).await.unwrap().0.close().await;
    fs::write(&path, "precious").unwrap();
    assert!(bind(&path).await.is_err());
    assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
    let error = bind(&folder.path().join("no").join("shell")).await.unwrap_err();
    assert!(error.to_string().starts_with("cannot listen at ipc://"), "{error}");
}

#[cfg(unix)]
#[tokio::test]
async fn what_was_said_before_leaving_is_heard() {
    let folder = tempfile::tempdir().unwrap();
    let endpoint = Endpoint::Ipc(folder.path().join("shell"));
    let (_server, mut router) =
        Router::bind(endpoint.clone(), Limits::default(), Security::Null).await.unwrap();
    let mut client = Client::connect(&endpoint, "DEALER", "me").await;
    // More than waits: the rest is unread when the client is gone.
    let said: Vec<u8> =
        (0..1000_u32).flat_map(|number| [&[0, 4][..], &number.to_be_bytes()].concat()).collect();
    client.write(&said).await;
    assert_eq!(recv(&mut router).await[1], 0_u32.to_be_bytes()[..]);
    drop(client);
    assert!(router.sender().send(b"me", vec!["too late".into()]));
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    for number in 1..1000_u32 {
        assert_eq!(recv(&mut router).await[1], number.to_be_bytes()[..]);
    }
}
