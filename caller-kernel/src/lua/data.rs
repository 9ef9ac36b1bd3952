//! Plain data on its way: between Lua and JSON, and from one state to another.

use std::{collections::HashMap, sync::Arc};

use mlua::{Lua, LuaSerdeExt, Table, Value};
use serde_json::Value as Json;

/// A value of Rust as Lua has it. What is not there is nil.
pub(crate) fn from_serde<T: serde::Serialize + ?Sized>(lua: &Lua, value: &T) -> mlua::Result<Value> {
    let options =
        mlua::serde::ser::Options::new().serialize_none_to_null(false).serialize_unit_to_null(false);
    lua.to_value_with(value, options)
}

/// How deep the tables are that become JSON: it is as deep as JSON is commonly read.
const JSON_DEPTH: usize = 127;

/// A Lua value as JSON. A table is a list if it is marked as one (see [`mark_list`]), or is not empty and has the keys of
/// one.
///
/// # Errors
///
/// If it has what JSON has not: functions, cycles, or other keys than those of a list or texts. Nothing is left out.
pub(crate) fn to_json(lua: &Lua, value: &Value) -> mlua::Result<Json> {
    json_within(lua, value, JSON_DEPTH)
}

/// A table as an object of JSON.
///
/// # Errors
///
/// As [`to_json`]; and if it is a list.
pub(crate) fn to_json_object(lua: &Lua, table: &Table) -> mlua::Result<serde_json::Map<String, Json>> {
    match table_within(lua, table, JSON_DEPTH)? {
        Json::Object(fields) => Ok(fields),
        _ => Err(mlua::Error::runtime("a list stands where a table with texts as keys is due")),
    }
}

fn json_within(lua: &Lua, value: &Value, depth: usize) -> mlua::Result<Json> {
    Ok(match value {
        Value::Boolean(value) => Json::from(*value),
        Value::Integer(value) => Json::from(*value),
        Value::Number(value) => Json::from(*value),
        Value::String(text) => Json::from(text.to_string_lossy()),
        Value::Table(table) => table_within(lua, table, depth)?,
        value if value.is_nil() || value.is_null() => Json::Null,
        other => return Err(mlua::Error::runtime(format!("JSON has no {}", other.type_name()))),
    })
}

fn table_within(lua: &Lua, table: &Table, depth: usize) -> mlua::Result<Json> {
    let Some(depth) = depth.checked_sub(1) else {
        return Err(mlua::Error::runtime("for JSON, tables stand too deep within each other, or in a cycle"));
    };
    let length = table.raw_len();
    let is_list = length > 0 || table.metatable().is_some_and(|meta| meta == lua.array_metatable());
    let mut items = vec![Json::Null; if is_list { length } else { 0 }];
    let mut fields = serde_json::Map::new();
    for pair in table.pairs::<Value, Value>() {
        let (key, value) = pair?;
        let value = json_within(lua, &value, depth)?;
        let at = key.as_integer().and_then(|key| usize::try_from(key).ok()?.checked_sub(1));
        match (&key, at.and_then(|at| items.get_mut(at))) {
            (_, Some(item)) => *item = value,
            (Value::String(name), _) if !is_list => drop(fields.insert(name.to_string_lossy(), value)),
            (other, _) => {
                let (key, kind) = (other.to_string()?, if is_list { "a list" } else { "an object" });
                return Err(mlua::Error::runtime(format!(
                    "the key {key} is lost in JSON, where its table is {kind}; a list has the keys from 1 on, an object texts"
                )));
            }
        }
    }
    Ok(if is_list { Json::Array(items) } else { Json::Object(fields) })
}

/// Marks a table as a list, also when it is empty.
pub(crate) fn mark_list(lua: &Lua, table: &Table) -> mlua::Result<()> {
    table.set_metatable(Some(lua.array_metatable()))
}

/// The globals of a state that are plain data: numbers, texts, booleans, and tables of these, without metatables.
#[derive(Clone, Debug, Default)]
pub(crate) struct Globals {
    named: Vec<(Box<[u8]>, Plain)>,
    tables: Vec<Vec<(Plain, Plain)>>,
}

#[derive(Clone, Debug)]
enum Plain {
    Boolean(bool),
    Integer(i64),
    Number(f64),
    Text(Arc<[u8]>),
    /// By its number, so that what is one table stays one, and cycles are no matter.
    Table(usize),
}

/// How deep tables are taken: they are read by recursion.
const DEPTH: usize = 100;

impl Globals {
    /// Reads them, but for those whose value is as `before`.
    pub(crate) fn take(lua: &Lua, is_known: impl Fn(&[u8]) -> bool) -> Self {
        let mut taking = Taking { globals: Self::default(), known: HashMap::new() };
        for (name, value) in lua.globals().pairs::<Value, Value>().flatten() {
            let Value::String(name) = name else { continue };
            if is_known(&name.as_bytes()) {
                continue;
            }
            let tables = taking.globals.tables.len();
            match taking.plain(&value, 0) {
                Some(plain) => taking.globals.named.push(((*name.as_bytes()).into(), plain)),
                // What was taken of it before it turned out not to be plain.
                None => taking.forget(tables),
            }
        }
        taking.globals
    }

    /// Sets them in another state.
    pub(crate) fn give(&self, lua: &Lua) -> mlua::Result<()> {
        let tables = self.tables.iter().map(|_| lua.create_table()).collect::<mlua::Result<Vec<_>>>()?;
        let value = |plain: &Plain| -> mlua::Result<Value> {
            Ok(match plain {
                Plain::Boolean(value) => Value::Boolean(*value),
                Plain::Integer(value) => Value::Integer(*value),
                Plain::Number(value) => Value::Number(*value),
                Plain::Text(text) => Value::String(lua.create_string(text)?),
                Plain::Table(at) => tables.get(*at).cloned().map_or(Value::Nil, Value::Table),
            })
        };
        for (table, pairs) in tables.iter().zip(&self.tables) {
            for (key, item) in pairs {
                table.raw_set(value(key)?, value(item)?)?;
            }
        }
        let globals = lua.globals();
        self.named
            .iter()
            .try_for_each(|(name, plain)| globals.raw_set(lua.create_string(name)?, value(plain)?))
    }
}

struct Taking {
    globals: Globals,
    /// The number of each table, by its address.
    known: HashMap<usize, usize>,
}

impl Taking {
    /// None if it is not plain data all through.
    fn plain(&mut self, value: &Value, depth: usize) -> Option<Plain> {
        Some(match value {
            Value::Boolean(value) => Plain::Boolean(*value),
            Value::Integer(value) => Plain::Integer(*value),
            Value::Number(value) => Plain::Number(*value),
            Value::String(text) => Plain::Text((*text.as_bytes()).into()),
            Value::Table(table) => Plain::Table(self.table(table, depth)?),
            _ => return None,
        })
    }

    fn table(&mut self, table: &Table, depth: usize) -> Option<usize> {
        let address = table.to_pointer().addr();
        if let Some(at) = self.known.get(&address) {
            return Some(*at);
        }
        if depth >= DEPTH || table.has_metatable() {
            return None;
        }
        let at = self.globals.tables.len();
        self.known.insert(address, at);
        self.globals.tables.push(Vec::new());
        for pair in table.pairs::<Value, Value>() {
            let (key, item) = pair.ok()?;
            let pair = (self.plain(&key, depth + 1)?, self.plain(&item, depth + 1)?);
            self.globals.tables[at].push(pair);
        }
        Some(at)
    }

    fn forget(&mut self, tables: usize) {
        self.globals.tables.truncate(tables);
        self.known.retain(|_, at| *at < tables);
    }
}
