//! The part that all pendings share: the state, the outcome, and those who wait.

use std::{
    mem,
    panic::Location,
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicU64, Ordering},
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
    guard::{self, Place},
    sys::{self, Mutex},
};

/// What every pending has. `W` is its work before it has begun.
pub(crate) struct Core<W: 'static, T: 'static> {
    pub(crate) state: State,
    /// Where the scheduler keeps the call, or `NOWHERE`. It stands here since there is room beside the state.
    key: AtomicU32,
    guarded: Mutex<Guarded<W, T>>,
    location: &'static Location<'static>,
    /// The caller that runs the work. Zero for one made by hand, and for one that waits for a worker.
    caller: AtomicU64,
}

/// The place of a call that no scheduler keeps.
const NOWHERE: u32 = u32::MAX;

struct Guarded<W: 'static, T: 'static> {
    room: Room<W, T>,
    waiters: Waiters,
}

/// The work first, the outcome later: never both, so they share their room.
enum Room<W, T> {
    Waiting(W),
    /// Its scheduler has the work.
    Empty,
    Ready(Result<T>),
    /// The owner has it. An error stays to be shown.
    Taken(Option<Error>),
}

impl<W: 'static, T: 'static> Drop for Guarded<W, T> {
    /// The last reference is gone. Nobody took what is left.
    fn drop(&mut self) {
        match mem::replace(&mut self.room, Room::Empty) {
            Room::Waiting(work) => guard::discard(Place::FunctionDrop, work),
            Room::Ready(result) => guard::discard(Place::ResultDrop, result),
            Room::Empty | Room::Taken(_) => {}
        }
        let waiters = mem::take(&mut self.waiters);
        guard::discard(Place::WakerDrop, waiters);
    }
}

/// What `cancel` leaves to do, outside of the lock.
pub(crate) enum Cancelled<W> {
    /// It was done before: nothing.
    TooLate,
    /// The work had not begun: it is to be dropped, and those who waited are to be told.
    Done {
        work: Option<W>,
        waiters: Waiters,
        /// Its scheduler keeps it until its time, and has to be told.
        deferred: bool,
    },
    /// Whoever runs the work has to be told, and those who wait for this moment. The canceller is to be given back.
    Asked(Option<Canceller>, Vec<task::Waker>),
}

/// What `complete` leaves to do, outside of the lock.
pub(crate) enum Completed<W, T> {
    /// Those who waited are to be told. What cancelling has replaced, and what never began, is to be dropped.
    Done { waiters: Waiters, hidden: Option<Result<T>>, work: Option<W> },
    /// It was done before: the outcome comes back.
    TooLate(Result<T>),
}

impl<W: 'static, T: 'static> Core<W, T> {
    /// A pending whose work waits, or, without `work`, is kept by the scheduler of this thread.
    pub(crate) fn new(
        work: Option<W>,
        location: &'static Location<'static>,
        caller: Option<CallerId>,
    ) -> Self {
        let (state, room) = match work {
            Some(work) => (State::waiting(), Room::Waiting(work)),
            None => (State::started(), Room::Empty),
        };
        Self {
            state,
            key: AtomicU32::new(NOWHERE),
            guarded: Mutex::new(Guarded { room, waiters: Waiters::default() }),
            location,
            caller: AtomicU64::new(caller.map_or(0, CallerId::get)),
        }
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

    /// Where its scheduler keeps it, once it does. It is known to whoever has seen the state change after `set_key`.
    pub(crate) fn key(&self) -> Option<u32> {
        Some(self.key.load(Ordering::Relaxed)).filter(|key| *key != NOWHERE)
    }

    pub(crate) fn set_key(&self, key: u32) {
        self.key.store(key, Ordering::Relaxed);
    }

    /// Takes the work to run it. None if it was cancelled before.
    pub(crate) fn start(&self) -> Option<W> {
        let mut guarded = sys::lock(&self.guarded);
        if !self.state.start() {
            return None;
        }
        match mem::replace(&mut guarded.room, Room::Empty) {
            Room::Waiting(work) => Some(work),
            room => {
                guarded.room = room;
                None
            }
        }
    }

    /// Sets the outcome and takes out those who are to be told. An outcome that comes after cancelling was asked for is
    /// replaced by the error that says so.
    pub(crate) fn complete(&self, outcome: Result<T>, site: impl FnOnce() -> Site) -> Completed<W, T> {
        let mut guarded = sys::lock(&self.guarded);
        if self.state.is_done() {
            return Completed::TooLate(outcome);
        }
        let mut hidden = None;
        let closed = matches!(&outcome, Err(error) if error.is_closed());
        let outcome = if self.state.is_cancelled() && !closed {
            hidden = Some(outcome);
            Err(cancelled(&guarded.waiters, site()))
        } else {
            outcome
        };
        let is_cancelled = matches!(&outcome, Err(error) if error.is_cancelled());
        let work = match mem::replace(&mut guarded.room, Room::Ready(outcome)) {
            Room::Waiting(work) => Some(work),
            _ => None,
        };
        let waiters = mem::take(&mut guarded.waiters);
        self.state.finish(is_cancelled);
        Completed::Done { waiters, hidden, work }
    }

    /// Asks to cancel; with `closed`, because what should have run the work stops.
    pub(crate) fn cancel(&self, reason: &str, closed: bool, site: impl FnOnce() -> Site) -> Cancelled<W> {
        let mut guarded = sys::lock(&self.guarded);
        if self.state.is_done() {
            return Cancelled::TooLate;
        }
        match self.state.cancel() {
            Asked::Done { deferred } => {
                let outcome = Err(Error::stopping(reason, closed, site()));
                let work = match mem::replace(&mut guarded.room, Room::Ready(outcome)) {
                    Room::Waiting(work) => Some(work),
                    _ => None,
                };
                Cancelled::Done { work, waiters: mem::take(&mut guarded.waiters), deferred }
            }
            Asked::Running => {
                if !reason.is_empty() {
                    let extra = guarded.waiters.extra();
                    extra.add_reason(reason);
                    extra.closed |= closed;
                }
                match guarded.waiters.known() {
                    Some(_) => {
                        let extra = guarded.waiters.extra();
                        Cancelled::Asked(extra.canceller.take(), extra.take_on_cancel())
                    }
                    None => Cancelled::Asked(None, Vec::new()),
                }
            }
        }
    }

    /// Takes back a canceller that was called, unless it is done: nobody calls it any more then.
    pub(crate) fn give_back(&self, canceller: Canceller) {
        let mut canceller = Some(canceller);
        self.waiters(|waiters| waiters.extra().canceller = canceller.take());
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
        Ok(match &sys::lock(&self.guarded).room {
            Room::Ready(Err(error)) | Room::Taken(Some(error)) => Some(error.clone()),
            _ => None,
        })
    }

    pub(crate) fn take(&self) -> Result<T> {
        if !self.state.is_done() {
            return Err(Error::new(Kind::NotDone));
        }
        let mut guarded = sys::lock(&self.guarded);
        let error = match &guarded.room {
            Room::Ready(Err(error)) => Some(error.clone()),
            Room::Taken(Some(error)) => return Err(error.clone()),
            _ => None,
        };
        match mem::replace(&mut guarded.room, Room::Taken(error)) {
            Room::Ready(outcome) => outcome,
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
        match self.waiters(|waiters| mem::replace(&mut waiters.owner, waker.take())) {
            Some(old) => {
                guard::discard_waker(old);
                false
            }
            None => true,
        }
    }

    pub(crate) fn forget_owner(&self) {
        guard::discard_waker(self.waiters(|waiters| waiters.owner.take()).flatten());
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
    ($value:ty) => {
        fn take(&self) -> $crate::error::Result<$value> {
            self.core.take()
        }

        fn poll_take(
            &self,
            cx: &mut std::task::Context<'_>,
        ) -> std::task::Poll<$crate::error::Result<$value>> {
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
