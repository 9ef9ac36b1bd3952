//! Comms, as objects of Lua.

use std::{fmt, rc::Rc};

use mlua::{AnyUserData, Function, IntoLuaMulti, Lua, MultiValue, Table, UserDataRef, Value};

use super::{Api, front_end::output};
use crate::{
    lua::{
        comm_table::Comm,
        data::{from_serde, to_json, to_json_object},
        docs::Doc,
        fresh_id::fresh_id,
        objects,
        raise::Outcome,
        running::Running,
        runtime::Runtime,
        task::Role,
    },
    shell::{CommMessage, Output, Stream},
};

struct CommObject(Rc<Comm>);

impl fmt::Display for CommObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<comm: {} {}>", self.0.target, self.0.id)
    }
}

/// A front end opened a comm.
pub(crate) async fn opened(
    lua: Lua,
    runtime: Rc<Runtime>,
    id: String,
    target: String,
    message: CommMessage,
) -> bool {
    let Some(handler) = runtime.comms.targets.borrow().get(&target).cloned() else { return false };
    let comm = runtime.comms.add(&id, &target);
    let arguments = (CommObject(comm), message);
    if handle(&lua, &runtime, handler, |lua| {
        (lua.create_any_userdata(arguments.0)?, data(lua, &arguments.1)?).into_lua_multi(lua)
    })
    .await
    {
        return true;
    }
    let gone = runtime.comms.open.borrow_mut().remove(&id);
    drop(gone);
    false
}

/// A front end sent a message.
pub(crate) async fn received(lua: Lua, runtime: Rc<Runtime>, id: String, message: CommMessage) {
    let comm = runtime.comms.open.borrow().get(&id).cloned();
    let handler = comm.and_then(|comm| comm.on_message.borrow().clone());
    if let Some(handler) = handler {
        handle(&lua, &runtime, handler, |lua| data(lua, &message)?.into_lua_multi(lua)).await;
    }
}

/// A front end closed it.
pub(crate) async fn closed(lua: Lua, runtime: Rc<Runtime>, id: String, message: CommMessage) {
    let comm = runtime.comms.open.borrow_mut().remove(&id);
    let handler = comm.and_then(|comm| comm.on_close.take());
    if let Some(handler) = handler {
        handle(&lua, &runtime, handler, |lua| data(lua, &message)?.into_lua_multi(lua)).await;
    }
}

/// The data of a message, and a table with all of it.
fn data(lua: &Lua, message: &CommMessage) -> mlua::Result<MultiValue> {
    let data = from_serde(lua, &message.data)?;
    let all = lua.create_table()?;
    all.set("data", &data)?;
    all.set("metadata", from_serde(lua, &message.metadata)?)?;
    let buffers = message.buffers.iter().map(|buffer| lua.create_string(buffer));
    all.set("buffers", lua.create_sequence_from(buffers.collect::<mlua::Result<Vec<_>>>()?)?)?;
    (data, all).into_lua_multi(lua)
}

/// Calls a handler, as a coroutine. An error is shown, and goes no further.
async fn handle(
    lua: &Lua,
    runtime: &Rc<Runtime>,
    handler: Function,
    arguments: impl FnOnce(&Lua) -> mlua::Result<MultiValue>,
) -> bool {
    let running =
        arguments(lua).and_then(|arguments| Running::new(lua, runtime, Role::Call, handler, arguments));
    let lines = match running {
        Ok(running) => match running.await {
            Ok(_) => return true,
            Err(failure) => failure.into_cell_error().traceback.join("\n"),
        },
        Err(error) => error.to_string(),
    };
    if let Some(output) = <dyn Output>::current() {
        output.stream(Stream::Stderr, &format!("the handler of a comm failed\n{lines}\n"));
    }
    false
}

/// What is sent: data, and a table with metadata and buffers if there are any.
fn message(lua: &Lua, data: Value, more: Option<Table>) -> Outcome<CommMessage> {
    let mut message = CommMessage::new(match data {
        Value::Nil => serde_json::Value::Object(serde_json::Map::new()),
        data => to_json(lua, &data)?,
    });
    if let Some(more) = more {
        if let Some(metadata) = more.get::<Option<Table>>("metadata")? {
            message.metadata = to_json_object(lua, &metadata)?;
        }
        for buffer in more.get::<Option<Vec<mlua::LuaString>>>("buffers")?.unwrap_or_default() {
            message.buffers.push(buffer.as_bytes().to_vec());
        }
    }
    Ok(message)
}

type This = UserDataRef<CommObject>;

/// Makes comms known to a state.
pub(crate) fn install(api: &Api<'_>) -> mlua::Result<()> {
    let (lua, runtime) = (api.lua, api.runtime);
    let methods = lua.create_table()?;
    for (name, text) in [
        ("on_msg", "Calls `f(data, message)` for each message of the front end."),
        ("on_close", "Calls `f(data, message)` when the front end closes it."),
    ] {
        let is_close = name == "on_close";
        let function = api.function(
            Doc::new(&format!("comm:{name}(f)"), text),
            move |_, (this, f): (AnyUserData, Option<Function>)| {
                let comm = this.borrow::<CommObject>()?.0.clone();
                let slot = if is_close { &comm.on_close } else { &comm.on_message };
                let old = slot.replace(f);
                drop(old);
                Ok(this)
            },
        )?;
        methods.set(name, function)?;
    }
    methods.set(
        "send",
        api.function(
            Doc::new(
                "comm:send(data, more)",
                "Sends to the front end. `more` may have `metadata` and a list of binary `buffers`.",
            ),
            |lua, (this, data, more): (This, Value, Option<Table>)| {
                output()?.comm_message(&this.0.id, message(lua, data, more)?);
                Ok(())
            },
        )?,
    )?;
    methods.set(
        "close",
        api.function(Doc::new("comm:close(data, more)", "Closes it. Closing again does nothing."), {
            let runtime = runtime.clone();
            move |lua, (this, data, more): (This, Value, Option<Table>)| {
                let message = message(lua, data, more)?;
                let open = runtime.comms.open.borrow_mut().remove(&this.0.id);
                if open.is_some() {
                    output()?.comm_close(&this.0.id, message);
                }
                Ok(())
            }
        })?,
    )?;
    methods
        .set("id", api.function(Doc::new("comm:id()", "Its id."), |_, this: This| Ok(this.0.id.clone()))?)?;
    methods.set(
        "target",
        api.function(Doc::new("comm:target()", "The name of its target."), |_, this: This| {
            Ok(this.0.target.clone())
        })?,
    )?;
    objects::register::<CommObject>(lua, "comm", methods)?;
    let table = lua.create_table()?;
    table.set(
        "open",
        api.function(
            Doc::new("comm.open(target, data, more)", "Opens a comm with a target of the front end."),
            {
                let runtime = runtime.clone();
                move |lua, (target, data, more): (String, Value, Option<Table>)| {
                    let message = message(lua, data, more)?;
                    let output = output()?;
                    let id = fresh_id();
                    let comm = runtime.comms.add(&id, &target);
                    output.comm_open(&id, &target, message);
                    Ok(lua.create_any_userdata(CommObject(comm))?)
                }
            },
        )?,
    )?;
    table.set(
        "register_target",
        api.function(
            Doc::new(
                "comm.register_target(name, f)",
                "Calls `f(comm, data, message)` when the front end opens a comm with this target. Without `f`, no longer.",
            ),
            {
                let runtime = runtime.clone();
                move |_, (name, f): (String, Option<Function>)| {
                    let mut targets = runtime.comms.targets.borrow_mut();
                    let old = match f {
                        Some(f) => targets.insert(name, f),
                        None => targets.remove(&name),
                    };
                    drop(targets);
                    drop(old);
                    Ok(())
                }
            },
        )?,
    )?;
    lua.globals().set("comm", table)
}
