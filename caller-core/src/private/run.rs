//! `#[caller::main]` and `#[caller::test]`: a program, and a test, on a caller.

use std::{
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    process::{ExitCode, Termination},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use crate::{
    backend::Backend,
    caller::{Builder, Caller, callers_table},
    this_thread,
};

/// How long a test may take that says nothing else.
pub const TEST_TIMEOUT: Duration = Duration::from_secs(60);

/// What `#[caller::main]` makes of its function.
///
/// # Panics
///
/// If the caller cannot be started, and where the body does.
#[track_caller]
pub fn main<R: 'static>(builder: Builder, body: impl AsyncFnOnce() -> R + 'static) -> R {
    match builder.run(async |_here| body().await) {
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
pub fn test<R: Termination + 'static>(
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
        // It may bear the name of the main thread, where tests run there.
        this_thread::mark_spawned();
        // A result need not be `Send`, so it is reported here.
        let builder = Caller::builder().name(name).backend(backend);
        let ran = catch_unwind(AssertUnwindSafe(|| main(builder, body).report()));
        let _timed_out = ended.send(ran);
    };
    let thread = match thread::Builder::new().name(here).spawn(body) {
        Ok(thread) => thread,
        Err(error) => panic!("there is no thread for the test: {error}"),
    };
    let begun = Instant::now();
    let Ok(ran) = end.recv_timeout(limit) else { took_too_long(limit) };
    // Its thread-locals end before the test does, within the same limit. Only another thread can give up waiting for that.
    let (joined, join) = mpsc::sync_channel(1);
    let joiner = thread::Builder::new().spawn(move || {
        let _told = thread.join();
        let _timed_out = joined.send(());
    });
    if joiner.is_ok() && join.recv_timeout(limit.saturating_sub(begun.elapsed())).is_err() {
        took_too_long(limit);
    }
    ran.unwrap_or_else(|payload| resume_unwind(payload))
}

fn took_too_long(limit: Duration) -> ! {
    panic!("the test took longer than {limit:?}; its callers are\n{}", callers_table())
}
