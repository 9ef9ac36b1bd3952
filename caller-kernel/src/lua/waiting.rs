//! A wait of a coroutine for Rust code.

use std::{
    cell::RefCell,
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};

use mlua::{IntoLuaMulti, MultiValue, WeakLua};

use super::{
    message::panic_text,
    raise::Stopped,
    runtime::Runtime,
    task::{Slot, Task, Wanted},
};

/// What an async function that was called from Lua waits for. It can be dropped by the task it belongs to, without waiting
/// for Lua to collect the coroutine it stands in.
pub(crate) struct Waiting {
    lua: WeakLua,
    runtime: Rc<Runtime>,
    slot: Rc<Slot>,
    /// The task in which it was called, and its place there.
    task: Option<(Rc<Task>, usize)>,
}

impl Waiting {
    pub(crate) fn new(
        lua: WeakLua,
        runtime: &Rc<Runtime>,
        wanted: impl Future<Output = mlua::Result<MultiValue>> + 'static,
    ) -> Self {
        let slot = Rc::new(RefCell::new(Some(Box::pin(wanted) as Wanted)));
        let task = runtime.current().map(|task| {
            let key = task.waits.borrow_mut().insert(slot.clone());
            (task, key)
        });
        Self { lua, runtime: runtime.clone(), slot, task }
    }

    fn is_interrupted(&self) -> bool {
        self.task.as_ref().is_some_and(|(task, _)| task.is_interrupted(&self.runtime.interrupter))
    }
}

impl Future for Waiting {
    type Output = mlua::Result<MultiValue>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let wanted = self.slot.take();
        if self.is_interrupted() {
            drop(wanted);
            if let Some((task, _)) = &self.task {
                task.stop();
            }
            return Poll::Ready(Err(mlua::Error::external(Stopped::Interrupt)));
        }
        let Some(mut wanted) = wanted else {
            let text = "what waited here was given up, with the cell or call that it belonged to; make a new coroutine";
            return Poll::Ready(raised(&self.lua, text));
        };
        match catch_unwind(AssertUnwindSafe(|| wanted.as_mut().poll(cx))) {
            Ok(Poll::Ready(given)) => Poll::Ready(given),
            Ok(Poll::Pending) => {
                self.slot.replace(Some(wanted));
                if let Some((task, _)) = &self.task {
                    // The hook may have wanted to suspend it where that was not possible.
                    task.suspended.set(false);
                }
                Poll::Pending
            }
            Err(payload) => Poll::Ready(raised(&self.lua, &panic_text(&*payload))),
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let wanted = self.slot.take();
        drop(wanted);
        if let Some((task, key)) = self.task.take() {
            let gone = task.waits.borrow_mut().try_remove(key);
            drop(gone);
        }
    }
}

/// An error as the guard in Lua takes it apart, which adds the place.
fn raised(lua: &WeakLua, text: &str) -> mlua::Result<MultiValue> {
    (false, text).into_lua_multi(&lua.upgrade())
}
