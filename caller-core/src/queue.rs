//! Many producers, one consumer: a list under a lock that the consumer takes whole.
//!
//! A lock and not a list of links: the consumer takes it once for a whole batch, so producers meet nobody but
//! each other, and pushing costs what an uncontended lock costs. Stopping, pushing to the front and counting
//! need no protocol of their own then. See ARCHITECTURE.md for what was measured.

mod pressure;

use std::{
    collections::VecDeque,
    fmt, mem,
    task::{Poll, Waker},
};

pub(crate) use self::pressure::{Pressure, many_cores};
use crate::guard;
use crate::sys::{self, AtomicBool, Mutex, Ordering};

/// How many items' room a queue keeps.
const KEPT_CAPACITY: usize = 1024;

/// Gives back the room that a flood has left, down to what serves the usual traffic.
pub(crate) fn give_back_room<T>(items: &mut VecDeque<T>) {
    // At most a quarter is moved, and only after more than that was taken out.
    if items.capacity() > KEPT_CAPACITY.max(8 * items.len()) {
        items.shrink_to(KEPT_CAPACITY.max(2 * items.len()));
    }
}

/// The queue itself: see [`SingleConsumerQueue`](crate::SingleConsumerQueue) for the one that users see.
pub(crate) struct RawQueue<T> {
    list: Mutex<List<T>>,
    /// Whether there is something to take. A hint, for a consumer that watches instead of sleeping.
    ready: AtomicBool,
}

struct List<T> {
    items: VecDeque<T>,
    /// The consumer, when it sleeps.
    consumer: Option<Waker>,
    stopped: bool,
}

impl<T> RawQueue<T> {
    pub(crate) fn new() -> Self {
        let list = List { items: VecDeque::new(), consumer: None, stopped: false };
        Self { list: Mutex::new(list), ready: AtomicBool::new(false) }
    }

    /// Runs `change` unless the queue has stopped. Some if it ran, with the consumer if that is to be woken, which is
    /// for the caller to do when it holds no lock.
    #[must_use]
    fn change(&self, change: impl FnOnce(&mut VecDeque<T>)) -> Option<Option<Waker>> {
        let mut list = sys::lock(&self.list);
        if list.stopped {
            return None;
        }
        change(&mut list.items);
        self.ready.store(true, Ordering::Relaxed);
        Some(list.consumer.take())
    }

    /// Adds an item behind the others, and gives the consumer if that is to be woken, which is for the caller to do
    /// when it holds no lock. The item comes back if the queue has stopped.
    pub(crate) fn add(&self, item: T) -> Result<Option<Waker>, T> {
        let mut item = Some(item);
        let consumer = self.change(|items| items.extend(item.take()));
        match item {
            Some(item) => Err(item),
            None => Ok(consumer.flatten()),
        }
    }

    /// Adds an item behind the others. It comes back if the queue has stopped.
    pub(crate) fn push(&self, item: T) -> Result<(), T> {
        if let Some(consumer) = self.add(item)? {
            guard::wake(consumer);
        }
        Ok(())
    }

    /// Adds an item before the others. It comes back if the queue has stopped.
    pub(crate) fn push_front(&self, item: T) -> Result<(), T> {
        let mut item = Some(item);
        let consumer = self.change(|items| item.take().into_iter().for_each(|item| items.push_front(item)));
        consumer.flatten().into_iter().for_each(guard::wake);
        item.map_or(Ok(()), Err)
    }

    /// Adds items behind the others, all or none.
    pub(crate) fn append(&self, mut more: VecDeque<T>) -> Result<(), VecDeque<T>> {
        let Some(consumer) = self.change(|items| items.append(&mut more)) else { return Err(more) };
        consumer.into_iter().for_each(guard::wake);
        Ok(())
    }

    /// Takes everything into `batch`, which is empty. Ready with false when the queue has stopped and nothing is
    /// left; pending, with `consumer` to be woken, when there is nothing yet.
    pub(crate) fn poll_batch(&self, batch: &mut VecDeque<T>, consumer: Option<&Waker>) -> Poll<bool> {
        debug_assert!(batch.is_empty(), "the last batch has to be used up first");
        let taken = self.poll_take(consumer, |items| mem::swap(items, batch));
        if taken.is_pending() {
            // Only where a flood has ended: in its midst, the room is needed again at once.
            give_back_room(batch);
        }
        taken.map(|taken| taken.is_some())
    }

    /// Takes the first item, as `poll_batch` takes all.
    pub(crate) fn poll_pop(&self, consumer: &Waker) -> Poll<Option<T>> {
        let pop = |items: &mut VecDeque<T>| {
            let first = items.pop_front();
            give_back_room(items);
            first
        };
        self.poll_take(Some(consumer), pop).map(Option::flatten)
    }

    fn poll_take<R>(
        &self,
        consumer: Option<&Waker>,
        take: impl FnOnce(&mut VecDeque<T>) -> R,
    ) -> Poll<Option<R>> {
        let mut fresh = None;
        let polled = loop {
            let mut list = sys::lock(&self.list);
            if !list.items.is_empty() {
                let taken = take(&mut list.items);
                self.ready.store(list.stopped || !list.items.is_empty(), Ordering::Relaxed);
                break Poll::Ready(Some(taken));
            }
            if list.stopped {
                break Poll::Ready(None);
            }
            give_back_room(&mut list.items);
            let Some(consumer) = consumer else { break Poll::Pending };
            if list.consumer.as_ref().is_some_and(|known| known.will_wake(consumer)) {
                break Poll::Pending;
            }
            if let Some(fresh) = fresh.take() {
                let old = list.consumer.replace(fresh);
                drop(list);
                guard::discard_waker(old);
                break Poll::Pending;
            }
            // A waker is cloned outside of the lock; then the list is looked at again.
            drop(list);
            fresh = Some(consumer.clone());
        };
        guard::discard_waker(fresh);
        polled
    }

    /// Has `consumer` woken by the next change, without taking anything.
    pub(crate) fn watch(&self, consumer: &Waker) {
        let consumer = consumer.clone();
        let old = sys::lock(&self.list).consumer.replace(consumer);
        guard::discard_waker(old);
    }

    /// Forgets the waker of the consumer, which waits no longer.
    pub(crate) fn unwatch(&self) {
        let old = sys::lock(&self.list).consumer.take();
        guard::discard_waker(old);
    }

    /// Whether there may be something to take: an item, or that the queue has stopped.
    pub(crate) fn looks_ready(&self) -> bool {
        self.ready.load(Ordering::Relaxed)
    }

    /// Takes nothing more. What is in it stays for the consumer.
    pub(crate) fn close(&self) {
        let mut list = sys::lock(&self.list);
        list.stopped = true;
        self.ready.store(true, Ordering::Relaxed);
        let consumer = list.consumer.take();
        drop(list);
        if let Some(consumer) = consumer {
            guard::wake(consumer);
        }
    }

    /// Takes nothing more, and gives what is in it.
    pub(crate) fn close_and_drain(&self) -> VecDeque<T> {
        self.close();
        mem::take(&mut sys::lock(&self.list).items)
    }

    pub(crate) fn is_stopped(&self) -> bool {
        sys::lock(&self.list).stopped
    }

    pub(crate) fn len(&self) -> usize {
        sys::lock(&self.list).items.len()
    }
}

impl<T> fmt::Debug for RawQueue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawQueue")
            .field("len", &self.len())
            .field("stopped", &self.is_stopped())
            .finish_non_exhaustive()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    const FLOOD: usize = 100_000;

    fn flooded() -> RawQueue<[u8; 64]> {
        let queue = RawQueue::new();
        (0..FLOOD).for_each(|_| queue.push([0; 64]).unwrap());
        queue
    }

    fn room<T>(queue: &RawQueue<T>) -> usize {
        sys::lock(&queue.list).items.capacity()
    }

    #[test]
    fn a_consumer_of_batches_gives_back_what_a_flood_left() {
        let queue = flooded();
        let mut batch = VecDeque::new();
        for _ in 0..2 {
            assert!(queue.poll_batch(&mut batch, None).is_ready());
            assert_eq!(batch.len(), FLOOD);
            batch.clear();
            (0..FLOOD).for_each(|_| queue.push([0; 64]).unwrap());
        }
        assert!(queue.poll_batch(&mut batch, None).is_ready());
        batch.clear();
        assert!(queue.poll_batch(&mut batch, None).is_pending());
        assert!(batch.capacity() <= KEPT_CAPACITY && room(&queue) <= KEPT_CAPACITY);
    }

    #[test]
    fn a_consumer_of_items_gives_back_what_a_flood_left() {
        let queue = flooded();
        for left in (0..FLOOD).rev() {
            assert!(queue.poll_pop(Waker::noop()).is_ready());
            assert!(room(&queue) <= KEPT_CAPACITY.max(8 * left), "{left}");
        }
    }
}
