//! Handles of the queue of a function.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use super::{
    queue::{AnyQueue, FnQueue, QueueItem},
    room::Waiting,
};
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

    /// Queues a call when there is room: first come, first served.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it ended, the call is not queued, and its argument is dropped. The next one who waits has its
    /// place.
    ///
    /// # Errors
    ///
    /// [`is_closed`](Error::is_closed) if it was closed or its caller stopped, and
    /// [`is_self_wait`](Error::is_self_wait) in an item of this queue when there is no room; with the argument.
    pub fn call_when_room(&self, argument: A) -> CallWhenRoom<'_, A> {
        CallWhenRoom { queue: self, argument: Some(argument), waiting: None }
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

/// Queues a call when there is room; made by [`Queue::call_when_room`].
#[must_use = "futures do nothing unless awaited"]
pub struct CallWhenRoom<'a, A: Send + 'static> {
    queue: &'a Queue<A>,
    /// None once the call was queued, or its argument came back.
    argument: Option<A>,
    waiting: Waiting,
}

impl<A: Send + 'static> Unpin for CallWhenRoom<'_, A> {}

impl<A: Send + 'static> Future for CallWhenRoom<'_, A> {
    type Output = Result<(), (A, Error)>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { queue, argument, waiting } = &mut *self;
        let queue = queue.inner();
        let taken = match &queue.room {
            // Nobody has to wait for a place in it after the call has ended.
            Some(room) if argument.is_some() => {
                let check = || queue.pending.get().map_or(Ok(()), PendingHandle::check_self_wait);
                let taken = ready!(room.poll_take(waiting, cx, check));
                room.leave(waiting);
                taken
            }
            _ => Ok(()),
        };
        let Some(argument) = argument.take() else { return Poll::Ready(Ok(())) };
        Poll::Ready(match taken {
            Ok(()) => queue.put(QueueItem::new(argument)).map_err(|(item, error)| (item.argument, error)),
            Err(error) => Err((argument, error)),
        })
    }
}

impl<A: Send + 'static> Drop for CallWhenRoom<'_, A> {
    fn drop(&mut self) {
        if let Some(room) = &self.queue.inner().room {
            room.leave(&mut self.waiting);
        }
    }
}

impl<A: Send + 'static> fmt::Debug for CallWhenRoom<'_, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallWhenRoom").field("queue", self.queue).finish_non_exhaustive()
    }
}
