//! Who hears that a pending is done, or that cancelling was asked for: one path for futures, blocked threads
//! and callbacks.

use std::{
    any::TypeId,
    cell::LazyCell,
    fmt,
    hash::{Hash, Hasher},
    mem,
    sync::Arc,
    task::Waker,
    time::Duration,
};

use super::{labels::Labels, state::State};
use crate::{
    caller_id::CallerId,
    context::Context,
    error::{Error, Result, Site},
    guard::{self, Place},
};

/// What can be done with a pending of any type.
pub(crate) trait Observe: Send + Sync {
    fn state(&self) -> &State;
    fn site(&self) -> Site;
    fn caller_id(&self) -> Option<CallerId>;
    fn error(&self) -> Result<Option<Error>>;
    /// Access to who waits, under the lock. False, without calling, once it is done.
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

    pub(crate) fn address(&self) -> usize {
        Arc::as_ptr(&self.0).addr()
    }

    pub(crate) fn caller_id(&self) -> Option<CallerId> {
        self.0.caller_id()
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
        guard::quietly(Place::DoneCallback, || context.run(|| (self.0)(pending)));
        guard::discard(Place::DoneCallback, self);
    }
}

impl fmt::Debug for DoneCallback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DoneCallback")
    }
}

/// A function that is told when cancelling is asked for, with the reason.
pub(crate) type Canceller = Arc<dyn Fn(&str) + Send + Sync>;

/// Something of ours that keeps many pendings, and hears when one of them is done. As a callback, in the thread that
/// completes it and in the order of adding, but without a context.
pub(crate) trait Keeper: Send + Sync {
    fn done(&self, pending: &PendingHandle);
}

fn is_at(keeper: &Arc<dyn Keeper>, address: *const ()) -> bool {
    std::ptr::addr_eq(Arc::as_ptr(keeper), address)
}

/// Somebody who hears of the outcome.
pub(crate) enum Observer {
    /// A future, or a thread that is blocked.
    Waker(Waker),
    /// A callback, with the context in which it runs.
    Callback(DoneCallback, Context),
    /// A set or a group, beside the first.
    Keeper(Arc<dyn Keeper>),
}

impl fmt::Debug for Observer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Waker(_) => "Waker",
            Self::Callback(..) => "Callback",
            Self::Keeper(_) => "Keeper",
        })
    }
}

/// What a pending knows of those who wait for it. It is guarded by the pending's lock.
#[derive(Default)]
pub(crate) struct Waiters {
    /// The one who will take the result. Kept apart, so that the usual call needs no list.
    pub(crate) owner: Option<Waker>,
    /// The first set or group that keeps it. Kept apart, so that a call in a group needs no list either.
    keeper: Option<Arc<dyn Keeper>>,
    extra: Option<Box<Extra>>,
}

/// What most pendings never need.
#[derive(Default)]
pub(crate) struct Extra {
    observers: Vec<(u64, Observer)>,
    next_key: u64,
    /// Those who wait for cancelling to be asked for.
    on_cancel: Vec<(u64, Waker)>,
    /// The reasons given for cancelling, one a line.
    pub(crate) reasons: String,
    /// One of them is that what should have run it stops.
    pub(crate) closed: bool,
    pub(crate) canceller: Option<Canceller>,
    /// How long the call may go on after cancelling was asked for.
    pub(crate) grace: Option<Duration>,
    pub(crate) metadata: Labels,
    /// The queue in which it has its turn, or which it serves, by what that is found by on its caller.
    pub(crate) queue: Option<(TypeId, usize)>,
}

impl fmt::Debug for Extra {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Extra").field("observers", &self.observers).finish_non_exhaustive()
    }
}

impl Waiters {
    pub(crate) fn extra(&mut self) -> &mut Extra {
        self.extra.get_or_insert_default()
    }

    /// Adds somebody who keeps it.
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
    pub(crate) fn observe(&mut self, observer: Observer) -> u64 {
        let key = self.key();
        self.observers.push((key, observer));
        key
    }

    fn key(&mut self) -> u64 {
        self.next_key += 1;
        self.next_key
    }

    /// Registers the waker of a future, or renews it. The old one is handed back, to be dropped outside of the
    /// lock: it may be the last reference to a task.
    pub(crate) fn observe_waker(&mut self, key: &mut Option<u64>, waker: Waker) -> Option<Waker> {
        let known = self.observers.iter_mut().find(|(known, _)| Some(*known) == *key);
        if let Some((_, Observer::Waker(old))) = known {
            return Some(mem::replace(old, waker));
        }
        *key = Some(self.observe(Observer::Waker(waker)));
        None
    }

    /// Takes an observer off the list. It is handed back, to be dropped outside of the lock.
    pub(crate) fn forget(&mut self, key: u64) -> Option<Observer> {
        let at = self.observers.iter().position(|(known, _)| *known == key)?;
        Some(self.observers.remove(at).1)
    }

    /// Takes all registrations of a callback off the list.
    pub(crate) fn forget_callback(&mut self, callback: &DoneCallback) -> Vec<Observer> {
        self.observers
            .extract_if(
                ..,
                |(_, observer)| matches!(observer, Observer::Callback(known, _) if known.is(callback)),
            )
            .map(|(_, observer)| observer)
            .collect()
    }

    /// Takes a keeper off the list.
    fn forget_keeper(&mut self, keeper: *const ()) -> Option<Observer> {
        let is = |observer: &Observer| matches!(observer, Observer::Keeper(known) if is_at(known, keeper));
        let at = self.observers.iter().position(|(_, observer)| is(observer))?;
        Some(self.observers.remove(at).1)
    }

    /// As `observe_waker`, for a future that waits for cancelling to be asked for.
    pub(crate) fn observe_cancel(&mut self, key: &mut Option<u64>, waker: Waker) -> Option<Waker> {
        if let Some((_, old)) = self.on_cancel.iter_mut().find(|(known, _)| Some(*known) == *key) {
            return Some(mem::replace(old, waker));
        }
        let fresh = self.key();
        *key = Some(fresh);
        self.on_cancel.push((fresh, waker));
        None
    }

    pub(crate) fn forget_on_cancel(&mut self, key: u64) -> Option<Waker> {
        let at = self.on_cancel.iter().position(|(known, _)| *known == key)?;
        Some(self.on_cancel.swap_remove(at).1)
    }

    pub(crate) fn take_on_cancel(&mut self) -> Vec<Waker> {
        mem::take(&mut self.on_cancel).into_iter().map(|(_, waker)| waker).collect()
    }

    pub(crate) fn add_reason(&mut self, reason: &str) {
        if !self.reasons.is_empty() && !reason.is_empty() {
            self.reasons.push('\n');
        }
        self.reasons.push_str(reason);
    }
}

impl Waiters {
    /// Tells everybody that the pending is done: callbacks in the order they were added, then those who wait.
    /// It is called once, without the lock.
    pub(crate) fn tell(self, pending: impl FnOnce() -> PendingHandle) {
        let Self { owner, keeper, extra } = self;
        let pending = LazyCell::new(pending);
        if let Some(keeper) = keeper {
            keeper.done(&pending);
        }
        if let Some(extra) = extra {
            let Extra { observers, on_cancel, .. } = *extra;
            let mut wakers = Vec::new();
            for (_, observer) in observers {
                match observer {
                    Observer::Callback(callback, context) => callback.call(context, &pending),
                    Observer::Keeper(keeper) => keeper.done(&pending),
                    Observer::Waker(waker) => wakers.push(waker),
                }
            }
            wakers.into_iter().chain(on_cancel.into_iter().map(|(_, waker)| waker)).for_each(guard::wake);
        }
        if let Some(owner) = owner {
            guard::wake(owner);
        }
    }
}
