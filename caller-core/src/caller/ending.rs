//! The state of a caller, and the count of the parts that its end waits for.
//!
//! The parts are
//!
//! - the caller's own: its scheduler, its inbox, its queues and its pool. It belongs to the one who claimed the right to
//!   run the caller; where nobody has, to the one who stops it;
//! - each stop while it is carried out;
//! - each child that has not ended;
//! - each call on its way from the pool's waiting list to a worker.
//!
//! Whoever lets go of the last part tells the end. No part can be added after that.
//!
//! ```text
//!            claim              run                 stop                    let_go, the last
//!  Initial ────────▶ Initial ────────▶ Running ──────────────▶ Stopping ───────────────────▶ ended
//!     │              (claimed) ────────────stop───────────────▶    ▲
//!     └───────────────stop, which claims──────────────────────────┘
//! ```

use super::options::CallerState;
use crate::sys::{self, AtomicU8, Mutex, Ordering};

pub(crate) struct Ending {
    steps: Mutex<Steps>,
    /// A copy of `Steps::state`, which can be read without the lock.
    state: AtomicU8,
}

struct Steps {
    state: CallerState,
    /// Somebody has the right to run it.
    claimed: bool,
    /// The parts that have not ended.
    left: usize,
}

/// Why the right to run a caller cannot be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Claimed {
    /// Somebody else has it.
    Before,
    /// The caller was stopped.
    Stopped,
}

impl Ending {
    pub(crate) fn new() -> Self {
        let steps = Steps { state: CallerState::Initial, claimed: false, left: 1 };
        Self { steps: Mutex::new(steps), state: AtomicU8::new(CallerState::Initial as u8) }
    }

    pub(crate) fn state(&self) -> CallerState {
        // Acquire pairs with the release of `set`.
        match self.state.load(Ordering::Acquire) {
            0 => CallerState::Initial,
            1 => CallerState::Running,
            2 => CallerState::Stopping,
            _ => CallerState::Stopped,
        }
    }

    fn set(&self, steps: &mut Steps, state: CallerState) {
        steps.state = state;
        self.state.store(state as u8, Ordering::Release);
    }

    /// Claims the right to run the caller, and with it the caller's own part. It is given once, and not after a stop.
    pub(crate) fn claim(&self) -> Result<(), Claimed> {
        let mut steps = sys::lock(&self.steps);
        match steps.state {
            CallerState::Initial if !steps.claimed => {
                steps.claimed = true;
                Ok(())
            }
            CallerState::Initial | CallerState::Running => Err(Claimed::Before),
            CallerState::Stopping | CallerState::Stopped => Err(Claimed::Stopped),
        }
    }

    /// Begins to run. False if a stop came first.
    pub(crate) fn run(&self) -> bool {
        let mut steps = sys::lock(&self.steps);
        if steps.state != CallerState::Initial {
            return false;
        }
        self.set(&mut steps, CallerState::Running);
        true
    }

    /// Begins the stop, once. The stop is a part from then on. True if nobody had claimed the right to run the caller:
    /// then the caller's own part belongs to the stop too.
    pub(crate) fn stop(&self) -> Option<bool> {
        let mut steps = sys::lock(&self.steps);
        if matches!(steps.state, CallerState::Stopping | CallerState::Stopped) {
            return None;
        }
        let unclaimed = !std::mem::replace(&mut steps.claimed, true);
        steps.left += 1;
        self.set(&mut steps, CallerState::Stopping);
        Some(unclaimed)
    }

    /// Adds a child. False once a stop has begun.
    #[must_use]
    pub(crate) fn add_child(&self) -> bool {
        let mut steps = sys::lock(&self.steps);
        let open = matches!(steps.state, CallerState::Initial | CallerState::Running);
        steps.left += usize::from(open);
        open
    }

    /// Adds a part. False once the last one has ended.
    #[must_use]
    pub(crate) fn add(&self) -> bool {
        let mut steps = sys::lock(&self.steps);
        let open = steps.left > 0;
        steps.left += usize::from(open);
        open
    }

    /// Lets go of a part. True if it was the last one: the end is then to be told.
    #[must_use]
    pub(crate) fn let_go(&self) -> bool {
        let mut steps = sys::lock(&self.steps);
        debug_assert!(steps.left > 0, "a part ends once");
        steps.left -= 1;
        debug_assert!(steps.left > 0 || steps.state == CallerState::Stopping, "an end follows a stop");
        steps.left == 0
    }

    /// Records that the end is being told.
    pub(crate) fn end(&self) {
        self.set(&mut sys::lock(&self.steps), CallerState::Stopped);
    }
}
