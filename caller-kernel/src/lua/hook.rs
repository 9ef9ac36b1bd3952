//! The count hook: it stops code that is to end, and gives others of the thread a turn.

use std::{rc::Rc, time::Instant};

use mlua::{HookTriggers, Lua, VmState};

use super::runtime::Runtime;

/// What the hook raises in code that is to end.
#[derive(Clone, Copy, Debug, thiserror::Error)]
pub(crate) enum Stopped {
    #[error("interrupted")]
    Interrupt,
    #[error("stopped: it took too long to clean up after it was dropped")]
    Closing,
    #[error("stopped: it took too long to answer")]
    Patience,
}

/// Whether an error is one that the hook raised.
pub(super) fn is_stop_error(error: &mlua::Error) -> bool {
    match error {
        mlua::Error::CallbackError { cause, .. } | mlua::Error::WithContext { cause, .. } => {
            is_stop_error(cause)
        }
        mlua::Error::ExternalError(error) => error.is::<Stopped>(),
        _ => false,
    }
}

/// Has the running coroutine looked at, and every one that is made from now on.
pub(super) fn install(lua: &Lua, runtime: &Rc<Runtime>) -> mlua::Result<()> {
    let owned = runtime.clone();
    let triggers = HookTriggers::new().every_nth_instruction(runtime.interval);
    lua.set_global_hook(triggers, move |lua, _| look(lua, &owned))
}

/// Why what runs is to end, if it is.
pub(super) fn reason(runtime: &Rc<Runtime>) -> Option<Stopped> {
    match runtime.current() {
        Some(task) if task.is_interrupted(runtime) => Some(Stopped::Interrupt),
        Some(task) if task.is_overdue() => Some(Stopped::Closing),
        Some(_) => None,
        None => runtime.patience.get().filter(|until| Instant::now() >= *until).map(|_| Stopped::Patience),
    }
}

fn look(lua: &Lua, runtime: &Rc<Runtime>) -> mlua::Result<VmState> {
    let task = runtime.current();
    if let Some(stop) = reason(runtime) {
        if let Some(task) = &task {
            task.stop();
        }
        // A loop around `pcall` swallows the error; so it comes again with every instruction, until all of it has ended.
        // The hook is this coroutine's own: what it makes has none, but it gets to make nothing.
        if runtime.hounded.borrow_mut().insert(address(lua)) {
            let owned = runtime.clone();
            let triggers = HookTriggers::new().every_nth_instruction(1);
            lua.set_hook(triggers, move |lua, _| look(lua, &owned))?;
        }
        return Err(mlua::Error::external(stop));
    }
    if !runtime.hounded.borrow().is_empty() && runtime.hounded.borrow_mut().remove(&address(lua)) {
        // It has outlived what was to end. This takes the place of the hook above.
        install(lua, runtime)?;
    }
    match task {
        // In a coroutine of the user's it would look like that one's own yield.
        Some(task) if task.is_due() && task.is_thread(address(lua)) => {
            task.suspend();
            Ok(VmState::Yield)
        }
        _ => Ok(VmState::Continue),
    }
}

fn address(lua: &Lua) -> usize {
    lua.current_thread().to_pointer().addr()
}
