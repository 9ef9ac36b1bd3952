//! Which comms are open, and where their handlers live.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// The open comms of all shells.
///
/// A front end may send on a comm by any subshell, so the shell that opened it is remembered.
#[derive(Default)]
pub(crate) struct Comms(Mutex<BTreeMap<String, Open>>);

#[derive(Clone)]
struct Open {
    target: String,
    shell: u64,
}

impl Comms {
    pub(crate) fn opened(&self, id: &str, target: &str, shell: u64) {
        self.open().insert(id.to_owned(), Open { target: target.to_owned(), shell });
    }

    pub(crate) fn closed(&self, id: &str) {
        self.open().remove(id);
    }

    /// The shell that has the handlers of a comm.
    pub(crate) fn shell_of(&self, id: &str) -> Option<u64> {
        self.open().get(id).map(|open| open.shell)
    }

    /// A shell has gone, and its comms with it. Their ids.
    pub(crate) fn left(&self, shell: u64) -> Vec<String> {
        self.open().extract_if(.., |_, open| open.shell == shell).map(|(id, _)| id).collect()
    }

    /// Ids and targets of all that are open, of one target if it is named.
    pub(crate) fn list(&self, target: Option<&str>) -> Vec<(String, String)> {
        let wanted = |open: &Open| target.is_none_or(|target| open.target == target);
        let open = self.open();
        let list = open.iter().filter(|(_, open)| wanted(open));
        list.map(|(id, open)| (id.clone(), open.target.clone())).collect()
    }

    fn open(&self) -> MutexGuard<'_, BTreeMap<String, Open>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
