//! What one Lua state has beside its globals: its caller, who runs, what was defined where.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    rc::Rc,
    time::{Duration, Instant},
};

use caller::Caller;
use mlua::{FromLuaMulti, Function, Lua, MultiValue, Value};

use super::{
    callable::Callable,
    comm_table::CommTable,
    docs::Docs,
    raise::{Outcome, Raise},
    sources::Sources,
    stack,
    task::Task,
};
use crate::shell::Interrupter;

/// Shared by everything that belongs to one Lua state. It is owned by closures in that state, so it never owns the state.
pub(crate) struct Runtime {
    pub(crate) caller: Caller,
    pub(crate) interrupter: Interrupter,
    /// How long code runs before others of the same thread get a turn.
    pub(crate) slice: Duration,
    /// How many instructions pass between two looks at the clock.
    pub(crate) interval: u32,
    /// `tostring` as it was when the state was made.
    pub(crate) tostring: Function,
    /// Calls a function: gives true and its values, or false and the error, whose place is noted.
    pub(crate) protect: Function,
    /// The same for the function of a coroutine of ours.
    pub(crate) driver: Function,
    /// Makes the function of a cell: `presenter(show, function)`.
    pub(crate) presenter: Function,
    /// Of each wrapped function: turns `(false, error)` into a raised error.
    pub(crate) guard: Function,
    pub(crate) sources: RefCell<Sources>,
    pub(crate) docs: RefCell<Docs>,
    /// Exposed functions by the address of what stands for them in Lua.
    pub(crate) exposed: RefCell<HashMap<usize, Rc<Callable>>>,
    pub(crate) comms: CommTable,
    pub(super) current: RefCell<Option<Rc<Task>>>,
    /// When code that Rust called outside of any task is to end.
    pub(super) patience: Cell<Option<Instant>>,
    /// How many values are being shown within each other.
    pub(super) shown: Cell<usize>,
}

impl Runtime {
    /// The task that is being polled, if one is.
    pub(crate) fn current(&self) -> Option<Rc<Task>> {
        self.current.borrow().clone()
    }

    /// Calls a function of the user's that is no call of its own, such as a metamethod. What it raises stays what it is.
    pub(crate) fn call<R: FromLuaMulti>(
        &self,
        lua: &Lua,
        function: &Function,
        argument: &Value,
    ) -> Outcome<R> {
        let mut values: MultiValue = self.protect.call((function, argument))?;
        match values.pop_front() {
            Some(Value::Boolean(true)) => Ok(R::from_lua_multi(values, lua)?),
            _ => Err(Raise::Value(values.pop_front().unwrap_or(Value::Nil))),
        }
    }

    /// Notes where an error happens. What passes it on, without code of the user's around it, knows no better place.
    pub(crate) fn note(&self, lua: &Lua) {
        if let Some(task) = self.current() {
            let frames = stack::frames(lua, &self.sources);
            if !frames.is_empty() {
                task.put_places(frames);
            }
        }
    }

    /// Calls into Lua for a question of the front end, such as a completion: code that takes too long is stopped.
    pub(crate) fn impatiently<R>(&self, time: Duration, ask: impl FnOnce() -> R) -> R {
        let outer = self.patience.replace(Some(Instant::now() + time));
        let answer = ask();
        self.patience.set(outer);
        answer
    }
}
