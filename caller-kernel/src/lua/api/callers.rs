//! `caller` and `Caller`: the methods of callers.

use std::time::Duration;

use caller::Caller;
use mlua::{Function, MultiValue, UserDataRef, Value};

use super::{
    Api,
    call::{RunOn, call, wrap},
    caller_object::{CallerObject, CallerValue, METHODS},
    group,
    sleep::seconds,
};
use crate::lua::{docs::Doc, internal::OURS, objects};

type This = UserDataRef<CallerObject>;

/// Makes callers known to a state.
pub(crate) fn install(api: &Api<'_>) -> mlua::Result<()> {
    let lua = api.lua;
    let methods = lua.create_table()?;
    let runtime = api.runtime;
    methods.set(
        "call_soon",
        api.function(
            Doc::new(
                "caller:call_soon(f, ...)",
                "Calls `f(...)` soon, in the caller's thread, and returns a pending. A Lua function runs on the caller \
                 of this shell only, as a coroutine of its own; an exposed function runs on any.",
            ),
            {
                let runtime = runtime.clone();
                move |lua, (this, f, arguments): (This, Function, MultiValue)| {
                    call(lua, &runtime, RunOn::Caller(this.0.clone()), Duration::ZERO, f, arguments)
                        .and_then(|pending| wrap(lua, pending))
                }
            },
        )?,
    )?;
    methods.set(
        "call_later",
        api.function(
            Doc::new(
                "caller:call_later(seconds, f, ...)",
                "As `call_soon`, but not before that time has gone by.",
            ),
            {
                let runtime = runtime.clone();
                move |lua, (this, delay, f, arguments): (This, f64, Function, MultiValue)| {
                    call(lua, &runtime, RunOn::Caller(this.0.clone()), seconds(delay)?, f, arguments)
                        .and_then(|pending| wrap(lua, pending))
                }
            },
        )?,
    )?;
    methods.set(
        "to_thread",
        api.function(
            Doc::new(
                "caller:to_thread(f, ...)",
                "Calls an exposed function in a worker of the caller's pool, and returns a pending.",
            ),
            {
                let runtime = runtime.clone();
                move |lua, (this, f, arguments): (This, Function, MultiValue)| {
                    call(lua, &runtime, RunOn::Worker(this.0.clone()), Duration::ZERO, f, arguments)
                        .and_then(|pending| wrap(lua, pending))
                }
            },
        )?,
    )?;
    methods.set(
        "child",
        api.function(
            Doc::new(
                "caller:child(name)",
                "Its child of this name, in a thread of its own. The same name gives the same child.",
            ),
            |_, (this, name): (This, Option<String>)| {
                let child = match name {
                    Some(name) => this.0.child(name)?,
                    None => this.0.new_child()?,
                };
                Ok(CallerValue(child))
            },
        )?,
    )?;
    methods.set(
        "children",
        api.function(Doc::new("caller:children()", "The callers that it made."), |_, this: This| {
            Ok(this.0.children().into_iter().map(CallerValue).collect::<Vec<_>>())
        })?,
    )?;
    methods.set(
        "parent",
        api.function(Doc::new("caller:parent()", "The caller that made it, if any."), |_, this: This| {
            Ok(this.0.parent().map(CallerValue))
        })?,
    )?;
    methods.set(
        "stop",
        api.function(
            Doc::new("caller:stop()", "Asks it to stop, unless it is protected. Returns its state."),
            |_, this: This| Ok(this.0.stop().to_string()),
        )?,
    )?;
    group::install(api, &methods)?;
    for name in ["as_completed", "wait"] {
        // The same functions as methods, as the library has them.
        let function: Function = lua.globals().get(name)?;
        let method: Function = lua
            .load("local f = ... return function(_, ...) return f(...) end")
            .set_name(format!("={}", OURS))
            .call(function.clone())?;
        let doc = runtime.docs.borrow().of(&function);
        if let Some(doc) = doc {
            runtime.docs.borrow_mut().put(&method, Doc { name: format!("caller:{name}"), ..(*doc).clone() });
        }
        methods.set(name, method)?;
    }
    let fields = {
        let methods = methods.clone();
        lua.create_function(move |lua, (this, key): (This, Value)| {
            let name = key.as_string().map(mlua::LuaString::to_string_lossy);
            let text = |text: &str| Ok(Value::String(lua.create_string(text)?));
            match name.as_deref() {
                Some("name") => text(this.0.name()),
                Some("id") => text(&this.0.id().to_string()),
                Some("state") => text(&this.0.state().to_string()),
                Some("thread") => this.0.thread().map_or(Ok(Value::Nil), |(_, name)| text(name)),
                Some("protected") => Ok(Value::Boolean(this.0.is_protected())),
                _ => methods.raw_get(key),
            }
        })?
    };
    objects::register_equal::<CallerObject>(lua, "caller", Value::Function(fields))?;
    lua.set_named_registry_value(METHODS, &methods)?;
    lua.globals().set("caller", CallerValue(runtime.caller.clone()))?;
    statics(api)
}

/// `Caller.current` and its kin.
fn statics(api: &Api<'_>) -> mlua::Result<()> {
    let lua = api.lua;
    let table = lua.create_table()?;
    table.set(
        "current",
        api.function(Doc::new("Caller.current()", "The caller of this thread."), |_, ()| {
            Ok(CallerValue(Caller::current()?))
        })?,
    )?;
    table.set(
        "named",
        api.function(
            Doc::new("Caller.named(name)", "A caller that runs, by its name; nil if there is none."),
            |_, name: String| {
                Ok(Caller::all().into_iter().find(|caller| caller.name() == name).map(CallerValue))
            },
        )?,
    )?;
    table.set(
        "all",
        api.function(
            Doc::new("Caller.all()", "All callers that run, in the order they were made."),
            |_, ()| Ok(Caller::all().into_iter().map(CallerValue).collect::<Vec<_>>()),
        )?,
    )?;
    lua.globals().set("Caller", table)
}
