//! Subshells.

use crate::tests::front::{Bench, Front, On, content_of, text_of};
use serde_json::{Value, json};

async fn create(bench: &mut Bench) -> String {
    let made = bench.front.ask(On::Control, "create_subshell_request", json!({})).await;
    made["subshell_id"].as_str().unwrap().to_owned()
}

async fn list(bench: &mut Bench) -> Value {
    bench.front.ask(On::Control, "list_subshell_request", json!({})).await["subshell_id"].take()
}

fn cell(bench: &Bench, id: &str, code: &str) -> crate::Message {
    Front::in_subshell(bench.front.request("execute_request", json!({"code": code})), id)
}

/// MSG-15.
#[tokio::test]
async fn a_subshell_is_made_used_and_deleted() {
    let mut bench = Bench::new().await;
    assert_eq!(list(&mut bench).await, json!([]));
    bench.front.run("x = 1").await;
    let id = create(&mut bench).await;
    assert_eq!(list(&mut bench).await, json!([id]));

    // While the main shell computes.
    let busy = bench.front.cell("print('on') while true do end").await;
    bench.front.printed(&busy).await;
    for (code, printed) in [("y = x + 1 print(y)", "2\n"), ("print(y)", "2\n")] {
        let request = cell(&bench, &id, code);
        let (_, published) = bench.front.exchange(On::Shell, &request).await;
        assert_eq!(text_of(&published), printed);
    }
    let complete = bench.front.request("complete_request", json!({"code": "y"}));
    let (reply, _) = bench.front.exchange(On::Shell, &Front::in_subshell(complete, &id)).await;
    assert_eq!(content_of(&reply)["matches"], json!(["y"]));
    bench.kernel.interrupt();
    bench.front.all_for(&busy).await;
    bench.front.reply(On::Shell).await;
    assert_eq!(bench.front.prints("print(y)").await, "nil\n");

    // What runs in one that is deleted gets its answer.
    let running = cell(&bench, &id, "print('on') sleep(1000)");
    bench.front.send(On::Shell, &running).await;
    bench.front.printed(&running).await;
    let which = json!({ "subshell_id": id });
    assert_eq!(bench.front.ask(On::Control, "delete_subshell_request", which.clone()).await["status"], "ok");
    let reply = content_of(&bench.front.reply(On::Shell).await);
    assert_eq!((&reply["status"], &reply["execution_count"]), (&json!("error"), &json!(6)));
    let published = bench.front.all_for(&running).await;
    let error = published.iter().find(|message| message.msg_type() == "error").map(content_of);
    assert_eq!(error.map(|error| error["ename"].clone()), Some(reply["ename"].clone()));
    assert_eq!(list(&mut bench).await, json!([]));
    assert_eq!(
        bench.front.ask(On::Control, "delete_subshell_request", which).await["ename"],
        "SubshellError"
    );
    let request = cell(&bench, &id, "1");
    let (reply, _) = bench.front.exchange(On::Shell, &request).await;
    let told = format!("there is no subshell `{id}`; create one first");
    assert_eq!(content_of(&reply)["evalue"], told);
}
