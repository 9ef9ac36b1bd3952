//! How a group runs: its body first, then whoever is left of its members, and what comes out.

use std::{
    convert::Infallible,
    future::poll_fn,
    mem,
    panic::resume_unwind,
    pin::pin,
    sync::Arc,
    task::{Context as TaskContext, Poll},
};

use super::{PendingGroup, Phase, State};
use crate::{
    error::{BoxError, Error, Kind, Result},
    guard::{self, Panic},
    pending::{PendingHandle, current_pending},
    timer::Deadline,
    tracker::Tracker,
};

impl PendingGroup {
    /// Runs `body` in a context in which the group is current, and waits until every member is done. Then it gives what
    /// the body returned, or `None` if the group was cancelled before and its mode ends quietly.
    ///
    /// A member that fails cancels the group: the body is dropped where it awaits, and the other members are cancelled.
    /// A panic in the body goes on when the members have ended.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future cancels the members, and waits for none; with [`shield`](super::GroupBuilder::shield), they go
    /// on.
    ///
    /// # Errors
    ///
    /// [`is_failed`](Error::is_failed) if members failed, with all of their errors in
    /// [`failures`](Error::failures); [`is_cancelled`](Error::is_cancelled) if the group was cancelled, in the modes that
    /// tell, and in every mode if members would not end ([`left_behind`](Error::left_behind));
    /// [`is_mismatch`](Error::is_mismatch) if it was run before; [`is_self_wait`](Error::is_self_wait) if the call that
    /// runs it was added to it.
    pub async fn run<R>(self: &Arc<Self>, body: impl AsyncFnOnce(Arc<Self>) -> R) -> Result<Option<R>> {
        let group = self.clone();
        self.drive(async { Ok::<R, Infallible>(body(group).await) }).await
    }

    /// As [`run`](Self::run), for a body that returns a `Result`: an `Err` cancels the members, and comes out once they
    /// have ended.
    ///
    /// # Errors
    ///
    /// Those of [`run`](Self::run), and [`is_failed`](Error::is_failed) if the body failed, with its error in
    /// [`failure`](Error::failure).
    pub async fn try_run<R, E: Into<BoxError>>(
        self: &Arc<Self>,
        body: impl AsyncFnOnce(Arc<Self>) -> Result<R, E>,
    ) -> Result<Option<R>> {
        let group = self.clone();
        self.drive(async { body(group).await }).await
    }

    async fn drive<R, E: Into<BoxError>>(
        self: &Arc<Self>,
        body: impl Future<Output = Result<R, E>>,
    ) -> Result<Option<R>> {
        let running = self.begin()?;
        let mut body = pin!(Some(self.scope(body)));
        let mut timeout = self.options.timeout.map_or_else(Deadline::none, Deadline::after);
        let mut patience = Deadline::after(self.options.cancellation_timeout);
        let mut ended = None;
        poll_fn(|cx| {
            if !self.is_cancelled()
                && let Poll::Ready(after) = timeout.poll(cx)
            {
                self.cancel(format!("the group timed out after {after:?}"));
            }
            // Registered before anything is looked at, so that no change is missed.
            self.register(cx);
            if self.is_cancelled() {
                body.set(None);
            }
            if let Some(future) = body.as_mut().as_pin_mut() {
                match guard::run(|| future.poll(cx)) {
                    Ok(Poll::Pending) => return Poll::Pending,
                    Ok(Poll::Ready(Ok(value))) => ended = Some(Ended::Value(value)),
                    Ok(Poll::Ready(Err(error))) => {
                        let error = error.into();
                        self.cancel(format!("the body of the group failed: {error}"));
                        ended = Some(Ended::Failed(error));
                    }
                    Err(panic) => {
                        self.cancel("the body of the group panicked");
                        ended = Some(Ended::Panicked(panic));
                    }
                }
                body.set(None);
            }
            if self.leave() {
                return Poll::Ready(());
            }
            if self.is_cancelled() { patience.poll(cx).map(drop) } else { Poll::Pending }
        })
        .await;
        running.finish(ended)
    }

    fn begin(self: &Arc<Self>) -> Result<RunningGroup> {
        let (runner, parent) = (current_pending(), Self::current());
        let mut state = self.state();
        if state.phase != Phase::Initial {
            return Err(Error::new(Kind::GroupRan));
        }
        if runner.as_ref().is_some_and(|runner| state.members.contains(runner)) {
            return Err(Error::new(Kind::SelfWait("the group")));
        }
        state.phase = Phase::Running;
        state.runner = runner;
        state.parent = parent.clone();
        let early = state.members.all();
        drop(state);
        if let Some(parent) = parent {
            for member in &early {
                parent.enlist(member);
            }
        }
        Ok(RunningGroup(self.clone()))
    }

    fn register(&self, cx: &mut TaskContext<'_>) {
        let waker = cx.waker().clone();
        let old = self.state().waker.replace(waker);
        drop(old);
    }

    /// The body has ended. True if no member is left.
    fn leave(&self) -> bool {
        let mut state = self.state();
        state.phase = Phase::Leaving;
        state.members.is_empty()
    }
}

/// How a body ended that was not cut short.
enum Ended<R> {
    Value(R),
    Failed(BoxError),
    Panicked(Panic),
}

/// While it lives, the group runs.
struct RunningGroup(Arc<PendingGroup>);

impl RunningGroup {
    fn finish<R>(self, body: Option<Ended<R>>) -> Result<Option<R>> {
        let group = &self.0;
        let mut state = group.state();
        let (left, rest) = state.end();
        let failures = mem::take(&mut state.failures);
        let cancelled = state.cancelled.clone();
        drop(state);
        drop(rest);
        let left_behind: Vec<String> = left.iter().map(ToString::to_string).collect();
        group.let_go(left);
        let (value, body) = match body {
            Some(Ended::Panicked(panic)) => resume_unwind(panic.into_payload()),
            Some(Ended::Failed(error)) => (None, Some(error.into())),
            Some(Ended::Value(value)) => (Some(value), None),
            None => (None, None),
        };
        if body.is_some() || !failures.is_empty() || !left_behind.is_empty() {
            return Err(Error::new(Kind::Group { body, failures, left_behind }));
        }
        match cancelled {
            Some(reasons) if group.mode().tells() => Err(Error::new(Kind::Cancelled { reasons })),
            _ => Ok(value),
        }
    }
}

impl Drop for RunningGroup {
    fn drop(&mut self) {
        let group = &self.0;
        let mut state = group.state();
        if state.phase == Phase::Ended {
            return;
        }
        if group.options.shield {
            state.phase = if state.members.is_empty() { Phase::Ended } else { Phase::Adrift };
            let waker = state.waker.take();
            drop(state);
            drop(waker);
            return;
        }
        let told = state.cancel("the future that ran the group was dropped");
        let (left, rest) = state.end();
        drop(state);
        drop(rest);
        told.into_iter().for_each(super::Wakes::wake_all);
        group.let_go(left);
    }
}

impl State {
    /// Nothing is a member any more: gives those that were, and what is to be dropped outside of the lock.
    fn end(&mut self) -> (Vec<PendingHandle>, impl Sized + use<>) {
        self.phase = Phase::Ended;
        let rest = (self.waker.take(), self.runner.take(), self.parent.take());
        (self.members.take(), rest)
    }
}

impl PendingGroup {
    fn let_go(self: &Arc<Self>, members: Vec<PendingHandle>) {
        for member in members {
            member.unkeep(self);
        }
    }
}
