//! Requests about code, history, and the kernel itself.

use crate::tests::front::{Bench, Front, On, content_of, transcript};
use insta::assert_snapshot;
use serde_json::{Value, json};

/// MSG-01.
#[tokio::test]
async fn each_request_gets_its_reply_on_either_channel() {
    let mut bench = Bench::new().await;
    let front = &mut bench.front;
    for on in [On::Shell, On::Control] {
        for (msg_type, content) in [
            ("kernel_info_request", json!({})),
            ("execute_request", json!({"code": "1"})),
            ("complete_request", json!({"code": "x", "cursor_pos": 1})),
            ("inspect_request", json!({"code": "x", "cursor_pos": 1})),
            ("is_complete_request", json!({"code": "x"})),
            ("history_request", json!({"hist_access_type": "tail", "n": 1})),
            ("comm_info_request", json!({})),
            ("usage_request", json!({})),
            ("interrupt_request", json!({})),
            ("list_subshell_request", json!({})),
            ("create_subshell_request", json!({})),
            ("shutdown_request", json!({"restart": 1})),
        ] {
            let request = front.request(msg_type, content);
            // Whose parent it is, and the states around it, are looked at there.
            let (reply, _) = front.exchange(on, &request).await;
            assert_eq!(reply.msg_type().strip_suffix("_reply"), msg_type.strip_suffix("_request"));
            assert_eq!(reply.header.version(), "5.5");
            assert!(content_of(&reply)["status"].is_string(), "{msg_type}");
        }
    }
}

/// MSG-03.
#[tokio::test]
async fn the_kernel_says_what_it_is() {
    let mut bench = Bench::new().await;
    assert_snapshot!(bench.front.transcript(On::Control, "kernel_info_request", json!({})).await, @r#"
    iopub status {"execution_state":"busy"}
    iopub status {"execution_state":"idle"}
    control kernel_info_reply {"banner":"Lua 5.4 in a running Rust program (caller-kernel 0.1.0).\n`caller` is the caller of this shell, `%callers` lists all; cells wait without `await`.","debugger":false,"help_links":[{"text":"Lua 5.4 reference manual","url":"https://www.lua.org/manual/5.4/"}],"implementation":"caller-kernel","implementation_version":"0.1.0","language_info":{"codemirror_mode":{"name":"lua"},"file_extension":".lua","mimetype":"text/x-lua","name":"lua","pygments_lexer":"lua","version":"5.4"},"protocol_version":"5.5","status":"ok","supported_features":["kernel subshells"]}
    "#);
}

/// MSG-10. Its status knows no `error`, whatever failed.
#[tokio::test]
async fn what_cannot_be_judged_is_unknown() {
    let mut bench = Bench::new().await;
    let front = &mut bench.front;
    let request = Front::in_subshell(front.request("is_complete_request", json!({"code": "1"})), "none");
    let (reply, _) = front.exchange(On::Shell, &request).await;
    assert_eq!(content_of(&reply)["status"], "unknown", "{reply:?}");
}

/// MSG-09, MSG-10.
#[tokio::test]
async fn code_is_completed_inspected_and_judged() {
    let mut bench = Bench::new().await;
    let front = &mut bench.front;
    front.run("value_one, value_two = 1, 2").await;
    let mut lines = String::new();
    for (msg_type, content) in [
        ("complete_request", json!({"code": "ä = value_", "cursor_pos": 10})),
        ("complete_request", json!({"code": "value_o"})),
        ("inspect_request", json!({"code": "value_one", "cursor_pos": 3})),
        ("inspect_request", json!({"code": "nothing", "cursor_pos": 3, "detail_level": 1})),
        ("is_complete_request", json!({"code": "x = 1"})),
        ("is_complete_request", json!({"code": "for i = 1, 2 do"})),
        ("is_complete_request", json!({"code": "x = = 1"})),
    ] {
        lines += &format!("{}\n", front.ask(On::Shell, msg_type, content).await);
    }
    assert_snapshot!(lines, @r#"
    {"cursor_end":10,"cursor_start":4,"matches":["value_one","value_two"],"metadata":{"_jupyter_types_experimental":[{"end":10,"start":4,"text":"value_one","type":"value"},{"end":10,"start":4,"text":"value_two","type":"value"}]},"status":"ok"}
    {"cursor_end":7,"cursor_start":0,"matches":["value_one"],"metadata":{"_jupyter_types_experimental":[{"end":7,"start":0,"text":"value_one","type":"value"}]},"status":"ok"}
    {"data":{"text/plain":"value_one: integer\n1"},"found":true,"metadata":{},"status":"ok"}
    {"data":{},"found":false,"metadata":{},"status":"ok"}
    {"status":"complete"}
    {"indent":"  ","status":"incomplete"}
    {"status":"invalid"}
    "#);
}

/// MSG-11.
#[tokio::test]
async fn the_history_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history");
    let mut bench = Bench::with(|builder| builder.history(&path)).await;
    for code in ["1 + 1", "x = 2", "1 + 1"] {
        bench.front.run(code).await;
    }
    let told = async |bench: &mut Bench, content: Value| {
        bench.front.ask(On::Shell, "history_request", content).await["history"].take()
    };
    let tail = json!({"hist_access_type": "tail", "n": 2, "output": true, "raw": true});
    assert_eq!(
        told(&mut bench, tail.clone()).await,
        json!([[1, 2, ["x = 2", null]], [1, 3, ["1 + 1", "2"]]])
    );
    let search = json!({"hist_access_type": "search", "pattern": "1*", "unique": true, "n": 5});
    assert_eq!(told(&mut bench, search.clone()).await, json!([[1, 3, "1 + 1"]]));
    // The next kernel knows it.
    drop(bench);
    let mut bench = Bench::with(|builder| builder.history(&path)).await;
    bench.front.run("y").await;
    assert_eq!(told(&mut bench, search).await, json!([[1, 3, "1 + 1"]]));
    let range = |session| json!({"hist_access_type": "range", "session": session, "start": 1, "stop": 3, "output": false});
    assert_eq!(told(&mut bench, range(-1)).await, json!([[1, 1, "1 + 1"], [1, 2, "x = 2"]]));
    assert_eq!(told(&mut bench, range(0)).await, json!([[2, 1, "y"]]));
}

/// MSG-20.
#[tokio::test]
async fn use_of_memory_and_processors_is_told() {
    let mut bench = Bench::new().await;
    for _ in 0..2 {
        let usage = bench.front.ask(On::Control, "usage_request", json!({})).await;
        assert_eq!(usage["pid"], std::process::id());
        assert!(usage["hostname"].is_string(), "{usage}");
        assert!(usage["cpu_count"].as_u64().unwrap() > 0, "{usage}");
        let memory = usage["kernel_memory"].as_u64().unwrap();
        assert!((1 << 20..1 << 32).contains(&memory), "{usage}");
        assert!(usage["host_virtual_memory"]["total"].as_u64().unwrap() > memory, "{usage}");
        assert!(usage["kernel_cpu"].is_number() && usage["host_cpu_percent"].is_number(), "{usage}");
    }
}

#[tokio::test]
async fn what_is_not_known_is_answered_by_its_states_alone() {
    let mut bench = Bench::new().await;
    for on in [On::Shell, On::Control] {
        let request = bench.front.request("nonsense_request", json!({"x": 1}));
        bench.front.send(on, &request).await;
        let published = transcript(on, None, &bench.front.all_for(&request).await);
        insta::allow_duplicates!(assert_snapshot!(published, @r#"
        iopub status {"execution_state":"busy"}
        iopub status {"execution_state":"idle"}
        "#));
    }
    // An answer that nobody asked for is no harm.
    bench.front.answer(None, "what").await;
    assert_eq!(bench.front.prints("print(1)").await, "1\n");
}

/// MSG-01, for content that is absent or wrong.
#[tokio::test]
async fn wrong_content_is_an_error_and_nothing_more() {
    let mut bench = Bench::new().await;
    let front = &mut bench.front;
    let mut lines = String::new();
    for (msg_type, content) in [
        ("execute_request", json!({})),
        ("execute_request", json!({"code": 1})),
        ("execute_request", json!({"code": "1", "user_expressions": {"x": 1}})),
        ("complete_request", json!({"code": "x", "cursor_pos": -1})),
        ("inspect_request", json!({"cursor_pos": 1})),
        ("is_complete_request", json!({})),
        ("history_request", json!({"hist_access_type": "guess"})),
        ("history_request", json!({"hist_access_type": "tail", "n": "many"})),
        ("comm_info_request", json!({"target_name": 1})),
        ("delete_subshell_request", json!({})),
        ("shutdown_request", json!({"restart": "no"})),
    ] {
        let request = front.request(msg_type, content);
        let (reply, published) = front.exchange(On::Shell, &request).await;
        let content = content_of(&reply);
        // Busy and idle; and of a cell all see the error.
        let expected = if msg_type == "execute_request" { 3 } else { 2 };
        let status = if msg_type == "is_complete_request" { "unknown" } else { "error" };
        assert_eq!((published.len(), &content["status"]), (expected, &json!(status)), "{msg_type}");
        lines += &format!("{} {}: {}\n", reply.msg_type(), content["ename"], content["evalue"]);
    }
    for content in [json!({}), json!({"comm_id": 1}), json!({"comm_id": "c", "target_name": []})] {
        for msg_type in ["comm_open", "comm_msg", "comm_close"] {
            let request = front.request(msg_type, content.clone());
            front.send(On::Shell, &request).await;
            front.all_for(&request).await;
        }
    }
    assert_snapshot!(lines, @r#"
    execute_reply "BadRequest": "the content of this execute_request is not as the protocol has it: missing field `code` at line 1 column 2"
    execute_reply "BadRequest": "the content of this execute_request is not as the protocol has it: invalid type: integer `1`, expected a string at line 1 column 9"
    execute_reply "BadRequest": "the content of this execute_request is not as the protocol has it: invalid type: integer `1`, expected a string at line 1 column 37"
    complete_reply "BadRequest": "the content of this complete_request is not as the protocol has it: invalid value: integer `-1`, expected usize at line 1 column 27"
    inspect_reply "BadRequest": "the content of this inspect_request is not as the protocol has it: missing field `code` at line 1 column 16"
    is_complete_reply "BadRequest": "the content of this is_complete_request is not as the protocol has it: missing field `code` at line 1 column 2"
    history_reply "BadRequest": "there is no `hist_access_type` `guess`; use `tail`, `range` or `search`"
    history_reply "BadRequest": "the content of this history_request is not as the protocol has it: invalid type: string \"many\", expected usize at line 1 column 37"
    comm_info_reply "BadRequest": "the content of this comm_info_request is not as the protocol has it: invalid type: integer `1`, expected a string at line 1 column 16"
    delete_subshell_reply "BadRequest": "the content of this delete_subshell_request is not as the protocol has it: missing field `subshell_id` at line 1 column 2"
    shutdown_reply "BadRequest": "the content of this shutdown_request is not as the protocol has it: invalid type: string \"no\", expected a boolean at line 1 column 15"
    "#);
    // What is missing may have its default.
    for (msg_type, content) in [
        (
            "execute_request",
            json!({"code": "1", "silent": null, "user_expressions": null, "allow_stdin": null}),
        ),
        ("history_request", json!({"hist_access_type": "search"})),
        ("complete_request", json!({"code": "x", "cursor_pos": 1_000_000})),
        ("inspect_request", json!({"code": ""})),
    ] {
        assert_eq!(front.ask(On::Shell, msg_type, content).await["status"], "ok", "{msg_type}");
    }
}
