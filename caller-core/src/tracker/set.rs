//! A set that pendings leave when they are done.

use std::{fmt, sync::Arc};

use super::members::Members;
use crate::{
    guard::{self, Place},
    pending::{Keeper, PendingHandle},
    sys::{self, Mutex, MutexGuard},
};

/// Pendings that leave the set when they are done, by a callback: what a [`Tracker`](crate::Tracker) keeps them in.
#[derive(Clone, Default)]
pub struct PendingSet(Arc<SetInner>);

#[derive(Default)]
struct SetInner(Mutex<Members>);

impl PendingSet {
    /// An empty set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a pending until it is done. False if it is in the set already, or done.
    pub fn add(&self, pending: &PendingHandle) -> bool {
        let mut members = self.0.members();
        if members.contains(pending) {
            return false;
        }
        members.add(pending);
        drop(members);
        pending.keep(self.0.clone());
        !pending.is_done()
    }

    /// Takes a pending off. False if it was not in the set.
    pub fn remove(&self, pending: &PendingHandle) -> bool {
        let known = self.0.members().remove(pending);
        if known.is_some() {
            pending.unkeep(&self.0);
        }
        known.is_some()
    }

    /// Whether a pending is in the set.
    pub fn contains(&self, pending: &PendingHandle) -> bool {
        self.0.members().contains(pending)
    }

    /// The pendings that are not done, in the order in which they were added.
    pub fn pendings(&self) -> Vec<PendingHandle> {
        self.0.members().in_order()
    }

    /// How many are not done.
    pub fn len(&self) -> usize {
        self.0.members().len()
    }

    /// Whether all are done.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl SetInner {
    fn members(&self) -> MutexGuard<'_, Members> {
        sys::lock(&self.0)
    }
}

impl Keeper for SetInner {
    fn done(&self, pending: &PendingHandle) {
        let gone = self.members().remove(pending);
        // It may be the last handle, with the result.
        guard::discard(Place::ResultDrop, gone);
    }
}

impl fmt::Debug for PendingSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.pendings()).finish()
    }
}
