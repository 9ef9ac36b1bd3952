//! Other runtimes in the thread of a scheduler, as its guests: started by the first call that names one, driven with the
//! scheduler's turns, ended when every call has.

use std::{
    cell::RefCell,
    io, mem,
    rc::Rc,
    sync::Arc,
    task::{Context as TaskContext, Waker},
};

use crate::{
    backend::{Backend, Guest},
    guard::{self, Place},
    wake::Flagged,
};

/// The guests of one scheduler.
pub(crate) struct Guests {
    known: RefCell<Vec<Known>>,
    /// How they say that they want to be driven: seen by a scheduler that watches, and told to one that sleeps.
    wake: Arc<Flagged>,
}

struct Known {
    backend: Arc<dyn Backend>,
    guest: Rc<dyn Guest>,
}

impl Guests {
    pub(crate) fn new() -> Self {
        Self { known: RefCell::default(), wake: Flagged::new() }
    }

    /// How many calls run in them: each has its guest for as long as it runs.
    pub(crate) fn calls(&self) -> usize {
        self.known.borrow().iter().map(|known| Rc::strong_count(&known.guest) - 1).sum()
    }

    /// Whether one of them wants to be driven.
    pub(crate) fn is_woken(&self) -> bool {
        !self.known.borrow().is_empty() && self.wake.is_woken()
    }

    /// Has the scheduler woken when they want to be driven. What was before is seen by `is_woken`.
    pub(crate) fn watch(&self, scheduler: &Waker) {
        self.wake.renew(scheduler);
    }

    /// The guest of this kind, started now if there is none.
    pub(crate) fn find_or_start(&self, backend: &Arc<dyn Backend>) -> io::Result<Rc<dyn Guest>> {
        let backends: Vec<_> = self.known.borrow().iter().map(|known| known.backend.clone()).collect();
        if let Some(at) = backends.iter().position(|known| known.is_same(&**backend))
            && let Some(known) = self.known.borrow().get(at)
        {
            return Ok(known.guest.clone());
        }
        let fresh = backend.guest()?;
        self.known.borrow_mut().push(Known { backend: backend.clone(), guest: fresh.clone() });
        Ok(fresh)
    }

    /// Goes on with what the guests have to do. True if one of them wanted it.
    pub(crate) fn drive(&self) -> bool {
        // A guest that nobody asked for is not woken, and costs nothing.
        if self.known.borrow().is_empty() {
            return false;
        }
        let woken = self.wake.take();
        let waker = Waker::from(self.wake.clone());
        let cx = &mut TaskContext::from_waker(&waker);
        let mut at = 0;
        // A guest's task may start another guest.
        loop {
            let Some(guest) = self.known.borrow().get(at).map(|known| known.guest.clone()) else {
                return woken;
            };
            guard::quietly(Place::Runtime, || guest.drive(cx));
            at += 1;
        }
    }

    /// Ends them, the last one first.
    pub(crate) fn end(&self) {
        let mut guests = mem::take(&mut *self.known.borrow_mut());
        while let Some(guest) = guests.pop() {
            guard::discard_now(Place::Runtime, guest);
        }
    }
}
