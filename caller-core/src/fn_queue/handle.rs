//! Handles of the queue of a function.

use std::{
    fmt,
    future::poll_fn,
    sync::{Arc, PoisonError},
    task::Poll,
};

use super::queue::{AnyQueue, FnQueue, QueueItem};
use crate::{
    error::{Error, Result},
    pending::PendingHandle,
};

/// Watches and closes the queue of a function or method, whatever its arguments are; what `#[caller::queued]` gives
/// under the function's name with `_queue`. A queue ends without regard to such handles.
#[derive(Clone)]
pub struct QueueHandle(Arc<dyn AnyQueue>);

impl QueueHandle {
    /// None for one that has ended.
    pub(crate) fn new(queue: Arc<dyn AnyQueue>) -> Option<Self> {
        queue.pending().is_some().then_some(Self(queue))
    }

    /// How many calls wait.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether no call waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Closes it: the call that runs is cancelled, the rest never run. False if it had ended.
    pub fn close(&self) -> bool {
        let open = !self.is_closed();
        self.0.close("the queue was closed", false);
        open
    }

    /// Whether it takes nothing any more.
    pub fn is_closed(&self) -> bool {
        self.0.is_over()
    }

    /// The pending of the queue, while it runs. It is done when the queue has ended; cancelling it closes the queue.
    pub fn pending(&self) -> Option<PendingHandle> {
        self.0.pending()
    }
}

impl fmt::Debug for QueueHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QueueHandle")
            .field("len", &self.len())
            .field("closed", &self.is_closed())
            .finish_non_exhaustive()
    }
}

/// A queue of its own for one function; made by [`Caller::queue`](crate::Caller::queue). Clones are handles of the same queue.
pub struct Queue<A: Send + 'static>(Arc<Handle<A>>);

struct Handle<A: Send + 'static>(Arc<FnQueue<A>>);

impl<A: Send + 'static> Drop for Handle<A> {
    fn drop(&mut self) {
        // What was queued still runs.
        self.0.items.close();
    }
}

impl<A: Send + 'static> Queue<A> {
    pub(crate) fn new(queue: Arc<FnQueue<A>>) -> Self {
        Self(Arc::new(Handle(queue)))
    }

    fn inner(&self) -> &FnQueue<A> {
        &self.0.0
    }

    /// Queues a call.
    ///
    /// # Errors
    ///
    /// [`is_full`](Error::is_full) if the queue is bounded and has no room, [`is_closed`](Error::is_closed) if it was
    /// closed or its caller stopped. The argument is in the error's other half.
    pub fn call(&self, argument: A) -> Result<(), (A, Error)> {
        self.inner().push(QueueItem::new(argument)).map_err(|(item, error)| (item.argument, error))
    }

    /// Queues a call when there is room.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it ended, the call is not queued, and its argument is dropped.
    ///
    /// # Errors
    ///
    /// [`is_closed`](Error::is_closed) if it was closed or its caller stopped, and
    /// [`is_self_wait`](Error::is_self_wait) in an item of this queue when there is no room; with the argument.
    pub async fn call_when_room(&self, argument: A) -> Result<(), (A, Error)> {
        let mut argument = Some(argument);
        poll_fn(|cx| {
            let Some(given) = argument.take() else { return Poll::Ready(Ok(())) };
            let given = match self.call(given) {
                Err((given, error)) if error.is_full() => given,
                other => return Poll::Ready(other),
            };
            if let Some(Err(error)) = self.inner().pending.get().map(PendingHandle::check_self_wait) {
                return Poll::Ready(Err((given, error)));
            }
            // Registered first, tried again then: an item that begins in between wakes us.
            let waker = cx.waker().clone();
            self.inner().room.lock().unwrap_or_else(PoisonError::into_inner).push(waker);
            match self.call(given) {
                Err((given, error)) if error.is_full() => {
                    argument = Some(given);
                    Poll::Pending
                }
                other => Poll::Ready(other),
            }
        })
        .await
    }

    /// How many items wait.
    pub fn len(&self) -> usize {
        self.inner().len()
    }

    /// Whether no item waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Closes it: the item that runs is cancelled, the rest never run.
    pub fn close(&self) {
        self.inner().close("the queue was closed", false);
    }

    /// Whether it takes nothing any more.
    pub fn is_closed(&self) -> bool {
        self.inner().is_over()
    }

    /// The pending of the queue. It is done when the queue has ended; cancelling it closes the queue.
    pub fn pending(&self) -> Option<PendingHandle> {
        self.inner().pending.get().cloned()
    }
}

impl<A: Send + 'static> Clone for Queue<A> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<A: Send + 'static> fmt::Debug for Queue<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue")
            .field("len", &self.len())
            .field("closed", &self.is_closed())
            .finish_non_exhaustive()
    }
}
