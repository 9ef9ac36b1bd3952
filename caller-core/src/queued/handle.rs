//! A queue of a function, from outside.

use std::{fmt, sync::Arc};

use super::AnyQueue;
use crate::pending::PendingHandle;

/// Watches and closes the queue of a function or method, whatever its arguments are; what `#[caller::queued]` gives
/// under the function's name with `_queue`. A queue ends without regard to such handles.
#[derive(Clone)]
pub struct QueueHandle(Arc<dyn AnyQueue>);

impl QueueHandle {
    /// None for one that has ended.
    pub(super) fn new(queue: Arc<dyn AnyQueue>) -> Option<Self> {
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
