//! [Subshells](https://jupyter.org/enhancement-proposals/91-kernel-subshells/kernel-subshells.html): shells that run cells
//! while the main shell computes, each in a thread of its own.
//!
//! A subshell begins with the plain data of the main shell's globals, and has its own from then on.

use std::{sync::Arc, time::Duration};

use serde::Deserialize;
use serde_json::json;

use super::{
    request::Request,
    shared::Shared,
    shell_queues::{OtherShells, ShellQueues},
};
use crate::{
    shell::{CellError, ShellHandle},
    wire::random_hex,
};

/// How long the thread of the main shell is asked for its globals.
const PATIENCE: Duration = Duration::from_millis(500);

#[derive(Deserialize)]
struct Which {
    subshell_id: String,
}

/// Creates, lists or deletes.
pub(crate) async fn handle(
    shared: &Arc<Shared>,
    others: &OtherShells,
    main: &Arc<ShellHandle>,
    mut request: Request,
) {
    request.begin();
    match request.msg_type() {
        "create_subshell_request" => match create(shared, others, main).await {
            Ok(id) => request.reply(&json!({ "status": "ok", "subshell_id": id })),
            Err(error) => request.fail(&error),
        },
        "list_subshell_request" => {
            request.reply(&json!({ "status": "ok", "subshell_id": others.subshells() }));
        }
        _ => match request.content().and_then(|which| delete(others, &which)) {
            Ok(()) => request.reply(&json!({ "status": "ok" })),
            Err(error) => request.fail(&error),
        },
    }
}

async fn create(
    shared: &Arc<Shared>,
    others: &OtherShells,
    main: &Arc<ShellHandle>,
) -> Result<String, CellError> {
    let id = random_hex::<16>();
    let failed = |error: caller::Error| CellError::new("SubshellError", error.to_string());
    let name = format!("{}Subshell {}", shared.name, &id[..8]);
    let caller = shared.shell.child_builder().name(name).protected(true).spawn().map_err(failed)?;
    let (handle, made) = ShellHandle::resident(&caller, &shared.language, shared.open.begin());
    made.await.map_err(failed)?;
    // Where the main shell blocks, it begins empty: that may be what it is wanted for.
    if let Ok(Some(snapshot)) = main.snapshot().wait().timeout(PATIENCE).await {
        handle.restore(snapshot);
    }
    others.add_subshell(&id, ShellQueues::new(shared, handle));
    Ok(id)
}

/// Ends a subshell, and what runs in it.
fn delete(others: &OtherShells, which: &Which) -> Result<(), CellError> {
    let queues = others.remove_subshell(&which.subshell_id).ok_or_else(|| unknown(&which.subshell_id))?;
    let caller = queues.handle().caller().clone();
    queues.handle().interrupt();
    drop(queues);
    caller.force_stop();
    Ok(())
}

/// The error of a request that names a subshell which is not there.
pub(crate) fn unknown(id: &str) -> CellError {
    CellError::new("SubshellError", format!("there is no subshell `{id}`; create one first"))
}
