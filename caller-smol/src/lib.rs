//! The smol backend of [`caller-core`](https://docs.rs/caller-core).
//!
//! A caller with this backend is driven by smol in its thread: by async-io, which has timers and sockets, and a
//! [`LocalExecutor`](async_executor::LocalExecutor) of async-executor's. Inside its calls all of smol works, whether it comes
//! by the crate `smol` or by the crates that smol is made of.
//!
//! ```
//! use async_io::Timer; // which is `smol::Timer`
//! use caller::Caller;
//! use caller_smol::Smol;
//! use std::time::Duration;
//!
//! # fn main() -> caller::Result<()> {
//! let caller = Caller::builder().name("db").backend(Smol::new()).spawn()?;
//! let answer = caller.call_soon(async || {
//!     Timer::after(Duration::from_millis(1)).await; // on smol, in the caller's thread
//!     42
//! });
//! assert_eq!(answer.wait_blocking()?, 42);
//! caller.stop();
//! # Ok(())
//! # }
//! ```
//!
//! A program, or a test, as a whole:
//!
//! ```
//! use caller::Caller;
//! use caller_smol::Smol;
//!
//! #[caller::main(backend = Smol::new())]
//! async fn main() -> caller::Result<()> {
//!     let here = Caller::current()?;
//!     let local = caller_smol::spawn_local(async { 6 * 7 })?; // beside the calls, in this thread
//!     assert_eq!(local.await, here.to_thread(async || 42).await?);
//!     Ok(())
//! }
//! ```
//!
//! # What to know
//!
//! - A task that stays in the caller's thread is spawned by [`spawn_local`]. When the caller stops, those that are unfinished
//!   are dropped, in its thread.
//! - What a call spawns by `smol::spawn` runs on smol's own threads, and goes on when the caller stops.
//! - There is no implicit start: smol's `block_on` runs one future, and has no tasks that a caller could be one of.
//!   [`Caller::scope`](caller::Caller::scope) works inside any executor, since timers and sockets of smol's do.
//!
//! # As a guest
//!
//! [`Caller::call_using_backend`](caller::Caller::call_using_backend) runs a call on smol in the thread of a caller whose
//! backend is another. Everything above works there as well. Timers and sockets are driven by async-io's own thread, which
//! wakes the caller's.
#![forbid(unsafe_code)]

mod tasks;

mod surrounding;

mod guest;

use std::{
    any::Any,
    future::{Future, poll_fn},
    io,
    rc::Rc,
};

pub use async_executor::Task;
use caller::{Backend, Caller, Error, Guest, LocalFuture, Result, Runtime, check_threads};

use crate::{surrounding::Surrounding, tasks::Tasks};

/// The smol backend.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Smol {
    stack_size: Option<usize>,
}

impl Smol {
    /// Stack sizes as std has them.
    pub fn new() -> Self {
        Self::default()
    }

    /// The stack of the caller's thread, in bytes.
    #[must_use]
    pub fn stack_size(mut self, bytes: usize) -> Self {
        self.stack_size = Some(bytes);
        self
    }
}

/// Runs `body` with a caller on smol in this thread: [`Builder::run`](caller::Builder::run) with [`Smol::new`].
///
/// # Blocking
///
/// Until the body has ended and the caller has stopped.
///
/// # Errors
///
/// Those of [`Builder::run`](caller::Builder::run).
pub fn run<R: 'static>(body: impl AsyncFnOnce(Caller) -> R + 'static) -> Result<R> {
    Caller::builder().backend(Smol::new()).run(body)
}

/// Spawns a task that stays in this thread, beside the calls of its caller. Dropping the [`Task`] cancels it;
/// [`detach`](Task::detach) lets it go on.
///
/// A task that panics costs itself alone: whoever awaits it panics.
///
/// # Errors
///
/// [`is_no_caller`](Error::is_no_caller) where no caller on smol runs: outside of its calls, and in a
/// [scope](Caller::scope) around which something else than a caller on smol is.
pub fn spawn_local<T: 'static>(future: impl Future<Output = T> + 'static) -> Result<Task<T>> {
    Tasks::here().map(|tasks| tasks.spawn(future)).ok_or_else(|| {
        Error::no_runtime(
            "no caller on smol runs in this thread; call this inside a call of one \
             (`Caller::builder().backend(Smol::new()).spawn()`), or spawn on an executor of your own",
        )
    })
}

impl Backend for Smol {
    fn name(&self) -> &'static str {
        "smol"
    }

    fn is_same(&self, other: &dyn Backend) -> bool {
        let other: &dyn Any = other;
        other.downcast_ref() == Some(self)
    }

    fn run(&self, mut root: LocalFuture<'_>) -> io::Result<()> {
        check_threads()?;
        let tasks = Tasks::new();
        async_io::block_on(poll_fn(|cx| {
            let polled = tasks.enter(|| root.as_mut().poll(cx));
            if polled.is_pending() {
                tasks.poll(cx);
            }
            polled
        }));
        tasks.enter(|| drop(root));
        Ok(())
    }

    fn runtime(&self) -> Result<Rc<dyn Runtime>> {
        Ok(Rc::new(Surrounding::new(Tasks::here())))
    }

    fn drives_here(&self) -> bool {
        Tasks::here().is_some()
    }

    fn can_be_guest(&self) -> bool {
        true
    }

    fn guest(&self) -> io::Result<Rc<dyn Guest>> {
        check_threads()?;
        Ok(guest::SmolGuest::start())
    }

    fn stack_size(&self) -> Option<usize> {
        self.stack_size
    }
}
