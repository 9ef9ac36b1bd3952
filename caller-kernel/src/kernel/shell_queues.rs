//! The queues of a shell: what is to be done in its thread, in order.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use caller::{Context, Queue};

use super::{
    handlers::{
        comm,
        execute::{self, Job},
        introspect,
    },
    request::Request,
    shared::{Hub, RunningOne},
    shell_state::ShellState,
};
use crate::shell::ShellHandle;

/// A shell, and a queue for each group of messages that it handles. Each keeps its order; a cell that waits does
/// not hold up the others.
///
/// Dropped, it ends what runs, and has the shell leave.
pub(crate) struct Desk {
    hub: Arc<Hub>,
    pub(crate) shell: Arc<ShellState>,
    pub(crate) cells: Queue<Job>,
    pub(crate) questions: Queue<Request>,
    pub(crate) comms: Queue<Request>,
}

impl Desk {
    pub(crate) fn at(hub: &Arc<Hub>, handle: Arc<ShellHandle>) -> Arc<Self> {
        hub.shells.add(&handle);
        let caller = handle.caller();
        let shell = ShellState::new(Arc::clone(&handle));
        let place = || Place { hub: Arc::clone(hub), shell: Arc::clone(&shell), _open: hub.open.one() };
        // They outlive whatever they were started for.
        let (cells, questions, comms) = Context::new().run(|| {
            let at = place();
            let cells = caller.queue(async move |job| execute::execute(at.hub(), at.shell(), job).await);
            let at = place();
            let questions = caller.queue(async move |request| introspect::answer(at.handle(), request).await);
            let at = place();
            let comms = caller.queue(async move |request| comm::handle(at.hub(), at.handle(), request).await);
            (cells, questions, comms)
        });
        Arc::new(Self { hub: Arc::clone(hub), shell, cells, questions, comms })
    }

    pub(crate) fn handle(&self) -> &Arc<ShellHandle> {
        &self.shell.handle
    }
}

/// What a queue has of its kernel. The kernel does not end before it is dropped, in the thread of the shell.
struct Place {
    hub: Arc<Hub>,
    shell: Arc<ShellState>,
    /// The last field.
    _open: RunningOne,
}

/// By methods: a closure that named the fields would capture these alone, and not what keeps the kernel open.
impl Place {
    fn hub(&self) -> &Arc<Hub> {
        &self.hub
    }

    fn shell(&self) -> &Arc<ShellState> {
        &self.shell
    }

    fn handle(&self) -> &Arc<ShellHandle> {
        &self.shell.handle
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        self.handle().interrupt();
        self.cells.close();
        self.questions.close();
        self.comms.close();
        self.hub.comms.left(self.handle().id());
        self.handle().leave();
    }
}

/// The desks beside that of the main shell.
#[derive(Default)]
pub(crate) struct Desks(Mutex<Known>);

#[derive(Default)]
struct Known {
    /// By the id of the subshell.
    subshells: Vec<(String, Arc<Desk>)>,
    /// By the name of the program's caller.
    callers: HashMap<String, Arc<Desk>>,
    /// Those that are owned by cells that run in threads.
    guests: Vec<Weak<Desk>>,
}

impl Desks {
    pub(crate) fn add_subshell(&self, id: &str, desk: Arc<Desk>) {
        self.known().subshells.push((id.to_owned(), desk));
    }

    pub(crate) fn subshell(&self, id: &str) -> Option<Arc<Desk>> {
        let known = self.known();
        known.subshells.iter().find(|(known, _)| known == id).map(|(_, desk)| Arc::clone(desk))
    }

    /// The ids of the subshells, the oldest first.
    pub(crate) fn subshells(&self) -> Vec<String> {
        self.known().subshells.iter().map(|(id, _)| id.clone()).collect()
    }

    pub(crate) fn remove_subshell(&self, id: &str) -> Option<Arc<Desk>> {
        let mut known = self.known();
        let at = known.subshells.iter().position(|(known, _)| known == id)?;
        Some(known.subshells.remove(at).1)
    }

    /// The desk in the thread of one of the program's callers, made when it is first needed.
    pub(crate) fn caller(&self, name: &str, make: impl FnOnce() -> Arc<Desk>) -> Arc<Desk> {
        Arc::clone(self.known().callers.entry(name.to_owned()).or_insert_with(make))
    }

    pub(crate) fn add_guest(&self, desk: &Arc<Desk>) {
        let mut known = self.known();
        known.guests.retain(|desk| desk.strong_count() > 0);
        known.guests.push(Arc::downgrade(desk));
    }

    /// The desk of a shell, by the id of its handle.
    pub(crate) fn of_shell(&self, shell: u64) -> Option<Arc<Desk>> {
        let known = self.known();
        let subshells = known.subshells.iter().map(|(_, desk)| desk);
        let own = subshells.chain(known.callers.values()).cloned();
        own.chain(known.guests.iter().filter_map(Weak::upgrade)).find(|desk| desk.handle().id() == shell)
    }

    /// Leaves all of them.
    pub(crate) fn clear(&self) {
        let known = std::mem::take(&mut *self.known());
        // Outside of the lock: that ends cells.
        drop(known);
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
