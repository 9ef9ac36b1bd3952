//! What lives in the thread of a scheduler beside its calls, until its last handle or the scheduler ends.

use std::{
    any::Any,
    cell::{Cell, RefCell},
    collections::BTreeMap,
    rc::Rc,
};

use crate::guard::{self, Place};

/// What stays in the thread, each under a number that is never used twice.
#[derive(Default)]
pub(crate) struct Residents {
    known: RefCell<BTreeMap<u64, Rc<dyn Any>>>,
    last: Cell<u64>,
}

impl Residents {
    /// Keeps it, and gives its number.
    pub(crate) fn add(&self, resident: Rc<dyn Any>) -> u64 {
        let number = self.last.get() + 1;
        self.last.set(number);
        self.known.borrow_mut().insert(number, resident);
        number
    }

    pub(crate) fn get(&self, number: u64) -> Option<Rc<dyn Any>> {
        self.known.borrow().get(&number).cloned()
    }

    /// Lets go of one.
    pub(crate) fn remove(&self, number: u64) {
        let gone = self.known.borrow_mut().remove(&number);
        guard::discard_now(Place::ResidentDrop, gone);
    }

    /// Lets go of all, the last made first.
    pub(super) fn end(&self) {
        loop {
            // The borrow ends before the destructor, which may let go of others.
            let last = self.known.borrow_mut().pop_last();
            let Some((_, gone)) = last else { return };
            guard::discard_now(Place::ResidentDrop, gone);
        }
    }
}
