//! The part that all pendings share: the state, the outcome, and those who wait.

use std::{
    panic::Location,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{self, Poll},
};

use super::{
    observers::{Canceller, Observe, Waiters},
    state::{Asked, State},
};
use crate::{
    caller_id::CallerId,
    error::{Error, Kind, Result, Site},
    sys::{self, Mutex},
};

/// What every pending has, whatever its work.
pub(crate) struct Core<T> {
    pub(crate) state: State,
    guarded: Mutex<Guarded<T>>,
    location: &'static Location<'static>,
    /// The caller that runs the work. Zero for one made by hand, and for one that waits for a worker.
    caller: AtomicU64,
}

struct Guarded<T> {
    outcome: Outcome<T>,
    waiters: Waiters,
}

enum Outcome<T> {
    None,
    Ready(Result<T>),
    /// The owner has it. An error stays to be shown.
    Taken(Option<Error>),
}

/// What `cancel` leaves to do, outside of the lock.
pub(crate) enum Cancelled {
    /// It was done before: nothing.
    TooLate,
    /// The work had no owner: it is ours to drop, and then to complete.
    Claimed,
    /// Whoever runs the work has to be told, and those who wait for this moment.
    Asked(Option<Canceller>, Vec<task::Waker>),
}

impl<T> Core<T> {
    pub(crate) fn new(state: State, location: &'static Location<'static>, caller: Option<CallerId>) -> Self {
        let guarded = Guarded { outcome: Outcome::None, waiters: Waiters::default() };
        let caller = AtomicU64::new(caller.map_or(0, CallerId::get));
        Self { state, guarded: Mutex::new(guarded), location, caller }
    }

    pub(crate) fn location(&self) -> &'static Location<'static> {
        self.location
    }

    pub(crate) fn caller(&self) -> Option<CallerId> {
        // A plain value: nothing else is published through it.
        CallerId::from_number(self.caller.load(Ordering::Relaxed))
    }

    /// Gives the work to a caller.
    pub(crate) fn assign(&self, caller: CallerId) {
        self.caller.store(caller.get(), Ordering::Relaxed);
    }

    /// Sets the outcome and takes out who is to be told. An outcome that comes too late is handed back; one that
    /// comes after cancelling was asked for is replaced by the error that says so, and handed back too.
    pub(crate) fn complete(&self, outcome: Result<T>, site: Site) -> (Option<Waiters>, Option<Result<T>>) {
        let mut guarded = sys::lock(&self.guarded);
        if self.state.is_done() {
            return (None, Some(outcome));
        }
        let mut hidden = None;
        let closed = matches!(&outcome, Err(error) if error.is_closed());
        guarded.outcome = Outcome::Ready(if self.state.is_cancelled() && !closed {
            hidden = Some(outcome);
            Err(cancelled(&guarded.waiters, site))
        } else {
            outcome
        });
        let waiters = std::mem::take(&mut guarded.waiters);
        self.state.finish();
        (Some(waiters), hidden)
    }

    /// Asks to cancel; with `closed`, because what should have run the work stops.
    pub(crate) fn cancel(&self, reason: &str, closed: bool) -> Cancelled {
        let mut guarded = sys::lock(&self.guarded);
        if self.state.is_done() {
            return Cancelled::TooLate;
        }
        if !reason.is_empty() {
            let extra = guarded.waiters.extra();
            extra.add_reason(reason);
            extra.closed |= closed;
        }
        match self.state.ask_cancel() {
            Asked::Claimed => Cancelled::Claimed,
            Asked::Running => match guarded.waiters.known() {
                Some(_) => {
                    let extra = guarded.waiters.extra();
                    Cancelled::Asked(extra.canceller.clone(), extra.take_on_cancel())
                }
                None => Cancelled::Asked(None, Vec::new()),
            },
        }
    }

    /// Access to who waits, under the lock. None once it is done.
    pub(crate) fn waiters<R>(&self, access: impl FnOnce(&mut Waiters) -> R) -> Option<R> {
        let mut guarded = sys::lock(&self.guarded);
        (!self.state.is_done()).then(|| access(&mut guarded.waiters))
    }

    /// The error it ended with, if it did.
    pub(crate) fn error(&self) -> Result<Option<Error>> {
        if !self.state.is_done() {
            return Err(Error::new(Kind::NotDone));
        }
        Ok(match &sys::lock(&self.guarded).outcome {
            Outcome::Ready(Err(error)) | Outcome::Taken(Some(error)) => Some(error.clone()),
            _ => None,
        })
    }

    pub(crate) fn take(&self) -> Result<T> {
        if !self.state.is_done() {
            return Err(Error::new(Kind::NotDone));
        }
        let mut guarded = sys::lock(&self.guarded);
        let error = match &guarded.outcome {
            Outcome::Ready(Err(error)) => Some(error.clone()),
            Outcome::Taken(Some(error)) => return Err(error.clone()),
            _ => None,
        };
        match std::mem::replace(&mut guarded.outcome, Outcome::Taken(error)) {
            Outcome::Ready(outcome) => outcome,
            _ => Err(Error::new(Kind::Taken)),
        }
    }

    pub(crate) fn poll_take(&self, cx: &mut task::Context<'_>) -> Poll<Result<T>> {
        if !self.state.is_done() {
            // Cloned before the lock, and the old one dropped after it: both are code of the runtime's.
            if !self.watch(cx.waker().clone()) {
                return Poll::Pending;
            }
        }
        Poll::Ready(self.take())
    }

    /// Has `waker` woken as the owner's, without taking the result. True if it is there already.
    pub(crate) fn watch(&self, waker: task::Waker) -> bool {
        let mut waker = Some(waker);
        let old = self.waiters(|waiters| std::mem::replace(&mut waiters.owner, waker.take()));
        old.is_none()
    }

    pub(crate) fn forget_owner(&self) {
        let _old = self.waiters(|waiters| waiters.owner.take());
    }
}

fn cancelled(waiters: &Waiters, site: Site) -> Error {
    let Some(extra) = waiters.known() else { return Error::stopping("", false, site) };
    Error::stopping(&extra.reasons, extra.closed, site)
}

/// A pending whose result can be taken.
pub(crate) trait Take<T>: Observe {
    /// The result, once.
    fn take(&self) -> Result<T>;
    /// The result, once it is there; `cx` is woken then.
    fn poll_take(&self, cx: &mut task::Context<'_>) -> Poll<Result<T>>;
    /// Has `waker` woken once the result is there. True if it is.
    fn watch(&self, waker: task::Waker) -> bool;
    /// The one who waited for the result does so no longer.
    fn forget_owner(&self);
}

/// Gives a type with a `core` field of type `Core<T>` what `Take` asks for.
macro_rules! take_from_core {
    () => {
        fn take(&self) -> $crate::error::Result<T> {
            self.core.take()
        }

        fn poll_take(&self, cx: &mut std::task::Context<'_>) -> std::task::Poll<$crate::error::Result<T>> {
            self.core.poll_take(cx)
        }

        fn watch(&self, waker: std::task::Waker) -> bool {
            self.core.watch(waker)
        }

        fn forget_owner(&self) {
            self.core.forget_owner();
        }
    };
}
pub(crate) use take_from_core;

/// A result that will be there, from a call or from a [`Resolver`](crate::Resolver).
///
/// It is thread-safe, and owned: one receiver takes the result. Others watch and cancel through a
/// [`PendingHandle`](crate::PendingHandle), or get a copy of the result through [`shared`](Self::shared).
///
/// Awaiting it gives `Result<T, Error>`. Dropping it does nothing: the call runs on. Giving up a *wait* for it
/// cancels the call; see [`wait`](Self::wait).
#[must_use = "the result of the call is lost; use `call_direct` or `drop` it if that is meant"]
pub struct Pending<T>(pub(super) Arc<dyn Take<T>>);

impl<T: Send + 'static> Pending<T> {
    pub(crate) fn new(cell: Arc<dyn Take<T>>) -> Self {
        Self(cell)
    }

    pub(crate) fn cell(&self) -> &Arc<dyn Take<T>> {
        &self.0
    }
}
