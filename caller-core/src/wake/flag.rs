//! A waker that can be seen to have been woken, by who polls with it.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Wake, Waker},
};

use crate::guard;

/// Wakes another waker, once for each time that was set.
pub(crate) struct Flagged {
    woken: AtomicBool,
    outer: Mutex<Option<Waker>>,
}

impl Flagged {
    /// Woken from the start: what is new wants to be polled.
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { woken: AtomicBool::new(true), outer: Mutex::new(None) })
    }

    /// Sets whom to wake. What was woken before is seen by who looks after this.
    pub(crate) fn renew(&self, outer: &Waker) {
        // Cloned and dropped without the lock.
        let fresh = outer.clone();
        let old = self.outer.lock().unwrap_or_else(PoisonError::into_inner).replace(fresh);
        drop(old);
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
        // Release pairs with the acquires of those who look.
        self.woken.store(true, Ordering::Release);
        let outer = self.outer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(outer) = outer {
            guard::wake(outer);
        }
    }
}
