//! The suite, stamped for the manual backend.

use std::{future::Future, time::Duration};

use caller::{
    Caller, LocalFuture, Result,
    testing::{Fixture, Manual},
};

/// The manual backend, with virtual time.
struct OnManual(Manual);

impl Fixture for OnManual {
    type Backend = Manual;

    fn new() -> Self {
        Self(Manual::new())
    }

    fn backend(&self) -> Manual {
        self.0.clone()
    }

    fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.0.block_on(future)
    }

    fn sleep(&self, time: Duration) -> LocalFuture<'static> {
        Box::pin(self.0.sleep(time))
    }

    fn sleeper(&self) -> impl Fn(Duration) -> LocalFuture<'static> + Clone + Send + Sync + 'static {
        let manual = self.0.clone();
        move |time| Box::pin(manual.sleep(time))
    }

    fn is_current() -> bool {
        Manual::is_current()
    }

    fn elapse(&self, time: Duration) {
        self.0.advance(time);
    }

    fn start_implicitly(&self) -> Option<Result<Caller>> {
        None
    }
}

caller::conformance!(OnManual);
