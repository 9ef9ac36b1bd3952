//! What could stand at the cursor.

use std::{collections::BTreeMap, rc::Rc};

use mlua::{Lua, Value};

use super::{
    inspect,
    lexer::{self, Kind},
    path,
};
use crate::{
    lua::{api::caller_object, keywords::KEYWORDS, runtime::Runtime},
    shell::{Completion, Match},
};

/// How many possibilities are given.
const MATCHES: usize = 1000;

pub(crate) fn complete(lua: &Lua, runtime: &Rc<Runtime>, code: &str, cursor: usize) -> Completion {
    let byte = path::byte_at(code, cursor);
    let end = path::points(code, byte);
    let none = Completion { matches: Vec::new(), start: end, end };
    let Some(place) = path::field_path(code, byte) else { return none };
    let start = &code[place.start..byte];
    let mut found = BTreeMap::new();
    match &place.base {
        Some(steps) => {
            let Some(base) = path::resolve(lua, steps) else { return none };
            fields(lua, runtime, &base, start, &mut found);
            if place.is_method {
                found.retain(|_, found| found.kind == "function");
            } else if base.is_userdata() {
                // A method is called with a colon; a field is not.
                found.retain(|_, found| found.kind != "function");
            }
        }
        None => {
            fields(lua, runtime, &Value::Table(lua.globals()), start, &mut found);
            let words = KEYWORDS.iter().filter(|word| word.starts_with(start));
            for word in words {
                found.entry((*word).to_owned()).or_insert_with(|| of_kind(word, "keyword"));
            }
            names(code, place.start, start, &mut found);
        }
    }
    let matches = found.into_values().take(MATCHES).collect();
    Completion { matches, start: path::points(code, place.start), end }
}

fn of_kind(text: &str, kind: &'static str) -> Match {
    Match { text: text.to_owned(), kind, signature: None }
}

fn fields(lua: &Lua, runtime: &Rc<Runtime>, base: &Value, start: &str, found: &mut BTreeMap<String, Match>) {
    for table in path::tables(lua, base) {
        for (key, value) in table.pairs::<Value, Value>().flatten().take(10 * MATCHES) {
            let Some(name) = key.as_string().map(mlua::LuaString::to_string_lossy) else { continue };
            let hidden = name.starts_with("__") && !start.starts_with('_');
            if !name.starts_with(start) || hidden || !is_name(&name) {
                continue;
            }
            found.entry(name).or_insert_with_key(|name| Match {
                text: name.clone(),
                kind: kind(&value),
                signature: value
                    .as_function()
                    .and_then(|function| inspect::signature(runtime, name, function)),
            });
        }
    }
    if base.as_userdata().is_some_and(|data| data.is::<caller_object::CallerObject>()) {
        for field in caller_object::FIELDS.iter().filter(|field| field.starts_with(start)) {
            found.insert((*field).to_owned(), of_kind(field, "field"));
        }
    }
}

/// The names that the cell itself has elsewhere: its locals may be among them.
fn names(code: &str, at: usize, start: &str, found: &mut BTreeMap<String, Match>) {
    let tokens = lexer::code_tokens(code);
    for (before, token) in std::iter::once(None).chain(tokens.iter().map(Some)).zip(&tokens) {
        let is_field = before.is_some_and(|before| matches!(before.text(code), "." | ":"));
        let name = token.text(code);
        if token.kind == Kind::Name && token.at.start != at && !is_field && name.starts_with(start) {
            found.entry(name.to_owned()).or_insert_with(|| of_kind(name, "name"));
        }
    }
}

fn is_name(text: &str) -> bool {
    !text.starts_with(|c: char| c.is_ascii_digit())
        && !text.is_empty()
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Function(_) => "function",
        Value::Table(_) => "table",
        Value::UserData(_) => "object",
        _ => "value",
    }
}
