//! What threads share of a call: its state, and its function or its outcome, in one allocation.
//!
//! The function that has not begun lies where the outcome will lie, under the lock of the pending. Whoever takes it out
//! owns it: the scheduler, to run it, or the one who cancels, to drop it. The future that the function makes is never in
//! here: see `running`.

use std::{
    marker::PhantomData,
    panic::Location,
    sync::{Arc, OnceLock},
};

use futures_task::ArcWake;

use super::job::{Given, Work};
use crate::{
    caller_id::CallerId,
    context::Context,
    error::{Error, Result, Site},
    guard::{self, Place},
    pending::{Cancelled, Completed, Core, Observe, PendingHandle, State, Take, Waiters, take_from_core},
    queue::RawQueue,
};

/// The places of calls that want to be polled by their scheduler.
pub(crate) type Woken = RawQueue<u32>;

/// The shared part of a call.
pub(super) struct Cell<W: Work> {
    pub(super) core: Core<(W::Start, Context), W::Value>,
    /// Where it is put when it is woken, once its scheduler keeps it.
    home: OnceLock<Arc<Woken>>,
    given: W::Given,
    types: PhantomData<fn() -> W>,
}

impl<W: Work> Cell<W> {
    /// A call whose work waits, or, without `work`, is kept by the scheduler of this thread.
    pub(super) fn new(
        work: Option<(W::Start, Context)>,
        given: W::Given,
        location: &'static Location<'static>,
        caller: Option<CallerId>,
    ) -> Arc<Self> {
        Arc::new(Self {
            core: Core::new(work, location, caller),
            home: OnceLock::new(),
            given,
            types: PhantomData,
        })
    }

    /// Its scheduler keeps it at `key`, and is reached through `woken`. To be said before the state changes.
    pub(super) fn keep_at(&self, key: u32, woken: &Arc<Woken>) {
        self.core.set_key(key);
        if self.home.get().is_none() {
            let _first = self.home.set(woken.clone());
        }
    }

    /// Ends it. Those who wait hear of it last.
    pub(super) fn complete(self: Arc<Self>, outcome: Result<W::Value>) {
        match self.core.complete(outcome, || self.site()) {
            Completed::Done { waiters, hidden, work } => {
                // Most calls have neither, and nothing to drop behind the boundary.
                hidden.into_iter().for_each(|hidden| guard::discard(Place::ResultDrop, hidden));
                work.into_iter().for_each(|work| guard::discard(Place::FunctionDrop, work));
                waiters.tell(move || PendingHandle::new(self));
            }
            Completed::TooLate(outcome) => guard::discard(Place::ResultDrop, outcome),
        }
    }

    /// Has its scheduler look at it.
    fn push(&self) {
        if let Some(home) = self.home.get() {
            // A scheduler that has ended has ended the call: there is nothing to look at.
            let _ended = self.core.key().map(|key| home.push(key));
        }
    }
}

impl<W: Work> Observe for Cell<W> {
    fn state(&self) -> &State {
        &self.core.state
    }

    fn site(&self) -> Site {
        Site::new(W::name(), self.core.location()).named(self.given.name())
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
        match self.core.cancel(reason, closed, || self.site()) {
            Cancelled::TooLate => return false,
            Cancelled::Done { work, waiters, deferred } => {
                if deferred {
                    self.push();
                }
                // What the function captured may cancel the next call of a chain.
                guard::nested((work, waiters, self), |(work, waiters, this)| {
                    guard::discard(Place::FunctionDrop, work);
                    waiters.tell(move || PendingHandle::new(this));
                });
            }
            Cancelled::Asked(_, wakers) => {
                wakers.into_iter().for_each(guard::wake);
                ArcWake::wake_by_ref(&self);
            }
        }
        true
    }
}

impl<W: Work> Take<W::Value> for Cell<W> {
    take_from_core!(W::Value);
}

impl<W: Work> ArcWake for Cell<W> {
    fn wake_by_ref(this: &Arc<Self>) {
        if this.core.state.notify() {
            this.push();
        }
    }
}
