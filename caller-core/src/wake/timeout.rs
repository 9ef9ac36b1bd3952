//! A bound on a wait that has no result.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use super::block_on;
use crate::{
    blocked::Blocking,
    caller_id::CallerId,
    error::{Error, Kind, Result, Site},
    timer::Deadline,
};

/// Ends a wait at a time, with an error; made by the methods `timeout` and `deadline` of [`WaitEvent`](crate::WaitEvent),
/// [`WaitCountdown`](crate::WaitCountdown), [`Moment`](crate::Moment) and [`CancelRequested`](crate::CancelRequested).
///
/// # Cancel safety
///
/// As the wait inside it: dropping it loses nothing.
#[must_use = "futures do nothing unless awaited"]
#[derive(Debug)]
pub struct Timeout<W> {
    wait: W,
    deadline: Deadline,
    /// Names the caller whose work the wait is for, if that is known and the work is not done.
    on: fn(&W) -> Option<CallerId>,
    /// The call that the wait is for.
    site: Option<Site>,
}

impl<W: Future<Output = ()> + Unpin> Timeout<W> {
    pub(crate) fn new(
        wait: W,
        deadline: Deadline,
        on: fn(&W) -> Option<CallerId>,
        site: Option<Site>,
    ) -> Self {
        Self { wait, deadline, on, site }
    }

    /// Blocks this thread until the wait or its time ends.
    ///
    /// # Errors
    ///
    /// [`is_timeout`](Error::is_timeout) when the time is over. [`is_self_wait`](Error::is_self_wait) where the wait without
    /// a bound would be one.
    pub fn blocking(self) -> Result<()> {
        let _guard = Blocking::on((self.on)(&self.wait))?;
        block_on(self)
    }
}

impl<W: Future<Output = ()> + Unpin> Future for Timeout<W> {
    type Output = Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let this = &mut *self;
        if Pin::new(&mut this.wait).poll(cx).is_ready() {
            return Poll::Ready(Ok(()));
        }
        this.deadline.poll(cx).map(|after| {
            let kind = Kind::TimedOut(after);
            Err(match this.site.take() {
                Some(site) => Error::at(kind, site),
                None => Error::new(kind),
            })
        })
    }
}

/// The methods `timeout` and `deadline` of a wait without a result, which has a method `bounded` that gives the `Timeout`.
macro_rules! timeout_by_wrapping {
    () => {
        /// Ends the wait with [`is_timeout`](crate::Error::is_timeout) after `time`, counted from the first poll. With a time
        /// of zero, the wait ends well only if what it is for is there already.
        ///
        #[doc = $crate::timer::by_which_clock!()]
        pub fn timeout(self, time: std::time::Duration) -> $crate::Timeout<Self> {
            self.bounded($crate::timer::Deadline::after(time))
        }

        /// As [`timeout`](Self::timeout), at a point in time by the same clock.
        pub fn deadline(self, at: std::time::Instant) -> $crate::Timeout<Self> {
            self.bounded($crate::timer::Deadline::at(at))
        }
    };
}
pub(crate) use timeout_by_wrapping;
