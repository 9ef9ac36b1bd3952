//! [`history_request`]: which cells were run.
//!
//! [`history_request`]: https://jupyter-client.readthedocs.io/en/stable/messaging.html#history

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    kernel::{history::Entry, request::Request, shared::Shared},
    shell::CellError,
    wire::or_default,
};

#[derive(Deserialize)]
struct Question {
    hist_access_type: String,
    #[serde(default, deserialize_with = "or_default")]
    output: bool,
    /// Cells are kept as they came; there is no other form.
    #[serde(default, rename = "raw")]
    _raw: Value,
    #[serde(default)]
    session: Option<i64>,
    #[serde(default)]
    start: Option<i64>,
    #[serde(default)]
    stop: Option<i64>,
    #[serde(default)]
    n: Option<usize>,
    #[serde(default)]
    pattern: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    unique: bool,
}

/// How many cells are told where the question says nothing of it.
const SOME: usize = 10;

/// Answers it. The history may be long, and so may be the search: it is done in a worker.
pub(crate) async fn answer(shared: &Arc<Shared>, mut request: Request) {
    request.begin();
    let question: Question = match request.content() {
        Ok(question) => question,
        Err(error) => return request.fail(&error),
    };
    let (output, own) = (question.output, Arc::clone(shared));
    match shared.control.to_thread(async move || find(&own, question)).await {
        Ok(Ok(entries)) => {
            let entries: Vec<Value> = entries.into_iter().map(|entry| told(entry, output)).collect();
            request.reply(&json!({ "status": "ok", "history": entries }));
        }
        Ok(Err(error)) => request.fail(&error),
        Err(error) => request.fail(&CellError::new("Stopped", error.to_string())),
    }
}

fn find(shared: &Shared, question: Question) -> Result<Vec<Entry>, CellError> {
    let history = &shared.history;
    match &*question.hist_access_type {
        "tail" => Ok(history.tail(question.n.unwrap_or(SOME))),
        "range" => {
            let (session, start) = (question.session.unwrap_or(0), question.start.unwrap_or(1));
            Ok(history.range(session, start, question.stop))
        }
        "search" => {
            let pattern = question.pattern.as_deref().unwrap_or("*");
            Ok(history.search(pattern, question.n, question.unique))
        }
        other => Err(CellError::new(
            "BadRequest",
            format!("there is no `hist_access_type` `{other}`; use `tail`, `range` or `search`"),
        )),
    }
}

fn told(entry: Entry, output: bool) -> Value {
    let Entry { session, line, input, output: result } = entry;
    if output { json!([session, line, [input, result]]) } else { json!([session, line, input]) }
}
