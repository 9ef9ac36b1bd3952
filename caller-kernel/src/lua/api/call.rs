//! The calls that cells make.

use std::{rc::Rc, time::Duration};

use caller::Caller;
use mlua::{AnyUserData, Function, IntoLuaMulti, Lua, MultiValue};

use super::{pending_object::PendingObject, sleep::sleep, slot::Slot};
use crate::lua::{
    failure::Failure,
    raise::{Outcome, Raise},
    running::Running,
    runtime::Runtime,
    task::Role,
};

/// Where a function is to run.
#[derive(Clone, Debug)]
pub(crate) enum RunOn {
    Caller(Caller),
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
    place: RunOn,
    delay: Duration,
    function: Function,
    arguments: MultiValue,
) -> Outcome<PendingObject> {
    let exposed = runtime.exposed.borrow().get(&function.to_pointer().addr()).cloned();
    match (place, exposed) {
        (RunOn::Caller(caller), None) if caller == runtime.caller => {
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
                RunOn::Caller(caller) => caller.try_call_later(delay, async move || work().await),
                RunOn::Worker(caller) => caller.try_to_thread(async move || work().await),
            };
            Ok(PendingObject::new(pending, None))
        }
        (RunOn::Caller(_) | RunOn::Worker(_), None) => Err(
            "a Lua function cannot leave its thread; give an exposed function, or run the cell there (`-- thread` or \
             `-- caller name=…` as its first line)"
                .into(),
        ),
    }
}

pub(crate) fn wrap(lua: &Lua, pending: PendingObject) -> Outcome<AnyUserData> {
    lua.create_any_userdata(pending).map_err(Raise::from)
}
