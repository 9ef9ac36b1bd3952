//! Cells that run in a thread other than their shell's, each in a shell of its own.

use std::sync::Arc;

use caller::Context;

use super::{
    handlers::execute::{Job, execute},
    shared::Shared,
    shell_queues::{OtherShells, ShellQueues},
};
use crate::shell::{ShellHandle, Snapshot, threads};

/// Runs a cell in a worker of the shell's caller, or in a child of this name.
pub(crate) fn run(
    shared: &Arc<Shared>,
    others: &Arc<OtherShells>,
    handle: &Arc<ShellHandle>,
    name: Option<String>,
    job: Job,
) {
    let (shared, others, handle) = (Arc::clone(shared), Arc::clone(others), Arc::clone(handle));
    let control = shared.control.clone();
    let begin = async move || {
        let snapshot = threads::snapshot(&handle).await;
        let shell = handle.caller().clone();
        match name {
            None => drop(shell.to_thread(async move || in_thread(shared, others, snapshot, job).await)),
            Some(name) => match threads::thread(&shell, &name) {
                Ok(thread) => {
                    drop(thread.call_soon(async move || in_thread(shared, others, snapshot, job).await));
                }
                Err(error) => job.request.fail(&error),
            },
        }
    };
    drop(Context::new().run(|| control.call_soon(begin)));
}

/// Runs it, in a shell that ends with it.
async fn in_thread(shared: Arc<Shared>, others: Arc<OtherShells>, snapshot: Option<Snapshot>, job: Job) {
    let (handle, _owner) = match threads::guest(&shared.language, snapshot) {
        Ok(shells) => shells,
        Err(error) => return job.request.fail(&error),
    };
    let queues = ShellQueues::new(&shared, handle);
    others.add_guest(&queues);
    execute(&shared, &queues.shell, job).await;
}
