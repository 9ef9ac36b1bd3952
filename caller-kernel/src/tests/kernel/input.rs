//! Questions to the user.

use crate::{
    Connection, Message,
    tests::{
        client::Client,
        front::{Bench, Front, On, content_of, text_of},
    },
    zmtp::Endpoint,
};
use serde_json::json;

/// Sends by a client of its own what a front end has made.
async fn send(client: &mut Client, front: &Front, message: &Message) {
    let frames = front.session.encode(message);
    client.send(&frames.iter().map(|part| &part[..]).collect::<Vec<_>>()).await;
}

/// MSG-13.
#[tokio::test]
async fn a_cell_asks_the_client_that_sent_it() {
    let mut bench = Bench::new().await;
    let mut other = Front::new(&bench.front.connection, "two").await;
    for front in [&mut bench.front, &mut other] {
        let cell = front.cell("print(input('name? ') .. getpass('key? '))").await;
        let question = front.asked().await;
        assert_eq!((question.msg_type(), &question.parent_header), ("input_request", cell.header.json()));
        assert_eq!(content_of(&question), json!({"prompt": "name? ", "password": false}));
        front.answer(Some(&question), "ä").await;
        let question = front.asked().await;
        assert_eq!(content_of(&question), json!({"prompt": "key? ", "password": true}));
        // As jupyter_client does, which names no parent.
        front.answer(None, "b").await;
        assert_eq!(text_of(&front.all_for(&cell).await), "äb\n");
    }
}

#[tokio::test]
async fn who_cannot_be_asked_is_not() {
    let mut bench = Bench::new().await;
    let front = &mut bench.front;
    let content = json!({"code": "input('?')", "allow_stdin": false});
    let reply = front.ask(On::Shell, "execute_request", content).await;
    assert!(
        reply["evalue"].as_str().unwrap().contains("this front end takes no requests for input"),
        "{reply}"
    );
}

/// A client that has no stdin channel.
#[tokio::test]
async fn who_does_not_listen_is_not_asked() {
    let mut bench = Bench::new().await;
    let Connection { ip, shell_port, .. } = bench.front.connection.clone();
    let mut client = Client::connect(&Endpoint::Tcp(ip, shell_port), "DEALER", "three").await;
    let request = bench.front.request("execute_request", json!({"code": "input('?')"}));
    send(&mut client, &bench.front, &request).await;
    let published = bench.front.all_for(&request).await;
    assert!(text_of(&published).contains("does not listen for requests for input"), "{published:?}");
}

/// MSG-13. Clients that have no identity of their own, and came to their channels as the same number.
#[tokio::test]
async fn who_has_no_identity_is_not_taken_for_another() {
    let mut bench = Bench::new().await;
    let Connection { ip, shell_port, stdin_port, .. } = bench.front.connection.clone();
    let nameless = async |port| Client::connect(&Endpoint::Tcp(ip.clone(), port), "DEALER", "").await;
    let mut other = nameless(stdin_port).await;
    let mut client = nameless(shell_port).await;
    let request = bench.front.request("execute_request", json!({"code": "getpass('secret? ')"}));
    send(&mut client, &bench.front, &request).await;
    let published = tokio::select! {
        published = bench.front.all_for(&request) => published,
        asked = other.recv() => panic!("another client was asked: {asked:?}"),
    };
    assert!(text_of(&published).contains("does not listen for requests for input"), "{published:?}");
}

/// An answer that comes when nobody asks any more is not that to another question.
#[tokio::test]
async fn a_late_answer_is_none_to_another_question() {
    let mut bench = Bench::new().await;
    let front = &mut bench.front;
    let cell = front.cell("input('first')").await;
    let first = front.asked().await;
    assert_eq!(front.ask(On::Control, "interrupt_request", json!({})).await["status"], "ok");
    assert_eq!(text_of(&front.all_for(&cell).await), "interrupted");
    let cell = front.cell("print(input('second'))").await;
    let second = front.asked().await;
    front.answer(Some(&first), "late").await;
    front.answer(Some(&second), "right").await;
    assert_eq!(text_of(&front.all_for(&cell).await), "right\n");
}

/// Two cells ask at the same time, and are answered in the other order.
#[tokio::test]
async fn answers_find_their_questions() {
    let mut bench = Bench::new().await;
    let front = &mut bench.front;
    let one = front.cell("-- task\nprint(input('one'))").await;
    let first = front.asked().await;
    let two = front.cell("-- task\nprint(input('two'))").await;
    let second = front.asked().await;
    front.answer(Some(&second), "2").await;
    assert_eq!(text_of(&front.all_for(&two).await), "2\n");
    front.answer(Some(&first), "1").await;
    assert_eq!(text_of(&front.all_for(&one).await), "1\n");
}

#[tokio::test]
async fn who_leaves_is_waited_for_a_moment_and_no_longer() {
    let mut bench = Bench::new().await;
    let mut leaves = Front::new(&bench.front.connection, "two").await;
    let one = bench.front.cell("-- task\nprint(input('?'))").await;
    let question = bench.front.asked().await;
    let two = leaves.cell("-- task\nprint(input('?'))").await;
    leaves.asked().await;
    // It is gone before it is back: the kernel closes the connection when it has forgotten it.
    bench.front.rejoin_stdin("one").await;
    drop(leaves);
    let published = bench.front.all_for(&two).await;
    assert!(text_of(&published).contains("does not listen for requests for input"), "{published:?}");
    // The other left earlier, so if it were given up, it would be by now.
    bench.front.answer(Some(&question), "here").await;
    assert_eq!(text_of(&bench.front.all_for(&one).await), "here\n");
}
