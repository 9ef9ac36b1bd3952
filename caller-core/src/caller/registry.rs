//! Where callers are found: by id, by thread, all of them. It keeps none of them alive.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError, Weak},
    thread::AccessError,
};

use super::inner::{Caller, Inner};
use crate::{
    caller_id::{self, CallerId},
    this_thread,
};

static CALLERS: Mutex<Callers> = Mutex::new(Callers { known: BTreeMap::new(), main: None });

struct Callers {
    known: BTreeMap<CallerId, Weak<Inner>>,
    main: Option<CallerId>,
}

fn callers() -> MutexGuard<'static, Callers> {
    CALLERS.lock().unwrap_or_else(PoisonError::into_inner)
}

thread_local! {
    static HERE: RefCell<Option<Caller>> = const { RefCell::new(None) };
}

/// The caller of this thread.
pub(crate) fn here() -> Option<Caller> {
    look().ok().flatten()
}

/// The caller of this thread. The error is that the thread ends, and the value that says so was destroyed.
pub(super) fn look() -> Result<Option<Caller>, AccessError> {
    HERE.try_with(|here| here.borrow().clone())
}

/// Gives this thread to a caller.
pub(super) fn settle(caller: &Caller) {
    let before = HERE.try_with(|here| here.replace(Some(caller.clone())));
    drop(before);
    caller_id::set_here(Some(caller.id()));
    if this_thread::is_main() {
        callers().main = Some(caller.id());
    }
}

/// Takes this thread back.
pub(super) fn leave() {
    caller_id::set_here(None);
    // What comes out may be the last handle: it is dropped outside of the borrow.
    let left = HERE.try_with(|here| here.take()).ok().flatten();
    if let Some(caller) = left {
        let mut callers = callers();
        if callers.main == Some(caller.id()) {
            callers.main = None;
        }
    }
}

pub(super) fn add(caller: &Caller) {
    callers().known.insert(caller.id(), std::sync::Arc::downgrade(&caller.0));
}

pub(super) fn remove(id: CallerId) {
    callers().known.remove(&id);
}

pub(super) fn by_id(id: CallerId) -> Option<Caller> {
    let found = callers().known.get(&id).and_then(Weak::upgrade);
    found.map(Caller)
}

pub(super) fn main_thread() -> Option<Caller> {
    let id = callers().main;
    by_id(id?)
}

pub(super) fn all() -> Vec<Caller> {
    let known: Vec<_> = callers().known.values().filter_map(Weak::upgrade).collect();
    known.into_iter().map(Caller).collect()
}
