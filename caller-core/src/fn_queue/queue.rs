//! The queue of one function: its items, its bound, and how it ends.

use std::{
    any::Any,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
};

use super::{
    room::{Room, closed},
    running::Running,
};
use crate::{
    context::Context,
    error::{Error, Result},
    guard::{self, Place},
    pending::PendingHandle,
    queue::RawQueue,
    sync::AsyncEvent,
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
    /// Items that the consumer has taken and that have not begun.
    in_hand: CachePadded<AtomicUsize>,
    /// None in a queue without a bound, whose producers and consumer would fight for the count.
    pub(crate) room: Option<Room>,
    /// Whether the object that the function belongs to has gone.
    pub(crate) gone: OnceLock<Box<dyn Fn() -> bool + Send + Sync>>,
    /// The ends of the queues that were found by the same key before, and whose items may still run.
    pub(crate) before: Vec<AsyncEvent>,
    /// Set when no item of this queue runs any more, and none ever will.
    ended: AsyncEvent,
}

impl<A: Send + 'static> FnQueue<A> {
    pub(crate) fn new(bound: usize, before: Vec<AsyncEvent>) -> Self {
        Self {
            items: RawQueue::new(),
            pending: OnceLock::new(),
            in_hand: CachePadded(AtomicUsize::new(0)),
            room: (bound != usize::MAX).then(|| Room::new(bound)),
            gone: OnceLock::new(),
            before,
            ended: AsyncEvent::new(),
        }
    }

    /// The hold of the one call that serves it.
    pub(crate) fn begin_serving(&self) -> Arc<Running> {
        Running::new(self.ended.clone())
    }

    /// Puts an item in. It comes back, with the error, if the queue has ended or is full.
    pub(crate) fn push(&self, item: QueueItem<A>) -> Result<(), (QueueItem<A>, Error)> {
        if let Some(room) = &self.room
            && let Err(error) = room.try_take()
        {
            // A queue that has ended is closed first and full second.
            return Err((item, if self.is_over() { closed() } else { error }));
        }
        self.put(item)
    }

    /// Puts an item into a place that was taken for it. It comes back, with the error, if the queue has ended.
    pub(super) fn put(&self, item: QueueItem<A>) -> Result<(), (QueueItem<A>, Error)> {
        self.items.push(item).map_err(|item| {
            self.free_place();
            (item, closed())
        })
    }

    fn free_place(&self) {
        if let Some(room) = &self.room {
            room.free();
        }
    }

    /// An item begins, and `left` are in the hand of the consumer: there is room for another.
    pub(crate) fn begin(&self, left: usize) {
        // For texts: nothing is published through it.
        self.in_hand.0.store(left, Ordering::Relaxed);
        self.free_place();
    }

    /// How many items the consumer could take now.
    pub(crate) fn waiting(&self) -> usize {
        // Without the lock where a glance says that there are none.
        if self.items.looks_ready() { self.items.len() } else { 0 }
    }

    /// Ends it: what waits never runs.
    pub(crate) fn end(&self) {
        let rest = self.items.close_and_drain();
        self.in_hand.0.store(0, Ordering::Relaxed);
        if let Some(room) = &self.room {
            room.close();
        }
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
    /// Set when no item of it runs any more, and none ever will.
    fn ended(&self) -> &AsyncEvent;
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

    fn ended(&self) -> &AsyncEvent {
        &self.ended
    }
}
