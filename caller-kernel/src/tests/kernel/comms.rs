//! Comms of both sides.

use crate::{
    Json,
    tests::front::{Bench, On, content_of, text_of, transcript},
};
use insta::assert_snapshot;
use serde_json::json;

const ECHO: &str = "comm.register_target('echo', function(c, data)
    print('open', data.n)
    c:on_msg(function(d, m) c:send(d, {buffers = m.buffers, metadata = m.metadata}) end)
    c:on_close(function() print('bye') end)
end)";

/// MSG-12.
#[tokio::test]
async fn a_front_end_opens_a_comm_uses_and_closes_it() {
    let mut bench = Bench::new().await;
    let front = &mut bench.front;
    front.run(ECHO).await;
    let mut lines = String::new();
    let open = json!({"comm_id": "c", "target_name": "echo", "data": {"n": 1}});
    let list = |target| json!({ "target_name": target });
    for (msg_type, content) in [
        ("comm_open", open),
        ("comm_msg", json!({"comm_id": "c", "data": [1]})),
        ("comm_msg", json!({"comm_id": "unknown", "data": {}})),
        ("comm_close", json!({"comm_id": "c", "data": {}})),
        ("comm_msg", json!({"comm_id": "c", "data": [2]})),
    ] {
        let request = front.request(msg_type, content);
        let request = request.with_metadata(Json::new(&json!({"m": 1})).unwrap());
        let request = request.with_buffers(vec!["bytes".into()]);
        front.send(On::Shell, &request).await;
        let published = front.all_for(&request).await;
        lines += &transcript(On::Shell, None, &published[1..published.len() - 1]);
        lines += &format!("{}\n", front.ask(On::Shell, "comm_info_request", list("echo")).await["comms"]);
    }
    assert_snapshot!(lines, @r#"
    iopub stream {"name":"stdout","text":"open\t1\n"}
    {"c":{"target_name":"echo"}}
    iopub comm_msg {"comm_id":"c","data":[1]} metadata={"m":1} buffers=[b"bytes"]
    {"c":{"target_name":"echo"}}
    {"c":{"target_name":"echo"}}
    iopub stream {"name":"stdout","text":"bye\n"}
    {}
    {}
    "#);
}

#[tokio::test]
async fn a_comm_with_an_unknown_target_is_closed() {
    let mut bench = Bench::new().await;
    let front = &mut bench.front;
    let open = front.request("comm_open", json!({"comm_id": "c", "target_name": "nobody", "data": {}}));
    front.send(On::Shell, &open).await;
    assert_snapshot!(transcript(On::Shell, None, &front.all_for(&open).await), @r#"
    iopub status {"execution_state":"busy"}
    iopub comm_close {"comm_id":"c","data":{}}
    iopub status {"execution_state":"idle"}
    "#);
    assert_eq!(front.ask(On::Shell, "comm_info_request", json!({})).await["comms"], json!({}));
}

#[tokio::test]
async fn a_cell_opens_a_comm() {
    let mut bench = Bench::new().await;
    let front = &mut bench.front;
    assert_snapshot!(front.run("c = comm.open('slider', {value = 1})\nc:send({value = 2}, {buffers = {'x'}})").await, @r#"
    iopub status {"execution_state":"busy"}
    iopub execute_input {"code":"c = comm.open('slider', {value = 1})\nc:send({value = 2}, {buffers = {'x'}})","execution_count":1}
    iopub comm_open {"comm_id":"…","data":{"value":1},"target_name":"slider"}
    iopub comm_msg {"comm_id":"…","data":{"value":2}} buffers=[b"x"]
    iopub status {"execution_state":"idle"}
    shell execute_reply {"execution_count":1,"payload":[],"status":"ok","user_expressions":{}}
    "#);
    let all = front.ask(On::Shell, "comm_info_request", json!({"target_name": null})).await;
    assert_eq!(all["comms"].as_object().unwrap().values().next().unwrap(), &json!({"target_name": "slider"}));
    front.run("c:close()").await;
    assert_eq!(front.ask(On::Shell, "comm_info_request", json!({})).await["comms"], json!({}));
}

/// MSG-18.
#[tokio::test]
async fn comm_messages_are_handled_while_a_cell_waits() {
    let mut bench = Bench::new().await;
    let front = &mut bench.front;
    front.run("comm.register_target('t', function(c) c:on_msg(function(d) seen = d end) end)").await;
    let cell = front.cell("print('waiting') while not seen do sleep(0.001) end return seen").await;
    front.printed(&cell).await;
    for (msg_type, content) in [
        ("comm_open", json!({"comm_id": "c", "target_name": "t", "data": {}})),
        ("comm_msg", json!({"comm_id": "c", "data": "it"})),
    ] {
        let request = front.request(msg_type, content);
        front.send(On::Shell, &request).await;
    }
    let published = front.all_for(&cell).await;
    assert_eq!(content_of(&published[published.len() - 2])["data"]["text/plain"], "\"it\"");
}

/// Front ends make subshells to send on comms while the main shell computes: the handlers stay where they were made.
#[tokio::test]
async fn a_comm_is_reached_by_any_subshell() {
    let mut bench = Bench::new().await;
    let front = &mut bench.front;
    front.run(ECHO).await;
    let open = front.request("comm_open", json!({"comm_id": "c", "target_name": "echo", "data": {"n": 1}}));
    front.send(On::Shell, &open).await;
    front.all_for(&open).await;
    let made = front.ask(On::Control, "create_subshell_request", json!({})).await;
    let close = front.request("comm_close", json!({"comm_id": "c", "data": {}}));
    let close = crate::tests::front::Front::in_subshell(close, made["subshell_id"].as_str().unwrap());
    front.send(On::Shell, &close).await;
    assert_eq!(text_of(&front.all_for(&close).await), "bye\n");
}

/// LIF-06. A signal is meant for it, and not for the kernel.
#[tokio::test]
async fn a_kernel_whose_comm_computes_is_busy() {
    let mut bench = Bench::new().await;
    let front = &mut bench.front;
    front.run("comm.register_target('busy', function() print('on') while true do end end)").await;
    let open = front.request("comm_open", json!({"comm_id": "c", "target_name": "busy", "data": {}}));
    front.send(On::Shell, &open).await;
    front.printed(&open).await;
    assert!(bench.kernel.is_busy());
    bench.kernel.interrupt();
    bench.front.all_for(&open).await;
    assert!(!bench.kernel.is_busy());
}
