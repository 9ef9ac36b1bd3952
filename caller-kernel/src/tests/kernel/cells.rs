//! Cells, and what comes of them.

use crate::{
    Message,
    tests::front::{Bench, Front, On, content_of, is_idle, text_of},
};
use insta::assert_snapshot;
use serde_json::{Value, json};
use std::time::Duration;

/// MSG-02, MSG-05.
#[tokio::test]
async fn a_cell_ends_in_a_value_or_in_none() {
    let mut bench = Bench::new().await;
    assert_snapshot!(bench.front.run("1 + 1").await, @r#"
    iopub status {"execution_state":"busy"}
    iopub execute_input {"code":"1 + 1","execution_count":1}
    iopub execute_result {"data":{"text/plain":"2"},"execution_count":1,"metadata":{}}
    iopub status {"execution_state":"idle"}
    shell execute_reply {"execution_count":1,"payload":[],"status":"ok","user_expressions":{}}
    "#);
    assert_snapshot!(bench.front.run("1 + 1;").await, @r#"
    iopub status {"execution_state":"busy"}
    iopub execute_input {"code":"1 + 1;","execution_count":2}
    iopub status {"execution_state":"idle"}
    shell execute_reply {"execution_count":2,"payload":[],"status":"ok","user_expressions":{}}
    "#);
}

/// MSG-06.
#[tokio::test]
async fn a_failing_cell_says_why_twice() {
    let mut bench = Bench::new().await;
    assert_snapshot!(bench.front.run("error('no')").await, @r#"
    iopub status {"execution_state":"busy"}
    iopub execute_input {"code":"error('no')","execution_count":1}
    iopub error {"ename":"Error","evalue":"In [1]:1: no"}
    iopub status {"execution_state":"idle"}
    shell execute_reply {"ename":"Error","evalue":"In [1]:1: no","execution_count":1,"payload":[],"status":"error","user_expressions":{}}
    "#);
    let request = bench.front.request("execute_request", json!({"code": "x ="}));
    let (reply, published) = bench.front.exchange(On::Shell, &request).await;
    let (reply, error) = (content_of(&reply), content_of(&published[2]));
    assert_eq!(reply["traceback"], error["traceback"]);
    assert!(reply["traceback"].as_array().is_some_and(|lines| !lines.is_empty()));
}

/// MSG-08, MSG-19.
#[tokio::test]
async fn what_a_cell_prints_and_shows_keeps_its_order() {
    let mut bench = Bench::new().await;
    let front = &mut bench.front;
    assert_snapshot!(front.run("print('ä'); print('b'); io.stderr:write('☃'); display('x', {id = 'id'}); print('c'); clear_output(true)").await, @r#"
    iopub status {"execution_state":"busy"}
    iopub execute_input {"code":"print('ä'); print('b'); io.stderr:write('☃'); display('x', {id = 'id'}); print('c'); clear_output(true)","execution_count":1}
    iopub stream {"name":"stdout","text":"ä\nb\n"}
    iopub stream {"name":"stderr","text":"☃"}
    iopub display_data {"data":{"text/plain":"\"x\""},"metadata":{},"transient":{"display_id":"id"}}
    iopub stream {"name":"stdout","text":"c\n"}
    iopub clear_output {"wait":true}
    iopub status {"execution_state":"idle"}
    shell execute_reply {"execution_count":1,"payload":[],"status":"ok","user_expressions":{}}
    "#);
    assert_snapshot!(front.run("update_display('y', 'id')").await, @r#"
    iopub status {"execution_state":"busy"}
    iopub execute_input {"code":"update_display('y', 'id')","execution_count":2}
    iopub update_display_data {"data":{"text/plain":"\"y\""},"metadata":{},"transient":{"display_id":"id"}}
    iopub status {"execution_state":"idle"}
    shell execute_reply {"execution_count":2,"payload":[],"status":"ok","user_expressions":{}}
    "#);
}

/// MSG-07.
#[tokio::test]
async fn expressions_are_evaluated_behind_a_cell() {
    let mut bench = Bench::new().await;
    let content = json!({"code": "x = 2", "user_expressions": {"good": "x + 1", "bad": "nope.x"}});
    assert_snapshot!(bench.front.transcript(On::Shell, "execute_request", content).await, @r#"
    iopub status {"execution_state":"busy"}
    iopub execute_input {"code":"x = 2","execution_count":1}
    iopub status {"execution_state":"idle"}
    shell execute_reply {"execution_count":1,"payload":[],"status":"ok","user_expressions":{"bad":{"ename":"Error","evalue":"expression:1: attempt to index a nil value (global 'nope')","status":"error","traceback":["Error: expression:1: attempt to index a nil value (global 'nope')","  expression:1: in the cell"]},"good":{"data":{"text/plain":"3"},"metadata":{},"status":"ok"}}}
    "#);
}

#[tokio::test]
async fn a_silent_cell_leaves_no_trace() {
    let mut bench = Bench::new().await;
    let front = &mut bench.front;
    let content = json!({"code": "x = 1\nx", "silent": true});
    assert_snapshot!(front.transcript(On::Shell, "execute_request", content).await, @r#"
    iopub status {"execution_state":"busy"}
    iopub status {"execution_state":"idle"}
    shell execute_reply {"execution_count":1,"payload":[],"status":"ok","user_expressions":{}}
    "#);
    let content = json!({"code": "x", "store_history": false});
    assert_snapshot!(front.transcript(On::Shell, "execute_request", content).await, @r#"
    iopub status {"execution_state":"busy"}
    iopub execute_input {"code":"x","execution_count":1}
    iopub execute_result {"data":{"text/plain":"1"},"execution_count":1,"metadata":{}}
    iopub status {"execution_state":"idle"}
    shell execute_reply {"execution_count":1,"payload":[],"status":"ok","user_expressions":{}}
    "#);
    assert_eq!(front.ask(On::Shell, "execute_request", json!({"code": "x"})).await["execution_count"], 1);
    let tail = front.ask(On::Shell, "history_request", json!({"hist_access_type": "tail"})).await;
    assert_eq!(tail["history"], json!([[1, 1, "x"]]));
}

/// MSG-04.
#[tokio::test]
async fn cells_run_in_order() {
    let mut bench = Bench::new().await;
    let front = &mut bench.front;
    let mut cells = Vec::new();
    for number in 0..10 {
        cells.push(front.cell(&format!("sleep(0.001 * ({number} % 3)) return {number}")).await);
    }
    for (number, cell) in cells.iter().enumerate() {
        let reply = front.reply(On::Shell).await;
        assert_eq!(&reply.parent_header, cell.header.json());
        assert_eq!(content_of(&reply)["execution_count"], number + 1);
    }
    for (number, cell) in cells.iter().enumerate() {
        let types: Vec<_> = {
            let mut types = Vec::new();
            // In order also between cells: nothing of a later one comes first.
            loop {
                let message = front.published().await;
                assert_eq!(&message.parent_header, cell.header.json(), "{number}");
                types.push(message.msg_type().to_owned());
                if is_idle(&message) {
                    break types;
                }
            }
        };
        assert_eq!(types, ["status", "execute_input", "execute_result", "status"]);
    }
}

#[tokio::test]
async fn a_failing_cell_ends_those_behind_it() {
    let mut bench = Bench::new().await;
    let front = &mut bench.front;
    front.cell("sleep(0.02) error('no')").await;
    front.cell("x = 1").await;
    front.cell("x = 2").await;
    let mut states = Vec::new();
    for _ in 0..3 {
        states.push(content_of(&front.reply(On::Shell).await)["status"].clone());
    }
    assert_eq!(states, ["error", "aborted", "aborted"]);
    // What is sent when the failure is known runs.
    assert_eq!(front.ask(On::Shell, "execute_request", json!({"code": "x"})).await["status"], "ok");
    assert_snapshot!(front.run("x").await, @r#"
    iopub status {"execution_state":"busy"}
    iopub execute_input {"code":"x","execution_count":3}
    iopub status {"execution_state":"idle"}
    shell execute_reply {"execution_count":3,"payload":[],"status":"ok","user_expressions":{}}
    "#);
}

/// RUN-05.
#[tokio::test]
async fn a_failing_cell_need_not_stop_others() {
    let mut bench = Bench::new().await;
    let front = &mut bench.front;
    let failing = front.request("execute_request", json!({"code": "error('no')", "stop_on_error": false}));
    front.send(On::Shell, &failing).await;
    front.cell("x = 1").await;
    assert_eq!(content_of(&front.reply(On::Shell).await)["status"], "error");
    assert_eq!(content_of(&front.reply(On::Shell).await)["status"], "ok");
}

/// What a client wrote in the same breath may be read when the failure has happened already: its date tells. Whatever
/// the client's clock says, what it sends later runs.
#[tokio::test]
async fn the_breath_of_a_request_is_told_by_its_date() {
    let mut bench = Bench::new().await;
    let front = &mut bench.front;
    for days in [0, 300, -300] {
        let dated = |front: &Front, code: &str, at: jiff::Timestamp| {
            let request = front.request("execute_request", json!({"code": code}));
            let mut header: Value = request.header.json().read().unwrap();
            header["session"] = format!("{days}").into();
            header["date"] = (at + jiff::SignedDuration::from_hours(24 * days)).to_string().into();
            let header = crate::Header::new(crate::Json::new(&header).unwrap());
            crate::Message { header, ..request }
        };
        let before = jiff::Timestamp::now();
        let failing = dated(front, "error('no')", before);
        front.exchange(On::Shell, &failing).await;
        let same_breath = dated(front, "1", before);
        assert_eq!(
            content_of(&front.exchange(On::Shell, &same_breath).await.0)["status"],
            "aborted",
            "{days}"
        );
        let later = dated(front, "1", jiff::Timestamp::now());
        assert_eq!(content_of(&front.exchange(On::Shell, &later).await.0)["status"], "ok", "{days}");
    }
}

/// Streams are gathered, and whole.
#[tokio::test]
async fn twenty_thousand_prints_are_few_messages() {
    let mut bench = Bench::new().await;
    let front = &mut bench.front;
    let cell = front.cell("for i = 1, 20000 do print(i) end").await;
    let published = front.all_for(&cell).await;
    let whole: String = (1..=20_000).map(|i| format!("{i}\n")).collect();
    assert!(text_of(&published) == whole);
    assert!(published.len() < 200, "{}", published.len());
}

/// What waits for more is sent while the cell goes on.
#[tokio::test]
async fn text_comes_while_a_cell_waits() {
    let mut bench = Bench::new().await;
    let front = &mut bench.front;
    let cell = front.cell("print('begun') input('go on?') print('done')").await;
    let seen = front.published_for(&cell, |message| message.msg_type() == "stream").await;
    assert_eq!(text_of(&seen), "begun\n");
    let question = front.asked().await;
    front.answer(Some(&question), "").await;
    assert_eq!(text_of(&front.all_for(&cell).await), "done\n");
}

/// MSG-17.
#[tokio::test]
async fn what_calls_print_later_and_elsewhere_lands_in_their_cell() {
    let mut bench = Bench::new().await;
    let front = &mut bench.front;
    let cell = front.cell("caller:call_later(0.01, function() print('later') end) print('now')").await;
    assert_eq!(text_of(&front.all_for(&cell).await), "now\n");
    let late = front.published_for(&cell, |message| message.msg_type() == "stream").await;
    assert_eq!(text_of(&late), "later\n");
}

/// A client that does not know of a request still sees it.
#[tokio::test]
async fn two_clients_see_the_same_and_one_gets_the_reply() {
    let mut bench = Bench::new().await;
    let mut other = Front::new(&bench.front.connection, "two").await;
    let cell = bench.front.cell("1 + 1").await;
    let seen = other.all_for(&cell).await;
    assert_eq!(seen.len(), 4);
    assert_eq!(bench.front.all_for(&cell).await.len(), 4);
    // The first reply that the other gets is its own.
    let own = other.request("kernel_info_request", json!({}));
    let (reply, _) = other.exchange(On::Shell, &own).await;
    assert_eq!(reply.msg_type(), "kernel_info_reply");
}

/// MSG-04, MSG-06. A cell that says wrongly how it is to run is one of those that fail.
#[tokio::test]
async fn a_cell_that_is_refused_has_its_turn_and_its_number() {
    let mut bench = Bench::new().await;
    let front = &mut bench.front;
    let waiting = front.cell("while not go do sleep(0.001) end").await;
    let refused = front.cell("-- caller name=nobody\nx = 1").await;
    let behind = front.cell("x = 2").await;
    let opener = front.cell("-- task\ngo = true").await;
    let mut replies = Vec::new();
    for _ in 0..4 {
        let reply = front.reply(On::Shell).await;
        let Value::Object(content) = content_of(&reply) else { panic!("{reply:?}") };
        replies.push((
            reply.parent_header.clone(),
            content["status"].clone(),
            content["execution_count"].clone(),
        ));
    }
    let told = |request: &Message, status: &str, count: u32| {
        (request.header.json().clone(), json!(status), json!(count))
    };
    let expected = [
        told(&opener, "ok", 2),
        told(&waiting, "ok", 1),
        told(&refused, "error", 3),
        told(&behind, "aborted", 3),
    ];
    assert_eq!(replies, expected);
    let published: Vec<_> = front.all_for(&refused).await;
    let types: Vec<_> = published.iter().map(Message::msg_type).collect();
    assert_eq!(types, ["status", "execute_input", "error", "status"]);
}

/// MSG-06. Whatever becomes of it, a cell has a number in its reply, and all see the error.
#[tokio::test]
async fn a_request_that_makes_no_sense_is_a_cell_that_failed() {
    let mut bench = Bench::new().await;
    let front = &mut bench.front;
    front.run("1").await;
    for content in [json!({}), json!({"code": null}), json!({"code": "1", "user_expressions": {"a": 1}})] {
        let request = front.request("execute_request", content.clone());
        let (reply, published) = front.exchange(On::Shell, &request).await;
        let reply = content_of(&reply);
        assert_eq!(
            (&reply["ename"], &reply["execution_count"]),
            (&json!("BadRequest"), &json!(1)),
            "{content}"
        );
        assert_eq!(published[1].msg_type(), "error");
        assert_eq!(content_of(&published[1])["evalue"], reply["evalue"]);
    }
}

/// RUN-04.
#[tokio::test]
async fn expressions_are_part_of_the_time_of_a_cell() {
    let mut bench = Bench::with(|builder| builder.cell_timeout(Duration::from_millis(50))).await;
    let expressions = json!({"a": "sleep(1000)", "b": "(function() while true do end end)()"});
    let content = json!({"code": "return 1", "user_expressions": expressions});
    let reply = bench.front.ask(On::Shell, "execute_request", content).await;
    assert_eq!(reply["status"], "ok");
    for name in ["a", "b"] {
        assert_eq!(reply["user_expressions"][name]["ename"], "TimeoutError", "{reply}");
    }
}
