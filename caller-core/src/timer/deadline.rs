//! A time at which a wait gives up.

use std::{
    sync::Arc,
    task::{self, Poll},
    time::{Duration, Instant},
};

use super::{
    TimerKey, Timers,
    shared::{global, here, is_undriven},
};

/// Ends at a time of the machine's clock, in any thread, with no runtime needed: what a backend whose runtime has
/// no timers sleeps with.
pub async fn sleep_until(at: Instant) {
    let mut deadline = Deadline::none();
    let timers = global();
    let after = at.saturating_duration_since(timers.now());
    deadline.armed = Some(Armed { timers, at, after, key: None });
    std::future::poll_fn(|cx| deadline.poll(cx)).await;
}

/// A time at which a wait gives up.
#[derive(Debug)]
pub(crate) struct Deadline {
    limit: Limit,
    armed: Option<Armed>,
}

#[derive(Clone, Copy, Debug)]
enum Limit {
    Never,
    /// Counted from the first poll.
    After(Duration),
    At(Instant),
}

#[derive(Debug)]
struct Armed {
    timers: Arc<Timers>,
    at: Instant,
    /// How long that is from the first poll.
    after: Duration,
    key: Option<TimerKey>,
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
        loop {
            let armed = match &mut self.armed {
                Some(armed) => armed,
                None => {
                    let timers = here();
                    let now = timers.now();
                    let (at, after) = match self.limit {
                        Limit::Never => return Poll::Pending,
                        Limit::After(after) => match now.checked_add(after) {
                            Some(at) => (at, after),
                            // A time that the clock cannot name never comes.
                            None => return Poll::Pending,
                        },
                        Limit::At(at) => (at, at.saturating_duration_since(now)),
                    };
                    self.armed.insert(Armed { timers, at, after, key: None })
                }
            };
            if armed.timers.now() >= armed.at {
                return Poll::Ready(armed.after);
            }
            if !is_undriven(&armed.timers) {
                let renewed = armed.key.is_some_and(|key| armed.timers.renew(key, cx.waker().clone()));
                if renewed {
                    return Poll::Pending;
                }
                armed.key = armed.timers.add(armed.at, cx.waker().clone());
                if armed.key.is_some() {
                    return Poll::Pending;
                }
            }
            // The caller whose list this was has stopped, or its thread is blocked, here.
            if let Some(key) = armed.key.take() {
                armed.timers.remove(key);
            }
            let left = armed.at.saturating_duration_since(armed.timers.now());
            let timers = global();
            let Some(at) = timers.now().checked_add(left) else { return Poll::Pending };
            self.armed = Some(Armed { timers, at, after: armed.after, key: None });
        }
    }
}

impl Drop for Deadline {
    fn drop(&mut self) {
        if let Some(Armed { timers, key: Some(key), .. }) = self.armed.take() {
            timers.remove(key);
        }
    }
}
