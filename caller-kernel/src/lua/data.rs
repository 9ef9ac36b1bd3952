//! Plain data on its way: between Lua and JSON, and from one state to another.

use std::{collections::HashMap, sync::Arc};

use mlua::{Lua, LuaSerdeExt, Table, Value};

/// A value of Rust as Lua has it. What is not there is nil.
pub(crate) fn from_serde<T: serde::Serialize + ?Sized>(lua: &Lua, value: &T) -> mlua::Result<Value> {
    let options =
        mlua::serde::ser::Options::new().serialize_none_to_null(false).serialize_unit_to_null(false);
    lua.to_value_with(value, options)
}

/// A Lua value as JSON.
///
/// # Errors
///
/// If it has functions, cycles, or keys that JSON has not.
pub(crate) fn to_json(lua: &Lua, value: Value) -> mlua::Result<serde_json::Value> {
    lua.from_value(value)
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
