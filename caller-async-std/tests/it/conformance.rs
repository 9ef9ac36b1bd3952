//! The suite of `caller-core`, stamped for async-std.

use std::{future::Future, thread, time::Duration};

use async_std::task;
use caller::{Caller, LocalFuture, Result, testing::Fixture};
use caller_async_std::AsyncStd;

/// async-std, whose time is real.
struct OnAsyncStd;

impl Fixture for OnAsyncStd {
    type Backend = AsyncStd;

    fn new() -> Self {
        Self
    }

    fn backend(&self) -> AsyncStd {
        AsyncStd::new()
    }

    fn block_on<F: Future>(&self, future: F) -> F::Output {
        task::block_on(future)
    }

    fn sleep(&self, time: Duration) -> LocalFuture<'static> {
        Box::pin(task::sleep(time))
    }

    fn sleeper(&self) -> impl Fn(Duration) -> LocalFuture<'static> + Clone + Send + Sync + 'static {
        |time| Box::pin(task::sleep(time))
    }

    fn is_current() -> bool {
        task::try_current().is_some()
    }

    fn elapse(&self, time: Duration) {
        thread::sleep(time);
    }

    fn start_implicitly(&self) -> Option<Result<Caller>> {
        // async-std keeps local tasks until their thread ends.
        None
    }
}

caller::conformance!(OnAsyncStd);
