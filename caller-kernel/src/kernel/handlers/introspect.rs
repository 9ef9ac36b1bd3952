//! [`complete_request`], [`inspect_request`] and [`is_complete_request`]: what a shell knows about code.
//!
//! [`complete_request`]: https://jupyter-client.readthedocs.io/en/stable/messaging.html#completion
//! [`inspect_request`]: https://jupyter-client.readthedocs.io/en/stable/messaging.html#introspection
//! [`is_complete_request`]: https://jupyter-client.readthedocs.io/en/stable/messaging.html#code-completeness

use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    kernel::request::Request,
    shell::{CellError, Detail, IsComplete, Match, Shell, ShellHandle},
    wire::or_default,
};

#[derive(Deserialize)]
struct Question {
    code: String,
    /// In code points. Without it, the end of the code is meant.
    #[serde(default)]
    cursor_pos: Option<usize>,
    #[serde(default, deserialize_with = "or_default")]
    detail_level: u8,
}

/// Answers a question in the thread of the shell.
pub(crate) async fn answer(handle: &ShellHandle, mut request: Request) {
    request.begin();
    let answer = request.content().and_then(|question: Question| {
        let shell = handle.shell()?;
        let cursor = question.cursor_pos.unwrap_or(usize::MAX).min(question.code.chars().count());
        match request.msg_type() {
            "complete_request" => Ok(complete(&*shell, &question.code, cursor)),
            "inspect_request" => Ok(inspect(&*shell, &question, cursor)),
            "is_complete_request" => Ok(is_complete(&*shell, &question.code)),
            other => Err(CellError::new("BadRequest", format!("`{other}` is no question to a shell"))),
        }
    });
    match answer {
        Ok(answer) => request.reply(&answer),
        Err(error) => request.fail(&error),
    }
}

fn complete(shell: &dyn Shell, code: &str, cursor: usize) -> Value {
    let found = shell.complete(code, cursor);
    let texts: Vec<_> = found.matches.iter().map(|one| &one.text).collect();
    let types = found.matches.iter().map(|Match { text, kind, signature }| {
        // As IPython tells it; front ends show kind and signature beside the text.
        let mut one = json!({ "start": found.start, "end": found.end, "text": text, "type": kind });
        if let Some(signature) = signature {
            one["signature"] = signature.as_str().into();
        }
        one
    });
    let types: Vec<_> = types.collect();
    json!({
        "status": "ok", "matches": texts, "cursor_start": found.start, "cursor_end": found.end,
        "metadata": { "_jupyter_types_experimental": types },
    })
}

fn inspect(shell: &dyn Shell, question: &Question, cursor: usize) -> Value {
    let detail = if question.detail_level > 0 { Detail::Full } else { Detail::Brief };
    match shell.inspect(&question.code, cursor, detail) {
        Some(found) => json!({
            "status": "ok", "found": true, "data": found.data, "metadata": found.metadata,
        }),
        None => json!({ "status": "ok", "found": false, "data": {}, "metadata": {} }),
    }
}

fn is_complete(shell: &dyn Shell, code: &str) -> Value {
    let answer = shell.is_complete(code);
    let mut reply = json!({ "status": answer.status() });
    if let IsComplete::Incomplete { indent } = answer {
        reply["indent"] = indent.into();
    }
    reply
}
