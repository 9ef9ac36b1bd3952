//! The single-consumer queue as users see it: a stream, and a function for what nobody will consume.

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
};

/// A queue that any thread adds to and one consumer takes from, in order.
///
/// It is stopped by [`stop`](Self::stop), or when its consumer leaves. From then on every item that is left in
/// it, or added to it, is handed to the reject function that it was made with: nothing is lost silently.
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
pub struct SingleConsumerQueue<T>(Arc<Inner<T>>);

struct Inner<T> {
    raw: RawQueue<T>,
    reject: Option<Box<dyn Fn(T) + Send + Sync>>,
    consumed: AtomicBool,
}

impl<T> Inner<T> {
    fn reject(&self, items: impl IntoIterator<Item = T>) {
        for item in items {
            guard::quietly(Place::Reject, || match &self.reject {
                Some(reject) => reject(item),
                None => drop(item),
            });
        }
    }

    fn stop(&self) {
        self.reject(self.raw.close_and_drain());
    }
}

impl<T> SingleConsumerQueue<T> {
    /// An empty queue that drops what nobody will consume.
    pub fn new() -> Self {
        Self(Arc::new(Inner { raw: RawQueue::new(), reject: None, consumed: AtomicBool::new(false) }))
    }

    /// An empty queue that hands what nobody will consume to `reject`, in the thread that stops it or adds to it.
    pub fn with_reject(reject: impl Fn(T) + Send + Sync + 'static) -> Self {
        let reject: Box<dyn Fn(T) + Send + Sync> = Box::new(reject);
        Self(Arc::new(Inner { raw: RawQueue::new(), reject: Some(reject), consumed: AtomicBool::new(false) }))
    }

    /// Adds an item behind the others. False if it was rejected.
    pub fn push_back(&self, item: T) -> bool {
        self.0.raw.push(item).map_err(|item| self.0.reject([item])).is_ok()
    }

    /// Adds an item before the others. False if it was rejected.
    pub fn push_front(&self, item: T) -> bool {
        self.0.raw.push_front(item).map_err(|item| self.0.reject([item])).is_ok()
    }

    /// Adds items behind the others, in one step. False if they were rejected.
    pub fn extend(&self, items: impl IntoIterator<Item = T>) -> bool {
        // The iterator is the user's code, so it runs before the lock is taken.
        let items: VecDeque<T> = items.into_iter().collect();
        self.0.raw.append(items).map_err(|items| self.0.reject(items)).is_ok()
    }

    /// Stops it: what is left is rejected, what is added later too, and the consumer ends.
    pub fn stop(&self) {
        self.0.stop();
    }

    /// Whether it was stopped.
    pub fn is_stopped(&self) -> bool {
        self.0.raw.is_stopped()
    }

    /// How many items wait in it.
    pub fn len(&self) -> usize {
        self.0.raw.len()
    }

    /// Whether no item waits in it.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The consumer. There is one: a second one ends at once without an item, and the first goes on.
    pub fn consume(&self) -> Consumer<T> {
        // AcqRel: of two threads that ask, one is first.
        let first = !self.0.consumed.swap(true, Ordering::AcqRel);
        Consumer { queue: first.then(|| self.0.clone()) }
    }
}

impl<T> Clone for SingleConsumerQueue<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Default for SingleConsumerQueue<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> fmt::Debug for SingleConsumerQueue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SingleConsumerQueue")
            .field("len", &self.len())
            .field("stopped", &self.is_stopped())
            .finish_non_exhaustive()
    }
}

/// Takes from a [`SingleConsumerQueue`]. Dropping it stops the queue and rejects what is left.
pub struct Consumer<T> {
    /// None in a second consumer.
    queue: Option<Arc<Inner<T>>>,
}

impl<T> Consumer<T> {
    /// The next item; None once the queue has stopped.
    ///
    /// # Cancel safety
    ///
    /// No item is lost by dropping the future.
    #[expect(clippy::should_implement_trait, reason = "the name that streams have for it")]
    pub fn next(&mut self) -> Next<'_, T> {
        Next(self)
    }

    fn poll_item(&mut self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let Some(queue) = &self.queue else { return Poll::Ready(None) };
        queue.raw.poll_pop(cx.waker())
    }
}

impl<T> Stream for Consumer<T> {
    type Item = T;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        self.poll_item(cx)
    }
}

impl<T> Drop for Consumer<T> {
    fn drop(&mut self) {
        if let Some(queue) = &self.queue {
            queue.stop();
        }
    }
}

impl<T> fmt::Debug for Consumer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Consumer").field("first", &self.queue.is_some()).finish_non_exhaustive()
    }
}

/// The next item of a queue; made by [`Consumer::next`].
#[must_use = "futures do nothing unless awaited"]
#[derive(Debug)]
pub struct Next<'a, T>(&'a mut Consumer<T>);

impl<T> Future for Next<'_, T> {
    type Output = Option<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        self.0.poll_item(cx)
    }
}
