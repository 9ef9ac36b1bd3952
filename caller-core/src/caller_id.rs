//! The ids of callers, and which caller a thread belongs to.

use std::{
    cell::Cell,
    fmt,
    num::NonZeroU64,
    sync::atomic::{AtomicU64, Ordering},
};

/// Names a caller for as long as the process lives: no two callers have the same.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallerId(NonZeroU64);

impl CallerId {
    pub(crate) fn next() -> Self {
        // A counter: nothing is published through it.
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self(NonZeroU64::new(NEXT.fetch_add(1, Ordering::Relaxed)).expect("fewer than 2^64 callers"))
    }

    /// The id that [`get`](Self::get) gave as a number.
    pub(crate) fn from_number(number: u64) -> Option<Self> {
        NonZeroU64::new(number).map(Self)
    }

    /// The id as a number, as it stands in tables and texts.
    pub fn get(self) -> u64 {
        self.0.get()
    }
}

impl fmt::Debug for CallerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CallerId({})", self.0)
    }
}

impl fmt::Display for CallerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

thread_local! {
    static HERE: Cell<Option<CallerId>> = const { Cell::new(None) };
}

/// The caller that this thread belongs to.
pub(crate) fn here() -> Option<CallerId> {
    HERE.get()
}

/// Gives this thread to a caller, or takes it back.
pub(crate) fn set_here(id: Option<CallerId>) {
    HERE.set(id);
}
