//! Who hears of the calls that are made: trackers, active in a context, one of each type.

use std::{
    any::{Any, TypeId},
    fmt,
    future::Future,
    sync::Arc,
};

use crate::{
    context::{self, Context, InContext, Value},
    error::{Error, Kind, Result},
    members::Members,
    pending::{Keeper, PendingHandle},
    sys::{self, Mutex, MutexGuard},
};

/// Hears of every pending that is made where it is active, by any verb of any caller in any thread.
///
/// A tracker is active in a context, which travels with calls: what calls make while it is active, and what their calls
/// make in turn, is tracked. Of each type one is active at a time. [`PendingGroup`](crate::PendingGroup)s are trackers;
/// implement the trait for managers of your own, with a [`PendingSet`] inside.
///
/// ```
/// # use caller::{Caller, PendingHandle, PendingSet, Tracker, testing::Manual};
/// # use std::sync::Arc;
/// #[derive(Default)]
/// struct Requests(PendingSet);
///
/// impl Tracker for Requests {
///     fn track(&self, pending: &PendingHandle) {
///         self.0.add(pending);
///     }
/// }
///
/// # fn main() -> caller::Result<()> {
/// # let caller = Caller::builder().backend(Manual::new()).spawn()?;
/// let requests = Arc::new(Requests::default());
/// let call = requests.sync_scope(|| caller.call_soon(async || Requests::current().is_some()));
/// assert!(call.wait_blocking()?, "it is active inside the call too");
/// while !requests.0.is_empty() {
///     std::thread::yield_now(); // what is done leaves the set a moment later
/// }
/// # caller.stop();
/// # Ok(())
/// # }
/// ```
pub trait Tracker: Any + Send + Sync {
    /// A pending was made where this is active. It is called in the thread that made it, before the call can start; a
    /// panic in it is the submitter's.
    fn track(&self, pending: &PendingHandle);

    /// The tracker of this type that is active here.
    fn current() -> Option<Arc<Self>>
    where
        Self: Sized,
    {
        let entry = context::tracker_here(TypeId::of::<Self>())?.downcast::<Entry>().ok()?;
        entry.typed.clone().downcast().ok()
    }

    /// Makes it the active tracker of its type for the rest of the running call, or until it is deactivated.
    ///
    /// # Errors
    ///
    /// [`is_mismatch`](Error::is_mismatch) outside of a call, where it would leak into unrelated tasks: use
    /// [`scope`](Self::scope) or [`sync_scope`](Self::sync_scope) there.
    fn activate(self: &Arc<Self>) -> Result<Activation<Self>>
    where
        Self: Sized,
    {
        let former = context::set_tracker_here(TypeId::of::<Self>(), Some(entry(self)))?;
        Ok(Activation { tracker: self.clone(), former: Some(former) })
    }

    /// A future in which it is active.
    fn scope<F: Future>(self: &Arc<Self>, future: F) -> InContext<F>
    where
        Self: Sized,
    {
        Context::current().with_tracker(self).scope(future)
    }

    /// Runs a function in which it is active.
    fn sync_scope<R>(self: &Arc<Self>, function: impl FnOnce() -> R) -> R
    where
        Self: Sized,
    {
        Context::current().with_tracker(self).run(function)
    }
}

/// What a context holds of a tracker: to call it, and to hand it out as what it is.
struct Entry {
    tracker: Arc<dyn Tracker>,
    typed: Value,
}

fn entry<T: Tracker>(tracker: &Arc<T>) -> Value {
    Arc::new(Entry { tracker: tracker.clone(), typed: tracker.clone() })
}

impl Context {
    /// This context with a tracker active.
    #[must_use]
    pub fn with_tracker<T: Tracker>(mut self, tracker: &Arc<T>) -> Self {
        self.set_tracker(TypeId::of::<T>(), Some(entry(tracker)));
        self
    }

    /// The trackers of a call that is about to be made with it, if there are any.
    pub(crate) fn if_tracked(&self) -> Option<Self> {
        (!self.trackers().is_empty()).then(|| self.without_values())
    }

    /// Tells the trackers that are active in it of a pending.
    pub(crate) fn register(&self, pending: impl FnOnce() -> PendingHandle) {
        self.register_with(&Trackers::all(), pending);
    }

    fn register_with(&self, trackers: &Trackers, pending: impl FnOnce() -> PendingHandle) {
        if self.trackers().is_empty() {
            return;
        }
        let pending = pending();
        for (of, value) in self.trackers() {
            if trackers.has(*of)
                && let Some(entry) = value.downcast_ref::<Entry>()
            {
                entry.tracker.track(&pending);
            }
        }
    }
}

impl PendingHandle {
    /// Has the trackers that are active here track it. Calls are tracked without being told; a pending that is made by
    /// hand opts in by this.
    pub fn track(&self, trackers: &Trackers) {
        Context::current().register_with(trackers, || self.clone());
    }
}

/// Which trackers a call registers with: the ones that are active where it is made, or only those of some types.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trackers(Selection);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Selection {
    All,
    Only(Vec<TypeId>),
    Except(Vec<TypeId>),
}

impl Trackers {
    /// All that are active.
    pub fn all() -> Self {
        Self(Selection::All)
    }

    /// None, so that no tracker is active inside the call either.
    pub fn none() -> Self {
        Self(Selection::Only(Vec::new()))
    }

    /// Only the one of this type. See [`and`](Self::and) for more.
    pub fn only<T: Tracker>() -> Self {
        Self::none().and::<T>()
    }

    /// All but the one of this type.
    pub fn except<T: Tracker>() -> Self {
        Self(Selection::Except(vec![TypeId::of::<T>()]))
    }

    /// The one of this type too.
    #[must_use]
    pub fn and<T: Tracker>(mut self) -> Self {
        let of = TypeId::of::<T>();
        match &mut self.0 {
            Selection::All => {}
            Selection::Only(types) => types.push(of),
            Selection::Except(types) => types.retain(|known| *known != of),
        }
        self
    }

    pub(crate) fn has(&self, of: TypeId) -> bool {
        match &self.0 {
            Selection::All => true,
            Selection::Only(types) => types.contains(&of),
            Selection::Except(types) => !types.contains(&of),
        }
    }
}

/// A tracker that was made the active one of its type, by [`Tracker::activate`]. Dropping it deactivates the tracker, if
/// it still is the active one here.
#[must_use = "dropping it deactivates the tracker"]
pub struct Activation<T: Tracker> {
    tracker: Arc<T>,
    /// What was active before. None once it is again.
    former: Option<Option<Value>>,
}

impl<T: Tracker> Activation<T> {
    /// Makes what was active before the active one again.
    ///
    /// # Errors
    ///
    /// [`is_mismatch`](Error::is_mismatch) where the tracker is not the active one of its type: in another call, or
    /// under an activation that came later.
    pub fn deactivate(mut self) -> Result<()> {
        self.restore()
    }

    fn restore(&mut self) -> Result<()> {
        let Some(former) = self.former.take() else { return Ok(()) };
        if !T::current().is_some_and(|current| Arc::ptr_eq(&current, &self.tracker)) {
            return Err(Error::new(Kind::NotActive));
        }
        context::set_tracker_here(TypeId::of::<T>(), former).map(drop)
    }
}

impl<T: Tracker> Drop for Activation<T> {
    fn drop(&mut self) {
        // Elsewhere there is nothing to undo.
        let _elsewhere = self.restore();
    }
}

impl<T: Tracker> fmt::Debug for Activation<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Activation").field("tracker", &std::any::type_name::<T>()).finish_non_exhaustive()
    }
}

/// Pendings that leave the set when they are done, by a callback: what a [`Tracker`] keeps them in.
#[derive(Clone, Default)]
pub struct PendingSet(Arc<SetInner>);

#[derive(Default)]
struct SetInner(Mutex<Members>);

impl PendingSet {
    /// An empty set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a pending until it is done. False if it is in the set already, or done.
    pub fn add(&self, pending: &PendingHandle) -> bool {
        let mut members = self.0.members();
        if members.contains(pending) {
            return false;
        }
        members.add(pending);
        drop(members);
        pending.keep(self.0.clone());
        !pending.is_done()
    }

    /// Takes a pending off. False if it was not in the set.
    pub fn remove(&self, pending: &PendingHandle) -> bool {
        let known = self.0.members().remove(pending);
        if known.is_some() {
            pending.unkeep(&self.0);
        }
        known.is_some()
    }

    /// Whether a pending is in the set.
    pub fn contains(&self, pending: &PendingHandle) -> bool {
        self.0.members().contains(pending)
    }

    /// The pendings that are not done, in the order in which they were added.
    pub fn pendings(&self) -> Vec<PendingHandle> {
        self.0.members().in_order()
    }

    /// How many are not done.
    pub fn len(&self) -> usize {
        self.0.members().len()
    }

    /// Whether all are done.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl SetInner {
    fn members(&self) -> MutexGuard<'_, Members> {
        sys::lock(&self.0)
    }
}

impl Keeper for SetInner {
    fn done(&self, pending: &PendingHandle) {
        let gone = self.members().remove(pending);
        drop(gone);
    }
}

impl fmt::Debug for PendingSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.pendings()).finish()
    }
}
