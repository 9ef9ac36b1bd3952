//! What a cell prints, shows and asks.

use std::{
    cell::{Cell, RefCell},
    io::Write,
    sync::Arc,
};

use mlua::{Lua, LuaString, Table, Value};

use super::Api;
use crate::{
    lua::{
        data::mark_list,
        docs::Doc,
        fresh_id::fresh_id,
        raise::{Outcome, Raise},
        repr,
    },
    shell::{Display, MimeBundle, Output, Stream},
};

/// Writes to the cell that this code runs for. Where none is known, to the program's own streams.
pub(crate) fn write(stream: Stream, bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    match <dyn Output>::current() {
        Some(output) => output.stream(stream, &text),
        None => {
            // Nobody is there to hear that it failed.
            let _written = match stream {
                Stream::Stdout => std::io::stdout().write_all(text.as_bytes()),
                Stream::Stderr => std::io::stderr().write_all(text.as_bytes()),
            };
        }
    }
}

fn output() -> Outcome<Arc<dyn Output>> {
    <dyn Output>::current().ok_or_else(|| "there is no front end here: this code runs for no cell".into())
}

/// What is to be shown for a value: a table of data by MIME type as it is, anything else as a result would be.
fn shown(
    lua: &Lua,
    runtime: &std::rc::Rc<crate::lua::runtime::Runtime>,
    value: &Value,
) -> Outcome<MimeBundle> {
    match value {
        Value::Table(table) if repr::is_mime_table(table) => {
            Ok(MimeBundle { data: repr::mime_data(lua, table)?, ..MimeBundle::default() })
        }
        other => repr::bundle(lua, runtime, other),
    }
}

/// Gives the prelude what it makes `print`, `io` and `display` of; and makes the functions that are known by themselves.
pub(crate) fn install(api: &Api<'_>, parts: &Table) -> mlua::Result<()> {
    let (lua, runtime) = (api.lua, api.runtime);
    for (name, stream) in [("out", Stream::Stdout), ("err", Stream::Stderr)] {
        parts.set(
            name,
            lua.create_function(move |_, text: LuaString| {
                write(stream, &text.as_bytes());
                Ok(())
            })?,
        )?;
    }
    let show = {
        let runtime = runtime.clone();
        api.function(Doc::default(), move |lua, (value, id, update): (Value, Value, Option<bool>)| {
            let id = match id {
                Value::Nil | Value::Boolean(false) => None,
                Value::Boolean(true) => Some(fresh_id()),
                Value::String(id) => Some(id.to_string_lossy()),
                _ => return Err(Raise::from("the id of a display is a text, or true for a new one")),
            };
            let bundle = shown(lua, &runtime, &value)?;
            output()?.display(Display { bundle, id: id.clone(), update: update.unwrap_or(false) });
            Ok(id)
        })?
    };
    parts.set("show", show)?;
    let list = api.function(Doc::default(), |lua, table: Table| {
        mark_list(lua, &table)?;
        Ok(table)
    })?;
    parts.set("list", list)?;
    let (on, text) = (Cell::new(false), RefCell::new(String::new()));
    lua.set_warning_function(move |_, part, goes_on| {
        if text.borrow().is_empty() && !goes_on && part.starts_with('@') {
            on.set((on.get() || part == "@on") && part != "@off");
            return Ok(());
        }
        text.borrow_mut().push_str(part);
        if !goes_on {
            let text = text.take();
            if on.get() {
                write(Stream::Stderr, format!("Lua warning: {text}\n").as_bytes());
            }
        }
        Ok(())
    });
    let globals = lua.globals();
    globals.set(
        "clear_output",
        api.function(
            Doc::new(
                "clear_output(wait)",
                "Clears what the cell has shown; with `wait`, when there is something new to show.",
            ),
            |_, wait: Option<bool>| {
                output()?.clear_output(wait.unwrap_or(false));
                Ok(())
            },
        )?,
    )?;
    for (name, password, text) in [
        ("input", false, "Asks for a line, and waits for it."),
        ("getpass", true, "Asks for a line that is not shown, and waits for it."),
    ] {
        let function = api.waiting(
            Doc::new(&format!("{name}(prompt)"), text),
            move |_, prompt: Option<String>| async move {
                let asked = output()?.input(prompt.as_deref().unwrap_or(""), password);
                Ok(asked.await?)
            },
        )?;
        globals.set(name, function)?;
    }
    Ok(())
}
