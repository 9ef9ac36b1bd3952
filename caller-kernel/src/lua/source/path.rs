//! What stands at a cursor: the names that lead to a value, and that value.

use mlua::{AnyUserData, Lua, Table, Value};

use super::lexer::{self, End, Kind, Token};
use crate::lua::api::caller_object;

/// A field or a global that code names, such as `a.b[1].c`: where its last name stands, and the way there.
#[derive(Debug)]
pub(crate) struct FieldPath {
    /// The value whose field is meant. None for a global.
    pub(crate) base: Option<Vec<Step>>,
    /// Whether the field is called as a method.
    pub(crate) is_method: bool,
    /// Where the last name begins, in bytes.
    pub(crate) start: usize,
}

/// One step on the way to a value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Step {
    Name(String),
    Index(i64),
    /// A text that stands in the code.
    Literal,
}

/// The byte at which a code point stands.
pub(crate) fn byte_at(code: &str, cursor: usize) -> usize {
    code.char_indices().nth(cursor).map_or(code.len(), |(at, _)| at)
}

/// The number of code points before a byte.
pub(crate) fn points(code: &str, byte: usize) -> usize {
    code[..byte].chars().count()
}

/// What stands in front of the cursor, at this byte. None in comments, texts and numbers.
pub(crate) fn field_path(code: &str, cursor: usize) -> Option<FieldPath> {
    let code = &code[..cursor];
    let tokens = lexer::tokens(code);
    let last = tokens.last();
    if let Some(last) = last
        && (last.end != End::Closed
            || (last.at.end == cursor && matches!(last.kind, Kind::Comment | Kind::Number)))
    {
        return None;
    }
    let partial =
        last.filter(|last| last.at.end == cursor && matches!(last.kind, Kind::Name | Kind::Keyword));
    let before = &tokens[..tokens.len() - usize::from(partial.is_some())];
    let start = partial.map_or(cursor, |partial| partial.at.start);
    let (base, is_method) = match before.last().map(|sign| sign.text(code)) {
        Some(sign @ ("." | ":")) => (Some(steps(code, &before[..before.len() - 1])?), sign == ":"),
        _ => (None, false),
    };
    Some(FieldPath { base, is_method, start })
}

/// The way that the last of these tokens end. None if it is no plain one.
pub(crate) fn steps(code: &str, tokens: &[Token]) -> Option<Vec<Step>> {
    let mut steps = Vec::new();
    let mut rest = tokens;
    loop {
        let (last, before) = rest.split_last()?;
        match (last.kind, last.text(code)) {
            (Kind::Name, name) => {
                steps.push(Step::Name(name.to_owned()));
                match before.last().map(|sign| sign.text(code)) {
                    Some("." | ":") => rest = &before[..before.len() - 1],
                    _ => break,
                }
            }
            (Kind::Text, _) | (Kind::Sign, ")") => {
                let before = match before {
                    _ if last.kind == Kind::Text => before,
                    // `("text"):upper`
                    [before @ .., open, text] if text.kind == Kind::Text && open.text(code) == "(" => before,
                    _ => return None,
                };
                // What it is given to makes something else of it: `f"text"`, `f("text")`.
                let is_argument = |before: &Token| {
                    matches!(before.kind, Kind::Name | Kind::Text)
                        || [")", "]", "}"].contains(&before.text(code))
                };
                if before.last().is_some_and(is_argument) {
                    return None;
                }
                steps.push(Step::Literal);
                break;
            }
            (Kind::Sign, "]") => {
                let (key, before) = before.split_last()?;
                let (open, before) = before.split_last()?;
                if open.text(code) != "[" {
                    return None;
                }
                steps.push(match key.kind {
                    Kind::Number => Step::Index(key.text(code).parse().ok()?),
                    Kind::Text => Step::Name(key.text(code).trim_matches(['"', '\'']).to_owned()),
                    _ => return None,
                });
                rest = before;
            }
            _ => return None,
        }
    }
    steps.reverse();
    Some(steps)
}

/// The value to which a way leads now. No code is run for it.
pub(crate) fn resolve(lua: &Lua, steps: &[Step]) -> Option<Value> {
    let mut steps = steps.iter();
    let mut value = match steps.next()? {
        Step::Name(name) => lua.globals().raw_get::<Value>(name.as_str()).ok()?,
        Step::Literal => Value::String(lua.create_string("").ok()?),
        Step::Index(_) => return None,
    };
    for step in steps {
        value = match step {
            Step::Name(name) => field(lua, &value, name)?,
            Step::Index(at) => value.as_table()?.raw_get(*at).ok()?,
            Step::Literal => return None,
        };
    }
    (!value.is_nil()).then_some(value)
}

/// A field, as far as it can be had without running code.
pub(crate) fn field(lua: &Lua, value: &Value, name: &str) -> Option<Value> {
    if let Some(data) = value.as_userdata()
        && data.is::<caller_object::CallerObject>()
        && caller_object::FIELDS.contains(&name)
    {
        // Ours, and known to be harmless.
        return mlua::ObjectLike::get(data, name).ok();
    }
    let found = |table: &Table| table.raw_get::<Value>(name).ok().filter(|value| !value.is_nil());
    tables(lua, value).iter().find_map(found)
}

/// The tables in which the fields of a value stand, the nearest first.
pub(crate) fn tables(lua: &Lua, value: &Value) -> Vec<Table> {
    let mut tables = Vec::new();
    let mut value = value.clone();
    // A metatable may be its own `__index`.
    while tables.len() < 8 {
        let next = match &value {
            Value::Table(table) => {
                tables.push(table.clone());
                table.metatable().and_then(|meta| meta.raw_get::<Value>("__index").ok())
            }
            Value::UserData(data) => of_userdata(lua, data),
            Value::String(_) => lua.globals().raw_get::<Value>("string").ok(),
            _ => None,
        };
        match next {
            Some(next @ (Value::Table(_) | Value::UserData(_))) => value = next,
            _ => break,
        }
    }
    tables
}

fn of_userdata(lua: &Lua, data: &AnyUserData) -> Option<Value> {
    if data.is::<caller_object::CallerObject>() {
        return lua.named_registry_value(caller_object::METHODS).ok();
    }
    data.metatable().ok()?.get::<Value>("__index").ok()
}
