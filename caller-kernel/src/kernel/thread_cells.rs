//! Cells that run in a thread other than their shell's, each in a shell of its own.

use std::sync::Arc;

use caller::Context;

use super::{
    handlers::execute::{Job, execute},
    shared::Hub,
    shell_queues::{Desk, Desks},
};
use crate::shell::{ShellHandle, Snapshot, threads};

/// Runs a cell in a worker of the shell's caller, or in a child of this name.
pub(crate) fn run(
    hub: &Arc<Hub>,
    desks: &Arc<Desks>,
    handle: &Arc<ShellHandle>,
    name: Option<String>,
    job: Job,
) {
    let (hub, desks, handle) = (Arc::clone(hub), Arc::clone(desks), Arc::clone(handle));
    let control = hub.control.clone();
    let begin = async move || {
        let snapshot = threads::snapshot(&handle).await;
        let shell = handle.caller().clone();
        match name {
            None => drop(shell.to_thread(async move || in_thread(hub, desks, snapshot, job).await)),
            Some(name) => match threads::thread(&shell, &name) {
                Ok(thread) => {
                    drop(thread.call_soon(async move || in_thread(hub, desks, snapshot, job).await));
                }
                Err(error) => job.request.fail(&error),
            },
        }
    };
    drop(Context::new().run(|| control.call_soon(begin)));
}

/// Runs it, in a shell that ends with it.
async fn in_thread(hub: Arc<Hub>, desks: Arc<Desks>, snapshot: Option<Snapshot>, job: Job) {
    let (handle, _owner) = match threads::guest(&hub.language, snapshot) {
        Ok(shells) => shells,
        Err(error) => return job.request.fail(&error),
    };
    let desk = Desk::at(&hub, handle);
    desks.add_guest(&desk);
    execute(&hub, &desk.shell, job).await;
}
