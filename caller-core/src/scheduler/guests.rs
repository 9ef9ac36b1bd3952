//! Other runtimes in the thread of a scheduler, as its guests: started by the first call that names one, driven with the
//! scheduler's turns, ended when every call has.

use std::{
    cell::RefCell,
    io, mem,
    rc::{Rc, Weak},
    sync::Arc,
    task::{Context as TaskContext, Wake, Waker},
};

use super::Tasks;
use crate::{
    backend::{Backend, Guest},
    wake::Flagged,
};

thread_local! {
    /// The scheduler of this thread. It owns the guests: none lives in the thread-local.
    static HERE: RefCell<Weak<Tasks>> = const { RefCell::new(Weak::new()) };
}

/// The guests of one scheduler.
pub(super) struct Guests {
    known: RefCell<Vec<Known>>,
    /// How they say that they want to be driven: seen by a scheduler that watches, and told to one that sleeps.
    wake: Arc<Flagged>,
}

struct Known {
    backend: Arc<dyn Backend>,
    guest: Rc<dyn Guest>,
}

/// Gives this thread to a scheduler.
pub(super) fn settle(tasks: &Rc<Tasks>) {
    HERE.set(Rc::downgrade(tasks));
}

/// The guest of this kind in this thread, started now if there is none.
pub(crate) fn guest(backend: &Arc<dyn Backend>) -> io::Result<Rc<dyn Guest>> {
    let Some(tasks) = HERE.with_borrow(Weak::upgrade) else {
        return Err(io::Error::other("no caller runs in this thread"));
    };
    if let Some(known) = tasks.guests.find(&**backend) {
        return Ok(known);
    }
    let fresh = backend.guest()?;
    tasks.guests.known.borrow_mut().push(Known { backend: backend.clone(), guest: fresh.clone() });
    if let Some(own) = &tasks.own {
        // Started outside of the scheduler's turn, in which it is driven.
        own.wake_scheduler();
    }
    Ok(fresh)
}

impl Guests {
    pub(super) fn new() -> Self {
        Self { known: RefCell::default(), wake: Flagged::new() }
    }

    /// How many calls run in them: each has its guest for as long as it runs.
    pub(super) fn calls(&self) -> usize {
        self.known.borrow().iter().map(|known| Rc::strong_count(&known.guest) - 1).sum()
    }

    /// Whether one of them wants to be driven.
    pub(super) fn is_woken(&self) -> bool {
        !self.known.borrow().is_empty() && self.wake.is_woken()
    }

    /// A call in one of them was polled outside of the scheduler's turn, which may watch for what comes of it.
    pub(super) fn polled(&self) {
        if self.calls() > 0 {
            self.wake.wake_by_ref();
        }
    }

    /// Has the scheduler woken when they want to be driven. What was before is seen by `is_woken`.
    pub(super) fn watch(&self, scheduler: &Waker) {
        self.wake.renew(scheduler);
    }

    fn find(&self, backend: &dyn Backend) -> Option<Rc<dyn Guest>> {
        let known = self.known.borrow();
        known.iter().find(|known| known.backend.is_same(backend)).map(|known| known.guest.clone())
    }

    /// Goes on with what the guests have to do. True if one of them wanted it.
    pub(super) fn drive(&self) -> bool {
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
            guest.drive(cx);
            at += 1;
        }
    }

    /// Ends them, the last one first.
    pub(super) fn end(&self) {
        let mut guests = mem::take(&mut *self.known.borrow_mut());
        while let Some(guest) = guests.pop() {
            drop(guest);
        }
    }
}
