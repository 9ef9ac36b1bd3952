//! The scheduler of this thread, for code that runs in its calls.

use std::{
    cell::RefCell,
    io,
    rc::{Rc, Weak},
    sync::Arc,
};

use super::{calls::Calls, residents::Residents};
use crate::{
    backend::{Backend, Guest},
    call::Home,
};

thread_local! {
    /// The scheduler owns its calls and guests: none lives in the thread-local.
    static HERE: RefCell<Weak<Calls>> = const { RefCell::new(Weak::new()) };
}

/// Gives this thread to a scheduler.
pub(super) fn set(calls: &Rc<Calls>) {
    let _ended = HERE.try_with(|here| here.replace(Rc::downgrade(calls)));
}

fn here() -> Option<Rc<Calls>> {
    HERE.try_with(|here| here.borrow().upgrade()).ok().flatten()
}

/// Lends the scheduler of this thread, if there is one, to whoever makes a call of a future of this thread.
pub(crate) fn with_home<R>(lend: impl FnOnce(&dyn Home) -> R) -> Option<R> {
    here().map(|calls| lend(&*calls))
}

/// Lends what lives in this thread, if a scheduler does.
pub(crate) fn residents<R>(lend: impl FnOnce(&Residents) -> R) -> Option<R> {
    here().map(|calls| lend(&calls.residents))
}

/// Ends a call that this thread's scheduler keeps and that cannot be queued, because the caller stops.
pub(crate) fn refuse(key: u32, reason: &str) {
    if let Some(calls) = here() {
        calls.end(key, reason, true);
    }
}

/// The guest of this kind in this thread, started now if there is none.
pub(crate) fn guest(backend: &Arc<dyn Backend>) -> io::Result<Rc<dyn Guest>> {
    match here() {
        Some(calls) => calls.guests.find_or_start(backend),
        None => Err(io::Error::other("no caller runs in this thread")),
    }
}
