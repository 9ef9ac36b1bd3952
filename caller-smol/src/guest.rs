//! smol as the guest of another runtime, in a thread that the other drives.
//!
//! Timers and sockets are driven by async-io's own thread, so they work anywhere. That thread sleeps for 50 µs or more
//! behind each event while some other thread is in a `block_on`; so what is ready already is handled here. A task has no
//! identity and no budget in smol: a call needs to be none.

use std::{
    cell::Cell,
    future::poll_fn,
    mem,
    rc::Rc,
    task::{Context, Poll},
};

use caller::{Guest, Runtime};

use crate::{surrounding::Surrounding, tasks::Tasks};

pub(crate) struct SmolGuest {
    tasks: Rc<Tasks>,
    /// Whether something ran in it since it was driven last.
    entered: Cell<bool>,
}

impl SmolGuest {
    pub(crate) fn start() -> Rc<dyn Guest> {
        Rc::new(Self { tasks: Tasks::new(), entered: Cell::new(false) })
    }
}

impl Guest for SmolGuest {
    fn runtime(&self) -> Rc<dyn Runtime> {
        Rc::new(Surrounding::new(Some(self.tasks.clone())))
    }

    fn enter(&self, function: &mut dyn FnMut()) {
        self.entered.set(true);
        self.tasks.enter(function);
    }

    fn drive(&self, cx: &mut Context<'_>) {
        // They are spawned inside of `enter` alone, so before this is called.
        let tasks = !self.tasks.is_empty();
        if tasks {
            self.tasks.poll(cx);
        }
        if self.entered.take() || tasks {
            handle_events();
        }
    }
}

/// Has async-io handle the events that are there, if no other thread is about it. Waits for none.
fn handle_events() {
    // It does so when what it blocks on has been woken.
    let mut woken = false;
    async_io::block_on(poll_fn(|cx| {
        if mem::replace(&mut woken, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }));
}
