//! A function of the program, as the calls of cells need it.

use std::sync::Arc;

use caller::{BoxError, LocalFuture};
use mlua::{Lua, MultiValue};

use super::raise::Outcome;

/// What a call gives.
pub(crate) enum Given {
    /// It ran in this state: the values are in its slot.
    Here,
    /// It ran elsewhere: this makes the values of this state.
    Made(Box<MakeValues>),
}

type MakeValues = dyn FnOnce(&Lua) -> mlua::Result<MultiValue> + Send;

/// Work that runs on any thread.
pub(crate) type Work = Box<dyn FnOnce() -> LocalFuture<'static, Result<Given, BoxError>> + Send>;

/// A function of the program.
pub(super) trait Function: Send + Sync {
    /// Whether it returns at once in any thread, and so can be called.
    fn is_plain(&self) -> bool {
        false
    }

    /// Calls it in this thread.
    fn call(&self, _lua: &Lua, _arguments: MultiValue) -> Outcome<MultiValue> {
        Err("this function waits; call it where its caller can wait".into())
    }

    /// Takes the arguments over, for a call in any thread.
    fn prepare(&self, lua: &Lua, arguments: MultiValue) -> mlua::Result<Work>;
}

/// An exposed function as calls need it.
pub(crate) struct Callable(pub(super) Arc<dyn Function>);

impl Callable {
    pub(crate) fn prepare(&self, lua: &Lua, arguments: MultiValue) -> mlua::Result<Work> {
        self.0.prepare(lua, arguments)
    }
}
