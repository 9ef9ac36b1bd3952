//! What is known of a Lua function that runs as a coroutine, on behalf of a cell, a call, or the body of a group.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::Instant,
};

use caller::LocalFuture;
use mlua::MultiValue;
use slab::Slab;

use crate::shell::Interrupter;

/// What a coroutine of ours does, beside what Lua knows of it.
pub(crate) struct Task {
    pub(super) role: Role,
    /// How many tasks are around it, each of which takes from the stack of the thread.
    pub(super) depth: usize,
    /// Whether it was stopped somewhere inside, whatever was made of that.
    pub(super) stopped: Cell<bool>,
    /// How many interrupts there had been that do not concern it.
    pub(super) seen: Cell<u64>,
    /// When others get a turn.
    pub(super) until: Cell<Instant>,
    /// Whether the hook suspended it, so that it runs although it is not being polled.
    pub(super) suspended: Cell<bool>,
    /// When its cleaning up is to end.
    pub(super) closing: Cell<Option<Instant>>,
    /// What the functions it called wait for.
    pub(super) waits: RefCell<Slab<Rc<Slot>>>,
    /// Where the error came from that nobody caught.
    pub(super) places: RefCell<Vec<String>>,
}

/// What an async function waits for. Empty while it is polled, and once it has ended or been dropped.
pub(super) type Slot = RefCell<Option<Wanted>>;
pub(super) type Wanted = LocalFuture<'static, mlua::Result<MultiValue>>;

impl Task {
    pub(super) fn is_interrupted(&self, interrupter: &Interrupter) -> bool {
        interrupter.times() > self.seen.get()
    }

    pub(super) fn stop(&self) {
        self.stopped.set(true);
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.stopped.get()
    }

    pub(super) fn put_places(&self, places: Vec<String>) {
        *self.places.borrow_mut() = places;
    }

    pub(crate) fn role(&self) -> Role {
        self.role
    }

    pub(super) fn is_overdue(&self) -> bool {
        self.closing.get().is_some_and(|until| Instant::now() >= until)
    }

    pub(super) fn is_due(&self) -> bool {
        self.closing.get().is_none() && Instant::now() >= self.until.get()
    }

    pub(super) fn suspend(&self) {
        self.suspended.set(true);
    }
}

/// Who began a coroutine, which says what an interrupt is to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// A cell, or part of one: an interrupt ends it where it runs and where it waits.
    Cell,
    /// A call: an interrupt ends it where it runs, and leaves it alone where it waits.
    Call,
}
