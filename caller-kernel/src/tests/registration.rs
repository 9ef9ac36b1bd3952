//! A kernel tells its ports to a registrar of our own.

use super::client::{anywhere, soon};
use crate::{
    Connection, Json, Registration, RegistrationError, Session, Sockets, WireError,
    zmtp::{Endpoint, Heartbeat, Limits, Router, Security, Server},
};
use bytes::Bytes;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::net::TcpListener;

const KEY: &str = "hidden";

/// Longer than any test waits.
const LONG: Duration = Duration::from_secs(60);

async fn registrar() -> (Server, Router, Registration) {
    let (server, router) = Router::bind(anywhere(), Limits::default(), Security::Null).await.unwrap();
    let registration = of(server.endpoint());
    (server, router, registration)
}

fn of(endpoint: &Endpoint) -> Registration {
    let Endpoint::Tcp(ip, port) = endpoint else { unreachable!("it is tcp") };
    Registration::new(ip, *port, KEY)
}

fn connection() -> Connection {
    let mut connection = Connection::new();
    (connection.shell_port, connection.iopub_port, connection.stdin_port) = (1, 2, 3);
    (connection.control_port, connection.hb_port) = (4, 5);
    connection
}

/// Takes one request, gives the answer that this makes of it, and what becomes of the kernel.
async fn answered(
    registration: &Registration,
    mut router: Router,
    answer: impl FnOnce(Vec<Bytes>) -> Vec<Bytes>,
) -> Result<(), RegistrationError> {
    let registrar = async {
        let request = router.recv().await.unwrap();
        let identity = request[0].clone();
        assert!(router.sender().send(&identity, answer(request)));
    };
    let connection = connection();
    soon(async { tokio::join!(registration.register(&connection, LONG), registrar).0 }).await
}

/// The answer that a session gives in the form before 5.6.
fn reply(session: &Session, request: Vec<Bytes>, msg_type: &str, content: &Value) -> Vec<Bytes> {
    let request = session.decode(request).unwrap();
    let reply = session.reply(&request, msg_type, content).unwrap();
    session.encode(&reply).split_off(1)
}

#[tokio::test]
async fn a_request_has_the_ports_as_numbers() {
    let (_server, router, registration) = registrar().await;
    let session = Session::new(KEY);
    let answer = |request: Vec<Bytes>| {
        // Identity, and the empty part of a REQ.
        assert_eq!(request[1], "");
        let asked = Session::new(KEY).decode(request.clone()).unwrap();
        assert_eq!(asked.msg_type(), "handshake_request");
        assert_eq!(
            asked.content.read::<Value>().unwrap(),
            json!({"shell_port": 1, "iopub_port": 2, "stdin_port": 3, "control_port": 4, "hb_port": 5})
        );
        reply(&session, request, "handshake_reply", &json!({"status": "ok"}))
    };
    answered(&registration, router, answer).await.unwrap();
}

#[tokio::test]
async fn the_form_of_5_6_has_the_ports_as_texts() {
    let (_server, router, mut registration) = registrar().await;
    registration.kernel_id = Some("k1".into());
    let session = Session::new(KEY);
    let answer = |request: Vec<Bytes>| {
        assert_eq!((request.len(), &*request[1]), (4, &b"<IDS|MSG>"[..]));
        let content = session.decode_content(request).unwrap();
        assert_eq!(
            serde_json::from_slice::<Value>(&content).unwrap(),
            json!({"kernel_id": "k1", "shell_port": "1", "iopub_port": "2", "stdin_port": "3", "control_port": "4",
                "hb_port": "5"})
        );
        session.encode_content(Bytes::from_static(b"ACK"))
    };
    answered(&registration, router, answer).await.unwrap();
}

#[tokio::test]
async fn a_kernel_may_be_refused() {
    for content in [json!({"status": "error", "evalue": "no"}), json!({})] {
        let (_server, router, registration) = registrar().await;
        let session = Session::new(KEY);
        let answer = |request: Vec<Bytes>| reply(&session, request, "handshake_reply", &content);
        let error = answered(&registration, router, answer).await.unwrap_err();
        assert!(matches!(error, RegistrationError::Refused { .. }), "{error}");
    }
    let (_server, router, mut registration) = registrar().await;
    registration.kernel_id = Some(String::new());
    let answer = |_| Session::new(KEY).encode_content(Bytes::from_static(br#"{"status":"error"}"#));
    let error = answered(&registration, router, answer).await.unwrap_err();
    assert_eq!(error.to_string(), r#"the registration refused this kernel: {\"status\":\"error\"}"#);
}

#[tokio::test]
async fn who_has_no_key_cannot_answer() {
    let (_server, router, registration) = registrar().await;
    let answer = |request: Vec<Bytes>| {
        let request = Session::new(KEY).decode(request).unwrap();
        let other = Session::new("other");
        let reply = other.reply(&request, "handshake_reply", &json!({"status": "ok"})).unwrap();
        other.encode(&reply).split_off(1)
    };
    let error = answered(&registration, router, answer).await.unwrap_err();
    assert!(matches!(error, RegistrationError::Wire(WireError::BadSignature)), "{error}");

    for (answer, whole) in [
        (Session::new("other").encode_content(Bytes::from_static(b"ACK")), true),
        (vec![Bytes::from_static(b"<IDS|MSG>"), Bytes::new()], false),
    ] {
        let (_server, router, mut registration) = registrar().await;
        registration.kernel_id = Some("k1".into());
        let error = answered(&registration, router, |_| answer).await.unwrap_err();
        let RegistrationError::Wire(error) = error else { panic!("{error}") };
        assert_eq!(matches!(error, WireError::BadSignature), whole, "{error}");
    }
}

#[tokio::test]
async fn another_message_is_no_answer() {
    // It says what it hears, in the way of a REP.
    let (server, ()) = Heartbeat::bind(anywhere(), Limits::default(), Security::Null).await.unwrap();
    let error = of(server.endpoint()).register(&connection(), LONG).await.unwrap_err();
    assert!(
        matches!(&error, RegistrationError::Unexpected { msg_type } if msg_type == "handshake_request"),
        "{error}"
    );
}

#[tokio::test]
async fn a_socket_of_another_kind_is_named() {
    let (server, ()) = Heartbeat::bind(anywhere(), Limits::default(), Security::Null).await.unwrap();
    let mut registration = of(server.endpoint());
    registration.kernel_id = Some("k1".into());
    let error = registration.register(&connection(), LONG).await.unwrap_err();
    assert!(error.to_string().ends_with("a socket of type `REP` cannot talk to this one"), "{error}");
}

#[tokio::test]
async fn nobody_answers() {
    // One that takes connections and says nothing, and then nobody at all.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let registration = Registration::new("127.0.0.1", port, KEY);
    let error = registration.register(&connection(), Duration::from_millis(10)).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "no answer from the registration at tcp://127.0.0.1:{port} in 10ms, see whether it still waits"
        )
    );
    let gone = async {
        let _first = listener.accept().await.unwrap();
        drop(listener.accept().await.unwrap());
        drop(listener);
    };
    let connection = connection();
    let (error, ()) = soon(async { tokio::join!(registration.register(&connection, LONG), gone) }).await;
    assert!(matches!(error, Err(RegistrationError::Closed { .. })), "{error:?}");
    let error = registration.register(&connection, LONG).await.unwrap_err();
    assert!(matches!(error, RegistrationError::Connect { .. }), "{error}");
}

#[tokio::test]
async fn a_port_to_be_chosen_is_none_to_register() {
    let registration = Registration::new("127.0.0.1", 1, KEY);
    let mut connection = connection();
    connection.stdin_port = 0;
    let error = registration.register(&connection, LONG).await.unwrap_err();
    assert_eq!(error.to_string(), "there is no `stdin_port` to register, bind the sockets first");
}

#[tokio::test]
async fn the_ports_that_are_registered_are_served() {
    let (_server, router, registration) = registrar().await;
    let mut sockets = Sockets::bind(registration.connection()).await.unwrap();
    let connection = sockets.closer.connection().clone();
    let session = Session::new(KEY);
    let mut router = router;
    let registrar = async {
        let request = router.recv().await.unwrap();
        let asked = session.decode(request.clone()).unwrap();
        let other = Session::new(KEY);
        let identity = request[0].clone();
        let answer = reply(&other, request, "handshake_reply", &json!({"status": "ok"}));
        assert!(router.sender().send(&identity, answer));
        asked.content.read::<Value>().unwrap()["shell_port"].as_u64().unwrap()
    };
    let (done, port) =
        soon(async { tokio::join!(registration.register(&connection, LONG), registrar) }).await;
    done.unwrap();
    let endpoint = Endpoint::Tcp(connection.ip, port.try_into().unwrap());
    let mut client = super::client::Client::connect(&endpoint, "DEALER", "me").await;
    let request = session.encode(&session.message("x_request", &Json::empty(), &json!({})).unwrap());
    client.send(&request.iter().map(|part| &part[..]).collect::<Vec<_>>()).await;
    assert_eq!(soon(sockets.shell.recv()).await.unwrap().msg_type(), "x_request");
}
