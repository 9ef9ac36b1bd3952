//! A call that waits in the queue of a function for its turn.

use std::{
    any::TypeId,
    sync::{Arc, Weak},
};

use crate::{
    call::{Item, Run},
    caller::{Caller, CallerState, Inner},
    fn_queue::Running,
    pending::{Observe, PendingHandle},
};

/// A call in a queue. Dropped before it has ended, it is cancelled.
pub(crate) struct Turn {
    call: Arc<dyn Run>,
    caller: Weak<Inner>,
}

impl Turn {
    pub(crate) fn new(call: Arc<dyn Run>, caller: &Caller) -> Self {
        Self { call, caller: Arc::downgrade(&caller.0) }
    }

    /// It is put into this queue.
    pub(crate) fn join_queue(&self, queue: (TypeId, usize)) {
        PendingHandle::new(self.call.clone()).join_queue(queue);
    }

    /// Has the caller run it, and waits for its end. One that was cancelled meanwhile has no turn. Until it is done it
    /// has a hold of its queue, also where the queue was closed.
    pub(crate) async fn take(self, queue: Arc<Running>) {
        let call: Arc<dyn Observe> = self.call.clone();
        if call.state().is_done() {
            return;
        }
        let Some(caller) = self.caller.upgrade() else { return };
        let call = PendingHandle::new(call);
        queue.hold_until_done(&call);
        drop(queue);
        Caller(caller).enqueue(Item::Call(self.call.clone()));
        let _ended = call.wait().await;
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if self.call.state().is_done() {
            return;
        }
        let reason = match self.caller.upgrade().map(Caller) {
            Some(caller) if matches!(caller.state(), CallerState::Initial | CallerState::Running) => {
                "its queue was closed".to_owned()
            }
            Some(caller) => caller.0.stop_reason(),
            None => "its caller is gone".to_owned(),
        };
        self.call.clone().cancel(&reason, true);
    }
}
