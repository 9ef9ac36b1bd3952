//! `wait`: several pendings at once, until a condition or a time.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use futures_core::Stream;

use super::completed::{AsCompleted, FromVec, IntoPending};
use crate::{
    caller::Caller,
    error::Result,
    pending::Pending,
    timer::{Deadline, timeout_methods},
};

/// When [`Caller::wait`] returns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReturnWhen {
    /// When all are done.
    #[default]
    AllCompleted,
    /// When one is done.
    FirstCompleted,
    /// When one has failed or was cancelled, or all are done.
    FirstException,
}

/// What [`Caller::wait`] returns.
#[derive(Debug)]
pub struct Waited<T: Send + 'static> {
    /// Those that are done, in the order in which they were.
    pub done: Vec<Pending<T>>,
    /// Those that are not. They run on.
    pub pending: Vec<Pending<T>>,
}

impl Caller {
    /// Waits for pendings: for all of them, unless [`return_when`](WaitMany::return_when) says otherwise. Futures among
    /// them are run by this caller.
    ///
    /// # Cancel safety
    ///
    /// It never cancels: dropped before its end, it drops the pendings, and the calls run on.
    ///
    /// # Errors
    ///
    /// [`is_self_wait`](crate::Error::is_self_wait) if one of them is the call that waits. A timeout is no error.
    ///
    /// # Panics
    ///
    /// If the iterator panics: once the pendings that came before are done. Polled again, the wait gives these. A wait that
    /// ends earlier reports the panic.
    pub fn wait<P: IntoPending>(&self, items: impl IntoIterator<Item = P>) -> WaitMany<P::Output> {
        WaitMany {
            completed: Some(self.as_completed(items).cancel_unfinished(false)),
            done: Vec::new(),
            return_when: ReturnWhen::AllCompleted,
            began: false,
            met: false,
            deadline: Deadline::none(),
        }
    }
}

/// Waits for several pendings; made by [`Caller::wait`].
#[must_use = "futures do nothing unless awaited"]
pub struct WaitMany<T: Send + 'static> {
    /// None once it has ended.
    completed: Option<AsCompleted<T, FromVec<T>>>,
    done: Vec<Pending<T>>,
    return_when: ReturnWhen,
    began: bool,
    met: bool,
    deadline: Deadline,
}

impl<T: Send + 'static> WaitMany<T> {
    timeout_methods! {
        deadline;
        /// Returns after `time`, counted from the first poll, with what is done by then.
    }

    /// Returns when this condition is met.
    pub fn return_when(mut self, condition: ReturnWhen) -> Self {
        self.return_when = condition;
        self
    }
}

/// Whether a pending that is done meets the condition.
fn meets<T: Send + 'static>(condition: ReturnWhen, pending: &Pending<T>) -> bool {
    match condition {
        ReturnWhen::AllCompleted => false,
        ReturnWhen::FirstCompleted => true,
        ReturnWhen::FirstException => pending.error().is_ok_and(|error| error.is_some()),
    }
}

impl<T: Send + 'static> Unpin for WaitMany<T> {}

impl<T: Send + 'static> Future for WaitMany<T> {
    type Output = Result<Waited<T>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let Some(completed) = &mut this.completed else {
            return Poll::Ready(Ok(Waited { done: Vec::new(), pending: Vec::new() }));
        };
        // What is done when the wait begins belongs together; later, the first that meets the condition ends it.
        let later = std::mem::replace(&mut this.began, true);
        let all = loop {
            if later && this.met {
                break false;
            }
            match Pin::new(&mut *completed).poll_next(cx) {
                Poll::Pending => break false,
                Poll::Ready(None) => break true,
                Poll::Ready(Some(pending)) => {
                    pending.handle().check_self_wait()?;
                    this.met |= meets(this.return_when, &pending);
                    this.done.push(pending);
                }
            }
        };
        if !all && !this.met && this.deadline.poll(cx).is_pending() {
            return Poll::Pending;
        }
        let pending = this.completed.take().map(AsCompleted::into_unfinished).unwrap_or_default();
        Poll::Ready(Ok(Waited { done: std::mem::take(&mut this.done), pending }))
    }
}

impl<T: Send + 'static> fmt::Debug for WaitMany<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WaitMany").field("return_when", &self.return_when).finish_non_exhaustive()
    }
}
