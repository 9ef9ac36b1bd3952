//! A front end and the five channels.

use super::client::{Client, soon};
use crate::{Class, Connection, Json, Message, Session, Sockets, Transport, zmtp::Endpoint};
use bytes::Bytes;
use serde_json::{Value, json};

/// What a front end has: the connection, and a session of its own.
struct FrontEnd {
    connection: Connection,
    session: Session,
}

impl FrontEnd {
    fn of(sockets: &Sockets) -> Self {
        let connection = sockets.closer.connection().clone();
        Self { session: Session::new(&connection.key), connection }
    }

    async fn connect(&self, port: u16, socket_type: &'static str, identity: &'static str) -> Client {
        let Connection { transport, ip, .. } = &self.connection;
        let endpoint = match transport {
            Transport::Tcp => Endpoint::Tcp(ip.clone(), port),
            Transport::Ipc => Endpoint::Ipc(format!("{ip}-{port}").into()),
        };
        Client::connect(&endpoint, socket_type, identity).await
    }

    async fn subscribe(&self, topic: &[u8]) -> Client {
        let mut client = self.connect(self.connection.iopub_port, "SUB", "").await;
        client.command("SUBSCRIBE", topic).await;
        client
    }

    fn request(&self, content: Value) -> (Message, Vec<Bytes>) {
        let request = self.session.message("x_request", &Json::empty(), &content).unwrap();
        let frames = self.session.encode(&request);
        (request, frames)
    }

    fn decode(&self, parts: Vec<Bytes>) -> Message {
        self.session.decode(parts).unwrap()
    }
}

async fn send(client: &mut Client, frames: &[Bytes]) {
    let parts: Vec<&[u8]> = frames.iter().map(|part| &part[..]).collect();
    client.send(&parts).await;
}

async fn converse(connection: Connection) {
    let mut sockets = Sockets::bind(connection).await.unwrap();
    let front = FrontEnd::of(&sockets);
    let Connection { shell_port, control_port, stdin_port, hb_port, .. } = front.connection;
    assert_eq!(sockets.closer.connection().key, front.connection.key);

    for (channel, port) in [
        (&mut sockets.shell, shell_port),
        (&mut sockets.control, control_port),
        (&mut sockets.stdin, stdin_port),
    ] {
        let mut client = front.connect(port, "DEALER", "me").await;
        let (request, frames) = front.request(json!({"n": 1}));
        send(&mut client, &frames).await;
        let came = soon(channel.recv()).await.unwrap();
        assert_eq!(came.identities, ["me"]);
        assert_eq!(came.header.json(), request.header.json());
        let sender = channel.sender();
        let reply = sender.session().reply(&came, "x_reply", &json!({"status": "ok"})).unwrap();
        assert!(sender.send(&reply));
        let reply = front.decode(client.recv().await.unwrap());
        assert_eq!((reply.msg_type(), reply.content.as_str()), ("x_reply", r#"{"status":"ok"}"#));
        assert_eq!(&reply.parent_header, request.header.json());
    }

    let mut beat = front.connect(hb_port, "REQ", "").await;
    beat.send(&[b"", b"ping"]).await;
    assert_eq!(beat.recv().await.unwrap(), ["", "ping"]);

    sockets.closer.close().await;
    assert!(soon(sockets.shell.recv()).await.is_none());
    assert!(soon(sockets.subscriptions.recv()).await.is_none());
}

#[tokio::test]
async fn each_channel_answers_over_tcp() {
    converse(Connection::new()).await;
}

#[cfg(unix)]
#[tokio::test]
async fn each_channel_answers_over_ipc() {
    let folder = tempfile::tempdir().unwrap();
    let ip = folder.path().join("kernel").display().to_string();
    let connection = Connection::ipc(ip);
    // A name that looks free and is not, as when another kernel is faster.
    std::os::unix::fs::symlink("nowhere", folder.path().join("kernel-1")).unwrap();
    // The second finds other names.
    tokio::join!(converse(connection.clone()), converse(connection));
    // Only the link is left.
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[tokio::test]
async fn only_what_was_signed_and_is_new_comes_through() {
    let mut sockets = Sockets::bind(Connection::new()).await.unwrap();
    let front = FrontEnd::of(&sockets);
    let mut client = front.connect(front.connection.shell_port, "DEALER", "").await;
    let (_, first) = front.request(json!({"n": 1}));
    let (_, second) = front.request(json!({"n": 2}));
    let (_, mut changed) = front.request(json!({"n": 1}));
    changed[5] = Bytes::from_static(b"{\"n\": 100}");
    for frames in [&first, &first, &changed, &vec![Bytes::new()], &second] {
        send(&mut client, frames).await;
    }
    // Nor is it new on another channel.
    let mut control = front.connect(front.connection.control_port, "DEALER", "").await;
    for number in 1..=2 {
        let came = soon(sockets.shell.recv()).await.unwrap();
        assert_eq!(came.content.read::<Value>().unwrap()["n"], number);
    }
    let (_, third) = front.request(json!({"n": 3}));
    send(&mut control, &second).await;
    send(&mut control, &third).await;
    assert_eq!(soon(sockets.control.recv()).await.unwrap().content.as_str(), r#"{"n":3}"#);
}

#[tokio::test]
async fn a_new_subscriber_is_welcomed_alone() {
    let mut sockets = Sockets::bind(Connection::new()).await.unwrap();
    let front = FrontEnd::of(&sockets);
    let mut clients = Vec::new();
    for topic in ["", "kernel.stream"] {
        clients.push(front.subscribe(topic.as_bytes()).await);
        let subscription = soon(sockets.subscriptions.recv()).await.unwrap();
        assert_eq!(subscription.topic(), topic.as_bytes());
        sockets.iopub.welcome(&subscription);
    }
    let stream = sockets.iopub.session().message("stream", &Json::empty(), &json!({"text": "hi"})).unwrap();
    sockets.iopub.publish(&stream.on_topic("kernel.stream"), Class::Stream);
    for (client, topic) in clients.iter_mut().zip(["", "kernel.stream"]) {
        let welcome = front.decode(client.recv().await.unwrap());
        assert_eq!(
            (welcome.msg_type(), &welcome.identities[..]),
            ("iopub_welcome", &[Bytes::from(topic)][..])
        );
        assert_eq!(welcome.content.read::<Value>().unwrap(), json!({"subscription": topic}));
        assert_eq!(welcome.parent_header, Json::empty());
        let stream = front.session.decode(client.recv().await.unwrap());
        // The second client has the same session, to which the message is not new.
        assert!(stream.is_ok() || topic == "kernel.stream");
    }
}

#[tokio::test]
async fn buffers_and_metadata_go_along() {
    let mut sockets = Sockets::bind(Connection::default()).await.unwrap();
    let front = FrontEnd::of(&sockets);
    let mut client = front.subscribe(b"").await;
    soon(sockets.subscriptions.recv()).await.unwrap();
    let session = sockets.iopub.session();
    let message = session.message("comm_msg", &Json::empty(), &json!({})).unwrap().on_topic("comm");
    let metadata = Json::new(&json!({"m": 1})).unwrap();
    let message = message.with_metadata(metadata.clone()).with_buffers(vec!["one".into(), "".into()]);
    sockets.iopub.publish(&message, Class::Essential);
    let came = front.decode(client.recv().await.unwrap());
    assert_eq!((came.metadata, came.buffers), (metadata, vec![Bytes::from("one"), Bytes::new()]));
}

#[tokio::test]
async fn senders_work_from_other_threads() {
    let mut sockets = Sockets::bind(Connection::new()).await.unwrap();
    let front = FrontEnd::of(&sockets);
    let mut client = front.subscribe(b"").await;
    soon(sockets.subscriptions.recv()).await.unwrap();
    let iopub = sockets.iopub.clone();
    let thread = std::thread::spawn(move || {
        for number in 0..1000 {
            let message = iopub.session().message("stream", &Json::empty(), &json!({"n": number})).unwrap();
            iopub.publish(&message.on_topic("stream"), Class::Essential);
        }
    });
    for number in 0..1000 {
        let came = front.decode(client.recv().await.unwrap());
        assert_eq!(came.content.as_str(), format!("{{\"n\":{number}}}"));
    }
    thread.join().unwrap();
}

#[tokio::test]
async fn an_address_in_brackets_is_one() {
    let mut connection = Connection::new();
    connection.ip = "[::1]".into();
    match Sockets::bind(connection).await {
        Ok(sockets) => {
            let Connection { ip, shell_port, .. } = sockets.closer.connection().clone();
            assert!(Endpoint::Tcp(ip, shell_port).connect().await.is_ok());
        }
        // There is no such address on this machine; it was understood.
        Err(error) => assert!(error.to_string().contains("tcp://[::1]:0"), "{error}"),
    }
}

#[tokio::test]
async fn a_port_that_is_taken_is_an_error() {
    let sockets = Sockets::bind(Connection::new()).await.unwrap();
    let error = Sockets::bind(sockets.closer.connection().clone()).await.unwrap_err();
    assert!(error.is_in_use());
    let mut nowhere = Connection::new();
    nowhere.ip = "192.0.2.1".into();
    let error = Sockets::bind(nowhere).await.unwrap_err();
    assert!(
        !error.is_in_use() && error.to_string().starts_with("cannot listen at tcp://192.0.2.1:0: "),
        "{error}"
    );
}
