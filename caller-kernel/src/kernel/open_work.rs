//! Work that has begun and has not ended: how much there is, and when there is none.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use tokio::sync::Notify;

/// Counts pieces of open work.
#[derive(Clone, Default)]
pub(crate) struct OpenWork(Arc<Count>);

#[derive(Default)]
struct Count {
    number: AtomicUsize,
    none: Notify,
}

impl OpenWork {
    /// One more, until it is dropped.
    pub(crate) fn begin(&self) -> OpenItem {
        self.0.number.fetch_add(1, Ordering::Relaxed);
        OpenItem(self.clone())
    }

    /// Whether there are any.
    pub(crate) fn any(&self) -> bool {
        self.0.number.load(Ordering::Relaxed) > 0
    }

    /// Waits until there are none.
    pub(crate) async fn none(&self) {
        loop {
            // Made before the look: it hears of what ends from now on.
            let ended = self.0.none.notified();
            if !self.any() {
                return;
            }
            ended.await;
        }
    }
}

/// A piece of open work, which ends when this is dropped.
pub(crate) struct OpenItem(OpenWork);

impl Drop for OpenItem {
    fn drop(&mut self) {
        // Whoever is told sees the number.
        if self.0.0.number.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.0.0.none.notify_waiters();
        }
    }
}
