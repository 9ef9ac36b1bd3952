//! How a scheduler ends: what surrounds it first, then what is new, then what has begun.

use std::{
    mem,
    task::{Context as TaskContext, Poll},
};

use super::{Scheduler, own::OwnTasks};
use crate::guard::{self, Place};

/// Where a scheduler is on its way to the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// It takes new work.
    Running,
    /// It refuses new work, and waits for children and queues to end. Calls that have begun go on.
    Closing,
    /// Calls that have begun are ended; those that asked for time to clean up have it.
    Ending,
    /// Every future is dropped.
    Ended,
}

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
        let live = self.tasks.own.as_ref().is_some_and(OwnTasks::is_live);
        if self.phase == Phase::Ending && self.tasks.kept.borrow().is_empty() && !live {
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
        if let Some(own) = &self.tasks.own {
            own.refuse(&reason);
        }
        loop {
            while let Some(item) = self.batch.pop_front() {
                item.refuse(&*self.tasks, &reason);
            }
            if !self.take_new(None) {
                return;
            }
        }
    }

    /// Ends what has begun. A call that asked for time to clean up is told and goes on, unless `now`.
    fn end_calls(&mut self, now: bool) {
        let reason = self.reason();
        super::drop_direct(&mut self.direct);
        // A destructor may end other calls, so the list is looked at anew each time.
        let keys: Vec<usize> = self.tasks.kept.borrow().iter().map(|(key, _)| key).collect();
        for key in keys {
            let task = self.tasks.kept.borrow().get(key).map(|kept| kept.task.clone());
            let Some(task) = task else { continue };
            let slot = self.tasks.slot(key);
            if !now && task.has_grace() {
                task.cancel(&reason, true);
            } else if now || !self.tasks.own.as_ref().is_some_and(|own| own.end(&self.tasks, key, &reason)) {
                task.end(Some(&*self.tasks), &reason);
                // Its own task has nothing left to do, and should not be kept for that.
                slot.iter().for_each(|slot| slot.wake());
            }
        }
        if now && let Some(own) = &self.tasks.own {
            for call in own.abandon() {
                call.end(Some(&*self.tasks), &reason);
            }
        }
    }

    /// Everything has ended: nobody reaches this scheduler any more.
    fn finish(&mut self) {
        self.tasks.guests.end();
        self.tasks.inbox.woken.close();
        self.take_woken(None);
        mem::take(&mut *self.tasks.ready.borrow_mut());
        self.sleep = None;
        self.tasks.timers.close();
        self.phase = Phase::Ended;
    }
}

impl Drop for Scheduler {
    /// The runtime, or the scope, ended under the caller: everything ends here and now, with the runtime current.
    fn drop(&mut self) {
        if self.phase == Phase::Ended {
            return;
        }
        self.owner.clone().begin_stop();
        let runtime = self.tasks.runtime.clone();
        runtime.enter(&mut || {
            self.refuse_new();
            self.end_calls(true);
            self.finish();
        });
        debug_assert!(self.tasks.kept.borrow().is_empty(), "a call outlived its scheduler");
        guard::discard(Place::DirectCall, self.direct.take());
    }
}
