//! Front ends that do not read what cells put out.

use crate::{
    Connection,
    tests::{
        client::Client,
        front::{Bench, On, content_of, is_idle},
    },
    zmtp::Endpoint,
};
use serde_json::json;

const MIB: usize = 1 << 20;

#[tokio::test]
async fn who_does_not_read_is_told_what_was_dropped() {
    let mut bench = Bench::with(|builder| builder.unread([MIB, 2 * MIB, 64 * MIB])).await;
    let front = &mut bench.front;
    let Connection { ip, iopub_port, .. } = front.connection.clone();
    // Nothing is dropped for this one, which wants to hear little.
    let mut modest = Client::connect(&Endpoint::Tcp(ip, iopub_port), "SUB", "").await;
    for topic in [&b"stream.stderr"[..], b"status"] {
        modest.command("SUBSCRIBE", topic).await;
        assert_eq!(modest.recv().await.unwrap()[0], topic);
    }
    // More than the system has room for.
    let code = "for i = 1, 150 do print(('x'):rep(70000)) display.text(('y'):rep(70000)) end return 'end'";
    let cell = front.cell(code).await;
    assert_eq!(content_of(&front.reply(On::Shell).await)["status"], "ok");
    let published = front.all_for(&cell).await;
    let shown = |types: &[&str]| published.iter().filter(|one| types.contains(&one.msg_type())).count();
    // What must not be lost is there, and what is told of the rest stands right before the end.
    assert_eq!(shown(&["status", "execute_input", "execute_result"]), 4);
    let [.., result, note, idle] = &published[..] else { panic!("{} messages", published.len()) };
    assert_eq!(result.msg_type(), "execute_result");
    assert!(is_idle(idle));
    let note = content_of(note);
    assert_eq!(note["name"], "stderr");
    let text = note["text"].as_str().unwrap();
    let told = text.strip_prefix('[').and_then(|text| text.split_once(" messages of output ("));
    let (messages, rest) = told.unwrap_or_else(|| panic!("{text}"));
    let (size, rest) = rest.split_once(' ').unwrap();
    assert_eq!(rest, "MB) were dropped: this front end did not read them in time]\n");
    let (messages, size): (usize, f64) = (messages.parse().unwrap(), size.parse().unwrap());
    assert_eq!(shown(&["stream", "display_data"]) - 1 + messages, 300);
    let each = size * 1e6 / messages as f64;
    assert!((70_000.0..71_500.0).contains(&each), "{text}");
    assert!(shown(&["display_data"]) > shown(&["stream"]));

    // It is told once; and the others are not.
    let (_, published) =
        front.exchange(On::Shell, &front.request("execute_request", json!({"code": "1;"}))).await;
    assert_eq!(published.len(), 3, "{published:?}");
    for _ in 0..4 {
        assert_eq!(modest.recv().await.unwrap()[0], "status");
    }
}
