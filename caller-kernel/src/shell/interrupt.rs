//! Stopping what runs, from any thread.

use std::{
    fmt,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, Waker},
};

use slab::Slab;

/// Stops the cells of a shell, and whatever loops in its thread. It can be used in any thread, and be cloned.
///
/// What is stopped is what runs at that time; a cell that begins later is not concerned.
#[derive(Clone, Default)]
pub struct Interrupter(Arc<Inner>);

#[derive(Default)]
struct Inner {
    /// How often it was used.
    times: AtomicU64,
    waiting: Mutex<Slab<Waker>>,
}

impl Inner {
    fn waiting(&self) -> MutexGuard<'_, Slab<Waker>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Interrupter {
    /// One that nobody listens to yet: a shell makes it.
    pub fn new() -> Self {
        Self::default()
    }

    /// Stops what runs. It returns at once.
    pub fn interrupt(&self) {
        let mut waiting = self.0.waiting();
        // Counted under the lock: who waits is in the list that this empties, or sees it.
        self.0.times.fetch_add(1, Ordering::Release);
        let wakers: Vec<_> = waiting.drain().collect();
        drop(waiting);
        wakers.into_iter().for_each(Waker::wake);
    }

    /// How often it was used: a shell compares it with what it was when a cell began.
    pub fn times(&self) -> u64 {
        // Pairs with `interrupt`; code that loops asks without the lock.
        self.0.times.load(Ordering::Acquire)
    }

    /// Whether something [waits](Self::interrupted) for it: then an interrupt is meant for that. A shell that runs something
    /// which computes waits on its behalf.
    pub fn is_awaited(&self) -> bool {
        !self.0.waiting().is_empty()
    }

    /// Waits until it was used more often than `seen` times.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost by dropping the future.
    pub fn interrupted(&self, seen: u64) -> Interrupted {
        Interrupted { interrupter: self.clone(), seen, key: None }
    }
}

impl fmt::Debug for Interrupter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Interrupter").field("times", &self.times()).finish_non_exhaustive()
    }
}

/// Waits for an interrupt; made by [`Interrupter::interrupted`].
#[must_use = "futures do nothing unless awaited"]
#[derive(Debug)]
pub struct Interrupted {
    interrupter: Interrupter,
    seen: u64,
    /// Where the waker is, with the number of interrupts there had been: each of them empties the list.
    key: Option<(usize, u64)>,
}

impl Interrupted {
    fn forget(&mut self) {
        let Some((key, times)) = self.key.take() else { return };
        let mut waiting = self.interrupter.0.waiting();
        // After an interrupt the key may be another's.
        let old = if self.interrupter.times() == times { waiting.try_remove(key) } else { None };
        drop(waiting);
        drop(old);
    }
}

impl Future for Interrupted {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.forget();
        let mut waiting = self.interrupter.0.waiting();
        let times = self.interrupter.times();
        if times > self.seen {
            return Poll::Ready(());
        }
        let key = waiting.insert(cx.waker().clone());
        drop(waiting);
        self.key = Some((key, times));
        Poll::Pending
    }
}

impl Drop for Interrupted {
    fn drop(&mut self) {
        self.forget();
    }
}
