//! `#[caller::main]` and `#[caller::test]`: a program, and a test, on a caller.

use std::{
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    process::{ExitCode, Termination},
    sync::mpsc,
    thread,
    time::Duration,
};

use crate::{
    backend::Backend,
    caller::Caller,
    error::{Error, Kind, Result},
    inspect::callers_table,
};

/// How long a test may take that says nothing else.
pub const TEST_TIMEOUT: Duration = Duration::from_secs(60);

/// Runs `body` with a caller in this thread, on a runtime that is made for it.
fn run<R>(backend: impl Backend, name: String, body: impl AsyncFnOnce() -> R) -> Result<R> {
    let caller = Caller::builder().name(name.clone()).backend(backend).build()?;
    let backend = caller.backend().clone();
    let mut result = None;
    let root = async { result = Some(caller.enter(async |_here| body().await).await) };
    backend.run(Box::pin(root)).map_err(|source| Error::new(Kind::Start { name, source }))?;
    result.unwrap_or_else(|| Err(Error::closed("its runtime ended before it did")))
}

/// What `#[caller::main]` makes of its function.
///
/// # Panics
///
/// If the caller cannot be started, and where the body does.
#[track_caller]
pub fn main<R>(backend: impl Backend, name: impl Into<String>, body: impl AsyncFnOnce() -> R) -> R {
    match run(backend, name.into(), body) {
        Ok(result) => result,
        Err(error) => panic!("the caller of this function could not run: {error}"),
    }
}

/// What `#[caller::test]` makes of its function. The body runs in a thread of its own, since a thread that hangs can only
/// be left.
///
/// # Panics
///
/// If the time is over, if the caller cannot be started, and where the body does.
pub fn test<R: Termination>(
    backend: impl Backend,
    name: &str,
    limit: Duration,
    body: impl AsyncFnOnce() -> R + Send + 'static,
) -> ExitCode {
    let (ended, end) = mpsc::sync_channel(1);
    let name = name.to_owned();
    // Panics are then told with the name of the test, as they are without us.
    let here = thread::current().name().unwrap_or(&name).to_owned();
    let body = move || {
        // A result need not be `Send`, so it is reported here.
        let ran = catch_unwind(AssertUnwindSafe(|| main(backend, name, body).report()));
        let _timed_out = ended.send(ran);
    };
    let thread = match thread::Builder::new().name(here).spawn(body) {
        Ok(thread) => thread,
        Err(error) => panic!("there is no thread for the test: {error}"),
    };
    let ran = end.recv_timeout(limit);
    match ran {
        Ok(ran) => {
            // Its thread-locals end before the test does.
            let _told = thread.join();
            ran.unwrap_or_else(|payload| resume_unwind(payload))
        }
        Err(_) => panic!("the test took longer than {limit:?}; its callers are\n{}", callers_table()),
    }
}
