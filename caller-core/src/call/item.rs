//! What is queued for a scheduler.

use std::sync::Arc;

use super::{
    cell::Woken,
    running::{Extra, Run},
};
use crate::{
    backend::LocalFuture,
    error::{BoxError, Error, Kind},
    guard::{self, Place},
    queue::RawQueue,
    report,
    timer::Due,
};

/// One entry of a caller's queue. Calls and direct calls are in one queue, since they start in the order made.
pub(crate) enum Item {
    /// A call that is started at once.
    Call(Arc<dyn Run>),
    /// A call that is started when its time has come.
    Later(Box<(Due, Arc<dyn Run>)>),
    /// A call that has borrowed something.
    Leased(Box<Extra>),
    /// The place of a call whose future was made in the scheduler's thread and stays there. Only that thread queues it,
    /// and only while its scheduler lives.
    Local(u32),
    /// A function that the scheduler calls itself.
    Direct(Box<dyn FnOnce() -> Option<UnobservedFailure> + Send>),
    /// A function whose future the scheduler awaits before it goes on with its queue.
    DirectAsync(Box<dyn FnOnce() -> LocalFuture<'static, Option<UnobservedFailure>> + Send>),
}

/// A failure that nobody waits for, and the name of the function that failed.
pub(crate) struct UnobservedFailure {
    pub(crate) function: &'static str,
    pub(crate) error: BoxError,
}

impl UnobservedFailure {
    /// Reports it, with the name of the caller in whose thread it happened.
    pub(crate) fn report(self, caller: &str) {
        let error = Error::new(Kind::Failed(self.error.into()));
        report::failure(caller, self.function, &guard::text(&error));
    }
}

/// Where other threads reach a scheduler.
#[derive(Debug)]
pub(crate) struct Inbox {
    /// New work, in order.
    pub(crate) items: RawQueue<Item>,
    /// Started work that wants to be polled.
    pub(crate) woken: Arc<Woken>,
}

impl Inbox {
    pub(crate) fn new() -> Self {
        Self { items: RawQueue::new(), woken: Arc::new(RawQueue::new()) }
    }

    /// How many new items are in it.
    pub(crate) fn waiting(&self) -> usize {
        // Without the lock where a glance says that there are none.
        if self.items.looks_ready() { self.items.len() } else { 0 }
    }

    /// Whether there may be something to do.
    pub(crate) fn looks_ready(&self) -> bool {
        self.items.looks_ready() || self.woken.looks_ready()
    }
}

impl Item {
    /// Refuses it in any thread, because the caller stops. A call that has not begun is cancelled.
    pub(crate) fn reject(self, reason: &str) {
        match self {
            Self::Call(call) => {
                call.cancel(reason, true);
            }
            Self::Later(later) => {
                later.1.cancel(reason, true);
            }
            Self::Leased(leased) => leased.reject(reason),
            // Its scheduler keeps it, and ends it.
            Self::Local(_) => {}
            Self::Direct(function) => guard::discard(Place::FunctionDrop, function),
            Self::DirectAsync(function) => guard::discard(Place::FunctionDrop, function),
        }
    }
}
