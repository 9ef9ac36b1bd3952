//! A time at which a wait gives up.

use std::{
    sync::Arc,
    task::{self, Poll, Waker},
    thread,
    time::{Duration, Instant},
};

use crate::guard;

use super::{
    TimerKey, Timers, after,
    shared::{here, is_driven_by, is_undriven, shared},
};

/// Ends at a time of the machine's clock, in any thread, with no runtime needed: what a backend whose runtime has
/// no timers sleeps with.
///
/// # Cancel safety
///
/// Nothing is lost by dropping the future.
pub async fn sleep_until(at: Instant) {
    let timers = shared().clone();
    let after = at.saturating_duration_since(timers.now());
    let mut deadline = Deadline { limit: Limit::Never, armed: Some(Box::new(Armed::new(timers, at, after))) };
    std::future::poll_fn(|cx| deadline.poll(cx)).await;
}

/// A time at which a wait gives up.
#[derive(Debug)]
pub(crate) struct Deadline {
    limit: Limit,
    /// Boxed, since most waits have no deadline.
    armed: Option<Box<Armed>>,
}

#[derive(Clone, Copy, Debug)]
enum Limit {
    Never,
    /// Counted from the first poll.
    After(Duration),
    At(Instant),
}

impl Deadline {
    /// One that never comes.
    pub(crate) fn none() -> Self {
        Self { limit: Limit::Never, armed: None }
    }

    /// One that comes when `time` has gone by since the first poll.
    pub(crate) fn after(time: Duration) -> Self {
        Self { limit: Limit::After(time), armed: None }
    }

    /// One that comes at a time of the caller's clock.
    pub(crate) fn at(time: Instant) -> Self {
        Self { limit: Limit::At(time), armed: None }
    }

    /// Ready, with the time that was allowed, once it has come.
    pub(crate) fn poll(&mut self, cx: &mut task::Context<'_>) -> Poll<Duration> {
        let armed = match (&mut self.armed, self.limit) {
            (Some(armed), _) => armed,
            (None, Limit::Never) => return Poll::Pending,
            (None, limit) => {
                let timers = here();
                let now = timers.now();
                let (at, after) = match limit {
                    Limit::At(at) => (at, at.saturating_duration_since(now)),
                    Limit::After(time) => (after(now, time), time),
                    Limit::Never => return Poll::Pending,
                };
                self.armed.insert(Box::new(Armed::new(timers, at, after)))
            }
        };
        armed.poll(cx.waker())
    }
}

#[cfg(test)]
impl Deadline {
    pub(super) fn is_backed_up(&self) -> bool {
        self.armed.as_ref().is_some_and(|armed| armed.backup.is_some())
    }
}

/// A deadline that was polled.
#[derive(Debug)]
struct Armed {
    timers: Arc<Timers>,
    at: Instant,
    /// How long that is from the first poll.
    after: Duration,
    key: Option<TimerKey>,
    backup: Option<Backup>,
}

/// An entry in the shared list, for a wait that the scheduler of `timers` may be unable to wake: another executor polls
/// it inside a call, and may block the thread. It only wakes; whether the time has come is decided by the caller's clock.
#[derive(Debug)]
struct Backup {
    key: TimerKey,
    pause: Duration,
}

impl Armed {
    fn new(timers: Arc<Timers>, at: Instant, after: Duration) -> Self {
        Self { timers, at, after, key: None, backup: None }
    }

    fn poll(&mut self, waker: &Waker) -> Poll<Duration> {
        loop {
            let now = self.timers.now();
            if now >= self.at {
                self.forget();
                return Poll::Ready(self.after);
            }
            if !is_undriven(&self.timers) && self.register(waker) {
                self.back_up(waker, now);
                return Poll::Pending;
            }
            self.forget();
            if Arc::ptr_eq(&self.timers, shared()) && !is_undriven(&self.timers) {
                // There is no thread for the shared list: the wait looks at the clock again and again.
                thread::yield_now();
                guard::wake(waker.clone());
                return Poll::Pending;
            }
            // The list's caller has stopped, or this thread is blocked and drives a list of its own.
            let left = self.at.saturating_duration_since(now);
            self.timers = if is_undriven(&self.timers) { here() } else { shared().clone() };
            self.at = after(self.timers.now(), left);
        }
    }

    /// Has `waker` woken by the list. False if nobody drives the list any more.
    fn register(&mut self, waker: &Waker) -> bool {
        let waker = match self.key {
            None => waker.clone(),
            Some(key) => match self.timers.renew(key, waker.clone()) {
                Ok(()) => return true,
                Err(waker) => waker,
            },
        };
        self.key = self.timers.add(self.at, waker);
        self.key.is_some()
    }

    /// Has `waker` woken by the shared list too, unless the scheduler that drives the list polls with it.
    fn back_up(&mut self, waker: &Waker, now: Instant) {
        let shared = shared();
        if Arc::ptr_eq(&self.timers, shared) || is_driven_by(&self.timers, waker) {
            return self.forget_backup();
        }
        let waker = match &self.backup {
            None => waker.clone(),
            Some(backup) => match shared.renew(backup.key, waker.clone()) {
                Ok(()) => return,
                Err(waker) => waker,
            },
        };
        // The last one came too early: the caller's clock is not the machine's. It comes more and more seldom then.
        let longer = self.backup.as_ref().map_or(Duration::ZERO, |backup| backup.pause.saturating_mul(2));
        let pause = self.at.saturating_duration_since(now).max(longer);
        let key = shared.add(after(shared.now(), pause), waker);
        self.backup = key.map(|key| Backup { key, pause });
    }

    fn forget_backup(&mut self) {
        if let Some(Backup { key, .. }) = self.backup.take() {
            shared().remove(key);
        }
    }

    fn forget(&mut self) {
        if let Some(key) = self.key.take() {
            self.timers.remove(key);
        }
        self.forget_backup();
    }
}

impl Drop for Armed {
    fn drop(&mut self) {
        self.forget();
    }
}

/// The sentences on clocks in the documentation of every timeout.
macro_rules! by_which_clock {
    () => {
        "The time goes by the clock of the caller in whose thread the wait is polled first. Outside of callers, and where a \
         method `blocking` blocks the thread, it goes by the clock of the machine. The wait ends on time also when the thread \
         of what it waits for is busy. It ends when it is polled: an executor that runs inside a call and blocks the thread \
         (`futures::executor::block_on`) is woken by the clock of the machine for that, since the caller cannot do it. No time is \
         too long: one of more than about a thousand years counts as a thousand."
    };
}
pub(crate) use by_which_clock;

/// The methods `timeout` and `deadline` of a wait that has a [`Deadline`] in the given field. The attributes go before the
/// first.
macro_rules! timeout_methods {
    ($($field:tt).+; $(#[$doc:meta])+) => {
        $(#[$doc])+
        ///
        #[doc = $crate::timer::by_which_clock!()]
        pub fn timeout(mut self, time: std::time::Duration) -> Self {
            self.$($field).+ = $crate::timer::Deadline::after(time);
            self
        }

        /// As [`timeout`](Self::timeout), at a point in time by the same clock. If that is past, only what is there already
        /// is given.
        pub fn deadline(mut self, at: std::time::Instant) -> Self {
            self.$($field).+ = $crate::timer::Deadline::at(at);
            self
        }
    };
}
pub(crate) use timeout_methods;
