//! The single-consumer queue: a stream of items, and a function for the items that no consumer will take.

use std::{
    collections::VecDeque,
    fmt,
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
};

use futures_core::Stream;

use crate::{
    guard::{self, Place},
    queue::RawQueue,
    turn,
};

/// A queue that any thread adds to and one consumer takes from, in order.
///
/// It is stopped by [`stop`](Self::stop), or when its consumer is dropped. From then on the queue hands every item that is
/// left in it, or added to it, to the reject function that it was made with: no item is lost silently.
///
/// When the last handle is dropped without `stop`, nothing can be added any more: a consumer takes what is left, and then
/// ends. If there is no consumer either, the items that are left are rejected.
///
/// ```
/// # use caller::SingleConsumerQueue;
/// # futures::executor::block_on(async {
/// let queue = SingleConsumerQueue::new();
/// queue.push_back(2);
/// queue.push_front(1);
/// let mut consumer = queue.consume();
/// assert_eq!(consumer.next().await, Some(1));
/// assert_eq!(consumer.next().await, Some(2));
/// queue.stop();
/// assert_eq!(consumer.next().await, None);
/// # });
/// ```
pub struct SingleConsumerQueue<T: 'static>(Arc<Producers<T>>);

/// The handles of a queue. The consumer does not count as one.
struct Producers<T: 'static>(Arc<Inner<T>>);

impl<T: 'static> Drop for Producers<T> {
    fn drop(&mut self) {
        // What is left stays for the consumer. Without one, this is the last reference, whose drop rejects it.
        self.0.raw.close();
    }
}

struct Inner<T: 'static> {
    raw: RawQueue<T>,
    /// None in a queue that drops what it rejects, and while the queue itself is dropped.
    reject: Option<Reject<T>>,
    consumed: AtomicBool,
}

type Reject<T> = Arc<dyn Fn(T) + Send + Sync>;

impl<T: 'static> Inner<T> {
    /// Rejects items in their order. What that rejects or drops in turn nests only so deep.
    fn reject(&self, items: impl IntoIterator<Item = T>) {
        for item in items {
            let Some(reject) = self.reject.clone() else {
                guard::discard(Place::Reject, item);
                continue;
            };
            guard::nested((reject, item), |(reject, item)| {
                guard::quietly(Place::Reject, || reject(item));
                guard::discard(Place::Reject, reject);
            });
        }
    }

    fn stop(&self) {
        self.reject(self.raw.close_and_drain());
    }
}

impl<T: 'static> Drop for Inner<T> {
    fn drop(&mut self) {
        self.stop();
        guard::discard(Place::Reject, self.reject.take());
    }
}

impl<T: 'static> SingleConsumerQueue<T> {
    /// An empty queue that drops what it rejects.
    pub fn new() -> Self {
        Self::with(None)
    }

    /// An empty queue that hands what it rejects to `reject`, in the thread that stops the queue, adds to it, or drops the
    /// last reference to it. A panic of `reject` is reported, and the other items are rejected all the same.
    pub fn with_reject(reject: impl Fn(T) + Send + Sync + 'static) -> Self {
        Self::with(Some(Arc::new(reject)))
    }

    fn with(reject: Option<Reject<T>>) -> Self {
        let inner = Inner { raw: RawQueue::new(), reject, consumed: AtomicBool::new(false) };
        Self(Arc::new(Producers(Arc::new(inner))))
    }

    fn inner(&self) -> &Arc<Inner<T>> {
        &self.0.0
    }

    /// Adds an item behind the others. False if it was rejected.
    pub fn push_back(&self, item: T) -> bool {
        self.inner().raw.push(item).map_err(|item| self.inner().reject([item])).is_ok()
    }

    /// Adds an item before the others. False if it was rejected.
    pub fn push_front(&self, item: T) -> bool {
        self.inner().raw.push_front(item).map_err(|item| self.inner().reject([item])).is_ok()
    }

    /// Adds items behind the others, in one step. False if they were rejected.
    pub fn extend(&self, items: impl IntoIterator<Item = T>) -> bool {
        // The iterator is the user's code, so it runs before the lock is taken.
        let items: VecDeque<T> = items.into_iter().collect();
        self.inner().raw.append(items).map_err(|items| self.inner().reject(items)).is_ok()
    }

    /// Stops the queue: it rejects what is left in it and what is added later, and the consumer ends.
    pub fn stop(&self) {
        self.inner().stop();
    }

    /// Whether it was stopped.
    pub fn is_stopped(&self) -> bool {
        self.inner().raw.is_stopped()
    }

    /// How many items wait in it.
    pub fn len(&self) -> usize {
        self.inner().raw.len()
    }

    /// Whether no item waits in it.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The consumer. There is one: a second one ends at once without an item, and the first goes on.
    pub fn consume(&self) -> Consumer<T> {
        // AcqRel: of two threads that ask, one is first.
        let first = !self.inner().consumed.swap(true, Ordering::AcqRel);
        Consumer { queue: first.then(|| self.inner().clone()), in_a_row: 0 }
    }
}

impl<T: 'static> Clone for SingleConsumerQueue<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T: 'static> Default for SingleConsumerQueue<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: 'static> fmt::Debug for SingleConsumerQueue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SingleConsumerQueue")
            .field("len", &self.len())
            .field("stopped", &self.is_stopped())
            .finish_non_exhaustive()
    }
}

/// Takes from a [`SingleConsumerQueue`]. Dropping it stops the queue and rejects what is left. It ends when the queue was
/// stopped, and when no handle is left and it has taken all.
pub struct Consumer<T: 'static> {
    /// None in a second consumer.
    queue: Option<Arc<Inner<T>>>,
    /// How many items it has taken without waiting.
    in_a_row: usize,
}

impl<T: 'static> Consumer<T> {
    /// The next item. None once the queue was stopped, or once no handle and no item is left.
    ///
    /// After 64 items in a row it lets others have their turn, though there are more.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses no item, and leaves nothing in the queue.
    #[expect(clippy::should_implement_trait, reason = "the name that streams have for it")]
    pub fn next(&mut self) -> Next<'_, T> {
        Next { consumer: self, waiting: false }
    }

    fn poll_item(&mut self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let Some(queue) = &self.queue else { return Poll::Ready(None) };
        if self.in_a_row == turn::SHARE {
            // A consumer that adds an item for each that it takes would keep its thread from all else.
            self.in_a_row = 0;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let item = queue.raw.poll_pop(cx.waker());
        self.in_a_row = if matches!(item, Poll::Ready(Some(_))) { self.in_a_row + 1 } else { 0 };
        item
    }
}

impl<T: 'static> Stream for Consumer<T> {
    type Item = T;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        self.poll_item(cx)
    }
}

impl<T: 'static> Drop for Consumer<T> {
    fn drop(&mut self) {
        if let Some(queue) = &self.queue {
            queue.stop();
        }
    }
}

impl<T: 'static> fmt::Debug for Consumer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Consumer").field("first", &self.queue.is_some()).finish_non_exhaustive()
    }
}

/// The next item of a queue; made by [`Consumer::next`].
#[must_use = "futures do nothing unless awaited"]
#[derive(Debug)]
pub struct Next<'a, T: 'static> {
    consumer: &'a mut Consumer<T>,
    /// Its waker is in the queue.
    waiting: bool,
}

impl<T: 'static> Future for Next<'_, T> {
    type Output = Option<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let item = self.consumer.poll_item(cx);
        self.waiting = item.is_pending();
        item
    }
}

impl<T: 'static> Drop for Next<'_, T> {
    fn drop(&mut self) {
        if self.waiting
            && let Some(queue) = &self.consumer.queue
        {
            queue.raw.unwatch();
        }
    }
}
