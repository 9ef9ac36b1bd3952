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
    open_work::OpenItem,
    request::Request,
    shared::Shared,
    shell_state::ShellState,
};
use crate::shell::ShellHandle;

/// A shell, and a queue for each group of messages that it handles. Each keeps its order; a cell that waits does
/// not hold up the others.
///
/// Dropped, it ends what runs, and has the shell leave.
pub(crate) struct ShellQueues {
    shared: Arc<Shared>,
    pub(crate) shell: Arc<ShellState>,
    pub(crate) cells: Queue<Job>,
    pub(crate) questions: Queue<Request>,
    pub(crate) comms: Queue<Request>,
}

impl ShellQueues {
    pub(crate) fn new(shared: &Arc<Shared>, handle: Arc<ShellHandle>) -> Arc<Self> {
        shared.shells.add(&handle);
        let caller = handle.caller();
        let shell = ShellState::new(Arc::clone(&handle));
        let queue_state = || QueueState {
            shared: Arc::clone(shared),
            shell: Arc::clone(&shell),
            _open: shared.open.begin(),
        };
        // They outlive whatever they were started for.
        let (cells, questions, comms) = Context::new().run(|| {
            let state = queue_state();
            let cells =
                caller.queue(async move |job| execute::execute(state.shared(), state.shell(), job).await);
            let state = queue_state();
            let questions =
                caller.queue(async move |request| introspect::answer(state.handle(), request).await);
            let state = queue_state();
            let comms = caller
                .queue(async move |request| comm::handle(state.shared(), state.handle(), request).await);
            (cells, questions, comms)
        });
        Arc::new(Self { shared: Arc::clone(shared), shell, cells, questions, comms })
    }

    pub(crate) fn handle(&self) -> &Arc<ShellHandle> {
        &self.shell.handle
    }
}

/// What a queue has of its kernel. The kernel does not end before it is dropped, in the thread of the shell.
struct QueueState {
    shared: Arc<Shared>,
    shell: Arc<ShellState>,
    /// The last field.
    _open: OpenItem,
}

/// By methods: a closure that named the fields would capture these alone, and not what keeps the kernel open.
impl QueueState {
    fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    fn shell(&self) -> &Arc<ShellState> {
        &self.shell
    }

    fn handle(&self) -> &Arc<ShellHandle> {
        &self.shell.handle
    }
}

impl Drop for ShellQueues {
    fn drop(&mut self) {
        self.handle().interrupt();
        self.cells.close();
        self.questions.close();
        self.comms.close();
        self.shared.comms.left(self.handle().id());
        self.handle().leave();
    }
}

/// The queues of the shells beside the main one.
#[derive(Default)]
pub(crate) struct OtherShells(Mutex<Table>);

#[derive(Default)]
struct Table {
    /// By the id of the subshell.
    subshells: Vec<(String, Arc<ShellQueues>)>,
    /// By the name of the program's caller.
    callers: HashMap<String, Arc<ShellQueues>>,
    /// Those that are owned by cells that run in threads.
    guests: Vec<Weak<ShellQueues>>,
}

impl OtherShells {
    pub(crate) fn add_subshell(&self, id: &str, queues: Arc<ShellQueues>) {
        self.table().subshells.push((id.to_owned(), queues));
    }

    pub(crate) fn subshell(&self, id: &str) -> Option<Arc<ShellQueues>> {
        let table = self.table();
        table.subshells.iter().find(|(known, _)| known == id).map(|(_, queues)| Arc::clone(queues))
    }

    /// The ids of the subshells, the oldest first.
    pub(crate) fn subshells(&self) -> Vec<String> {
        self.table().subshells.iter().map(|(id, _)| id.clone()).collect()
    }

    pub(crate) fn remove_subshell(&self, id: &str) -> Option<Arc<ShellQueues>> {
        let mut table = self.table();
        let at = table.subshells.iter().position(|(known, _)| known == id)?;
        Some(table.subshells.remove(at).1)
    }

    /// The queues of the shell in the thread of one of the program's callers, made when it is first needed.
    pub(crate) fn caller(&self, name: &str, make: impl FnOnce() -> Arc<ShellQueues>) -> Arc<ShellQueues> {
        Arc::clone(self.table().callers.entry(name.to_owned()).or_insert_with(make))
    }

    pub(crate) fn add_guest(&self, queues: &Arc<ShellQueues>) {
        let mut table = self.table();
        table.guests.retain(|queues| queues.strong_count() > 0);
        table.guests.push(Arc::downgrade(queues));
    }

    /// The queues of a shell, by the id of its handle.
    pub(crate) fn of_shell(&self, shell: u64) -> Option<Arc<ShellQueues>> {
        let table = self.table();
        let subshells = table.subshells.iter().map(|(_, queues)| queues);
        let own = subshells.chain(table.callers.values()).cloned();
        own.chain(table.guests.iter().filter_map(Weak::upgrade)).find(|queues| queues.handle().id() == shell)
    }

    /// Leaves all of them.
    pub(crate) fn clear(&self) {
        let table = std::mem::take(&mut *self.table());
        // Outside of the lock: that ends cells.
        drop(table);
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
