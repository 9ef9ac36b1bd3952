//! How a scheduler ends: what surrounds it first, then what is new, then what has begun.

use std::task::{Context as TaskContext, Poll};

use super::{Phase, Scheduler, drop_direct};
use crate::{
    context::Context,
    guard::{self, Place},
};

impl Scheduler {
    /// Goes as far towards the end as it can. Ready when it is there.
    pub(super) fn poll_phase(&mut self, cx: &mut TaskContext<'_>) -> Poll<()> {
        if self.phase == Phase::Running && self.owner.is_stopping() {
            self.phase = Phase::Closing;
            self.surroundings = Some(self.owner.clone().end_surroundings());
        }
        if self.phase == Phase::Closing {
            self.refuse_new();
            let ended = self.surroundings.as_mut().is_none_or(|ending| ending.as_mut().poll(cx).is_ready());
            if ended {
                self.surroundings = None;
                self.phase = Phase::Ending;
                self.end_calls(false);
            }
        }
        if self.phase == Phase::Ending && self.calls.len() == 0 {
            self.finish();
        }
        if self.phase == Phase::Ended { Poll::Ready(()) } else { Poll::Pending }
    }

    fn reason(&self) -> String {
        format!("the caller {:?} has stopped", self.owner.name())
    }

    /// Refuses what was queued and has not begun.
    fn refuse_new(&mut self) {
        let reason = self.reason();
        loop {
            while let Some(item) = self.batch.pop_front() {
                item.reject(&reason);
            }
            if !self.take_new(None) {
                return;
            }
        }
    }

    /// Ends what has begun. A call that asked for time to clean up is told and goes on, unless `now`.
    fn end_calls(&mut self, now: bool) {
        let reason = self.reason();
        drop_direct(&mut self.direct);
        self.calls.end_all(&reason, now);
    }

    /// Everything has ended: nobody reaches this scheduler any more.
    fn finish(&mut self) {
        self.calls.residents.end();
        self.calls.guests.end();
        self.calls.close();
        guard::discard_now(Place::Runtime, self.sleep.take());
        self.calls.timers.close();
        self.phase = Phase::Ended;
    }

    fn end_now(&mut self) {
        self.refuse_new();
        // A destructor may have made another local call.
        while self.calls.len() > 0 {
            self.end_calls(true);
        }
        self.finish();
    }
}

impl Drop for Scheduler {
    /// The runtime, or the scope, ended under the caller: everything ends here and now, with the runtime current.
    fn drop(&mut self) {
        if self.phase == Phase::Ended {
            return;
        }
        let _outside = Context::outside();
        self.owner.clone().begin_stop();
        let runtime = self.calls.runtime.clone();
        guard::quietly(Place::Runtime, || runtime.enter(&mut || self.end_now()));
        if self.phase != Phase::Ended {
            // The runtime did not call its function.
            self.end_now();
        }
    }
}
