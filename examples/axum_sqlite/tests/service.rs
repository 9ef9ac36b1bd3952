//! The service, with a client on a socket.

use std::net::SocketAddr;

use axum_sqlite::{StoreHandle, router};
use caller::Caller;
use caller_tokio::Tokio;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// A count that does not end by itself.
const ENDLESS: &str = "/count/9000000000000000000";

/// A service, at a port of its own.
struct Server(SocketAddr);

impl Server {
    /// Starts it in this thread, with a database below this caller.
    async fn start() -> Self {
        Self::with(&Caller::current().unwrap()).await
    }

    async fn with(caller: &Caller) -> Self {
        let own = caller.resident_builder().own_thread("sqlite");
        let store = StoreHandle::open(own, None).await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, router(store)).await });
        Self(address)
    }

    /// Sends a request. Dropping the connection is leaving.
    async fn send(&self, method: &str, path: &str, body: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.0).await.unwrap();
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        stream
    }

    /// The status and body of an answer.
    async fn ask(&self, method: &str, path: &str, body: &str) -> (u16, String) {
        Self::answer(self.send(method, path, body).await).await
    }

    async fn answer(mut stream: TcpStream) -> (u16, String) {
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }

    async fn get(&self, path: &str) -> Value {
        let (status, body) = self.ask("GET", path, "").await;
        assert_eq!(status, 200, "{path}: {body}");
        serde_json::from_str(&body).unwrap()
    }

    /// Asks until a count of the status is this.
    async fn until(&self, name: &str, count: u64) {
        while self.get("/status").await[name] != count {}
    }
}

#[caller::test(backend = Tokio::new())]
async fn notes_come_back() {
    let server = Server::start().await;
    assert_eq!(server.ask("POST", "/notes", "buy milk").await, (201, "1".to_owned()));
    assert_eq!(server.ask("POST", "/notes", "wörter").await, (201, "2".to_owned()));
    let notes = json!([{ "id": 1, "text": "buy milk" }, { "id": 2, "text": "wörter" }]);
    assert_eq!(server.get("/notes").await, notes);
    assert_eq!(server.get("/count/1000").await, 1000);
    assert_eq!(server.ask("GET", "/count/many", "").await.0, 400);
    assert_eq!(server.get("/status").await, json!({ "asked": 4, "begun": 1, "interrupted": 0, "left": 0 }));
}

#[caller::test(backend = Tokio::new())]
async fn a_client_that_leaves_ends_its_query() {
    let server = Server::start().await;
    let leaves = server.send("GET", ENDLESS, "").await;
    server.until("begun", 1).await;
    // This one waits for its turn, and leaves first.
    let waits = server.send("GET", ENDLESS, "").await;
    server.until("asked", 2).await;
    drop(waits);
    server.until("left", 1).await;
    drop(leaves);
    // The thread of the database is free, and the second query never began.
    assert_eq!(server.get("/notes").await, json!([]));
    let status = json!({ "asked": 3, "begun": 1, "interrupted": 1, "left": 2 });
    assert_eq!(server.get("/status").await, status);
}

#[caller::test(backend = Tokio::new())]
async fn a_write_is_finished_though_its_client_left() {
    let server = Server::start().await;
    let busy = server.send("GET", ENDLESS, "").await;
    server.until("begun", 1).await;
    // The write waits for its turn when its client leaves.
    let leaves = server.send("POST", "/notes", "kept").await;
    server.until("asked", 2).await;
    drop(leaves);
    server.until("left", 1).await;
    drop(busy);
    assert_eq!(server.get("/notes").await, json!([{ "id": 1, "text": "kept" }]));
    assert_eq!(server.get("/status").await, json!({ "asked": 3, "begun": 1, "interrupted": 1, "left": 2 }));
}

#[caller::test(backend = Tokio::new())]
async fn a_stop_ends_a_query_that_runs() {
    let databases = Caller::current().unwrap().child("databases").unwrap();
    let server = Server::with(&databases).await;
    let busy = server.send("GET", ENDLESS, "").await;
    server.until("begun", 1).await;
    databases.stop();
    databases.stopped().await;
    assert_eq!(Server::answer(busy).await.0, 503);
    assert_eq!(server.ask("GET", "/notes", "").await.0, 503);
    assert_eq!(server.get("/status").await["interrupted"], 1);
}
