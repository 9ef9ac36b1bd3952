//! Callers, as objects of Lua, and the calls that are made with them.

use std::{fmt, rc::Rc, time::Duration};

use caller::Caller;
use mlua::{AnyUserData, Function, IntoLuaMulti, Lua, MultiValue, UserDataRef, Value};

use super::{
    Api,
    pending::{PendingObject, Slot, seconds, sleep},
};
use crate::lua::{
    docs::Doc,
    failure::Failure,
    internal::OURS,
    objects,
    raise::{Outcome, Raise},
    running::Running,
    runtime::Runtime,
    task::Role,
};

/// A caller of Lua.
#[derive(Clone, PartialEq)]
pub(crate) struct CallerObject(pub(crate) Caller);

impl fmt::Display for CallerObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{}>", self.0)
    }
}

/// Where a function is to run.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    On(Caller),
    Worker(Caller),
}

/// Starts a Lua function as a call of this state's caller, after something else.
pub(crate) fn start<B>(
    lua: &Lua,
    runtime: &Rc<Runtime>,
    before: B,
    function: Function,
    arguments: impl IntoLuaMulti,
) -> Outcome<PendingObject>
where
    B: AsyncFnOnce() + 'static,
{
    let arguments = arguments.into_lua_multi(lua)?;
    let slot = Slot::new();
    let pending = {
        let (lua, runtime, slot) = (lua.clone(), runtime.clone(), slot.clone());
        runtime.clone().caller.try_call_soon_local(async move || {
            before().await;
            let outcome = match Running::new(&lua, &runtime, Role::Call, function, arguments) {
                Ok(running) => running.await,
                Err(error) => Err(Failure::of_error(&lua, &runtime, &error)),
            };
            slot.put(outcome)
        })?
    };
    Ok(PendingObject::new(pending, Some(slot)))
}

/// Makes a call: of a Lua function in this state, or of an exposed one anywhere.
pub(crate) fn call(
    lua: &Lua,
    runtime: &Rc<Runtime>,
    place: Place,
    delay: Duration,
    function: Function,
    arguments: MultiValue,
) -> Outcome<PendingObject> {
    let exposed = runtime.exposed.borrow().get(&function.to_pointer().addr()).cloned();
    match (place, exposed) {
        (Place::On(caller), None) if caller == runtime.caller => {
            let before = async move || {
                if !delay.is_zero() {
                    sleep(delay).await;
                }
            };
            start(lua, runtime, before, function, arguments)
        }
        (place, Some(exposed)) => {
            let work = exposed.prepare(lua, arguments)?;
            let pending = match place {
                Place::On(caller) => caller.try_call_later(delay, async move || work().await),
                Place::Worker(caller) => caller.try_to_thread(async move || work().await),
            };
            Ok(PendingObject::new(pending, None))
        }
        (Place::On(_) | Place::Worker(_), None) => Err(
            "a Lua function cannot leave its thread; give an exposed function, or run the cell there (`-- thread` or \
             `-- caller name=…` as its first line)"
                .into(),
        ),
    }
}

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
                    call(lua, &runtime, Place::On(this.0.clone()), Duration::ZERO, f, arguments)
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
                    call(lua, &runtime, Place::On(this.0.clone()), seconds(delay)?, f, arguments)
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
                    call(lua, &runtime, Place::Worker(this.0.clone()), Duration::ZERO, f, arguments)
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
    super::group::install(api, &methods)?;
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

/// Under which name the methods of callers are kept, for completion.
pub(crate) const METHODS: &str = "caller methods";
/// The fields of callers, for completion.
pub(crate) const FIELDS: [&str; 5] = ["id", "name", "protected", "state", "thread"];

/// `Caller.current` and its kin, and `sleep`.
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
    lua.globals().set("Caller", table)?;
    lua.globals().set(
        "sleep",
        api.waiting(
            Doc::new("sleep(seconds)", "Waits, and lets the others of this thread go on."),
            |_, time: f64| async move {
                sleep(seconds(time)?).await;
                Ok(())
            },
        )?,
    )
}

/// A caller on its way to Lua.
pub(crate) struct CallerValue(pub(crate) Caller);

impl mlua::IntoLua for CallerValue {
    fn into_lua(self, lua: &Lua) -> mlua::Result<Value> {
        Ok(Value::UserData(lua.create_any_userdata(CallerObject(self.0))?))
    }
}

pub(crate) fn wrap(lua: &Lua, pending: PendingObject) -> Outcome<AnyUserData> {
    lua.create_any_userdata(pending).map_err(Raise::from)
}
