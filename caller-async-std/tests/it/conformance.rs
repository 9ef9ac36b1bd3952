//! The suite of `caller-core`, stamped for async-std.

use std::{future::Future, thread, time::Duration};

use async_std::task;
use caller::{
    Caller, LocalFuture, Result,
    testing::{Fixture, Running},
};
use caller_async_std::AsyncStd;
use caller_tokio::Tokio;
use tokio::runtime::Handle;

use crate::loops::{ON_ASYNC_STD, ON_TOKIO, runtime};

/// async-std, whose time is real; by itself, or as the guest of a loop that tokio drives.
struct OnAsyncStd<const IN_TOKIO: bool>;

impl<const IN_TOKIO: bool> Fixture for OnAsyncStd<IN_TOKIO> {
    type Backend = AsyncStd;

    fn new() -> Self {
        Self
    }

    fn backend(&self) -> AsyncStd {
        AsyncStd::new()
    }

    fn caller(&self) -> Running {
        let builder = if IN_TOKIO { self.builder().host(ON_TOKIO) } else { self.builder() };
        Running(builder.spawn().expect("a caller can be started"))
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

caller::conformance!(OnAsyncStd<false>);

/// tokio as the guest of a loop that async-std drives.
mod tokio_in_async_std {
    use super::*;

    struct Paired;

    impl Fixture for Paired {
        type Backend = Tokio;

        fn new() -> Self {
            Self
        }

        fn backend(&self) -> Tokio {
            Tokio::new()
        }

        fn caller(&self) -> Running {
            Running(self.builder().host(ON_ASYNC_STD).spawn().expect("a caller can be started"))
        }

        fn block_on<F: Future>(&self, future: F) -> F::Output {
            runtime().block_on(future)
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
            None
        }
    }

    caller::conformance!(Paired);
}

mod async_std_in_tokio {
    use super::*;

    caller::conformance!(OnAsyncStd<true>);
}
