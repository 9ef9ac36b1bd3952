//! The observers of a pending: futures, blocked threads, callbacks and groups that hear that it is done, or that cancelling
//! was asked for.

use std::{
    any::TypeId,
    fmt,
    hash::{Hash, Hasher},
    mem,
    sync::{Arc, Weak},
    task::Waker,
    time::Duration,
};

use super::{labels::Labels, state::State};
use crate::{
    blocked::Blocker,
    caller_id::CallerId,
    context::Context,
    error::{Error, Result, Site},
    guard::{self, Place},
    wake::{Key, List, Wakers},
};

/// The operations of a pending that do not depend on the type of its result.
pub(crate) trait Observe: Send + Sync {
    fn state(&self) -> &State;
    fn site(&self) -> Site;
    fn caller_id(&self) -> Option<CallerId>;
    fn error(&self) -> Result<Option<Error>>;
    /// Runs `access` with the observers, under the lock. Once the pending is done it returns false instead.
    fn with_waiters(&self, access: &mut dyn FnMut(&mut Waiters)) -> bool;
    fn cancel(self: Arc<Self>, reason: &str, closed: bool) -> bool;
}

/// Watches and cancels a pending from anywhere. Cheap to clone; equal and hashed by identity.
#[derive(Clone)]
pub struct PendingHandle(pub(super) Arc<dyn Observe>);

impl PendingHandle {
    pub(crate) fn new(cell: Arc<dyn Observe>) -> Self {
        Self(cell)
    }

    pub(crate) fn downgrade(&self) -> WeakHandle {
        WeakHandle(Arc::downgrade(&self.0))
    }

    pub(crate) fn address(&self) -> usize {
        Arc::as_ptr(&self.0).addr()
    }

    pub(crate) fn caller_id(&self) -> Option<CallerId> {
        self.0.caller_id()
    }
}

impl Blocker for PendingHandle {
    fn callers(&self, found: &mut Vec<CallerId>) {
        // None yet for a call that waits for a worker.
        let caller = if self.0.state().is_done() { None } else { self.caller_id() };
        found.extend(caller);
    }
}

impl PartialEq for PendingHandle {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::addr_eq(Arc::as_ptr(&self.0), Arc::as_ptr(&other.0))
    }
}

impl Eq for PendingHandle {}

impl Hash for PendingHandle {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.0).cast::<()>().hash(state);
    }
}

/// Tells a pending from all others, also once that is gone. Equal by identity.
pub(crate) struct WeakHandle(Weak<dyn Observe>);

impl PartialEq for WeakHandle {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::addr_eq(self.0.as_ptr(), other.0.as_ptr())
    }
}

/// A function to be called once a pending is done.
///
/// Clones are the same callback: each of them removes it.
#[derive(Clone)]
pub struct DoneCallback(Arc<dyn Fn(&PendingHandle) + Send + Sync>);

impl DoneCallback {
    /// Makes a callback of a function. It should be short: it runs in the thread that completes the pending.
    pub fn new(function: impl Fn(&PendingHandle) + Send + Sync + 'static) -> Self {
        Self(Arc::new(function))
    }

    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Calls it in the context of its registration. A panic in it is reported and goes no further.
    pub(crate) fn call(self, context: Context, pending: &PendingHandle) {
        // The clone is not the last reference, so its drop runs no destructor while a panic of the callback unwinds.
        guard::quietly(Place::DoneCallback, || context.clone().run(|| (self.0)(pending)));
        guard::discard(Place::DoneCallback, self);
        context.discard();
    }
}

impl fmt::Debug for DoneCallback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DoneCallback")
    }
}

/// A function that is called when cancelling is asked for, with the reason: in the context that was current where it was
/// made. While it is called, its pending has none.
pub(crate) struct Canceller {
    function: Option<Box<OnCancel>>,
    context: Context,
}

type OnCancel = dyn Fn(&str) + Send + Sync;

impl Canceller {
    pub(crate) fn new(function: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self { function: Some(Box::new(function)), context: Context::current() }
    }

    /// A panic in it is reported and goes no further.
    pub(crate) fn call(&self, reason: &str) {
        if let Some(function) = &self.function {
            guard::quietly(Place::Canceller, || self.context.clone().run(|| function(reason)));
        }
    }
}

impl Drop for Canceller {
    fn drop(&mut self) {
        guard::discard(Place::Canceller, self.function.take());
        mem::take(&mut self.context).discard();
    }
}

/// A set or a group that keeps many pendings. It is called as a callback is, in the thread that completes the pending and
/// in the order of adding, but without a context.
pub(crate) trait Keeper: Send + Sync {
    /// One of the pendings is done.
    fn done(&self, pending: &PendingHandle);
}

fn is_at(keeper: &Arc<dyn Keeper>, address: *const ()) -> bool {
    std::ptr::addr_eq(Arc::as_ptr(keeper), address)
}

/// Code that is called when the pending is done.
pub(crate) enum Observer {
    /// A callback, with the context in which it runs.
    Callback(DoneCallback, Context),
    /// A set or a group, beside the first.
    Keeper(Arc<dyn Keeper>),
}

impl fmt::Debug for Observer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Callback(..) => "Callback",
            Self::Keeper(_) => "Keeper",
        })
    }
}

/// The observers of a pending, guarded by the pending's lock.
#[derive(Default)]
pub(crate) struct Waiters {
    /// The waker of the future that will take the result. Kept apart, so that the usual call needs no list.
    pub(crate) owner: Option<Waker>,
    /// The first set or group that keeps it. Kept apart, so that a call in a group needs no list either.
    keeper: Option<Arc<dyn Keeper>>,
    extra: Option<Box<Extra>>,
}

/// The fields that most pendings never need.
#[derive(Default)]
pub(crate) struct Extra {
    observers: List<Observer>,
    /// Futures and blocked threads that wait until it is done.
    wakers: Wakers,
    /// Futures that wait until cancelling is asked for.
    on_cancel: Wakers,
    /// The reasons given for cancelling, one a line.
    pub(crate) reasons: String,
    /// One of the reasons is that its caller or its queue stops.
    pub(crate) closed: bool,
    pub(crate) canceller: Option<Canceller>,
    /// How long the call may go on after cancelling was asked for.
    pub(crate) grace: Option<Duration>,
    pub(crate) metadata: Labels,
    /// The queue in which it has its turn, or which it serves, by the key of that queue in its caller.
    pub(crate) queue: Option<(TypeId, usize)>,
}

impl fmt::Debug for Extra {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Extra")
            .field("observers", &self.observers)
            .field("wakers", &self.wakers.len())
            .finish_non_exhaustive()
    }
}

impl Waiters {
    pub(crate) fn extra(&mut self) -> &mut Extra {
        self.extra.get_or_insert_default()
    }

    /// Adds a keeper.
    pub(crate) fn keep(&mut self, keeper: Arc<dyn Keeper>) {
        // Behind callbacks it has to wait for its turn.
        if self.keeper.is_none() && self.extra.as_ref().is_none_or(|extra| extra.observers.is_empty()) {
            self.keeper = Some(keeper);
        } else {
            self.extra().observe(Observer::Keeper(keeper));
        }
    }

    /// Takes a keeper off. It is handed back, to be dropped outside of the lock.
    pub(crate) fn unkeep(&mut self, keeper: *const ()) -> Option<Observer> {
        if self.keeper.as_ref().is_some_and(|known| is_at(known, keeper)) {
            return self.keeper.take().map(Observer::Keeper);
        }
        self.extra.as_mut()?.forget_keeper(keeper)
    }

    pub(crate) fn known(&self) -> Option<&Extra> {
        self.extra.as_deref()
    }
}

impl Extra {
    pub(crate) fn observe(&mut self, observer: Observer) {
        self.observers.push(observer);
    }

    /// Registers the waker of a future, or renews it. The old one is handed back, to be dropped outside of the
    /// lock: it may be the last reference to a task.
    #[must_use]
    pub(crate) fn observe_waker(&mut self, key: &mut Option<Key>, waker: Waker) -> Option<Waker> {
        self.wakers.register(key, waker)
    }

    /// Takes a waker off the list. It is handed back, to be dropped outside of the lock.
    #[must_use]
    pub(crate) fn forget(&mut self, key: Key) -> Option<Waker> {
        self.wakers.remove(key)
    }

    /// Takes all registrations of a callback off the list.
    #[must_use]
    pub(crate) fn forget_callback(&mut self, callback: &DoneCallback) -> Vec<Observer> {
        self.observers
            .extract(|observer| matches!(observer, Observer::Callback(known, _) if known.is(callback)))
    }

    /// Takes one registration of a keeper off the list.
    #[must_use]
    fn forget_keeper(&mut self, keeper: *const ()) -> Option<Observer> {
        let mut found = false;
        let is = |observer: &Observer| matches!(observer, Observer::Keeper(known) if is_at(known, keeper));
        self.observers
            .extract(|observer| {
                !found && is(observer) && {
                    found = true;
                    true
                }
            })
            .pop()
    }

    /// As `observe_waker`, for a future that waits for cancelling to be asked for.
    #[must_use]
    pub(crate) fn observe_cancel(&mut self, key: &mut Option<Key>, waker: Waker) -> Option<Waker> {
        self.on_cancel.register(key, waker)
    }

    #[must_use]
    pub(crate) fn forget_on_cancel(&mut self, key: Key) -> Option<Waker> {
        self.on_cancel.remove(key)
    }

    #[must_use]
    pub(crate) fn take_on_cancel(&mut self) -> Vec<Waker> {
        self.on_cancel.extract(|_| true)
    }

    pub(crate) fn add_reason(&mut self, reason: &str) {
        if !self.reasons.is_empty() && !reason.is_empty() {
            self.reasons.push('\n');
        }
        self.reasons.push_str(reason);
    }
}

impl Waiters {
    /// Tells all that the pending is done: callbacks in the order they were added, then those who wait. It is called once,
    /// without the lock. A callback may complete the next pending of a chain, or drop its resolver: the chain nests only so
    /// deep, and then goes on after this has returned.
    pub(crate) fn tell(self, pending: impl FnOnce() -> PendingHandle) {
        if self.keeper.is_some() || self.extra.is_some() {
            guard::nested((self, pending()), |(waiters, pending)| waiters.tell_all(pending));
        } else if let Some(owner) = self.owner {
            guard::wake(owner);
        }
    }

    /// A panic costs the callback, keeper or waker that panics, and no other.
    fn tell_all(self, pending: PendingHandle) {
        let Self { owner, keeper, extra } = self;
        if let Some(keeper) = keeper {
            tell_keeper(keeper, &pending);
        }
        if let Some(extra) = extra {
            let Extra { mut observers, wakers, on_cancel, canceller, .. } = *extra;
            while let Some(observer) = observers.pop() {
                match observer {
                    Observer::Callback(callback, context) => callback.call(context, &pending),
                    Observer::Keeper(keeper) => tell_keeper(keeper, &pending),
                }
            }
            wakers.wake();
            on_cancel.wake();
            drop(canceller);
        }
        if let Some(owner) = owner {
            guard::wake(owner);
        }
        // The last reference to a pending drops a result that nobody took.
        guard::discard(Place::ResultDrop, pending);
    }
}

fn tell_keeper(keeper: Arc<dyn Keeper>, pending: &PendingHandle) {
    guard::quietly(Place::DoneCallback, || keeper.done(pending));
    guard::discard(Place::DoneCallback, keeper);
}
