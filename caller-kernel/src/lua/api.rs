//! How a Rust function becomes one that Lua code calls: errors become texts with the place of the call, waiting becomes
//! waiting of the coroutine, and each has its docs.

pub(super) mod caller_object;

pub(super) mod sleep;

mod slot;

mod pending_object;

mod call;

pub(super) mod pending;

mod done_order;

pub(super) mod as_completed;

pub(super) mod wait;

mod group;

pub(super) mod callers;

mod front_end;

pub(super) mod comm;

pub(super) mod console;

pub(super) mod display;

pub(super) mod input;

use std::{
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    rc::Rc,
};

use mlua::{FromLuaMulti, Function, IntoLua, IntoLuaMulti, Lua, MultiValue, Value};

use super::{
    docs::Doc,
    hook,
    message::{message_of, panic_text},
    raise::{Outcome, Raise, is_stop_error},
    runtime::Runtime,
    waiting::Waiting,
};

/// Makes functions for one Lua state.
pub(crate) struct Api<'a> {
    pub(crate) lua: &'a Lua,
    pub(crate) runtime: &'a Rc<Runtime>,
}

impl Api<'_> {
    /// A function that returns at once.
    pub(crate) fn function<A: FromLuaMulti, R: IntoLuaMulti>(
        &self,
        doc: Doc,
        function: impl Fn(&Lua, A) -> Outcome<R> + 'static,
    ) -> mlua::Result<Function> {
        let runtime = self.runtime.clone();
        let raw = self.lua.create_function(move |lua, arguments: MultiValue| {
            let called = catch_unwind(AssertUnwindSafe(|| {
                let arguments = A::from_lua_args(arguments, 1, None, lua)?;
                function(lua, arguments)?.into_lua_multi(lua).map_err(Raise::from)
            }));
            // Code that it called may have been stopped, and it made something else of the error.
            if runtime.current().is_some_and(|task| task.is_stopped())
                && let Some(stop) = hook::reason(&runtime)
            {
                return Err(mlua::Error::external(stop));
            }
            guard_values(lua, called.unwrap_or_else(|payload| Err(Raise::Text(panic_text(&*payload)))))
        })?;
        self.finish(raw, doc)
    }

    /// A function that its coroutine waits for.
    pub(crate) fn waiting<A, R, F>(
        &self,
        doc: Doc,
        function: impl Fn(Lua, A) -> F + 'static,
    ) -> mlua::Result<Function>
    where
        A: FromLuaMulti + 'static,
        R: IntoLuaMulti,
        F: Future<Output = Outcome<R>> + 'static,
    {
        let runtime = self.runtime.clone();
        let raw = self.lua.create_async_function(move |lua, arguments: MultiValue| {
            let called = catch_unwind(AssertUnwindSafe(|| {
                let arguments = A::from_lua_args(arguments, 1, None, &lua)?;
                Ok(function(lua.clone(), arguments))
            }));
            let called = called.unwrap_or_else(|payload| Err(Raise::Text(panic_text(&*payload))));
            // All of it stands in what the task can drop: `lua` too, which it would keep alive from within.
            Waiting::new(lua.weak(), &runtime, async move {
                let outcome = match called {
                    Ok(future) => future.await,
                    Err(raise) => Err(raise),
                };
                let outcome = outcome.and_then(|given| Ok(given.into_lua_multi(&lua)?));
                guard_values(&lua, outcome)
            })
        })?;
        self.finish(raw, doc)
    }

    fn finish(&self, raw: Function, doc: Doc) -> mlua::Result<Function> {
        let function: Function = self.runtime.guard.call(raw)?;
        // What is made anew by each call has no name, and is not kept.
        if !doc.name.is_empty() {
            self.runtime.docs.borrow_mut().put(&function, doc);
        }
        Ok(function)
    }
}

/// What the guard in Lua takes apart: true and the values, or false, the error, and whether that is as it should be.
fn guard_values(lua: &Lua, outcome: Outcome<MultiValue>) -> mlua::Result<MultiValue> {
    let (text, bare) = match outcome {
        Ok(mut values) => {
            values.push_front(Value::Boolean(true));
            return Ok(values);
        }
        Err(Raise::Text(text)) => (text.into_lua(lua)?, false),
        Err(Raise::Value(value)) => (value, true),
        Err(Raise::Lua(error)) if is_final(&error) => return Err(error),
        Err(Raise::Lua(error)) => (message_of(&error).into_lua(lua)?, false),
    };
    Ok(MultiValue::from_vec(vec![Value::Boolean(false), text, Value::Boolean(bare)]))
}

/// Whether an error is to stay what it is: there is no memory for a text, or all of the code is to end.
fn is_final(error: &mlua::Error) -> bool {
    match error {
        mlua::Error::CallbackError { cause, .. } | mlua::Error::WithContext { cause, .. } => is_final(cause),
        mlua::Error::MemoryError(_) => true,
        other => is_stop_error(other),
    }
}
