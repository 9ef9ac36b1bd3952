//! A language that is not ours, and is ill.

use crate::{
    shell::{
        Cell, CellError, CommInfo, CommMessage, Completion, Detail, Inspection, Interrupter, IsComplete,
        Language, LanguageInfo, MimeBundle, Shell,
    },
    tests::front::{Bench, On, content_of, text_of},
};
use caller::LocalFuture;
use serde_json::json;

#[derive(Debug)]
struct Panicky;

impl Language for Panicky {
    fn info(&self) -> LanguageInfo {
        LanguageInfo { name: "panicky".to_owned(), ..LanguageInfo::default() }
    }

    fn shell(&self) -> Result<Box<dyn Shell>, CellError> {
        Ok(Box::new(PanickyShell))
    }
}

/// It panics wherever it is asked to, at once or later.
struct PanickyShell;

impl Shell for PanickyShell {
    fn execute(&self, cell: Cell) -> LocalFuture<'static, Result<Option<MimeBundle>, CellError>> {
        assert_ne!(cell.code, "at once");
        Box::pin(async move {
            assert_ne!(cell.code, "later", "later");
            Ok(Some(MimeBundle::text(cell.code)))
        })
    }

    fn evaluate(&self, _: &str, _: &Cell) -> LocalFuture<'static, Result<MimeBundle, CellError>> {
        Box::pin(async { panic!("no value") })
    }

    fn complete(&self, _: &str, _: usize) -> Completion {
        panic!("no completion")
    }

    fn inspect(&self, _: &str, _: usize, _: Detail) -> Option<Inspection> {
        panic!("no inspection")
    }

    fn is_complete(&self, _: &str) -> IsComplete {
        IsComplete::Unknown
    }

    fn history_input(&self, code: &str) -> Option<String> {
        (!code.contains("secret")).then(|| code.to_uppercase())
    }

    fn history_output(&self, result: &MimeBundle) -> Option<String> {
        Some(format!("<{}>", result.plain()?))
    }

    fn interrupter(&self) -> Interrupter {
        Interrupter::new()
    }

    fn comm_open(&self, _: &str, _: &str, _: CommMessage) -> LocalFuture<'static, bool> {
        panic!("no comm")
    }

    fn comm_message(&self, _: &str, _: CommMessage) -> LocalFuture<'static, ()> {
        Box::pin(async { panic!("no message") })
    }

    fn comm_close(&self, _: &str, _: CommMessage) -> LocalFuture<'static, ()> {
        panic!("no end")
    }

    fn comms(&self, _: Option<&str>) -> Vec<CommInfo> {
        Vec::new()
    }
}

/// Each panic is the end of one request, and the next is handled.
#[tokio::test]
async fn a_shell_that_panics_loses_requests_and_nothing_else() {
    let mut bench = Bench::with(|builder| builder.language(Panicky)).await;
    let front = &mut bench.front;
    for code in ["at once", "later"] {
        let request = front.request("execute_request", json!({ "code": code }));
        let (reply, published) = front.exchange(On::Shell, &request).await;
        assert_eq!(content_of(&reply)["ename"], "Panic", "{code}");
        assert!(text_of(&published).contains("panicked"), "{code}");
    }
    let content = json!({"code": "fine", "user_expressions": {"x": "x"}});
    let reply = front.ask(On::Shell, "execute_request", content).await;
    assert_eq!(
        (&reply["status"], &reply["user_expressions"]["x"]["evalue"]),
        (&json!("ok"), &json!("panicked: no value"))
    );
    for msg_type in ["complete_request", "inspect_request"] {
        let reply = front.ask(On::Shell, msg_type, json!({"code": "x"})).await;
        assert_eq!(reply["evalue"], "the handler of this request panicked", "{msg_type}");
    }
    for msg_type in ["comm_open", "comm_msg", "comm_close"] {
        let request = front.request(msg_type, json!({"comm_id": "c", "target_name": "t", "data": {}}));
        front.send(On::Shell, &request).await;
        front.all_for(&request).await;
    }
    assert_eq!(front.ask(On::Shell, "comm_info_request", json!({})).await["comms"], json!({}));
    assert_eq!(front.ask(On::Shell, "is_complete_request", json!({"code": ""})).await["status"], "unknown");
    // No snapshot, nothing to restore.
    assert_eq!(front.ask(On::Shell, "execute_request", json!({"code": "-- thread"})).await["status"], "ok");
}

/// MSG-11. The language has a say in what is kept.
#[tokio::test]
async fn a_language_says_what_the_history_keeps() {
    let mut bench = Bench::with(|builder| builder.language(Panicky)).await;
    let front = &mut bench.front;
    for code in ["one", "a secret", "two"] {
        front.run(code).await;
    }
    let content = json!({"hist_access_type": "tail", "n": 9, "output": true});
    let history = front.ask(On::Shell, "history_request", content).await["history"].take();
    assert_eq!(history, json!([[1, 1, ["ONE", "<one>"]], [1, 3, ["TWO", "<two>"]]]));
}
