//! Which call is being polled in this thread.

use std::cell::{Cell, RefCell};

use super::observers::{PendingHandle, WeakHandle};
use crate::caller_id;

thread_local! {
    /// Whether this is an awaited direct call: until it has ended, its caller begins nothing.
    static DIRECT: Cell<bool> = const { Cell::new(false) };
    static CURRENT: RefCell<Option<PendingHandle>> = const { RefCell::new(None) };
}

/// The pending of the call that is running here: the one that the submitter got. None outside of any call.
///
/// Through it, code inside a long poll can see that cancelling was asked for
/// ([`is_cancelled`](PendingHandle::is_cancelled)), and code that awaits can ask for time to clean up
/// ([`grace`](PendingHandle::grace)).
pub fn current_pending() -> Option<PendingHandle> {
    CURRENT.try_with(|current| current.borrow().clone()).ok().flatten()
}

/// Which call is running here, without keeping it. None outside of any.
pub(crate) fn current_call() -> Option<WeakHandle> {
    CURRENT.try_with(|current| current.borrow().as_ref().map(PendingHandle::downgrade)).ok().flatten()
}

/// The address of the call that is running here, which no other has while a handle of it lives. Zero outside of any.
pub(crate) fn current_address() -> usize {
    CURRENT.try_with(|current| current.borrow().as_ref().map_or(0, PendingHandle::address)).unwrap_or(0)
}

/// Whether the call that is running here is this one, or one that has to end before this one can.
pub(super) fn waits_for_current(pending: &PendingHandle) -> bool {
    let is_direct = DIRECT.try_with(Cell::get).unwrap_or(false);
    if is_direct && pending.is_in_line() && pending.caller_id() == caller_id::here() {
        return true;
    }
    let waits = |current: &PendingHandle| current == pending || current.holds_up(pending);
    CURRENT.try_with(|current| current.borrow().as_ref().is_some_and(waits)).unwrap_or(false)
}

/// While it lives, an awaited direct call is polled in this thread.
#[must_use]
pub(crate) struct DirectCall(());

impl DirectCall {
    pub(crate) fn enter() -> Self {
        let _known = DIRECT.try_with(|direct| direct.set(true));
        Self(())
    }
}

impl Drop for DirectCall {
    fn drop(&mut self) {
        let _known = DIRECT.try_with(|direct| direct.set(false));
    }
}

/// While it lives, a pending is the current one of this thread.
#[must_use]
pub(crate) struct Current(Option<PendingHandle>);

impl Current {
    pub(crate) fn enter(pending: PendingHandle) -> Self {
        Self::replace(Some(pending))
    }

    /// No pending is the current one, for code that belongs to no call.
    pub(crate) fn none() -> Self {
        Self::replace(None)
    }

    fn replace(pending: Option<PendingHandle>) -> Self {
        Self(CURRENT.try_with(|current| current.replace(pending)).ok().flatten())
    }
}

impl Drop for Current {
    fn drop(&mut self) {
        let outer = self.0.take();
        // What comes out may be the last reference: it is dropped outside of the borrow.
        let _inner = CURRENT.try_with(|current| current.replace(outer));
    }
}
