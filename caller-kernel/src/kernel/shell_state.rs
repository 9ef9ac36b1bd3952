//! A shell of the kernel, with what its cells leave for those behind them.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use super::{shared::Shared, stop_on_error::LastFailure};
use crate::shell::{CellError, INTERRUPTED, ShellHandle};

/// A shell, and what became of its last cells.
pub(crate) struct ShellState {
    pub(crate) handle: Arc<ShellHandle>,
    pub(crate) failure: LastFailure,
    /// How many interrupts of the kernel its cells have heard.
    heard: AtomicU64,
}

impl ShellState {
    pub(crate) fn new(handle: Arc<ShellHandle>) -> Arc<Self> {
        Arc::new(Self { handle, failure: LastFailure::default(), heard: AtomicU64::new(0) })
    }

    /// Whether a cell was interrupted that came after so many interrupts, and waited until now: behind other work of its
    /// thread, since an interrupt that found another cell of this shell was for that one.
    pub(crate) fn was_interrupted(&self, shared: &Shared, interrupts: u64) -> Option<CellError> {
        let known = interrupts.max(self.heard.load(Ordering::Relaxed));
        let text = "interrupted while it waited for its thread";
        (shared.interrupts() > known).then(|| CellError::new(INTERRUPTED, text))
    }

    /// A cell has ended, and with it what the interrupts until now were for.
    pub(crate) fn heard_interrupts(&self, shared: &Shared) {
        self.heard.store(shared.interrupts(), Ordering::Relaxed);
    }
}
