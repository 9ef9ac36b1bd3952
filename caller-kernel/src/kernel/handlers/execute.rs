//! [`execute_request`]: runs a cell.
//!
//! [`execute_request`]: https://jupyter-client.readthedocs.io/en/stable/messaging.html#execute

use std::{
    collections::BTreeMap,
    future::poll_fn,
    pin::pin,
    rc::Rc,
    sync::Arc,
    task::Poll,
    time::{Duration, Instant},
};

use caller::LocalFuture;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::{
    kernel::{
        open_work::OpenItem,
        output::CellOutput,
        request::{Request, error_content},
        shared::Shared,
        shell_state::ShellState,
    },
    shell::{Cell, CellError, MimeBundle, Shell, guarded},
    wire::or_default,
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
    /// Why it is not to run. It fails in its turn, as a cell that cannot be compiled does.
    pub(crate) refusal: Option<CellError>,
    /// How many interrupts of the kernel there had been when it came.
    pub(crate) interrupts: u64,
    /// Whether it runs in the order of the queue, so that a failure concerns those behind it.
    pub(crate) in_order: bool,
    /// It counts as running while it waits too: then an interrupt is meant for it or for what is before it.
    pub(crate) running: OpenItem,
    /// It is open until it is answered: the kernel does not end before.
    pub(crate) _open: OpenItem,
}

/// Runs a cell in this shell, in its thread.
pub(crate) async fn execute(shared: &Arc<Shared>, state: &ShellState, job: Job) {
    // The first of them is dropped last.
    let Job { _open, mut request, content, timeout, refusal, interrupts, in_order, running } = job;
    request.begin();
    if shared.stop.is_set() || (in_order && state.failure.concerns(&request)) {
        let count = shared.counter.last();
        return request.reply(&json!({ "status": "aborted", "execution_count": count }));
    }
    let store = content.store_history.unwrap_or(true) && !content.silent;
    let count = shared.counter.next(store);
    request.count = Some(count);
    // The protocol's default is to allow it; what a client does not know of, it cannot answer.
    let client = content.allow_stdin.unwrap_or(true).then(|| request.message.identities.clone());
    let output = CellOutput::new(shared, state.handle.id(), request.parent(), client);
    if !content.silent {
        output.publish("execute_input", &json!({ "code": content.code, "execution_count": count }));
    }
    let refusal = refusal.or_else(|| state.was_interrupted(shared, interrupts));
    let shell = refusal.map_or_else(|| state.handle.shell(), Err);
    let input = match &shell {
        Ok(shell) if store => shell.history_input(&content.code),
        Err(_) if store => Some(content.code.clone()),
        _ => None,
    };
    if let Some(input) = &input {
        shared.history.store(count, input);
    }
    let cell = Cell::new(content.code, count, output.clone());
    let clock = Clock::new(timeout);
    let ended = match shell {
        Ok(shell) => clock.guard(|| shell.execute(cell.clone())).await.map(|result| (shell, result)),
        Err(error) => Err(Ended::Itself(error)),
    };
    let stops = in_order && content.stop_on_error.unwrap_or(true) && matches!(ended, Err(Ended::Itself(_)));
    let result = match ended {
        Ok((shell, result)) => {
            if let Some(result) = result {
                if input.is_some()
                    && let Some(text) = shell.history_output(&result)
                {
                    shared.history.store_output(count, &text);
                }
                if !content.silent {
                    output.result(count, &result);
                }
            }
            Ok(evaluate(&shell, &cell, content.user_expressions, clock).await)
        }
        Err(Ended::Itself(error) | Ended::OutOfTime(error)) => Err(error),
    };
    output.flush();
    if stops {
        state.failure.note(&request);
    }
    state.heard_interrupts(shared);
    // Before anybody is told.
    drop(running);
    match result {
        Ok(expressions) => request.reply(&json!({
            "status": "ok", "execution_count": count, "user_expressions": expressions, "payload": [],
        })),
        Err(error) => request.fail(&error),
    }
}

async fn evaluate(
    shell: &Rc<dyn Shell>,
    cell: &Cell,
    expressions: BTreeMap<String, String>,
    clock: Clock,
) -> Map<String, Value> {
    let mut values = Map::new();
    for (name, expression) in expressions {
        let value = match clock.guard(|| shell.evaluate(&expression, cell)).await {
            Ok(MimeBundle { data, metadata }) => {
                json!({ "status": "ok", "data": data, "metadata": metadata })
            }
            Err(Ended::Itself(error) | Ended::OutOfTime(error)) => error_content(&error),
        };
        values.insert(name, value);
    }
    values
}

/// What made a cell fail.
enum Ended {
    Itself(CellError),
    OutOfTime(CellError),
}

/// When a cell, with all that is to be evaluated for it, has to be done. It is the clock of the machine: the caller may be of
/// any backend.
#[derive(Clone, Copy)]
struct Clock {
    /// The time it has, and when that is over.
    limit: Option<(Duration, Instant)>,
}

impl Clock {
    fn new(timeout: Option<Duration>) -> Self {
        // A time that the clock cannot name never comes.
        Self { limit: timeout.and_then(|time| Some((time, Instant::now().checked_add(time)?))) }
    }

    /// A future of a shell, as long as there is time for it. What is left of it then ends with the future.
    async fn guard<T>(
        self,
        make: impl FnOnce() -> LocalFuture<'static, Result<T, CellError>>,
    ) -> Result<T, Ended> {
        let mut run = pin!(guarded(make));
        let Some((time, at)) = self.limit else { return run.await.map_err(Ended::Itself) };
        let mut over = pin!(caller::sleep_until(at));
        poll_fn(|cx| {
            if let Poll::Ready(ended) = run.as_mut().poll(cx) {
                return Poll::Ready(ended.map_err(Ended::Itself));
            }
            over.as_mut().poll(cx).map(|()| {
                let text = format!("the cell took longer than {time:?}");
                Err(Ended::OutOfTime(CellError::new("TimeoutError", text)))
            })
        })
        .await
    }
}
