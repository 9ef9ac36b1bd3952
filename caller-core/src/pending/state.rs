//! The life of one call in one byte.
//!
//! ```text
//!            start                    pause
//!  WAITING ─────────▶ STARTED|RUNNING ─────▶ STARTED ──notify──▶ STARTED|NOTIFIED
//!     │                  ▲      │                                     │
//!     │                  └──────┼──────────────resume─────────────────┘
//!     │ ask_cancel              │ finish
//!     ▼                         ▼
//!  CANCELLED ────finish─────▶ DONE
//! ```
//!
//! `start` and `ask_cancel` race for work that waits, and the first owns it. Later `ask_cancel` only adds
//! CANCELLED. It runs under the lock of the pending, as `finish` does, so neither can miss the other; `notify`
//! runs anywhere.

use crate::sys::{AtomicU8, Ordering};

/// The work is its scheduler's, or a canceller's that was set by hand. Without it, whoever sets CANCELLED owns
/// the work.
const STARTED: u8 = 1;
/// The work is being polled in its thread.
const RUNNING: u8 = 1 << 1;
/// The work is to be polled (again), and is or will be on a list of its scheduler.
const NOTIFIED: u8 = 1 << 2;
/// Cancelling was asked for.
const CANCELLED: u8 = 1 << 3;
/// There is an outcome, and there will never be another.
const DONE: u8 = 1 << 4;
/// It has its turn in a queue; which, is known under the lock of the pending.
const QUEUED: u8 = 1 << 5;

/// What `ask_cancel` found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// The work had no owner: it is now the asker's, to drop and to finish.
    Claimed,
    /// The work is somebody's, who has to be told.
    Running,
}

#[derive(Debug)]
pub(crate) struct State(AtomicU8);

impl State {
    /// No owner yet: a call in a queue, or a pending made by hand.
    pub(crate) fn waiting() -> Self {
        Self(AtomicU8::new(0))
    }

    /// Owned by the scheduler of this thread from the beginning, and on its list.
    pub(crate) fn started() -> Self {
        Self(AtomicU8::new(STARTED | NOTIFIED))
    }

    /// Takes the work to run it. False if it was cancelled before.
    pub(crate) fn start(&self) -> bool {
        // Acquire pairs with nothing but itself: the work came through the lock of a queue.
        self.0.fetch_or(STARTED | RUNNING, Ordering::AcqRel) & (STARTED | CANCELLED | DONE) == 0
    }

    /// Leaves the work to a canceller set by hand. Only under the lock of the pending, and only when cancelling
    /// was not asked for.
    pub(crate) fn own(&self) {
        self.0.fetch_or(STARTED, Ordering::AcqRel);
    }

    pub(crate) fn is_started(&self) -> bool {
        self.0.load(Ordering::Acquire) & STARTED != 0
    }

    /// Goes on with work that was notified. Only its scheduler calls this, and only when it is not done.
    pub(crate) fn resume(&self) {
        // Acquire pairs with the release of `notify`: what the waker's thread wrote is seen by the poll.
        let old = self.0.fetch_xor(NOTIFIED | RUNNING, Ordering::AcqRel);
        debug_assert_eq!(old & (NOTIFIED | RUNNING | DONE), NOTIFIED, "resumed in state {old:#b}");
    }

    /// The poll ended without an outcome. True if a notification came meanwhile, so that the work goes on a
    /// list at once.
    pub(crate) fn pause(&self) -> bool {
        // Release pairs with the acquire of `notify`, whose caller then reads where to send the work.
        self.0.fetch_and(!RUNNING, Ordering::AcqRel) & NOTIFIED != 0
    }

    /// Wants the work polled. True if the caller has to put it on its scheduler's list.
    pub(crate) fn notify(&self) -> bool {
        let old = self.0.fetch_or(NOTIFIED, Ordering::AcqRel);
        old & (RUNNING | NOTIFIED | DONE) == 0
    }

    /// Asks to cancel. Only under the lock of the pending, and only when it is not done.
    pub(crate) fn ask_cancel(&self) -> Asked {
        let old = self.0.fetch_or(CANCELLED, Ordering::AcqRel);
        debug_assert_eq!(old & DONE, 0, "cancelled after it was done");
        if old & (STARTED | CANCELLED) == 0 { Asked::Claimed } else { Asked::Running }
    }

    /// There is an outcome now. Only under the lock of the pending, once.
    pub(crate) fn finish(&self) {
        // Release pairs with the acquire of `is_done`.
        let old = self.0.fetch_or(STARTED | DONE, Ordering::Release);
        debug_assert_eq!(old & DONE, 0, "finished twice");
    }

    /// It has its turn in a queue.
    pub(crate) fn queue(&self) {
        // Nothing is published through it: who looks has seen the queue.
        self.0.fetch_or(QUEUED, Ordering::Relaxed);
    }

    pub(crate) fn is_queued(&self) -> bool {
        self.0.load(Ordering::Relaxed) & QUEUED != 0
    }

    pub(crate) fn is_done(&self) -> bool {
        self.0.load(Ordering::Acquire) & DONE != 0
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Acquire) & CANCELLED != 0
    }
}
