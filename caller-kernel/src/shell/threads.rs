//! Shells for cells that run in another thread than that of their notebook's or kernel's shell.

use std::{rc::Rc, sync::Arc, time::Duration};

use caller::Caller;

use super::{
    CellError, SharedLanguage, Snapshot,
    handle::{ShellHandle, ShellOwner},
};

/// How long the thread of the shell is asked for its globals. Where it blocks, the cell runs without them.
const PATIENCE: Duration = Duration::from_secs(1);

/// The globals of a shell that are plain data, for one in another thread.
pub(crate) async fn snapshot(handle: &Arc<ShellHandle>) -> Option<Snapshot> {
    handle.snapshot().wait().timeout(PATIENCE).await.ok().flatten()
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

/// A new shell in this thread, with these globals. Its handle has no shell any more when the second is dropped.
pub(crate) fn guest(
    language: &SharedLanguage,
    snapshot: Option<Snapshot>,
) -> Result<(Arc<ShellHandle>, ShellOwner), CellError> {
    let here = Caller::current().map_err(|error| CellError::new("Error", error.to_string()))?;
    let shell = Rc::from(language.shell()?);
    let (handle, owner) = ShellHandle::guest(&here, shell);
    if let Some(snapshot) = snapshot {
        owner.shell.restore(&snapshot);
    }
    Ok((handle, owner))
}
