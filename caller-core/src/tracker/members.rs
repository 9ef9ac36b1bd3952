//! Pendings that are kept together, in the order in which they came: what sets and groups have in common.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::{
    pending::PendingHandle,
    sys::{AtomicU64, Ordering},
};

/// It is guarded by whoever has it, and hands out every handle that is to be dropped: it may be the last.
#[derive(Debug, Default)]
pub(crate) struct Members {
    /// Each with its place in the order of adding.
    known: FxHashMap<PendingHandle, u64>,
    next: u64,
    /// What `next` is instead, where several lists have one order.
    shared: Option<Arc<AtomicU64>>,
}

impl Members {
    /// Adds a pending behind the others. False if it was known, and only moves.
    pub(crate) fn add(&mut self, pending: &PendingHandle) -> bool {
        let at = self.next();
        self.known.insert(pending.clone(), at).is_none()
    }

    fn next(&mut self) -> u64 {
        match &self.shared {
            None => {
                self.next += 1;
                self.next
            }
            // A counter: nothing is published through it.
            Some(shared) => shared.fetch_add(1, Ordering::Relaxed) + 1,
        }
    }

    /// The order in which pendings come, to be shared with other lists.
    pub(crate) fn share_order(&mut self) -> Arc<AtomicU64> {
        self.shared.get_or_insert_with(|| Arc::new(AtomicU64::new(self.next))).clone()
    }

    /// Shares the order of another list, behind what has come there.
    pub(crate) fn join_order(&mut self, order: Arc<AtomicU64>) {
        self.shared = Some(order);
        let mut all: Vec<_> = self.with_places().collect();
        all.sort_unstable_by_key(|(at, _)| *at);
        for (_, pending) in all {
            let at = self.next();
            self.known.insert(pending, at);
        }
    }

    #[must_use]
    pub(crate) fn remove(&mut self, pending: &PendingHandle) -> Option<PendingHandle> {
        self.known.remove_entry(pending).map(|(member, _)| member)
    }

    pub(crate) fn contains(&self, pending: &PendingHandle) -> bool {
        self.known.contains_key(pending)
    }

    pub(crate) fn in_order(&self) -> Vec<PendingHandle> {
        let mut all: Vec<_> = self.with_places().collect();
        all.sort_unstable_by_key(|(at, _)| *at);
        all.into_iter().map(|(_, pending)| pending).collect()
    }

    /// All of them, each with its place in the order of adding.
    pub(crate) fn with_places(&self) -> impl Iterator<Item = (u64, PendingHandle)> {
        self.known.iter().map(|(pending, at)| (*at, pending.clone()))
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
