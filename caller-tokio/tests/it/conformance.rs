//! The suite of `caller-core`, stamped for tokio.

use std::{future::Future, thread, time::Duration};

use caller::{Caller, LocalFuture, Result, testing::Fixture};
use caller_tokio::Tokio;
use tokio::runtime::{Builder, Handle, LocalOptions};

/// tokio with real time.
struct OnTokio;

impl Fixture for OnTokio {
    type Backend = Tokio;

    fn new() -> Self {
        Self
    }

    fn backend(&self) -> Tokio {
        Tokio::new()
    }

    fn block_on<F: Future>(&self, future: F) -> F::Output {
        Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime can be made")
            .block_on(future)
    }

    fn block_on_local<F: Future>(&self, future: F) -> F::Output {
        Builder::new_current_thread()
            .enable_all()
            .build_local(LocalOptions::default())
            .expect("a runtime can be made")
            .block_on(future)
    }

    fn sleep(&self, time: Duration) -> LocalFuture<'static> {
        Box::pin(tokio::time::sleep(time))
    }

    fn sleeper(&self) -> impl Fn(Duration) -> LocalFuture<'static> + Clone + Send + Sync + 'static {
        |time| Box::pin(tokio::time::sleep(time))
    }

    fn is_current() -> bool {
        Handle::try_current().is_ok()
    }

    fn elapse(&self, time: Duration) {
        thread::sleep(time);
    }

    fn start_implicitly(&self) -> Option<Result<Caller>> {
        Some(Tokio::current())
    }
}

caller::conformance!(OnTokio);
