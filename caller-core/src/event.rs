//! Something that happens once, and that any thread can wait for.

use std::{
    fmt,
    future::Future,
    mem,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Waker},
};

use crate::{
    error::Result,
    ident::{Blocking, CallerId},
    park::park_on,
};

/// A flag that is set once.
#[derive(Default)]
pub(crate) struct Event {
    set: AtomicBool,
    waiters: Mutex<Waiters>,
}

#[derive(Default)]
struct Waiters {
    wakers: Vec<(u64, Waker)>,
    next: u64,
}

impl Event {
    pub(crate) fn is_set(&self) -> bool {
        // Acquire pairs with the release of `set`.
        self.set.load(Ordering::Acquire)
    }

    /// Sets it, and wakes everybody who waits.
    pub(crate) fn set(&self) {
        let mut waiters = self.waiters.lock().unwrap_or_else(PoisonError::into_inner);
        // Under the lock, so that nobody registers after the list was taken.
        self.set.store(true, Ordering::Release);
        let wakers = mem::take(&mut waiters.wakers);
        drop(waiters);
        wakers.into_iter().for_each(|(_, waker)| waker.wake());
    }

    fn poll(&self, key: &mut Option<u64>, cx: &mut Context<'_>) -> Poll<()> {
        if self.is_set() {
            return Poll::Ready(());
        }
        // Cloned before the lock and dropped after it: it is code of the runtime's.
        let waker = cx.waker().clone();
        let mut waiters = self.waiters.lock().unwrap_or_else(PoisonError::into_inner);
        if self.is_set() {
            return Poll::Ready(());
        }
        let old = match waiters.wakers.iter_mut().find(|(known, _)| Some(*known) == *key) {
            Some((_, old)) => Some(mem::replace(old, waker)),
            None => {
                waiters.next += 1;
                let fresh = waiters.next;
                waiters.wakers.push((fresh, waker));
                *key = Some(fresh);
                None
            }
        };
        drop(waiters);
        drop(old);
        Poll::Pending
    }

    fn forget(&self, key: u64) {
        let mut waiters = self.waiters.lock().unwrap_or_else(PoisonError::into_inner);
        let at = waiters.wakers.iter().position(|(known, _)| *known == key);
        let old = at.map(|at| waiters.wakers.swap_remove(at));
        drop(waiters);
        drop(old);
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Event").field(&self.is_set()).finish()
    }
}

/// Waits for a moment in the life of a caller; made by [`Caller::started`](crate::Caller::started),
/// [`stopping`](crate::Caller::stopping) and [`stopped`](crate::Caller::stopped).
///
/// # Cancel safety
///
/// Nothing is lost, and nothing cancelled, by dropping it.
#[must_use = "futures do nothing unless awaited"]
#[derive(Debug)]
pub struct Moment {
    event: Arc<Event>,
    caller: CallerId,
    key: Option<u64>,
}

impl Moment {
    pub(crate) fn new(event: Arc<Event>, caller: CallerId) -> Self {
        Self { event, caller, key: None }
    }

    /// Whether it has come.
    pub fn is_past(&self) -> bool {
        self.event.is_set()
    }

    /// Blocks this thread until it comes.
    ///
    /// # Errors
    ///
    /// [`is_self_wait`](crate::Error::is_self_wait) in the caller's own thread, and where threads would wait for each
    /// other in a ring. What cannot be seen is a child that blocks until its parent has stopped.
    pub fn blocking(self) -> Result<()> {
        if !self.is_past() {
            let _guard = Blocking::on(Some(self.caller))?;
            park_on(self);
        }
        Ok(())
    }
}

impl Future for Moment {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Self { event, key, .. } = &mut *self;
        event.poll(key, cx)
    }
}

impl Drop for Moment {
    fn drop(&mut self) {
        if let Some(key) = self.key.take() {
            self.event.forget(key);
        }
    }
}
