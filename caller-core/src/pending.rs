//! A result that will be there: who makes it, who waits for it, who may cancel it.

mod labels;
mod state;

mod observers;

mod core;
mod current;
mod waits;

mod wait;

mod handle;
mod shared;

mod resolver;

use std::{fmt, sync::Arc};

pub use self::{
    core::Pending,
    current::current_pending,
    handle::{CancelRequested, WaitDone},
    observers::{DoneCallback, PendingHandle},
    resolver::Resolver,
    shared::{Shared, WaitShared},
    wait::{Wait, WaitIgnored, WaitMut},
};
pub(crate) use self::{
    core::{Cancelled, Completed, Core, Take, take_from_core},
    current::{Current, DirectCall, current_address, current_call},
    observers::{Keeper, Observe, Waiters, WeakHandle},
    state::State,
    waits::{AtGate, Lives, Under},
};
use crate::error::{Error, Result};

impl<T: Send + 'static> Pending<T> {
    /// A handle that watches and cancels from anywhere, without the result.
    pub fn handle(&self) -> PendingHandle {
        PendingHandle::new(self.0.clone())
    }

    /// Whether there is an outcome: a value or an error.
    pub fn is_done(&self) -> bool {
        self.0.state().is_done()
    }

    /// Whether cancelling was asked for before it was done. It may be true before [`is_done`](Self::is_done) is.
    pub fn is_cancelled(&self) -> bool {
        self.0.state().is_cancelled()
    }

    /// Asks to cancel it. False if it was done already; its outcome then stays.
    ///
    /// A call that has not started is done at once. One that runs has its future dropped in its own thread at
    /// the next turn, and is done then. Reasons of several cancels stand on lines of their own in the error.
    pub fn cancel(&self, reason: impl AsRef<str>) -> bool {
        Arc::clone(&self.0).cancel(reason.as_ref(), false)
    }

    /// Cancels it, and waits until it is done.
    ///
    /// # Cancel safety
    ///
    /// Cancelling was asked for when this returns; dropping the future only stops waiting.
    pub fn cancel_and_wait(self, reason: impl AsRef<str>) -> WaitDone {
        self.cancel(reason);
        self.handle().wait()
    }

    /// The result, if it is there.
    ///
    /// # Errors
    ///
    /// The error that the call ended with; [`is_not_done`](Error::is_not_done) if there is no outcome yet, and
    /// [`is_taken`](Error::is_taken) if it was taken before.
    pub fn try_result(&mut self) -> Result<T> {
        self.0.take()
    }

    /// The error that it ended with, if it did.
    ///
    /// # Errors
    ///
    /// [`is_not_done`](Error::is_not_done) if there is no outcome yet.
    pub fn error(&self) -> Result<Option<Error>> {
        self.0.error()
    }

    /// Waits for the result. `.await` does the same, and blocking is `.wait().blocking()`.
    ///
    /// # Cancel safety
    ///
    /// Dropping the wait before it ended, polled or not, cancels the call: nobody is left who could take its
    /// result. [`protect`](Wait::protect) lets the call go on; [`wait_mut`](Self::wait_mut) keeps the pending.
    pub fn wait(self) -> Wait<T> {
        Wait::new(self)
    }

    /// Waits for the result without giving the pending away; `(&mut pending).await` does the same.
    ///
    /// # Cancel safety
    ///
    /// Dropping the wait loses nothing, and never cancels.
    pub fn wait_mut(&mut self) -> WaitMut<'_, T> {
        WaitMut::new(self)
    }

    /// Blocks this thread until the result is there.
    ///
    /// # Errors
    ///
    /// Those of the call; [`is_self_wait`](Error::is_self_wait) in the thread that would have to do the work, or
    /// where threads would wait for each other in a ring.
    pub fn wait_blocking(self) -> Result<T> {
        self.wait().blocking()
    }

    /// Turns it into one that many can wait for, each of whom gets a clone of the result.
    pub fn shared(self) -> Shared<T>
    where
        T: Clone + Sync,
    {
        Shared::new(self)
    }

    /// Puts a label on it, which stands in its text until it is done.
    pub fn set_metadata(&self, name: impl Into<String>, value: impl ToString) {
        self.handle().set_metadata(name, value);
    }

    /// Calls `callback` once it is done; see [`PendingHandle::add_done_callback`].
    pub fn add_done_callback(&self, callback: &DoneCallback) {
        self.handle().add_done_callback(callback);
    }

    /// Takes a callback off; see [`PendingHandle::remove_done_callback`].
    pub fn remove_done_callback(&self, callback: &DoneCallback) -> usize {
        self.handle().remove_done_callback(callback)
    }
}

impl<T: Send + 'static> From<&Pending<T>> for PendingHandle {
    fn from(pending: &Pending<T>) -> Self {
        pending.handle()
    }
}

impl<T> fmt::Debug for Pending<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        handle::describe(&*self.0, f)
    }
}

impl<T> fmt::Display for Pending<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        handle::describe(&*self.0, f)
    }
}
