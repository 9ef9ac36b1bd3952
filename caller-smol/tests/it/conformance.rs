//! The suite of `caller-core`, stamped for smol, and for what it is paired with.

use std::{future::Future, thread, time::Duration};

use async_io::Timer;
use async_std::task;
use caller::{
    Backend, Caller, LocalFuture, Result,
    testing::{Fixture, Running},
};
use caller_async_std::AsyncStd;
use caller_smol::Smol;
use caller_tokio::Tokio;

use crate::loops::{Loop, ON_ASYNC_STD, ON_SMOL, ON_TOKIO, runtime};

/// By itself.
const ALONE: u8 = 0;
/// As the guest of a loop that tokio drives.
const IN_TOKIO: u8 = 1;
/// As the guest of a loop that async-std drives.
const IN_ASYNC_STD: u8 = 2;

/// smol, whose time is real.
struct OnSmol<const WHERE: u8>;

impl<const WHERE: u8> Fixture for OnSmol<WHERE> {
    type Backend = Smol;

    fn new() -> Self {
        Self
    }

    fn backend(&self) -> Smol {
        Smol::new()
    }

    fn caller(&self) -> Running {
        let builder = match WHERE {
            IN_TOKIO => self.builder().host(ON_TOKIO),
            IN_ASYNC_STD => self.builder().host(ON_ASYNC_STD),
            _ => self.builder(),
        };
        Running(builder.spawn().expect("a caller can be started"))
    }

    fn block_on<F: Future>(&self, future: F) -> F::Output {
        let mut output = None;
        let root = Box::pin(async { output = Some(future.await) });
        self.backend().run(root).expect("it runs");
        output.expect("it ended")
    }

    fn sleep(&self, time: Duration) -> LocalFuture<'static> {
        self.sleeper()(time)
    }

    fn sleeper(&self) -> impl Fn(Duration) -> LocalFuture<'static> + Clone + Send + Sync + 'static {
        |time| {
            Box::pin(async move {
                Timer::after(time).await;
            })
        }
    }

    fn is_current() -> bool {
        caller_smol::spawn_local(async {}).is_ok()
    }

    fn scopes_anywhere() -> bool {
        true
    }

    fn elapse(&self, time: Duration) {
        thread::sleep(time);
    }

    fn start_implicitly(&self) -> Option<Result<Caller>> {
        // smol's `block_on` has no tasks.
        None
    }
}

caller::conformance!(OnSmol<ALONE>);

mod smol_in_tokio {
    use super::*;

    caller::conformance!(OnSmol<IN_TOKIO>);
}

mod smol_in_async_std {
    use super::*;

    caller::conformance!(OnSmol<IN_ASYNC_STD>);
}

/// tokio as the guest of a loop that smol drives.
mod tokio_in_smol {
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
            hosted(self, ON_SMOL)
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
            tokio::runtime::Handle::try_current().is_ok()
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

/// async-std as the guest of a loop that smol drives.
mod async_std_in_smol {
    use super::*;

    struct Paired;

    impl Fixture for Paired {
        type Backend = AsyncStd;

        fn new() -> Self {
            Self
        }

        fn backend(&self) -> AsyncStd {
            AsyncStd::new()
        }

        fn caller(&self) -> Running {
            hosted(self, ON_SMOL)
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
            None
        }
    }

    caller::conformance!(Paired);
}

fn hosted(fixture: &impl Fixture, host: Loop) -> Running {
    Running(fixture.builder().host(host).spawn().expect("a caller can be started"))
}
