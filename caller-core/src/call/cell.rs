//! A call: its work, its state and its outcome in one allocation, and how it is polled.
//!
//! With `sync/lock/exclusive`, this is where `unsafe` is. A call's future need not be `Send`, yet the allocation it lives in
//! is shared with other threads. Two allocations would need no `unsafe`, and cost what ARCHITECTURE.md says.
//!
//! The rule that makes it sound: **whoever owns the work, and nobody else, touches the stage**.
//!
//! - Work that waits is owned by nobody. `State::start` and `Core::cancel` race for it in one atomic step, and
//!   the one that is first owns it. A canceller only drops the function, which is `Send`.
//! - Started work is owned by the scheduler that started it. Only it calls `start`, `resume` and `end`, in its
//!   own thread, from its turn, which is not reentrant; so nobody else can be inside the stage meanwhile.
//! - A future is dropped by its owner, in place. If the last reference goes first, wherever that is, the future
//!   is leaked, never dropped in a foreign thread.

#![allow(unsafe_code, reason = "one allocation a call: see the head of the file")]

use std::{
    any::type_name,
    future::Future,
    marker::PhantomData,
    mem::{self, ManuallyDrop},
    num::NonZeroUsize,
    panic::{AssertUnwindSafe, Location, catch_unwind},
    pin::Pin,
    sync::{Arc, OnceLock},
    task::{Context as TaskContext, Poll, Waker},
    time::Instant,
};

use futures_task::{ArcWake, waker_ref};

use super::outcome::Convert;
use crate::{
    caller_id::CallerId,
    context::Context,
    error::{Error, Result, Site},
    guard::{self, Place},
    pending::{Cancelled, Core, Current, Observe, PendingHandle, State, Take, Waiters, take_from_core},
    queue::RawQueue,
    sys::UnsafeCell,
};

/// Started work that wants to be polled by its scheduler.
pub(crate) type Woken = RawQueue<Arc<dyn Run>>;

/// A call as its scheduler sees it. Every method is the scheduler's, in its thread.
pub(crate) trait Run: Observe {
    /// Polls it for the first time, unless it was cancelled.
    fn start(self: Arc<Self>, home: &dyn Home);
    /// Polls it for the first time, whether it waits or was started from the beginning.
    fn begin(self: Arc<Self>, home: &dyn Home);
    /// Keeps it until `at`, to be started then.
    fn defer(self: Arc<Self>, home: &dyn Home, at: Instant);
    /// Goes on with it after a wake-up, or ends it if cancelling was asked for.
    fn resume(self: Arc<Self>, home: &dyn Home);
    /// Drops its future and ends it, because the caller stops.
    /// `home` is none for one that was never queued.
    fn end(self: Arc<Self>, home: Option<&dyn Home>, reason: &str);
    /// Where its scheduler keeps it, if it does.
    fn kept(&self) -> Option<usize>;
    /// Whether it asked for time to clean up.
    fn has_grace(&self) -> bool;
    /// Gives it to a caller, if it was made before it was known which.
    fn assign(&self, caller: CallerId);
}

/// What a call needs from its scheduler.
pub(crate) trait Home {
    /// Where it is put when it is woken.
    fn woken(&self) -> &Arc<Woken>;
    /// Keeps it alive until `finishing`.
    fn keep(&self, task: Arc<dyn Run>) -> usize;
    /// It has ended, and its outcome is about to be seen.
    fn finishing(&self, kept: Option<usize>);
    /// It was woken while it was polled.
    fn again(&self, task: Arc<dyn Run>);
    /// Has it woken at a time.
    fn wake_at(&self, kept: usize, at: Instant, waker: Waker);
    /// The time of the scheduler's clock.
    fn now(&self) -> Instant;
}

enum Stage<M, F> {
    Function(M),
    /// Dropped by hand, by the owner.
    Future(ManuallyDrop<F>),
    Gone,
}

/// What only the owner of started work touches, beside the stage.
struct Own {
    context: Context,
    /// Where the scheduler keeps it, plus one, once it does.
    kept: Option<NonZeroUsize>,
}

impl Own {
    fn kept(&self) -> Option<usize> {
        self.kept.map(|key| key.get() - 1)
    }
}

/// A call. `N` is the type whose name the call bears, `C` says what its output means.
struct Cell<N, C, M, F, T> {
    core: Core<T>,
    home: OnceLock<Arc<Woken>>,
    own: UnsafeCell<Own>,
    stage: UnsafeCell<Stage<M, F>>,
    types: PhantomData<fn() -> (N, C)>,
}

// SAFETY: what makes the cell not `Send` or not `Sync` by itself are `own` and `stage`. By the rule at the head of
// the file they are touched by one thread at a time, handed over by an atomic step with acquire and release. Of
// what is in them, `M` and the context are `Send`; a future, which may not be, is made, polled and dropped in one
// thread, and its memory is only freed, not dropped, elsewhere.
unsafe impl<N, C, M: Send, F, T: Send> Send for Cell<N, C, M, F, T> {}
// SAFETY: as above.
unsafe impl<N, C, M: Send, F, T: Send> Sync for Cell<N, C, M, F, T> {}

/// The other fields are thread-safe by themselves, so the two lines above say nothing about them.
const _: () = {
    const fn thread_safe<T: Send + Sync>() {}
    thread_safe::<(Core<()>, OnceLock<Arc<Woken>>, Context)>();
};

/// Makes a call of a function that has not begun. The trackers of its context hear of it before it can.
pub(crate) fn call<N, C, M, F, T>(
    make: M,
    context: Context,
    location: &'static Location<'static>,
    caller: Option<CallerId>,
) -> (Arc<dyn Run>, Arc<dyn Take<T>>)
where
    N: 'static,
    C: Convert<F::Output, Value = T> + 'static,
    M: FnOnce() -> F + Send + 'static,
    F: Future + 'static,
    T: Send + 'static,
{
    let trackers = context.if_tracked();
    let cell = Arc::new(Cell::<N, C, M, F, T> {
        core: Core::new(State::waiting(), location, caller),
        home: OnceLock::new(),
        own: UnsafeCell::new(Own { context, kept: None }),
        stage: UnsafeCell::new(Stage::Function(make)),
        types: PhantomData,
    });
    if let Some(trackers) = trackers {
        trackers.register(|| PendingHandle::new(cell.clone()));
    }
    (cell.clone(), cell)
}

/// As `call`, of a future of this thread, whose scheduler owns it from the beginning.
pub(crate) fn local_call<N, C, F, T>(
    future: F,
    context: Context,
    location: &'static Location<'static>,
    caller: CallerId,
) -> (Arc<dyn Run>, Arc<dyn Take<T>>)
where
    N: 'static,
    C: Convert<F::Output, Value = T> + 'static,
    F: Future + 'static,
    T: Send + 'static,
{
    let trackers = context.if_tracked();
    let cell = Arc::new(Cell::<N, C, fn() -> F, F, T> {
        core: Core::new(State::started(), location, Some(caller)),
        home: OnceLock::new(),
        own: UnsafeCell::new(Own { context, kept: None }),
        stage: UnsafeCell::new(Stage::Future(ManuallyDrop::new(future))),
        types: PhantomData,
    });
    if let Some(trackers) = trackers {
        trackers.register(|| PendingHandle::new(cell.clone()));
    }
    (cell.clone(), cell)
}

impl<N, C, M, F, T> Cell<N, C, M, F, T>
where
    N: 'static,
    C: Convert<F::Output, Value = T> + 'static,
    M: FnOnce() -> F + Send + 'static,
    F: Future + 'static,
    T: Send + 'static,
{
    /// Changes what the owner keeps.
    ///
    /// # Safety
    ///
    /// The caller owns the work, and `access` runs no code of a user.
    unsafe fn own<R>(&self, access: impl FnOnce(&mut Own) -> R) -> R {
        // SAFETY: nobody but the owner is here, and the owner is not here twice, since `access` calls nothing.
        self.own.with_mut(|own| access(unsafe { &mut *own }))
    }

    /// Makes the future if that is still to be done, and polls it. It is dropped when it has ended or panicked.
    ///
    /// # Safety
    ///
    /// The caller owns the work, in the thread of its scheduler.
    unsafe fn step(&self, cx: &mut TaskContext<'_>) -> Poll<Result<T>> {
        let polled = catch_unwind(AssertUnwindSafe(|| {
            self.stage.with_mut(|stage| {
                // SAFETY: by the rule, this is the only reference to the stage. The user's code that runs below
                // cannot reach it: it has no way to a scheduler's turn.
                let stage = unsafe { &mut *stage };
                if matches!(stage, Stage::Function(_))
                    && let Stage::Function(make) = mem::replace(stage, Stage::Gone)
                {
                    *stage = Stage::Future(ManuallyDrop::new(make()));
                }
                let Stage::Future(future) = stage else { unreachable!("polled after its end") };
                // SAFETY: the future stays where it is, in the cell, until it is dropped in place.
                unsafe { Pin::new_unchecked(&mut **future) }.poll(cx)
            })
        }));
        let ended = match polled {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(output)) => Ok(output),
            Err(payload) => Err(payload),
        };
        // SAFETY: as the caller's.
        let dropped = unsafe { self.drop_stage() };
        let output = match (ended, dropped) {
            (Ok(output), Ok(())) => catch_unwind(AssertUnwindSafe(|| C::convert(output))),
            (Err(payload), _) | (Ok(_), Err(payload)) => Err(payload),
        };
        Poll::Ready(match output {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(Error::failed(error, self.site())),
            Err(payload) => Err(Error::panicked(payload.into(), self.site())),
        })
    }

    /// Drops what is left of the work, in place. The error is what its destructor panicked with.
    ///
    /// # Safety
    ///
    /// The caller owns the work; in the thread of its scheduler, if there is a future.
    unsafe fn drop_stage(&self) -> std::thread::Result<()> {
        self.stage.with_mut(|stage| {
            // SAFETY: by the rule, this is the only reference to the stage.
            let stage = unsafe { &mut *stage };
            let dropped = match stage {
                Stage::Function(_) => {
                    let function = mem::replace(stage, Stage::Gone);
                    catch_unwind(AssertUnwindSafe(|| drop(function)))
                }
                Stage::Future(future) => catch_unwind(AssertUnwindSafe(|| {
                    // SAFETY: it is dropped once, since the stage says so from below on, which runs also after a
                    // panic.
                    unsafe { ManuallyDrop::drop(future) }
                })),
                Stage::Gone => Ok(()),
            };
            *stage = Stage::Gone;
            dropped
        })
    }

    /// Polls it once, in its context.
    ///
    /// # Safety
    ///
    /// The caller owns the work, in the thread of its scheduler.
    unsafe fn poll(self: Arc<Self>, home: &dyn Home) {
        let waker = waker_ref(&self);
        let mut cx = TaskContext::from_waker(&waker);
        // SAFETY: as the caller's.
        let context = unsafe { self.own(|own| mem::take(&mut own.context)) };
        let entered = context.enter();
        let current = Current::enter(PendingHandle::new(self.clone()));
        // SAFETY: as the caller's.
        let polled = unsafe { self.step(&mut cx) };
        drop(current);
        let context = entered.leave();
        match polled {
            Poll::Ready(outcome) => {
                guard::discard(Place::ContextDrop, context);
                self.finish(Some(home), outcome);
            }
            Poll::Pending => {
                // SAFETY: as the caller's.
                let kept = unsafe {
                    self.own(|own| {
                        own.context = context;
                        own.kept()
                    })
                };
                if kept.is_none() {
                    self.keep(home);
                }
                if self.core.state.pause() {
                    home.again(self.clone());
                }
            }
        }
    }

    /// When the time to clean up is over, if some was asked for, and whether that is known from now on.
    fn grace_ends(&self, now: Instant) -> Option<(Instant, bool)> {
        self.core.waiters(|waiters| {
            let time = waiters.known()?.grace?;
            let extra = waiters.extra();
            let new = extra.grace_ends.is_none();
            if new {
                extra.grace_ends = now.checked_add(time);
            }
            extra.grace_ends.map(|ends| (ends, new))
        })?
    }

    /// Has the scheduler keep it, before anybody can find it idle.
    fn keep(self: &Arc<Self>, home: &dyn Home) -> usize {
        let key = home.keep(self.clone());
        // SAFETY: the owner calls this, in its thread.
        unsafe { self.own(|own| own.kept = NonZeroUsize::new(key + 1)) };
        let _first = self.home.set(home.woken().clone());
        key
    }

    fn finish(self: &Arc<Self>, home: Option<&dyn Home>, outcome: Result<T>) {
        self.forget(home);
        self.complete(outcome);
    }

    /// Has the scheduler keep it no longer.
    fn forget(&self, home: Option<&dyn Home>) {
        // SAFETY: the scheduler alone touches where it keeps a call, and this is its thread.
        let kept = unsafe {
            self.own(|own| {
                let kept = own.kept();
                own.kept = None;
                kept
            })
        };
        if let Some(home) = home {
            home.finishing(kept);
        }
    }

    fn complete(self: &Arc<Self>, outcome: Result<T>) {
        let (waiters, hidden) = self.core.complete(outcome, self.site());
        if let Some(waiters) = waiters {
            waiters.tell(|| PendingHandle::new(self.clone()));
        }
        guard::discard(Place::ResultDrop, hidden);
    }

    /// Drops the future in its context, and ends the call.
    ///
    /// # Safety
    ///
    /// The caller owns the work, in the thread of its scheduler.
    unsafe fn abort(self: &Arc<Self>, home: Option<&dyn Home>, error: Error) {
        // SAFETY: as the caller's.
        let context = unsafe { self.own(|own| mem::take(&mut own.context)) };
        let entered = context.enter();
        let current = Current::enter(PendingHandle::new(self.clone()));
        // SAFETY: as the caller's.
        let dropped = unsafe { self.drop_stage() };
        drop(current);
        guard::discard(Place::ContextDrop, entered.leave());
        if let Err(payload) = dropped {
            guard::report_panic(Place::FutureDrop, &payload.into());
        }
        self.finish(home, Err(error));
    }
}

impl<N, C, M, F, T> Run for Cell<N, C, M, F, T>
where
    N: 'static,
    C: Convert<F::Output, Value = T> + 'static,
    M: FnOnce() -> F + Send + 'static,
    F: Future + 'static,
    T: Send + 'static,
{
    fn start(self: Arc<Self>, home: &dyn Home) {
        if self.core.state.start() {
            // SAFETY: `start` made the scheduler, in whose thread this runs, the owner.
            unsafe { self.poll(home) }
        } else {
            home.finishing(None);
        }
    }

    fn begin(self: Arc<Self>, home: &dyn Home) {
        if self.core.state.is_started() { self.resume(home) } else { self.start(home) }
    }

    fn defer(self: Arc<Self>, home: &dyn Home, at: Instant) {
        // Nobody owns the work yet, and only its scheduler looks at where it is kept.
        let key = self.keep(home);
        home.wake_at(key, at, futures_task::waker(self));
    }

    fn resume(self: Arc<Self>, home: &dyn Home) {
        let state = &self.core.state;
        if state.is_done() {
            // Deferred work that was cancelled: all that is left is to forget it.
            self.forget(Some(home));
            return;
        }
        if !state.is_started() {
            self.start(home);
            return;
        }
        state.resume();
        if state.is_cancelled() {
            let now = home.now();
            // SAFETY: the work was started by the scheduler, in whose thread this runs.
            let kept = unsafe { self.own(|own| own.kept()) };
            match (self.grace_ends(now), kept) {
                (Some((ends, new)), Some(kept)) if now < ends => {
                    if new {
                        home.wake_at(kept, ends, futures_task::waker(self.clone()));
                    }
                }
                _ => {
                    // The reasons are those that `cancel` was given.
                    let error = Error::stopping("", false, self.site());
                    // SAFETY: as above.
                    return unsafe { self.abort(Some(home), error) };
                }
            }
        }
        // SAFETY: the work was started by the scheduler, in whose thread this runs.
        unsafe { self.poll(home) }
    }

    fn end(self: Arc<Self>, home: Option<&dyn Home>, reason: &str) {
        if self.core.state.is_started() && !self.core.state.is_done() {
            let error = Error::stopping(reason, true, self.site());
            // SAFETY: the work was started by the scheduler, in whose thread this runs.
            unsafe { self.abort(home, error) }
        } else {
            Arc::clone(&self).cancel(reason, true);
            self.forget(home);
        }
    }

    fn kept(&self) -> Option<usize> {
        // SAFETY: the scheduler alone touches where it keeps a call, and this is its thread.
        unsafe { self.own(|own| own.kept()) }
    }

    fn has_grace(&self) -> bool {
        self.core
            .waiters(|waiters| waiters.known().is_some_and(|extra| extra.grace.is_some()))
            .unwrap_or(false)
    }

    fn assign(&self, caller: CallerId) {
        self.core.assign(caller);
    }
}

impl<N, C, M, F, T> Observe for Cell<N, C, M, F, T>
where
    N: 'static,
    C: Convert<F::Output, Value = T> + 'static,
    M: FnOnce() -> F + Send + 'static,
    F: Future + 'static,
    T: Send + 'static,
{
    fn state(&self) -> &State {
        &self.core.state
    }

    fn site(&self) -> Site {
        Site { function: type_name::<N>(), location: self.core.location() }
    }

    fn caller_id(&self) -> Option<CallerId> {
        self.core.caller()
    }

    fn error(&self) -> Result<Option<Error>> {
        self.core.error()
    }

    fn with_waiters(&self, access: &mut dyn FnMut(&mut Waiters)) -> bool {
        self.core.waiters(access).is_some()
    }

    fn cancel(self: Arc<Self>, reason: &str, closed: bool) -> bool {
        match self.core.cancel(reason, closed) {
            Cancelled::TooLate => return false,
            Cancelled::Claimed => {
                // SAFETY: cancelling came before `start`, so the work is ours, and it is a function, which is
                // `Send`: futures are only made by `start`, or by `local_call`, which is started from the beginning.
                if let Err(payload) = unsafe { self.drop_stage() } {
                    guard::report_panic(Place::FunctionDrop, &payload.into());
                }
                self.complete(Err(Error::stopping(reason, closed, self.site())));
                // A deferred call is kept by its scheduler, which can forget it now.
                if let Some(home) = self.home.get() {
                    let _stopped = home.push(self.clone());
                }
            }
            Cancelled::Asked(_, wakers) => {
                wakers.into_iter().for_each(guard::wake);
                ArcWake::wake_by_ref(&self);
            }
        }
        true
    }
}

impl<N, C, M, F, T> Take<T> for Cell<N, C, M, F, T>
where
    N: 'static,
    C: Convert<F::Output, Value = T> + 'static,
    M: FnOnce() -> F + Send + 'static,
    F: Future + 'static,
    T: Send + 'static,
{
    take_from_core!();
}

impl<N, C, M, F, T> ArcWake for Cell<N, C, M, F, T>
where
    N: 'static,
    C: Convert<F::Output, Value = T> + 'static,
    M: FnOnce() -> F + Send + 'static,
    F: Future + 'static,
    T: Send + 'static,
{
    fn wake_by_ref(this: &Arc<Self>) {
        if this.core.state.notify()
            && let Some(home) = this.home.get()
        {
            // A scheduler that has ended has dropped the future and completed the call: there is nothing to poll.
            let _stopped = home.push(this.clone());
        }
    }
}
