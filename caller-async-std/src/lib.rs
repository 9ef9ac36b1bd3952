//! The async-std backend of [`caller-core`](https://docs.rs/caller-core).
//!
//! **async-std is discontinued** ([RUSTSEC-2025-0052](https://rustsec.org/advisories/RUSTSEC-2025-0052)), and its makers
//! advise smol instead, whose backend is `caller-smol`. This crate is for programs that have async-std all the same; nothing
//! else depends on it.
//!
//! A caller with this backend is driven by async-std in its thread. Inside its calls async-std's own world works: timers,
//! sockets, files, [`task::spawn`] and [`task::spawn_blocking`].
//!
//! ```
//! use caller::Caller;
//! use caller_async_std::AsyncStd;
//! use std::time::Duration;
//!
//! # fn main() -> caller::Result<()> {
//! let caller = Caller::builder().name("db").backend(AsyncStd::new()).spawn()?;
//! let answer = caller.call_soon(async || {
//!     async_std::task::sleep(Duration::from_millis(1)).await; // on async-std, in the caller's thread
//!     42
//! });
//! assert_eq!(answer.wait_blocking()?, 42);
//! caller.stop();
//! # Ok(())
//! # }
//! ```
//!
//! # What to know
//!
//! - There is no implicit start: async-std keeps local tasks until their thread ends, so a caller could outlive its
//!   runtime. [`Caller::scope`](caller::Caller::scope) works inside `async_std::task::block_on`.
//! - What a call spawns by `task::spawn` runs on async-std's own threads, and goes on when the caller stops. What it spawns
//!   by `task::spawn_local` (async-std's feature `unstable`) runs in the caller's thread; what is unfinished when the
//!   caller stops is dropped with the thread, where thread-local values may be gone already.
//! - All calls of a caller are polled inside one task of async-std's, that of the caller: [`task::current`] gives the same
//!   task in each of them, and a `task_local!` is shared between them. A value of a call's own is a
//!   [`ContextVar`](caller::ContextVar).
//!
//! # As a guest
//!
//! [`Caller::call_using_backend`](caller::Caller::call_using_backend) runs a call on async-std in the thread of a caller
//! whose backend is another: `task::current`, `task_local!`, `task::spawn`, timers, sockets, files and
//! `task::spawn_blocking` work inside. What does not is a nested `task::spawn_local`: async-std tells nobody that such a
//! task wants to be polled, so it goes on only when something else does. Make another call instead.
#![forbid(unsafe_code)]

mod surrounding;

mod guest;

use std::{any::Any, io, rc::Rc};

use async_std::task;
use caller::{Backend, Error, Guest, LocalFuture, Result, Runtime, check_threads};

use crate::surrounding::Surrounding;

/// The async-std backend.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AsyncStd {
    stack_size: Option<usize>,
}

impl AsyncStd {
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

impl Backend for AsyncStd {
    fn name(&self) -> &'static str {
        "async-std"
    }

    fn is_same(&self, other: &dyn Backend) -> bool {
        let other: &dyn Any = other;
        other.downcast_ref() == Some(self)
    }

    fn run(&self, root: LocalFuture<'_>) -> io::Result<()> {
        // Without one, async-std panics in a destructor as well, which ends the process.
        check_threads()?;
        task::block_on(root);
        Ok(())
    }

    fn runtime(&self) -> Result<Rc<dyn Runtime>> {
        if task::try_current().is_none() {
            return Err(Error::no_runtime(
                "no async-std task runs in this thread; call this inside `async_std::task::block_on`, or give the caller \
                 a thread of its own (`Caller::builder().backend(AsyncStd::new()).spawn()`)",
            ));
        }
        Ok(Rc::new(Surrounding))
    }

    fn can_be_guest(&self) -> bool {
        true
    }

    fn guest(&self) -> io::Result<Rc<dyn Guest>> {
        check_threads()?;
        Ok(guest::AsyncStdGuest::start())
    }

    fn stack_size(&self) -> Option<usize> {
        self.stack_size
    }
}
