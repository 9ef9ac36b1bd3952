//! How a group runs: its body first, then whoever is left of its members, and what comes out.

use std::{
    convert::Infallible,
    future::poll_fn,
    mem,
    panic::resume_unwind,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context as TaskContext, Poll, Waker},
};

use rustc_hash::FxHashSet;

use super::{PendingGroup, Phase, State, Told};
use crate::{
    error::{BoxError, Error, Kind, Result, UserError},
    guard::{self, Panic, Place},
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
    /// runs it, or a group around it, was added to it.
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
                self.drop_body(body.as_mut(), &mut ended);
            }
            if let Some(future) = body.as_mut().as_pin_mut() {
                match guard::run(|| future.poll(cx).map(|ended| ended.map_err(E::into))) {
                    Ok(Poll::Pending) => return Poll::Pending,
                    Ok(Poll::Ready(Ok(value))) => ended = Some(Ended::Value(value)),
                    Ok(Poll::Ready(Err(error))) => {
                        self.cancel(format!("the body of the group failed: {}", guard::text(&error)));
                        ended = Some(Ended::Failed(error.into()));
                    }
                    Err(panic) => {
                        self.cancel("the body of the group panicked");
                        ended = Some(Ended::Panicked(panic));
                    }
                }
                self.drop_body(body.as_mut(), &mut ended);
            }
            if self.leave_body() {
                return Poll::Ready(());
            }
            if self.is_cancelled() { patience.poll(cx).map(drop) } else { Poll::Pending }
        })
        .await;
        running.finish(ended)
    }

    /// Drops the body. A panic of its destructor is one of the body.
    fn drop_body<F, R>(&self, mut body: Pin<&mut Option<F>>, ended: &mut Option<Ended<R>>) {
        let Err(panic) = guard::run(|| body.set(None)) else { return };
        self.cancel("the body of the group panicked");
        if matches!(ended, Some(Ended::Panicked(_))) {
            return guard::report_panic(Place::FutureDrop, &panic);
        }
        guard::discard_now(Place::ResultDrop, ended.replace(Ended::Panicked(panic)));
    }

    fn begin(self: &Arc<Self>) -> Result<RunningGroup> {
        let (runner, around) = (current_pending(), Self::current());
        let members = self.state().members.all();
        let runs_around =
            around.as_ref().is_some_and(|around| members.iter().any(|member| around.is_run_by(member)));
        members.into_iter().for_each(|member| guard::discard(Place::ResultDrop, member));
        let mut state = self.state();
        if state.phase != Phase::Initial {
            return Err(Error::new(Kind::GroupRan));
        }
        if runs_around || runner.as_ref().is_some_and(|runner| state.members.contains(runner)) {
            return Err(Error::new(Kind::SelfWait("the group")));
        }
        if let Some(runner) = &runner {
            runner.lead();
        }
        state.phase = Phase::Running;
        state.runner = runner;
        drop(state);
        self.settle(around);
        Ok(RunningGroup(self.clone()))
    }

    fn register(&self, cx: &TaskContext<'_>) {
        let waker = cx.waker().clone();
        let old = self.state().waker.replace(waker);
        guard::discard_waker(old);
    }

    /// The body has ended. True if no member is left.
    fn leave_body(&self) -> bool {
        let mut state = self.state();
        state.phase = Phase::Leaving;
        !self.is_busy(&state)
    }
}

/// How a body ended that was not cut short.
enum Ended<R> {
    Value(R),
    Failed(UserError),
    Panicked(Panic),
}

/// While it lives, the group runs.
struct RunningGroup(Arc<PendingGroup>);

impl RunningGroup {
    fn finish<R>(self, body: Option<Ended<R>>) -> Result<Option<R>> {
        let group = &self.0;
        let left_behind: Vec<String> = group.pendings().iter().map(|pending| guard::text(pending)).collect();
        let mut state = group.state();
        let rest = state.end();
        let failures = mem::take(&mut state.failures);
        let cancelled = state.cancelled.clone();
        drop(state);
        group.let_go(rest);
        let (value, body) = match body {
            Some(Ended::Panicked(panic)) => resume_unwind(panic.into_payload()),
            Some(Ended::Failed(error)) => (None, Some(error)),
            Some(Ended::Value(value)) => (Some(value), None),
            None => (None, None),
        };
        let error = if body.is_some() || !failures.is_empty() || !left_behind.is_empty() {
            Kind::Group { body, failures, left_behind }
        } else {
            match cancelled {
                Some(reasons) if group.mode().tells() => Kind::Cancelled { reasons },
                _ => return Ok(value),
            }
        };
        guard::discard_now(Place::ResultDrop, value);
        Err(Error::new(error))
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
            state.phase = if group.is_busy(&state) { Phase::Adrift } else { Phase::Ended };
            let waker = state.waker.take();
            drop(state);
            guard::discard_waker(waker);
            return;
        }
        let told = state.cancel("the future that ran the group was dropped");
        let rest = state.end();
        drop(state);
        told.into_iter().for_each(Told::tell);
        group.let_go(rest);
    }
}

/// What a group that has ended lets go of, outside of its lock.
struct Rest {
    members: Vec<PendingHandle>,
    failed: FxHashSet<PendingHandle>,
    runner: Option<PendingHandle>,
    waker: Option<Waker>,
}

impl State {
    /// It waits for nothing any more. Its members stay on its list if a group around it waits for them.
    fn end(&mut self) -> Rest {
        self.phase = Phase::Ended;
        let members = if self.tree.has_around() { Vec::new() } else { self.members.take() };
        Rest {
            members,
            failed: mem::take(&mut self.failed),
            runner: self.runner.take(),
            waker: self.waker.take(),
        }
    }
}

impl PendingGroup {
    fn let_go(self: &Arc<Self>, rest: Rest) {
        let Rest { members, failed, runner, waker } = rest;
        guard::discard_waker(waker);
        for member in members {
            member.unkeep(self);
            guard::discard_now(Place::ResultDrop, member);
        }
        failed.into_iter().for_each(|member| guard::discard_now(Place::ResultDrop, member));
        guard::discard_now(Place::ResultDrop, runner);
        self.unsettle();
    }
}
