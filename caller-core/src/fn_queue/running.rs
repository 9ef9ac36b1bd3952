//! Who still runs an item of a queue: the items of one function run one at a time, also where the queue is closed and
//! another one takes its place.

use std::sync::Arc;

use crate::{
    pending::{Keeper, PendingHandle},
    sync::AsyncEvent,
};

/// Held by everything that may still run an item of a queue. When the last hold is dropped, the queue's `ended` is set.
pub(crate) struct Running(AsyncEvent);

impl Running {
    pub(super) fn new(ended: AsyncEvent) -> Arc<Self> {
        Arc::new(Self(ended))
    }

    /// Holds it until this call is done.
    pub(crate) fn hold_until_done(self: &Arc<Self>, call: &PendingHandle) {
        call.keep(self.clone());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.set();
    }
}

impl Keeper for Running {
    /// Nothing to do: the call drops its hold.
    fn done(&self, _call: &PendingHandle) {}
}
