//! Pendings that are kept together, in the order in which they came: what sets and groups have in common.

use rustc_hash::FxHashMap;

use crate::pending::PendingHandle;

/// It is guarded by whoever has it, and hands out every handle that is to be dropped: it may be the last.
#[derive(Debug, Default)]
pub(crate) struct Members {
    /// Each with its place in the order of adding.
    known: FxHashMap<PendingHandle, u64>,
    next: u64,
}

impl Members {
    /// Adds a pending behind the others. False if it was known, and only moves.
    pub(crate) fn add(&mut self, pending: &PendingHandle) -> bool {
        self.next += 1;
        self.known.insert(pending.clone(), self.next).is_none()
    }

    #[must_use]
    pub(crate) fn remove(&mut self, pending: &PendingHandle) -> Option<PendingHandle> {
        self.known.remove_entry(pending).map(|(member, _)| member)
    }

    pub(crate) fn contains(&self, pending: &PendingHandle) -> bool {
        self.known.contains_key(pending)
    }

    pub(crate) fn in_order(&self) -> Vec<PendingHandle> {
        let mut all: Vec<_> = self.known.iter().map(|(pending, at)| (*at, pending.clone())).collect();
        all.sort_unstable_by_key(|(at, _)| *at);
        all.into_iter().map(|(_, pending)| pending).collect()
    }

    /// All of them, in no order.
    pub(crate) fn all(&self) -> Vec<PendingHandle> {
        self.known.keys().cloned().collect()
    }

    #[must_use]
    pub(crate) fn take(&mut self) -> Vec<PendingHandle> {
        self.known.drain().map(|(member, _)| member).collect()
    }

    pub(crate) fn len(&self) -> usize {
        self.known.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.known.is_empty()
    }
}
