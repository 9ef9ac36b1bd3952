//! Those who wait for one thing, in the order in which they came.

use std::{mem, task::Waker};

use crate::guard;

/// A list of wakers, each with a key that its owner keeps. It is guarded by whoever has it, and hands out every waker
/// that is to be dropped or woken, since both run code of a runtime's, which must not happen under a lock.
#[derive(Debug, Default)]
pub(crate) struct Wakers {
    list: Vec<(u64, Waker)>,
    next: u64,
}

impl Wakers {
    pub(crate) const fn new() -> Self {
        Self { list: Vec::new(), next: 0 }
    }

    /// Adds a waker, or renews the one that has the key. The old one is handed back.
    #[must_use]
    pub(crate) fn register(&mut self, key: &mut Option<u64>, waker: Waker) -> Option<Waker> {
        if let Some((_, old)) = self.list.iter_mut().find(|(known, _)| Some(*known) == *key) {
            return Some(mem::replace(old, waker));
        }
        self.next += 1;
        *key = Some(self.next);
        self.list.push((self.next, waker));
        None
    }

    /// Takes a waker off.
    #[must_use]
    pub(crate) fn forget(&mut self, key: u64) -> Option<Waker> {
        let at = self.list.iter().position(|(known, _)| *known == key)?;
        Some(self.list.remove(at).1)
    }

    /// Takes all, to be woken.
    #[must_use]
    pub(crate) fn take(&mut self) -> Vec<(u64, Waker)> {
        mem::take(&mut self.list)
    }

    /// Takes the first one, to be woken.
    #[must_use]
    pub(crate) fn take_first(&mut self) -> Option<Waker> {
        (!self.list.is_empty()).then(|| self.list.remove(0).1)
    }

    /// Whether a waker is on the list.
    pub(crate) fn has(&self, key: u64) -> bool {
        self.list.iter().any(|(known, _)| *known == key)
    }

    pub(crate) fn len(&self) -> usize {
        self.list.len()
    }
}

/// Wakes those that were taken.
pub(crate) fn wake(wakers: Vec<(u64, Waker)>) {
    wakers.into_iter().for_each(|(_, waker)| guard::wake(waker));
}
