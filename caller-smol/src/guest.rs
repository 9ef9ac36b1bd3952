//! smol as the guest of another runtime, in a thread that the other drives.
//!
//! Timers and sockets are driven by async-io's own thread, so they work anywhere. A task has no identity and no budget in
//! smol: a call needs to be none.

use std::{rc::Rc, task::Context};

use caller::{Guest, Runtime};

use crate::{surrounding::Surrounding, tasks::Tasks};

pub(crate) struct SmolGuest(Rc<Tasks>);

impl SmolGuest {
    pub(crate) fn start() -> Rc<dyn Guest> {
        Rc::new(Self(Tasks::new()))
    }
}

impl Guest for SmolGuest {
    fn runtime(&self) -> Rc<dyn Runtime> {
        Rc::new(Surrounding::new(Some(self.0.clone())))
    }

    fn enter(&self, function: &mut dyn FnMut()) {
        self.0.enter(function);
    }

    fn drive(&self, cx: &mut Context<'_>) {
        // They are spawned inside of `enter` alone, so before this is called.
        if !self.0.is_empty() {
            self.0.poll(cx);
        }
    }
}
