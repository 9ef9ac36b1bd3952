//! Other runtimes in the thread of a scheduler, as its guests: started by the first call that names one, driven with the
//! scheduler's turns, ended when every call has.

use std::{
    cell::RefCell,
    io, mem,
    rc::{Rc, Weak},
    sync::Arc,
    task::Context as TaskContext,
};

use super::Tasks;
use crate::backend::{Backend, Guest};

thread_local! {
    /// The scheduler of this thread. It owns the guests: none lives in the thread-local.
    static HERE: RefCell<Weak<Tasks>> = const { RefCell::new(Weak::new()) };
}

/// The guests of one scheduler.
#[derive(Default)]
pub(super) struct Guests(RefCell<Vec<Known>>);

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
    tasks.guests.0.borrow_mut().push(Known { backend: backend.clone(), guest: fresh.clone() });
    if let Some(own) = &tasks.own {
        // Started outside of the scheduler's turn, in which it is driven.
        own.wake_scheduler();
    }
    Ok(fresh)
}

impl Guests {
    fn find(&self, backend: &dyn Backend) -> Option<Rc<dyn Guest>> {
        let known = self.0.borrow();
        known.iter().find(|known| known.backend.is_same(backend)).map(|known| known.guest.clone())
    }

    /// Goes on with what the guests have to do.
    pub(super) fn drive(&self, cx: &mut TaskContext<'_>) {
        let mut at = 0;
        // A guest's task may start another guest.
        loop {
            let Some(guest) = self.0.borrow().get(at).map(|known| known.guest.clone()) else { return };
            guest.drive(cx);
            at += 1;
        }
    }

    /// Ends them, the last one first.
    pub(super) fn end(&self) {
        let mut guests = mem::take(&mut *self.0.borrow_mut());
        while let Some(guest) = guests.pop() {
            drop(guest);
        }
    }
}
