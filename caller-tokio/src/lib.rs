//! The tokio backend of [`caller-core`](https://docs.rs/caller-core).
//!
//! A caller with this backend runs a tokio runtime in its thread: a [`LocalRuntime`](tokio::runtime::LocalRuntime)
//! of its own when the caller has a thread of its own, or the one that surrounds [`Caller::scope`]. Timers, sockets
//! and `tokio::spawn` work inside its calls; `tokio::task::spawn_local` works where tokio allows it, which is in a
//! thread of the caller's own, in a `LocalRuntime` and in a `LocalSet`.
//!
//! ```
//! use caller::Caller;
//! use caller_tokio::Tokio;
//! use std::time::Duration;
//!
//! # fn main() -> caller::Result<()> {
//! let caller = Caller::builder().name("db").backend(Tokio::new()).spawn()?;
//! let answer = caller.call_soon(async || {
//!     tokio::time::sleep(Duration::from_millis(1)).await; // on tokio, in the caller's thread
//!     42
//! });
//! assert_eq!(answer.wait_blocking()?, 42);
//! caller.stop();
//! # Ok(())
//! # }
//! ```
//!
//! Calls are not tokio tasks, so inside all calls of a caller `tokio::task::id()` is the same, where there is one.
//!
//! When the caller stops, the tasks of its runtime are dropped. A function that runs in `spawn_blocking` cannot be
//! stopped: its thread goes on until it returns, and nobody waits for it.
//!
//! # As a guest
//!
//! [`Caller::call_using_backend`] runs a call on tokio in the thread of a caller whose backend is another. A thread of its
//! own drives tokio's timers and sockets; the call itself, and what it spawns by `spawn_local`, are polled in the caller's
//! thread, as is whatever awaits there. Two things differ from a caller on tokio:
//!
//! - `tokio::spawn`, whose futures are `Send`, runs them in the driver's thread. For the caller's thread there is
//!   `spawn_local`, or another call.
//! - A task in the driver's thread that blocks is left behind when the caller stops, a second after it was asked to.
//! - Each timer and each socket that becomes ready wakes the caller's thread from that other one, which takes some
//!   microseconds more.
#![forbid(unsafe_code)]

mod surrounding;

mod guest;

use std::{
    any::Any,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    rc::Rc,
    sync::Arc,
    time::Instant,
};

use caller::{Backend, Caller, Clock, Error, Guest, LocalFuture, Result, Runtime};
use tokio::{
    runtime::{Builder, Handle, LocalOptions},
    task, time,
};

use crate::surrounding::Surrounding;

/// The tokio backend. Its options are those of the runtime that is made for a thread of a caller's own; inside a
/// runtime that runs already they say nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tokio {
    io: bool,
    time: bool,
    thread_name: Option<String>,
    stack_size: Option<usize>,
}

impl Tokio {
    /// Timers and sockets on, names and stack sizes as std has them.
    pub fn new() -> Self {
        Self { io: true, time: true, thread_name: None, stack_size: None }
    }

    /// Whether sockets work. On unless set.
    #[must_use]
    pub fn io(mut self, io: bool) -> Self {
        self.io = io;
        self
    }

    /// Whether tokio's timers work. On unless set. Delays of calls and timeouts of waits work either way.
    #[must_use]
    pub fn time(mut self, time: bool) -> Self {
        self.time = time;
        self
    }

    /// The name of the runtime's own threads: those of `spawn_blocking`. The caller's thread has the caller's name.
    #[must_use]
    pub fn thread_name(mut self, name: impl Into<String>) -> Self {
        self.thread_name = Some(name.into());
        self
    }

    /// The stack of the caller's thread, and of those of `spawn_blocking`, in bytes.
    #[must_use]
    pub fn stack_size(mut self, bytes: usize) -> Self {
        self.stack_size = Some(bytes);
        self
    }

    /// The caller of this thread, started now if there is none: its calls then run in a task of the runtime that
    /// surrounds this code, and it stops with that runtime.
    ///
    /// # Errors
    ///
    /// [`is_no_caller`](Error::is_no_caller) outside of tokio, and where the surrounding runtime cannot spawn futures
    /// that are not `Send`: it has to be a [`LocalRuntime`](tokio::runtime::LocalRuntime) or a
    /// [`LocalSet`](tokio::task::LocalSet). [`Caller::scope`] works in the root future of every other.
    /// [`is_mismatch`](Error::is_mismatch) if the thread has a caller on another backend.
    ///
    /// tokio has no way to ask for this; outside of a local runtime it panics inside, which is caught, but the
    /// panic hook of the program hears of it, and a program with `panic = "abort"` ends.
    pub fn current() -> Result<Caller> {
        Caller::start_here(Self::new(), |scheduler| {
            let spawned = catch_unwind(AssertUnwindSafe(|| drop(task::spawn_local(scheduler))));
            spawned.map_err(|_payload| {
                Error::no_runtime(
                    "the tokio runtime of this thread cannot spawn futures that are not `Send`, so no caller can be \
                     started beside this code; use a `LocalRuntime` (`#[tokio::main(flavor = \"local\")]`), a \
                     `LocalSet`, or `Caller::scope(Tokio::new(), …)` in the root future",
                )
            })
        })
    }
}

/// Runs `body` with a caller on tokio in this thread: [`Builder::run`](caller::Builder::run) with [`Tokio::new`].
///
/// # Blocking
///
/// Until the body has ended and the caller has stopped.
///
/// # Errors
///
/// Those of [`Builder::run`](caller::Builder::run).
pub fn run<R: 'static>(body: impl AsyncFnOnce(Caller) -> R + 'static) -> Result<R> {
    Caller::builder().backend(Tokio::new()).run(body)
}

impl Tokio {
    /// A builder with these options.
    fn builder(&self) -> Builder {
        let mut builder = Builder::new_current_thread();
        if self.io {
            builder.enable_io();
        }
        if self.time {
            builder.enable_time();
        }
        if let Some(name) = &self.thread_name {
            builder.thread_name(name);
        }
        if let Some(bytes) = self.stack_size {
            builder.thread_stack_size(bytes);
        }
        builder
    }
}

impl Default for Tokio {
    fn default() -> Self {
        Self::new()
    }
}

impl Backend for Tokio {
    fn name(&self) -> &'static str {
        "tokio"
    }

    fn is_same(&self, other: &dyn Backend) -> bool {
        let other: &dyn Any = other;
        other.downcast_ref() == Some(self)
    }

    fn run(&self, root: LocalFuture<'_>) -> io::Result<()> {
        let runtime = self.builder().build_local(LocalOptions::default())?;
        runtime.block_on(root);
        // Tasks are dropped here; a blocking function that still runs is not waited for.
        runtime.shutdown_background();
        Ok(())
    }

    fn runtime(&self) -> Result<Rc<dyn Runtime>> {
        match Handle::try_current() {
            Ok(handle) => Ok(Rc::new(Surrounding::new(handle))),
            Err(_) => Err(Error::no_runtime(
                "no tokio runtime runs in this thread; call this inside one (`#[tokio::main]`), or give the caller a \
                 thread of its own (`Caller::builder().backend(Tokio::new()).spawn()`)",
            )),
        }
    }

    fn can_be_guest(&self) -> bool {
        true
    }

    fn guest(&self) -> io::Result<Rc<dyn Guest>> {
        guest::TokioGuest::start(self.builder())
    }

    fn clock(&self) -> Arc<dyn Clock> {
        Arc::new(TokioClock)
    }

    fn stack_size(&self) -> Option<usize> {
        self.stack_size
    }
}

/// tokio's clock, which a test may have paused.
struct TokioClock;

impl Clock for TokioClock {
    fn now(&self) -> Instant {
        time::Instant::now().into_std()
    }

    fn is_local(&self) -> bool {
        true
    }
}

/// The code blocks of the README, compiled and run as tests.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
mod readme {}
