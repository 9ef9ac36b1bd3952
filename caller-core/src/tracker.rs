//! Who hears of the calls that are made: trackers, active in a context, one of each type.

mod members;
mod selection;

mod register;
mod set;

use std::{
    any::{Any, TypeId},
    fmt,
    future::Future,
    sync::Arc,
};

pub(crate) use self::members::Members;
pub use self::{selection::Trackers, set::PendingSet};
use crate::{
    context::{self, Context, InContext, Value},
    error::{Error, Kind, Result},
    guard::{self, Guarded, Place},
    pending::{PendingHandle, WeakHandle, current_call},
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
    /// A pending was made where this is active. It is called in the thread that made it, before the call can start.
    ///
    /// Meanwhile it is not active: calls that it makes are not tracked by it, nor are the calls that these make.
    ///
    /// A panic in it is reported. The call goes on without being tracked by this tracker; the others hear of it.
    fn track(&self, pending: &PendingHandle);

    /// The tracker of this type that is active here.
    fn current() -> Option<Arc<Self>>
    where
        Self: Sized,
    {
        let entry = context::tracker_here(TypeId::of::<Self>())?;
        Entry::of(&entry)?.typed.clone().downcast().ok()
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
        Ok(Activation { tracker: self.clone(), call: current_call(), former: Some(former) })
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
    typed: Arc<dyn Any + Send + Sync>,
}

impl Entry {
    fn of(value: &Value) -> Option<&Self> {
        value.downcast_ref::<Guarded<Self>>()?.get()
    }
}

fn entry<T: Tracker>(tracker: &Arc<T>) -> Value {
    context::guarded(Entry { tracker: tracker.clone(), typed: tracker.clone() })
}

impl Context {
    /// This context with a tracker active.
    #[must_use]
    pub fn with_tracker<T: Tracker>(mut self, tracker: &Arc<T>) -> Self {
        self.set_tracker(TypeId::of::<T>(), Some(entry(tracker)));
        self
    }
}

/// A tracker that was made the active one of its type, by [`Tracker::activate`]. Dropping it deactivates the tracker, if
/// it still is the active one in this call.
#[must_use = "dropping it deactivates the tracker"]
pub struct Activation<T: Tracker> {
    tracker: Arc<T>,
    /// The call it was made in. None in the body of a scope.
    call: Option<WeakHandle>,
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
        let is_active = T::current().is_some_and(|current| Arc::ptr_eq(&current, &self.tracker));
        if !is_active || self.call != current_call() {
            return Err(Error::new(Kind::NotActive));
        }
        context::set_tracker_here(TypeId::of::<T>(), former).map(drop)
    }
}

impl<T: Tracker> Drop for Activation<T> {
    fn drop(&mut self) {
        // Elsewhere there is nothing to undo. The destructor of a tracker may run here, also while a panic unwinds.
        guard::quietly(Place::Tracker, || self.restore().ok());
    }
}

impl<T: Tracker> fmt::Debug for Activation<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Activation").field("tracker", &std::any::type_name::<T>()).finish_non_exhaustive()
    }
}
