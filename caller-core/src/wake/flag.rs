//! A waker that remembers that it was woken, for the code that polls with it.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Wake, Waker},
};

use crate::guard;

/// Passes a wake on to another waker, once for each waker that was set.
pub(crate) struct Flagged {
    woken: AtomicBool,
    outer: Mutex<Option<Waker>>,
}

impl Flagged {
    /// It counts as woken at first, since a new future has to be polled.
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { woken: AtomicBool::new(true), outer: Mutex::new(None) })
    }

    /// Sets the waker that the next wake is passed to. A caller that calls `is_woken` or `take` after this misses no wake.
    pub(crate) fn renew(&self, outer: &Waker) {
        // Cloned and dropped without the lock.
        let fresh = outer.clone();
        let old = self.outer.lock().unwrap_or_else(PoisonError::into_inner).replace(fresh);
        guard::discard_waker(old);
    }

    /// Whether it was woken.
    pub(crate) fn is_woken(&self) -> bool {
        self.woken.load(Ordering::Acquire)
    }

    /// Whether it was woken; it is not any more.
    pub(crate) fn take(&self) -> bool {
        self.woken.swap(false, Ordering::AcqRel)
    }
}

impl Wake for Flagged {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // Release pairs with the acquires of `is_woken` and `take`.
        self.woken.store(true, Ordering::Release);
        let outer = self.outer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(outer) = outer {
            guard::wake(outer);
        }
    }
}
