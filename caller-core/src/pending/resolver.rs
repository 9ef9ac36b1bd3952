//! The producing side of a pending that is made by hand.

use std::{fmt, panic::Location, sync::Arc};

use super::{
    core::{Cancelled, Completed, Core, Pending, Take, take_from_core},
    handle::CancelRequested,
    observers::{Canceller, Observe, PendingHandle, Waiters},
    state::State,
};
use crate::{
    caller_id::CallerId,
    error::{BoxError, Error, Kind, Result, Site},
    guard::{self, Place},
};

/// A pending without work: somebody holds its resolver.
struct ByHand<T: 'static> {
    core: Core<(), T>,
}

impl<T: Send + 'static> ByHand<T> {
    /// The outcome comes back if it was done before.
    fn complete(self: &Arc<Self>, outcome: Result<T>) -> Result<(), Result<T>> {
        match self.core.complete(outcome, || self.site()) {
            Completed::Done { waiters, hidden, .. } => {
                let this = self.clone();
                waiters.tell(move || PendingHandle::new(this));
                guard::discard(Place::ResultDrop, hidden);
                Ok(())
            }
            Completed::TooLate(outcome) => Err(outcome),
        }
    }
}

impl<T: Send + 'static> Observe for ByHand<T> {
    fn state(&self) -> &State {
        &self.core.state
    }

    fn site(&self) -> Site {
        Site::new(std::any::type_name::<Resolver<T>>(), self.core.location())
    }

    fn caller_id(&self) -> Option<CallerId> {
        None
    }

    fn error(&self) -> Result<Option<Error>> {
        self.core.error()
    }

    fn with_waiters(&self, access: &mut dyn FnMut(&mut Waiters)) -> bool {
        self.core.waiters(access).is_some()
    }

    fn cancel(self: Arc<Self>, reason: &str, closed: bool) -> bool {
        match self.core.cancel(reason, closed, || self.site()) {
            Cancelled::TooLate => return false,
            Cancelled::Done { waiters, .. } => waiters.tell(move || PendingHandle::new(self)),
            Cancelled::Asked(canceller, wakers) => {
                wakers.into_iter().for_each(guard::wake);
                if let Some(canceller) = canceller {
                    // It may cancel the next pending of a chain.
                    guard::nested((self, canceller, reason.to_owned()), |(this, canceller, reason)| {
                        canceller.call(&reason);
                        this.core.give_back(canceller);
                    });
                }
            }
        }
        true
    }
}

impl<T: Send + 'static> Take<T> for ByHand<T> {
    take_from_core!(T);
}

/// Gives a [`Pending`] its result. Dropped without one, it leaves the pending abandoned: an error, never a hang.
///
/// ```
/// # use caller::Resolver;
/// let (resolver, pending) = Resolver::new();
/// std::thread::spawn(move || resolver.resolve(42));
/// assert_eq!(pending.wait_blocking().unwrap(), 42);
/// ```
pub struct Resolver<T: Send + 'static>(Arc<ByHand<T>>);

impl<T: Send + 'static> Resolver<T> {
    /// Makes a pending, and the side that completes it.
    #[track_caller]
    pub fn new() -> (Self, Pending<T>) {
        let core = Core::new(Some(()), Location::caller(), None);
        let cell = Arc::new(ByHand { core });
        (Self(cell.clone()), Pending::new(cell))
    }

    /// Completes it with a value. The first outcome stays.
    ///
    /// If cancelling was asked for before, the outcome becomes the cancelled error, and the value is dropped.
    ///
    /// # Errors
    ///
    /// The value comes back if the pending was done already.
    pub fn resolve(&self, value: T) -> Result<(), T> {
        match self.0.complete(Ok(value)) {
            Err(Ok(value)) => Err(value),
            // What comes back is what went in: never an error.
            Ok(()) | Err(Err(_)) => Ok(()),
        }
    }

    /// Completes it with an error of the user's, which makes it failed. False if it was done already.
    pub fn fail(&self, error: impl Into<BoxError>) -> bool {
        self.0.complete(Err(Error::at(Kind::Failed(error.into().into()), self.0.site()))).is_ok()
    }

    /// Completes it with the error of another pending. False if it was done already.
    pub fn fail_with(&self, error: Error) -> bool {
        self.0.complete(Err(error)).is_ok()
    }

    /// Sets who is told when cancelling is asked for, with the reason, in the thread that asks and in the context that is
    /// current here. From then on the pending is only done when the resolver says so, with whatever outcome: it will be
    /// the cancelled error.
    ///
    /// It is called for each `cancel`, save for those that come while it runs: these only add their reasons.
    ///
    /// Without a canceller, cancelling completes the pending at once.
    ///
    /// # Errors
    ///
    /// If it is done, cancelled, or has a canceller.
    pub fn set_canceller(&self, canceller: impl Fn(&str) + Send + Sync + 'static) -> Result<()> {
        self.handle().set_canceller(Canceller::new(canceller))
    }

    /// Whether the pending is done, for instance because it was cancelled: then nobody wants the value.
    pub fn is_done(&self) -> bool {
        self.0.core.state.is_done()
    }

    /// Whether cancelling was asked for.
    pub fn is_cancelled(&self) -> bool {
        self.0.core.state.is_cancelled()
    }

    /// Waits until cancelling is asked for, or the pending is done.
    pub fn cancel_requested(&self) -> CancelRequested {
        self.handle().cancel_requested()
    }

    /// A handle of the pending.
    pub fn handle(&self) -> PendingHandle {
        PendingHandle::new(self.0.clone())
    }
}

impl<T: Send + 'static> Drop for Resolver<T> {
    fn drop(&mut self) {
        if !self.is_done() {
            let _late = self.0.complete(Err(Error::at(Kind::Abandoned, self.0.site())));
        }
    }
}

impl<T: Send + 'static> fmt::Debug for Resolver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Resolver").field(&self.handle()).finish()
    }
}

impl<T: Send + 'static> Pending<T> {
    /// A pending that is done: the call could not even be made.
    #[track_caller]
    pub(crate) fn failed(error: Error) -> Self {
        let (resolver, pending) = Resolver::new();
        resolver.fail_with(error);
        pending
    }
}
