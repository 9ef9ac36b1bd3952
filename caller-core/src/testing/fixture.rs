//! What the suite needs from the backend under test.

use std::{future::Future, time::Duration};

use crate::{
    backend::{Backend, LocalFuture},
    caller::{Builder, Caller},
    error::Result,
};

/// A backend under test. Every test makes one of its own.
pub trait Fixture: Sized {
    /// The backend's type.
    type Backend: Backend + Clone;

    /// A fresh fixture.
    fn new() -> Self;

    /// The backend, the same value each time.
    fn backend(&self) -> Self::Backend;

    /// Drives a future to its end in this thread, as the root of a runtime of this kind in which
    /// [`Caller::scope`] works.
    fn block_on<F: Future>(&self, future: F) -> F::Output;

    /// The runtime's own sleep. It is called, and its future polled, inside the runtime.
    fn sleep(&self, time: Duration) -> LocalFuture<'static>;

    /// A sleep of the runtime's that can be made in any of its threads: what calls take with them.
    fn sleeper(&self) -> impl Fn(Duration) -> LocalFuture<'static> + Clone + Send + Sync + 'static;

    /// Whether the runtime is current here: its handle can be had, and its timers can be made.
    fn is_current() -> bool;

    /// Lets time go by: a backend with real time blocks for as long, one with virtual time moves its clock.
    fn elapse(&self, time: Duration);

    /// Whether [`Caller::scope`] needs no runtime around it, since what it needs works anywhere.
    fn scopes_anywhere() -> bool {
        false
    }

    /// Starts a caller implicitly in the runtime that surrounds this code, where the backend offers that.
    fn start_implicitly(&self) -> Option<Result<Caller>>;

    /// Drives a future as [`block_on`](Self::block_on), in a runtime where `start_implicitly` works.
    fn block_on_local<F: Future>(&self, future: F) -> F::Output {
        self.block_on(future)
    }

    /// A builder with this backend.
    fn builder(&self) -> Builder {
        Caller::builder().backend(self.backend())
    }

    /// A caller in a thread of its own, that is stopped when it goes out of scope.
    fn caller(&self) -> Running {
        Running(self.builder().spawn().expect("a caller can be started"))
    }
}

/// A caller that is stopped, and waited for, when the test ends.
#[derive(Debug)]
pub struct Running(pub Caller);

impl std::ops::Deref for Running {
    type Target = Caller;

    fn deref(&self) -> &Caller {
        &self.0
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.force_stop();
        if !std::thread::panicking() && !self.0.is_here() {
            self.0.stopped().blocking().expect("another thread can wait for it");
        }
    }
}
