//! The count hook: it stops code that is to end, and gives others of the thread a turn.

use std::{rc::Rc, time::Instant};

use mlua::{HookTriggers, Lua, VmState};

use super::{raise::Stopped, runtime::Runtime};

/// Has the running coroutine looked at, and every one that is made from now on.
pub(super) fn install(lua: &Lua, runtime: &Rc<Runtime>) -> mlua::Result<()> {
    let owned = runtime.clone();
    let triggers = HookTriggers::new().every_nth_instruction(runtime.interval);
    lua.set_global_hook(triggers, move |_, _| look(&owned))
}

/// Why what runs is to end, if it is. It stays so until all of it has ended: whoever catches the error that the hook raises
/// asks, and raises it again.
pub(super) fn reason(runtime: &Rc<Runtime>) -> Option<Stopped> {
    match runtime.current() {
        Some(task) if task.is_interrupted(&runtime.interrupter) => Some(Stopped::Interrupt),
        Some(task) if task.is_overdue() => Some(Stopped::Closing),
        Some(_) => None,
        None => runtime.patience.get().filter(|until| Instant::now() >= *until).map(|_| Stopped::Patience),
    }
}

fn look(runtime: &Rc<Runtime>) -> mlua::Result<VmState> {
    let task = runtime.current();
    if let Some(stop) = reason(runtime) {
        if let Some(task) = &task {
            task.stop();
        }
        return Err(mlua::Error::external(stop));
    }
    match task {
        Some(task) if task.is_due() => {
            task.suspend();
            // Where a function of C is in between, it goes on all the same.
            Ok(VmState::Yield)
        }
        _ => Ok(VmState::Continue),
    }
}
