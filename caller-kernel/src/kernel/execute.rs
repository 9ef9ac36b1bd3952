//! [`execute_request`]: runs a cell.
//!
//! [`execute_request`]: https://jupyter-client.readthedocs.io/en/stable/messaging.html#execute

use std::{
    collections::BTreeMap,
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    rc::Rc,
    sync::Arc,
    task::Poll,
    time::{Duration, Instant},
};

use caller::LocalFuture;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    hub::{Hub, RunningOne},
    output::CellOutput,
    request::{Request, error_content, or_default, publish},
    seat::Seat,
};
use crate::{
    shell::{Cell, CellError, MimeBundle, Shell},
    zmtp::Class,
};

/// The content of an `execute_request`.
#[derive(Deserialize)]
pub(crate) struct Execute {
    pub(crate) code: String,
    #[serde(default, deserialize_with = "or_default")]
    silent: bool,
    #[serde(default)]
    store_history: Option<bool>,
    #[serde(default, deserialize_with = "or_default")]
    user_expressions: BTreeMap<String, String>,
    #[serde(default)]
    allow_stdin: Option<bool>,
    #[serde(default)]
    stop_on_error: Option<bool>,
}

/// A cell on its way to a shell.
pub(crate) struct Job {
    pub(crate) request: Request,
    pub(crate) content: Execute,
    /// How long it may take.
    pub(crate) timeout: Option<Duration>,
    /// Whether it runs in the order of the queue, so that a failure concerns those behind it.
    pub(crate) in_order: bool,
    /// It counts as running while it waits too: then an interrupt is meant for it or for what is before it.
    pub(crate) running: RunningOne,
    /// It is open until it is answered: the kernel does not end before.
    pub(crate) _open: RunningOne,
}

/// What ended a cell.
enum Ended {
    /// The shell.
    Itself(Result<Option<MimeBundle>, CellError>),
    /// The clock.
    OutOfTime(CellError),
}

/// Runs a cell in the shell of this seat, in its thread.
pub(crate) async fn execute(hub: &Arc<Hub>, seat: &Arc<Seat>, job: Job) {
    // The first of them is dropped last.
    let Job { _open, mut request, content, timeout, in_order, running } = job;
    request.begin();
    if in_order && seat.failure.concerns(&request) {
        let count = hub.counter.last();
        return request.reply(&json!({ "status": "aborted", "execution_count": count }));
    }
    let shell = match seat.shell() {
        Ok(shell) => shell,
        Err(error) => return refuse(hub, request, &error),
    };
    let store = content.store_history.unwrap_or(true) && !content.silent;
    let count = hub.counter.next(store);
    let parent = request.parent();
    // The protocol's default is to allow it; what a client does not know of, it cannot answer.
    let client = content.allow_stdin.unwrap_or(true).then(|| request.message.identities.clone());
    let output = CellOutput::new(hub, seat.id(), parent, client);
    if !content.silent {
        output.publish("execute_input", &json!({ "code": content.code, "execution_count": count }));
    }
    if store {
        hub.history.store(count, &content.code);
    }
    let cell = Cell::new(content.code, count, output.clone());
    let ended = run(&shell, &cell, timeout).await;
    let stops = in_order && content.stop_on_error.unwrap_or(true) && matches!(ended, Ended::Itself(Err(_)));
    let mut reply = match ended {
        Ended::Itself(Ok(result)) => {
            if let Some(result) = result {
                if store && let Some(text) = result.plain() {
                    hub.history.store_output(count, text);
                }
                if !content.silent {
                    output.result(count, &result);
                }
            }
            let expressions = evaluate(&shell, &cell, content.user_expressions).await;
            json!({ "status": "ok", "user_expressions": expressions, "payload": [] })
        }
        Ended::Itself(Err(error)) | Ended::OutOfTime(error) => {
            let mut content = error_content(&error);
            output.publish(
                "error",
                &json!({ "ename": error.ename, "evalue": error.evalue, "traceback": error.traceback }),
            );
            content["user_expressions"] = json!({});
            content["payload"] = json!([]);
            content
        }
    };
    reply["execution_count"] = count.into();
    output.flush();
    if stops {
        seat.failure.note(&request);
    }
    // Before anybody is told.
    drop(running);
    request.reply(&reply);
}

/// Answers a cell that does not run, so that who sent it sees why.
pub(crate) fn refuse(hub: &Hub, mut request: Request, error: &CellError) {
    request.begin();
    let CellError { ename, evalue, traceback } = error;
    let content = json!({ "ename": ename, "evalue": evalue, "traceback": traceback });
    publish(&hub.iopub, request.parent(), "error", &content, Class::Essential);
    let mut reply = error_content(error);
    reply["execution_count"] = hub.counter.last().into();
    request.reply(&reply);
}

async fn run(shell: &Rc<dyn Shell>, cell: &Cell, timeout: Option<Duration>) -> Ended {
    let run = guarded(|| shell.execute(cell.clone()));
    let Some(timeout) = timeout else { return Ended::Itself(run.await) };
    // A time that the clock cannot name never comes.
    let Some(at) = Instant::now().checked_add(timeout) else { return Ended::Itself(run.await) };
    // The clock of the machine: the caller may be of any backend.
    let (mut run, mut clock) = (pin!(run), pin!(caller::sleep_until(at)));
    poll_fn(|cx| {
        if let Poll::Ready(ended) = run.as_mut().poll(cx) {
            return Poll::Ready(Ended::Itself(ended));
        }
        clock.as_mut().poll(cx).map(|()| {
            let text = format!("the cell took longer than {timeout:?}");
            Ended::OutOfTime(CellError::new("TimeoutError", text))
        })
    })
    .await
    // What is left of the cell ends with its future.
}

async fn evaluate(
    shell: &Rc<dyn Shell>,
    cell: &Cell,
    expressions: BTreeMap<String, String>,
) -> Map<String, Value> {
    let mut values = Map::new();
    for (name, expression) in expressions {
        let value = match guarded(|| shell.evaluate(&expression, cell)).await {
            Ok(MimeBundle { data, metadata }) => {
                json!({ "status": "ok", "data": data, "metadata": metadata })
            }
            Err(error) => error_content(&error),
        };
        values.insert(name, value);
    }
    values
}

/// A future of a shell, whose panic is the error of the cell and no more.
pub(crate) async fn guarded<T>(
    make: impl FnOnce() -> LocalFuture<'static, Result<T, CellError>>,
) -> Result<T, CellError> {
    let mut future = catch_unwind(AssertUnwindSafe(make)).map_err(|payload| panicked(&*payload))?;
    poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
        Ok(polled) => polled,
        Err(payload) => Poll::Ready(Err(panicked(&*payload))),
    })
    .await
}

fn panicked(payload: &(dyn std::any::Any + Send)) -> CellError {
    let text = payload.downcast_ref::<&str>().copied();
    let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    CellError::new("Panic", format!("panicked: {}", text.unwrap_or("with something that is no text")))
}
