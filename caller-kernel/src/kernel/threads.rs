//! Cells that run in a thread other than their shell's, each in a shell of its own.

use std::{rc::Rc, sync::Arc, time::Duration};

use caller::{Caller, Context};

use super::{
    desk::{Desk, Desks},
    execute::{Job, execute},
    hub::Hub,
    seat::Seat,
};
use crate::shell::{CellError, Snapshot};

/// How long the thread of the shell is asked for its globals. Where it blocks, the cell runs without them.
const PATIENCE: Duration = Duration::from_secs(1);

/// Runs a cell in a worker of the shell's caller, or in a child of this name.
pub(crate) fn run(hub: &Arc<Hub>, desks: &Arc<Desks>, seat: &Arc<Seat>, name: Option<String>, job: Job) {
    let (hub, desks, seat) = (Arc::clone(hub), Arc::clone(desks), Arc::clone(seat));
    let control = hub.control.clone();
    let begin = async move || {
        let snapshot = seat.snapshot().wait().timeout(PATIENCE).await.ok().flatten();
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

/// The child of this name. It stays, for the next cell that names it.
fn thread(shell: &Caller, name: &str) -> Result<Caller, CellError> {
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
    let here = Caller::current().map_err(|error| CellError::new("Error", error.to_string()));
    let made = here.and_then(|here| Ok((here, Rc::from(hub.language.shell()?))));
    let (here, shell) = match made {
        Ok(made) => made,
        Err(error) => return job.request.fail(&error),
    };
    let (seat, seated) = Seat::guest(&here, shell);
    if let Some(snapshot) = snapshot {
        seated.shell.restore(&snapshot);
    }
    let desk = Desk::at(&hub, seat);
    desks.add_guest(&desk);
    execute(&hub, &desk.seat, job).await;
}
