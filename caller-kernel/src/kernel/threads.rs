//! Cells that run in a thread other than their shell's, each in a shell of its own.

use std::{rc::Rc, sync::Arc, time::Duration};

use caller::{Caller, Context};

use super::{
    desk::{Desk, Desks},
    execute::{Job, execute},
    hub::Hub,
    seat::{Seat, Seated},
};
use crate::shell::{CellError, SharedLanguage, Snapshot};

/// How long the thread of the shell is asked for its globals. Where it blocks, the cell runs without them.
const PATIENCE: Duration = Duration::from_secs(1);

/// Runs a cell in a worker of the shell's caller, or in a child of this name.
pub(crate) fn run(hub: &Arc<Hub>, desks: &Arc<Desks>, seat: &Arc<Seat>, name: Option<String>, job: Job) {
    let (hub, desks, seat) = (Arc::clone(hub), Arc::clone(desks), Arc::clone(seat));
    let control = hub.control.clone();
    let begin = async move || {
        let snapshot = snapshot(&seat).await;
        let shell = seat.caller().clone();
        match name {
            None => drop(shell.to_thread(async move || in_thread(hub, desks, snapshot, job).await)),
            Some(name) => match thread(&shell, &name) {
                Ok(thread) => {
                    drop(thread.call_soon(async move || in_thread(hub, desks, snapshot, job).await));
                }
                Err(error) => job.request.fail(&error),
            },
        }
    };
    drop(Context::new().run(|| control.call_soon(begin)));
}

/// The globals of a shell that are plain data, for one in another thread.
pub(crate) async fn snapshot(seat: &Arc<Seat>) -> Option<Snapshot> {
    seat.snapshot().wait().timeout(PATIENCE).await.ok().flatten()
}

/// The child of this name. It stays, for the next cell that names it.
pub(crate) fn thread(shell: &Caller, name: &str) -> Result<Caller, CellError> {
    let thread = shell.child(name).map_err(|error| CellError::new("RunModeError", error.to_string()))?;
    // The kernel's own callers are children too; a cell there would keep it from answering.
    if thread.is_protected() {
        let text = format!("the name `{name}` belongs to a thread of the kernel's own; choose another");
        return Err(CellError::new("RunModeError", text));
    }
    Ok(thread)
}

/// Runs it, in a shell that ends with it.
async fn in_thread(hub: Arc<Hub>, desks: Arc<Desks>, snapshot: Option<Snapshot>, job: Job) {
    let (seat, _seated) = match sit_here(&hub.language, snapshot) {
        Ok(seats) => seats,
        Err(error) => return job.request.fail(&error),
    };
    let desk = Desk::at(&hub, seat);
    desks.add_guest(&desk);
    execute(&hub, &desk.shell, job).await;
}

/// The seat of a new shell in this thread, with these globals; it is left when the second is dropped.
pub(crate) fn sit_here(
    language: &SharedLanguage,
    snapshot: Option<Snapshot>,
) -> Result<(Arc<Seat>, Seated), CellError> {
    let here = Caller::current().map_err(|error| CellError::new("Error", error.to_string()))?;
    let shell = Rc::from(language.shell()?);
    let (seat, seated) = Seat::guest(&here, shell);
    if let Some(snapshot) = snapshot {
        seated.shell.restore(&snapshot);
    }
    Ok((seat, seated))
}
