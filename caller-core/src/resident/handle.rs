//! The handle of a resident.

use std::{
    any::type_name,
    fmt,
    hash::{Hash, Hasher},
    marker::PhantomData,
    rc::Rc,
    sync::{Arc, Weak},
};

use super::slot::{Policy, Slot};
use crate::{
    caller::Caller,
    error::Kind,
    guard,
    scheduler::{self, Residents},
    sync::{AsyncEvent, WaitEvent},
};

/// A value that lives in the thread of a caller, and need not be `Send`: a connection, a widget, an interpreter.
///
/// The handle is `Send`, `Sync` and `Clone` whatever the type is, and equal and hashed by identity. The value is made in
/// the caller's thread, never leaves it, and is dropped there. Any thread reaches it by calls, which are ordinary calls of
/// that caller: [`call`](Self::call) gives a function `&T`, together with others; [`call_mut`](Self::call_mut) gives it
/// `&mut T`, alone, and [`run`](Self::run) does so for a plain function. They come in the order made: a call that shares
/// does not overtake one that waits to be alone.
///
/// ```
/// # use caller::{Caller, Resident, testing::Manual};
/// # use std::{cell::Cell, rc::Rc};
/// # fn main() -> caller::Result<()> {
/// # let caller = Caller::builder().backend(Manual::new()).spawn()?;
/// // Made in the caller's thread; an `Rc` could not come from here.
/// let count: Resident<Rc<Cell<u32>>> = caller.resident(async || Rc::new(Cell::new(6))).wait_blocking()?;
/// let next = count.call(async |count| {
///     count.set(count.get() + 1);
///     count.get()
/// });
/// assert_eq!(next.wait_blocking()?, 7);
/// # caller.stop();
/// # Ok(())
/// # }
/// ```
///
/// # Its end
///
/// The value is dropped, in its thread, when the last handle is gone and every call that was made through one has ended;
/// when it is closed ([`close`](Self::close), [`close_with`](Self::close_with)); or when its caller stops: calls end first,
/// then residents, the last made first, while the runtime is there. Handles inside of values that lead to each other keep
/// them until then. [`gone`](Self::gone) waits for it. A call that comes later ends with
/// [`is_closed`](crate::Error::is_closed).
///
/// A process that exits while its callers run drops no value of theirs, as it drops no value of any thread: stop them first,
/// and wait until they have [stopped](Caller::stopped), where a destructor matters.
///
/// # What waits for itself
///
/// A call that has the value, and awaits one that has to wait until it leaves, gets
/// [`is_self_wait`](crate::Error::is_self_wait). A call that shares the value may await another that shares it too, but not
/// while a third waits to have it alone: nobody overtakes that one, so this is an error as well.
///
/// # Panics in calls
///
/// A panic costs the call that it happens in. The value stays as that call left it, unless
/// [`on_panic`](crate::ResidentBuilder::on_panic) or [`build_remaking`](crate::ResidentBuilder::build_remaking) says
/// otherwise.
///
/// # Errors that are not `Send`
///
/// What a call returns crosses threads, and so do errors: one that is not `Send`, such as that of a Lua interpreter, is
/// turned into its text, or into a type of your own, inside the call (`map_err(|error| error.to_string())`), or kept in the
/// thread as a resident of its own by [`derive`](Self::derive).
pub struct Resident<T: 'static>(pub(super) Arc<Shared>, PhantomData<fn() -> T>);

/// What the handles of a resident share.
pub(super) struct Shared {
    pub(super) caller: Caller,
    pub(super) name: Option<Arc<str>>,
    /// Its number among the residents of its thread.
    number: u64,
    pub(super) gone: AsyncEvent,
}

/// Where a value is, for those who are in its thread.
pub(super) struct Place<T: 'static> {
    number: u64,
    value: PhantomData<fn() -> T>,
}

impl Drop for Shared {
    /// The last handle is gone. The calls that were made through one are queued before what this queues.
    fn drop(&mut self) {
        let number = self.number;
        if !self.gone.is_set() {
            // In a caller that stops, the value ends with that.
            self.caller.call_direct(move || {
                let _thread_has_ended = scheduler::residents(|residents| residents.remove(number));
            });
        }
    }
}

impl<T: 'static> Resident<T> {
    /// Gives a value of this thread, which is the caller's, a place and a handle.
    pub(super) fn settle(
        caller: Caller,
        name: Option<Arc<str>>,
        value: T,
        policy: Policy<T>,
        own: Option<Caller>,
    ) -> Result<Self, (Kind, T)> {
        if !caller.is_here() {
            return Err((Kind::OtherThread(caller.name().to_owned()), value));
        }
        if !caller.is_running() {
            return Err((Kind::Closed { reason: caller.0.stop_reason() }, value));
        }
        let Some(number) = scheduler::residents(Residents::next_number) else {
            return Err((Kind::Closed { reason: caller.0.stop_reason() }, value));
        };
        let gone = AsyncEvent::new();
        let slot = Rc::new(Slot::new(number, value, policy, gone.clone(), own));
        scheduler::residents(|residents| residents.add(number, slot));
        Ok(Self(Arc::new(Shared { caller, name, number, gone }), PhantomData))
    }

    /// How a call of the caller finds the value. It does not keep it: what was queued before the last handle went begins
    /// before the value goes. So two threads do not count handles together on the way of each call.
    pub(super) fn place(&self) -> Place<T> {
        Place { number: self.0.number, value: PhantomData }
    }

    /// The value's slot, in its thread.
    pub(super) fn slot(&self) -> Result<Rc<Slot<T>>, Kind> {
        if !self.0.caller.is_here() {
            return Err(Kind::OtherThread(self.0.caller.name().to_owned()));
        }
        self.place().slot().map_err(|_| self.has_ended())
    }

    /// As [`settle`](Self::settle), for one without a name of its own.
    pub(super) fn settle_plain(caller: Caller, value: T) -> Result<Self, Kind> {
        Self::settle(caller, None, value, Policy::Keep, None).map_err(|(kind, value)| {
            guard::discard_now(guard::Place::ResidentDrop, value);
            kind
        })
    }

    pub(super) fn has_ended(&self) -> Kind {
        Kind::Closed { reason: format!("{self} has ended") }
    }

    /// The caller in whose thread the value lives.
    pub fn caller(&self) -> &Caller {
        &self.0.caller
    }

    /// The name that it was given.
    pub fn name(&self) -> Option<&str> {
        self.0.name.as_deref()
    }

    /// Waits until the value is gone: dropped, or taken by [`close_with`](Self::close_with). A call that has the value waits for
    /// ever here.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost by dropping the future.
    pub fn gone(&self) -> WaitEvent {
        self.0.gone.wait()
    }

    /// Whether the value is gone.
    pub fn is_gone(&self) -> bool {
        self.0.gone.is_set()
    }

    /// A handle that does not keep the value.
    pub fn downgrade(&self) -> WeakResident<T> {
        WeakResident(Arc::downgrade(&self.0), PhantomData)
    }
}

impl<T> Clone for Resident<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone(), PhantomData)
    }
}

impl<T> PartialEq for Resident<T> {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl<T> Eq for Resident<T> {}

impl<T> Hash for Resident<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.0).hash(state);
    }
}

impl<T: 'static> Place<T> {
    /// The slot, in the thread of the value.
    pub(super) fn slot(&self) -> Result<Rc<Slot<T>>, Kind> {
        let slot = scheduler::residents(|residents| residents.get(self.number)).flatten();
        slot.and_then(|slot| slot.downcast().ok())
            .ok_or_else(|| Kind::Closed { reason: format!("the resident `{}` has ended", type_name::<T>()) })
    }
}

/// `the resident "db" of the caller "main"`, or with the type where it has no name.
impl<T> fmt::Display for Resident<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0.name {
            Some(name) => write!(f, "the resident {name:?} of the caller {:?}", self.0.caller.name()),
            None => {
                write!(f, "the resident `{}` of the caller {:?}", type_name::<T>(), self.0.caller.name())
            }
        }
    }
}

impl<T> fmt::Debug for Resident<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resident")
            .field("name", &self.0.name)
            .field("caller", &self.0.caller.name())
            .field("gone", &self.is_gone())
            .finish_non_exhaustive()
    }
}

/// A handle of a [`Resident`] that does not keep the value.
pub struct WeakResident<T: 'static>(Weak<Shared>, PhantomData<fn() -> T>);

impl<T> WeakResident<T> {
    /// A handle that keeps it, unless the last one is gone.
    pub fn upgrade(&self) -> Option<Resident<T>> {
        self.0.upgrade().map(|shared| Resident(shared, PhantomData))
    }
}

impl<T> Clone for WeakResident<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone(), PhantomData)
    }
}

impl<T> fmt::Debug for WeakResident<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("WeakResident").field(&self.upgrade()).finish()
    }
}
