//! Waiting for a result: awaiting, blocking, giving up.

use std::{
    fmt,
    future::{Future, IntoFuture, poll_fn},
    pin::Pin,
    sync::Arc,
    task::{self, Poll},
};

use super::{
    core::{Pending, Take},
    observers::PendingHandle,
    waits::WaitsFor,
};
use crate::{
    blocked::Blocking,
    error::{Error, Kind, Result},
    timer::{Deadline, timeout_methods},
    wake,
};

/// Waits for the result of a pending that it owns; made by [`Pending::wait`] and by `.await`.
///
/// # Cancel safety
///
/// Dropping it before it ended, polled or not, cancels the call unless it was made with
/// [`protect`](Self::protect).
#[must_use = "futures do nothing unless awaited, and dropping a wait cancels the call"]
pub struct Wait<T> {
    /// None once the result was given.
    cell: Option<Arc<dyn Take<T>>>,
    protected: bool,
    deadline: Deadline,
    waits: WaitsFor,
}

impl<T: Send + 'static> Wait<T> {
    pub(super) fn new(pending: Pending<T>) -> Self {
        Self {
            cell: Some(pending.0),
            protected: false,
            deadline: Deadline::none(),
            waits: WaitsFor::default(),
        }
    }

    /// Lets the call go on when this wait is dropped or times out. Its result is lost then.
    pub fn protect(mut self) -> Self {
        self.protected = true;
        self
    }

    timeout_methods! {
        deadline;
        /// Ends the wait with [`is_timeout`](Error::is_timeout) after `time`, counted from the first poll. The call is
        /// cancelled then, unless the wait is protected. With a time of zero, only a result that is there already is given.
    }

    /// Waits without asking for the result: it ends normally also when the call fails or is cancelled.
    pub fn ignore_result(self) -> WaitIgnored<T> {
        WaitIgnored(self)
    }

    /// Blocks this thread until the result is there.
    ///
    /// # Errors
    ///
    /// Those of awaiting; and [`is_self_wait`](Error::is_self_wait) in the thread that would have to do the work,
    /// or where threads would wait for each other in a ring. The call is not cancelled then.
    pub fn blocking(self) -> Result<T> {
        self.block()?
    }

    /// The outcome, or the error of the wait itself.
    fn block(mut self) -> Result<Result<T>> {
        let Some(cell) = &self.cell else { return Ok(Err(Error::new(Kind::Taken))) };
        match guard(&PendingHandle::new(cell.clone())) {
            Ok(_guard) => wake::block_on(poll_fn(|cx| self.poll_outcome(cx))),
            Err(error) => {
                self.protected = true;
                Err(error)
            }
        }
    }

    /// As `block`, for one who awaits it.
    fn poll_outcome(&mut self, cx: &mut task::Context<'_>) -> Poll<Result<Result<T>>> {
        let Some(cell) = &self.cell else { return Poll::Ready(Ok(Err(Error::new(Kind::Taken)))) };
        let polled = poll_cell(cell, &mut self.deadline, &mut self.waits, cx);
        if let Poll::Ready(outcome) = &polled {
            let cell = self.cell.take();
            if outcome.as_ref().is_err_and(Error::is_timeout) && !self.protected {
                give_up(cell, "its waiter timed out");
            }
        }
        polled
    }
}

impl<T> Unpin for Wait<T> {}

impl<T: Send + 'static> Future for Wait<T> {
    type Output = Result<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<Result<T>> {
        self.poll_outcome(cx).map(|outcome| outcome?)
    }
}

impl<T> Drop for Wait<T> {
    fn drop(&mut self) {
        let Some(cell) = self.cell.take() else { return };
        if self.protected {
            cell.forget_owner();
        } else {
            give_up(Some(cell), "its waiter was dropped");
        }
    }
}

fn give_up<T>(cell: Option<Arc<dyn Take<T>>>, reason: &str) {
    if let Some(cell) = cell {
        cell.forget_owner();
        if !cell.state().is_done() {
            cell.cancel(reason, false);
        }
    }
}

/// The result, or the error of a wait that cannot go on.
fn poll_cell<T: 'static>(
    cell: &Arc<dyn Take<T>>,
    deadline: &mut Deadline,
    waits: &mut WaitsFor,
    cx: &mut task::Context<'_>,
) -> Poll<Result<Result<T>>> {
    if let Poll::Ready(result) = cell.poll_take(cx) {
        waits.end();
        return Poll::Ready(Ok(result));
    }
    let handle = PendingHandle::new(cell.clone());
    handle.check_self_wait()?;
    waits.begin(&handle)?;
    deadline.poll(cx).map(|after| Err(handle.timed_out(after)))
}

impl<T> fmt::Debug for Wait<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wait").field("protected", &self.protected).finish_non_exhaustive()
    }
}

impl<T: Send + 'static> IntoFuture for Pending<T> {
    type Output = Result<T>;
    type IntoFuture = Wait<T>;

    fn into_future(self) -> Wait<T> {
        self.wait()
    }
}

/// Waits until a pending that it owns is done, without its result; made by [`Wait::ignore_result`].
///
/// # Cancel safety
///
/// As [`Wait`].
#[must_use = "futures do nothing unless awaited, and dropping a wait cancels the call"]
#[derive(Debug)]
pub struct WaitIgnored<T>(Wait<T>);

impl<T: Send + 'static> WaitIgnored<T> {
    timeout_methods! {
        0.deadline;
        /// As [`Wait::timeout`]: ends the wait with [`is_timeout`](Error::is_timeout) after `time`, counted from the first
        /// poll, and cancels the call unless the wait is protected.
    }

    /// Blocks this thread until it is done.
    ///
    /// # Errors
    ///
    /// Those of [`Wait::blocking`] that concern the wait itself.
    pub fn blocking(self) -> Result<()> {
        self.0.block().map(drop)
    }
}

impl<T: Send + 'static> Future for WaitIgnored<T> {
    type Output = Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<Result<()>> {
        self.0.poll_outcome(cx).map(|outcome| outcome.map(drop))
    }
}

/// Waits for the result of a pending that somebody else keeps; made by [`Pending::wait_mut`].
///
/// # Cancel safety
///
/// Dropping it loses nothing, and never cancels.
#[must_use = "futures do nothing unless awaited"]
pub struct WaitMut<'a, T> {
    pending: &'a mut Pending<T>,
    deadline: Deadline,
    waits: WaitsFor,
}

impl<'a, T: Send + 'static> WaitMut<'a, T> {
    pub(super) fn new(pending: &'a mut Pending<T>) -> Self {
        Self { pending, deadline: Deadline::none(), waits: WaitsFor::default() }
    }

    timeout_methods! {
        deadline;
        /// Ends the wait with [`is_timeout`](Error::is_timeout) after `time`, counted from the first poll. The call runs on,
        /// and can be waited for again.
    }

    /// Blocks this thread until the result is there.
    ///
    /// # Errors
    ///
    /// As [`Wait::blocking`].
    pub fn blocking(self) -> Result<T> {
        let on = self.pending.handle();
        block_on(self, &on)?
    }
}

impl<T: Send + 'static> Future for WaitMut<'_, T> {
    type Output = Result<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<Result<T>> {
        let this = &mut *self;
        poll_cell(&this.pending.0, &mut this.deadline, &mut this.waits, cx).map(|result| result?)
    }
}

impl<T> Drop for WaitMut<'_, T> {
    fn drop(&mut self) {
        self.pending.0.forget_owner();
    }
}

impl<T> fmt::Debug for WaitMut<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WaitMut").field("pending", &self.pending).finish_non_exhaustive()
    }
}

impl<'a, T: Send + 'static> IntoFuture for &'a mut Pending<T> {
    type Output = Result<T>;
    type IntoFuture = WaitMut<'a, T>;

    fn into_future(self) -> WaitMut<'a, T> {
        self.wait_mut()
    }
}

/// Blocks this thread on a future that waits for `on`, unless that could never end.
pub(super) fn block_on<F: Future>(future: F, on: &PendingHandle) -> Result<F::Output> {
    let _guard = guard(on)?;
    Ok(wake::block_on(future))
}

/// Declares that this thread blocks until `on` is done, if it is not.
fn guard(on: &PendingHandle) -> Result<Option<Blocking>> {
    if on.is_done() { Ok(None) } else { Blocking::on(on.clone()).map(Some) }
}
