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
    /// A number for the next.
    pub(crate) fn next_number(&self) -> u64 {
        let number = self.last.get() + 1;
        self.last.set(number);
        number
    }

    /// Keeps it, under a number that was made for it.
    pub(crate) fn add(&self, number: u64, resident: Rc<dyn Any>) {
        self.known.borrow_mut().insert(number, resident);
    }

    pub(crate) fn get(&self, number: u64) -> Option<Rc<dyn Any>> {
        self.known.borrow().get(&number).cloned()
    }

    /// How many there are.
    #[cfg(feature = "test-util")]
    pub(crate) fn len(&self) -> usize {
        self.known.borrow().len()
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
