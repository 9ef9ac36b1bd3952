//! `display` and `clear_output`: what a cell shows.

use std::rc::Rc;

use mlua::{Lua, Table, Value};

use super::{Api, front_end::output};
use crate::{
    lua::{
        data::mark_list,
        docs::Doc,
        fresh_id::fresh_id,
        raise::{Outcome, Raise},
        repr,
        runtime::Runtime,
    },
    shell::{Display, MimeBundle},
};

/// Gives the prelude what it makes `display` of, and makes `clear_output` known to a state.
pub(crate) fn install(api: &Api<'_>, parts: &Table) -> mlua::Result<()> {
    let (lua, runtime) = (api.lua, api.runtime);
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
    lua.globals().set(
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
    )
}

/// What is to be shown for a value: a table of data by MIME type as it is, anything else as a result would be.
fn shown(lua: &Lua, runtime: &Rc<Runtime>, value: &Value) -> Outcome<MimeBundle> {
    match value {
        Value::Table(table) if repr::is_mime_table(table) => {
            Ok(MimeBundle { data: repr::mime_data(lua, table)?, ..MimeBundle::default() })
        }
        other => repr::bundle(lua, runtime, other),
    }
}
