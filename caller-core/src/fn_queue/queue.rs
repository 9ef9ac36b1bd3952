//! The queue of one function: its items, its bound, and how it ends.

use std::{
    any::Any,
    mem,
    sync::{
        Mutex, OnceLock, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    task::Waker,
};

use crate::{
    context::Context,
    error::{Error, Kind, Result},
    guard::{self, Place},
    pending::PendingHandle,
    queue::RawQueue,
};

pub(crate) struct QueueItem<A> {
    pub(crate) argument: A,
    pub(crate) context: Context,
}

impl<A> QueueItem<A> {
    pub(crate) fn new(argument: A) -> Self {
        Self { argument, context: Context::current_of_item() }
    }
}

pub(crate) struct FnQueue<A> {
    pub(crate) items: RawQueue<QueueItem<A>>,
    pub(crate) pending: OnceLock<PendingHandle>,
    pub(crate) bound: usize,
    /// Items that have not begun, of a queue that is bounded. Another is not counted there, since its producers and
    /// its consumer would fight for the count.
    waiting: AtomicUsize,
    /// Items that the consumer has taken and that have not begun.
    in_hand: CachePadded<AtomicUsize>,
    /// Those who wait for room.
    pub(crate) room: Mutex<Vec<Waker>>,
    /// Whether the object that the function belongs to has gone.
    pub(crate) gone: OnceLock<Box<dyn Fn() -> bool + Send + Sync>>,
}

impl<A: Send + 'static> FnQueue<A> {
    pub(crate) fn new(bound: usize) -> Self {
        Self {
            items: RawQueue::new(),
            pending: OnceLock::new(),
            bound,
            waiting: AtomicUsize::new(0),
            in_hand: CachePadded(AtomicUsize::new(0)),
            room: Mutex::default(),
            gone: OnceLock::new(),
        }
    }

    /// Puts an item in. It comes back, with the error, if the queue has ended or is full.
    pub(crate) fn push(&self, item: QueueItem<A>) -> Result<(), (QueueItem<A>, Error)> {
        if self.bound == usize::MAX {
            return self.items.push(item).map_err(|item| (item, Error::closed("the queue was closed")));
        }
        // AcqRel pairs with `begin`: whoever sees room sees that the item before has begun. In one step, since a count
        // that is too high for a moment would send others away for whom there is room.
        let more = |count| (count < self.bound).then_some(count + 1);
        if self.waiting.fetch_update(Ordering::AcqRel, Ordering::Acquire, more).is_err() {
            return Err((item, Error::new(Kind::Full(self.bound))));
        }
        self.items.push(item).map_err(|item| {
            self.waiting.fetch_sub(1, Ordering::AcqRel);
            (item, Error::closed("the queue was closed"))
        })
    }

    /// An item begins, and `left` are in the hand of the consumer: there is room for another.
    pub(crate) fn begin(&self, left: usize) {
        // For texts: nothing is published through it.
        self.in_hand.0.store(left, Ordering::Relaxed);
        if self.bound != usize::MAX {
            self.waiting.fetch_sub(1, Ordering::AcqRel);
            self.wake_room();
        }
    }

    pub(crate) fn wake_room(&self) {
        let room = mem::take(&mut *self.room.lock().unwrap_or_else(PoisonError::into_inner));
        room.into_iter().for_each(guard::wake);
    }

    /// Ends it: what waits never runs.
    pub(crate) fn end(&self) {
        let rest = self.items.close_and_drain();
        self.in_hand.0.store(0, Ordering::Relaxed);
        self.wake_room();
        for item in rest {
            guard::discard(Place::ArgumentDrop, item);
        }
    }
}

/// A value on cache lines of its own.
#[repr(align(128))]
struct CachePadded<T>(T);

/// A queue of any argument.
pub(crate) trait AnyQueue: Any + Send + Sync {
    /// Its pending, unless it has ended or is about to.
    fn pending(&self) -> Option<PendingHandle>;
    fn len(&self) -> usize;
    fn close(&self, reason: &str, closed: bool);
    /// Whether it takes nothing any more.
    fn is_over(&self) -> bool;
}

impl<A: Send + 'static> AnyQueue for FnQueue<A> {
    fn pending(&self) -> Option<PendingHandle> {
        self.pending.get().filter(|_| !self.is_over()).cloned()
    }

    fn len(&self) -> usize {
        self.items.len() + self.in_hand.0.load(Ordering::Relaxed)
    }

    fn close(&self, reason: &str, closed: bool) {
        self.end();
        if let Some(pending) = self.pending.get() {
            if closed {
                pending.close(reason)
            } else {
                pending.cancel(reason)
            };
        }
    }

    fn is_over(&self) -> bool {
        self.items.is_stopped()
            || self.pending.get().is_some_and(|pending| pending.is_cancelled() || pending.is_done())
            || self.gone.get().is_some_and(|gone| gone())
    }
}
