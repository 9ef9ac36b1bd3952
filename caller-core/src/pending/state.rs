//! The life of one call in one byte.
//!
//! ```text
//!            start                     pause
//!  WAITING ─────────▶ STARTED|RUNNING ──────▶ STARTED ──notify──▶ STARTED|NOTIFIED
//!     │                  ▲      │                                      │
//!     │ cancel           └──────┼───────────────resume─────────────────┘
//!     ▼                         ▼ finish
//!  CANCELLED|DONE            DONE
//! ```
//!
//! STARTED, CANCELLED and DONE change under the lock of the pending, so none of `start`, `cancel` and `finish` can miss
//! another. A call that waits is cancelled in one step; of one that has started, `cancel` sets CANCELLED, and its
//! scheduler finishes it. NOTIFIED is set by any thread. RUNNING and DEFERRED belong to the scheduler.

use crate::sys::{AtomicU8, Ordering};

/// The scheduler has the work, or a canceller that was set by hand decides.
const STARTED: u8 = 1;
/// The work is being polled in its thread.
const RUNNING: u8 = 1 << 1;
/// The work wants to be polled (again), and is or will be on a list of its scheduler.
const NOTIFIED: u8 = 1 << 2;
/// Cancelling was asked for.
const CANCELLED: u8 = 1 << 3;
/// There is an outcome, and there will never be another.
const DONE: u8 = 1 << 4;
/// It has its turn in a queue; which one, is known under the lock of the pending.
const QUEUED: u8 = 1 << 5;
/// The scheduler keeps it until its time comes.
const DEFERRED: u8 = 1 << 6;
/// It runs a group, or has.
const LEADS: u8 = 1 << 7;

/// What `cancel` found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// The work had not begun. It is done now.
    Done {
        /// The scheduler keeps it, and has to hear that it need not any longer.
        deferred: bool,
    },
    /// The work is somebody's, who has to be told.
    Running,
}

#[derive(Debug)]
pub(crate) struct State(AtomicU8);

impl State {
    /// Not begun: a call in a queue, or a pending made by hand.
    #[inline]
    pub(crate) fn waiting() -> Self {
        Self(AtomicU8::new(0))
    }

    /// Kept by the scheduler of this thread from the beginning.
    #[inline]
    pub(crate) fn started() -> Self {
        Self(AtomicU8::new(STARTED))
    }

    /// Begins to run the work. False if it was cancelled before. Only under the lock of the pending.
    #[inline]
    pub(crate) fn start(&self) -> bool {
        let waits = self.0.load(Ordering::Relaxed) & (STARTED | CANCELLED | DONE) == 0;
        if waits {
            self.0.fetch_or(STARTED | RUNNING, Ordering::AcqRel);
        }
        waits
    }

    /// The scheduler keeps it until its time comes. False if it was cancelled before: whichever of this and `cancel` comes
    /// second sees the other.
    #[inline]
    pub(crate) fn defer(&self) -> bool {
        // Release pairs with the acquire of `cancel`, which then reads where the scheduler is reached.
        self.0.fetch_or(DEFERRED, Ordering::AcqRel) & CANCELLED == 0
    }

    /// Leaves the decision to a canceller that was set by hand. Only under the lock of the pending, and only when
    /// cancelling was not asked for.
    #[inline]
    pub(crate) fn own(&self) {
        self.0.fetch_or(STARTED, Ordering::AcqRel);
    }

    #[inline]
    pub(crate) fn is_started(&self) -> bool {
        self.0.load(Ordering::Acquire) & STARTED != 0
    }

    /// Goes on with work that was notified. False if it was not: the notification was for what had its place before. Only
    /// its scheduler calls this, and only when it is not done.
    #[inline]
    pub(crate) fn resume(&self) -> bool {
        if self.0.load(Ordering::Relaxed) & NOTIFIED == 0 {
            return false;
        }
        // Acquire pairs with the release of `notify`: what the waker's thread wrote is seen by the poll. Nobody else takes
        // NOTIFIED away, so it is still set.
        let old = self.0.fetch_xor(NOTIFIED | RUNNING, Ordering::AcqRel);
        debug_assert_eq!(old & (NOTIFIED | RUNNING | DONE), NOTIFIED, "resumed in state {old:#b}");
        true
    }

    /// The poll ended without an outcome. True if a notification came meanwhile, so that the work goes on a
    /// list at once.
    #[inline]
    pub(crate) fn pause(&self) -> bool {
        // Release pairs with the acquire of `notify`, whose caller then reads where to send the work.
        self.0.fetch_and(!RUNNING, Ordering::AcqRel) & NOTIFIED != 0
    }

    /// Wants the work polled. True if it has to be put on its scheduler's list.
    #[inline]
    pub(crate) fn notify(&self) -> bool {
        let old = self.0.fetch_or(NOTIFIED, Ordering::AcqRel);
        old & (RUNNING | NOTIFIED | DONE) == 0
    }

    /// Asks to cancel. Only under the lock of the pending, and only when it is not done.
    #[inline]
    pub(crate) fn cancel(&self) -> Asked {
        let waits = self.0.load(Ordering::Relaxed) & STARTED == 0;
        let set = if waits { STARTED | CANCELLED | DONE } else { CANCELLED };
        // Release pairs with the acquire of `is_done`, acquire with the release of `defer`.
        let old = self.0.fetch_or(set, Ordering::AcqRel);
        debug_assert_eq!(old & DONE, 0, "cancelled after it was done");
        if waits { Asked::Done { deferred: old & DEFERRED != 0 } } else { Asked::Running }
    }

    /// There is an outcome now, which says whether it was cancelled. Only under the lock of the pending, once.
    #[inline]
    pub(crate) fn finish(&self, cancelled: bool) {
        let set = STARTED | DONE | if cancelled { CANCELLED } else { 0 };
        // Release pairs with the acquire of `is_done`.
        let old = self.0.fetch_or(set, Ordering::Release);
        debug_assert_eq!(old & DONE, 0, "finished twice");
    }

    /// It has its turn in a queue.
    #[inline]
    pub(crate) fn queue(&self) {
        // Nothing is published through it: who looks has seen the queue.
        self.0.fetch_or(QUEUED, Ordering::Relaxed);
    }

    /// Whether it has not begun, and its scheduler has not come to it yet.
    pub(crate) fn is_in_line(&self) -> bool {
        self.0.load(Ordering::Acquire) & (STARTED | DEFERRED | DONE) == 0
    }

    /// It runs a group.
    pub(crate) fn lead(&self) {
        // Nothing is published through it: who looks has seen the group.
        self.0.fetch_or(LEADS, Ordering::Relaxed);
    }

    pub(crate) fn leads(&self) -> bool {
        self.0.load(Ordering::Relaxed) & LEADS != 0
    }

    #[inline]
    pub(crate) fn is_queued(&self) -> bool {
        self.0.load(Ordering::Relaxed) & QUEUED != 0
    }

    #[inline]
    pub(crate) fn is_done(&self) -> bool {
        self.0.load(Ordering::Acquire) & DONE != 0
    }

    #[inline]
    pub(crate) fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Acquire) & CANCELLED != 0
    }
}
