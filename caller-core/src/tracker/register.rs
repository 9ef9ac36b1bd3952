//! How the active trackers hear of a pending.

use super::{Entry, selection::Trackers};
use crate::{
    context::{Context, Telling},
    guard::{self, Place},
    pending::PendingHandle,
};

impl Context {
    /// The trackers of a call that is about to be made with it, if there are any.
    pub(crate) fn if_tracked(&self) -> Option<Self> {
        (!self.trackers().is_empty()).then(|| self.without_values())
    }

    /// Tells the trackers that are active in it of a pending. It does not panic: a tracker that does is passed over.
    pub(crate) fn register(&self, pending: impl FnOnce() -> PendingHandle) {
        self.register_with(&Trackers::all(), pending);
    }

    fn register_with(&self, trackers: &Trackers, pending: impl FnOnce() -> PendingHandle) {
        if self.trackers().is_empty() {
            return;
        }
        let pending = pending();
        for (of, value) in self.trackers() {
            if trackers.has(*of)
                && let Some(entry) = Entry::of(value)
            {
                let _telling = Telling::enter(*of);
                guard::quietly(Place::Tracker, || entry.tracker.track(&pending));
            }
        }
    }
}

impl PendingHandle {
    /// Has the trackers that are active here track it. Calls are tracked without being told; a pending that is made by
    /// hand opts in by this.
    pub fn track(&self, trackers: &Trackers) {
        Context::current().register_with(trackers, || self.clone());
    }
}
