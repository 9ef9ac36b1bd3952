//! One result for many.

use std::{
    fmt,
    future::{Future, IntoFuture},
    pin::Pin,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    task::{self, Poll},
};

use super::{
    core::{Pending, Take},
    observers::PendingHandle,
    wait,
    waits::WaitsFor,
};
use crate::{
    error::{Error, Kind, Result},
    timer::{Deadline, timeout_methods},
    wake::Key,
};

/// A pending that many can wait for, each of whom gets a clone of the result; made by [`Pending::shared`].
///
/// Cloning it is cheap. `.await` works on it and on a reference to it.
pub struct Shared<T>(Arc<Inner<T>>);

struct Inner<T> {
    cell: Arc<dyn Take<T>>,
    /// Where the result goes when it is first asked for, so that clones of it are made without a lock.
    result: OnceLock<Result<T>>,
    /// How many waits have begun and have not ended.
    waiting: AtomicUsize,
}

impl<T: Clone + Send + Sync + 'static> Shared<T> {
    pub(super) fn new(pending: Pending<T>) -> Self {
        Self(Arc::new(Inner { cell: pending.0, result: OnceLock::new(), waiting: AtomicUsize::new(0) }))
    }

    /// A handle that watches and cancels from anywhere.
    pub fn handle(&self) -> PendingHandle {
        PendingHandle::new(self.0.cell.clone())
    }

    /// Whether there is an outcome: a value or an error.
    pub fn is_done(&self) -> bool {
        self.0.cell.state().is_done()
    }

    /// Whether cancelling was asked for before it was done.
    pub fn is_cancelled(&self) -> bool {
        self.0.cell.state().is_cancelled()
    }

    /// Asks to cancel it; see [`Pending::cancel`].
    pub fn cancel(&self, reason: impl AsRef<str>) -> bool {
        Arc::clone(&self.0.cell).cancel(reason.as_ref(), false)
    }

    /// The result, if it is there, as often as asked.
    ///
    /// # Errors
    ///
    /// The error that the call ended with; [`is_not_done`](Error::is_not_done) if there is no outcome yet.
    pub fn result(&self) -> Result<T> {
        if !self.is_done() {
            return Err(Error::new(Kind::NotDone));
        }
        self.0.result.get_or_init(|| self.0.cell.take()).clone()
    }

    /// The error that it ended with, if it did.
    ///
    /// # Errors
    ///
    /// [`is_not_done`](Error::is_not_done) if there is no outcome yet.
    pub fn error(&self) -> Result<Option<Error>> {
        self.0.cell.error()
    }

    /// Waits for the result.
    ///
    /// # Cancel safety
    ///
    /// When the last of the waits that have begun is dropped before the end, the call is cancelled, unless that
    /// one was made with [`protect`](WaitShared::protect).
    pub fn wait(&self) -> WaitShared<T> {
        WaitShared {
            shared: self.clone(),
            key: None,
            began: false,
            protected: false,
            deadline: Deadline::none(),
            waits: WaitsFor::default(),
        }
    }

    /// Blocks this thread until the result is there.
    ///
    /// # Errors
    ///
    /// As [`Wait::blocking`](crate::Wait::blocking).
    pub fn wait_blocking(&self) -> Result<T> {
        self.wait().blocking()
    }
}

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T: Clone + Send + Sync + 'static> fmt::Debug for Shared<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.handle().fmt(f)
    }
}

impl<T: Clone + Send + Sync + 'static> IntoFuture for Shared<T> {
    type Output = Result<T>;
    type IntoFuture = WaitShared<T>;

    fn into_future(self) -> WaitShared<T> {
        self.wait()
    }
}

impl<T: Clone + Send + Sync + 'static> IntoFuture for &Shared<T> {
    type Output = Result<T>;
    type IntoFuture = WaitShared<T>;

    fn into_future(self) -> WaitShared<T> {
        self.wait()
    }
}

/// Waits for a clone of the result; made by [`Shared::wait`].
///
/// # Cancel safety
///
/// See [`Shared::wait`].
#[must_use = "futures do nothing unless awaited"]
pub struct WaitShared<T: Clone + Send + Sync + 'static> {
    shared: Shared<T>,
    key: Option<Key>,
    began: bool,
    protected: bool,
    deadline: Deadline,
    waits: WaitsFor,
}

impl<T: Clone + Send + Sync + 'static> WaitShared<T> {
    /// Lets the call go on when this wait is dropped or times out.
    pub fn protect(mut self) -> Self {
        self.protected = true;
        self
    }

    timeout_methods! {
        deadline;
        /// Ends the wait with [`is_timeout`](Error::is_timeout) after `time`, counted from the first poll. If it was the last
        /// wait, the call is cancelled, unless this wait is protected.
    }

    /// Blocks this thread until the result is there.
    ///
    /// # Errors
    ///
    /// As [`Wait::blocking`](crate::Wait::blocking).
    pub fn blocking(self) -> Result<T> {
        let on = self.shared.handle();
        wait::block_on(self, &on)?
    }

    /// Ends a wait that began. `true` if it was the last and gave up.
    fn end(&mut self) {
        let handle = self.shared.handle();
        handle.forget(&mut self.key);
        if std::mem::take(&mut self.began) {
            // AcqRel: the last to leave sees that the others did.
            let last = self.shared.0.waiting.fetch_sub(1, Ordering::AcqRel) == 1;
            if last && !self.protected && !handle.is_done() {
                handle.cancel("its last waiter gave up");
            }
        }
    }
}

impl<T: Clone + Send + Sync + 'static> Future for WaitShared<T> {
    type Output = Result<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<Result<T>> {
        let this = &mut *self;
        if !std::mem::replace(&mut this.began, true) {
            this.shared.0.waiting.fetch_add(1, Ordering::AcqRel);
        }
        let handle = this.shared.handle();
        let result = if handle.poll_done(&mut this.key, cx).is_ready() {
            this.shared.result()
        } else if let Err(error) = handle.check_self_wait().and_then(|()| this.waits.begin(&handle)) {
            // It never waited, so it does not give up either.
            this.protected = true;
            Err(error)
        } else {
            match this.deadline.poll(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(after) => Err(handle.timed_out(after)),
            }
        };
        this.waits.end();
        this.end();
        Poll::Ready(result)
    }
}

impl<T: Clone + Send + Sync + 'static> Drop for WaitShared<T> {
    fn drop(&mut self) {
        self.end();
    }
}

impl<T: Clone + Send + Sync + 'static> fmt::Debug for WaitShared<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WaitShared").field("pending", &self.shared).finish_non_exhaustive()
    }
}
