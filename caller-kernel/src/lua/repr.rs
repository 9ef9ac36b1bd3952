//! Values as text and in richer formats: what a cell's result looks like.

use std::{cmp::Ordering, rc::Rc};

use mlua::{Function, Lua, LuaString, Table, Value};

use super::{
    data::{to_json, to_json_object},
    internal::is_ours,
    keywords::KEYWORDS,
    message::message_of,
    raise::Outcome,
    runtime::Runtime,
};
use crate::shell::{Data, MimeBundle, is_json};

/// How deep tables are shown.
const DEPTH: usize = 6;
/// How many entries of one table are shown.
const ENTRIES: usize = 100;
/// How many entries of one table are looked at, to be shown in order.
const SORTED: usize = 10_000;
/// How many bytes are shown of a value in all.
const BYTES: usize = 100_000;
/// How many bytes are shown of a text inside of a table.
const TEXT: usize = 2_000;
/// How long a table may be to stand in one line.
const LINE: usize = 80;

/// How many values may be shown within each other, by metamethods that show something. Each takes from the stack.
const NESTED: usize = 16;

/// What `metatable[name]` is, for a table or userdata that has one.
pub(crate) fn metafield(value: &Value, name: &str) -> Option<Value> {
    let field = match value {
        Value::Table(table) => table.metatable()?.raw_get::<Value>(name).ok()?,
        Value::UserData(data) => data.metatable().ok()?.get::<Value>(name).ok()?,
        _ => return None,
    };
    (!field.is_nil()).then_some(field)
}

/// A value in all its formats. A metamethod `__mime` gives a table of data by MIME type, and a second one of metadata.
pub(crate) fn bundle(lua: &Lua, runtime: &Rc<Runtime>, value: &Value) -> Outcome<MimeBundle> {
    let nested = runtime.shown.get();
    if nested >= NESTED {
        return Err("a value shows itself while it is shown; leave that out of its metamethods".into());
    }
    runtime.shown.set(nested + 1);
    let made = make_bundle(lua, runtime, value);
    runtime.shown.set(nested);
    made
}

fn make_bundle(lua: &Lua, runtime: &Rc<Runtime>, value: &Value) -> Outcome<MimeBundle> {
    let mut bundle = MimeBundle::default();
    match metafield(value, "__mime") {
        Some(Value::Function(rich)) => {
            let (data, metadata): (Value, Option<Table>) = runtime.call(lua, &rich, value)?;
            // A value may have nothing richer to show after all.
            if let Value::Table(data) = data {
                bundle.data = mime_data(lua, &data)?;
            }
            if let Some(metadata) = metadata {
                bundle.metadata = to_json_object(lua, &metadata)?;
            }
        }
        Some(Value::Table(data)) => bundle.data = mime_data(lua, &data)?,
        _ => {}
    }
    if !bundle.data.contains_key("text/plain") {
        let plain = match value {
            Value::Table(_) | Value::UserData(_) if metafield(value, "__tostring").is_some() => {
                let text: LuaString = runtime.call(lua, &runtime.tostring, value)?;
                shortened(&text.as_bytes(), BYTES)
            }
            _ => text(runtime, value),
        };
        bundle.data.insert("text/plain".to_owned(), plain.into());
    }
    Ok(bundle)
}

/// Whether a table is one of data by MIME type, rather than something to show itself.
pub(crate) fn is_mime_table(table: &Table) -> bool {
    let mut any = false;
    let all = table.pairs::<Value, Value>().all(|pair| {
        any = true;
        matches!(pair, Ok((Value::String(key), _)) if is_mime_type(&key.to_string_lossy()))
    });
    any && all && !table.has_metatable()
}

fn is_mime_type(text: &str) -> bool {
    let part = |part: &str| {
        !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || "+-._!#$&^".contains(c))
    };
    text.split_once('/').is_some_and(|(kind, rest)| {
        let rest = rest.split_once(';').map_or(rest, |(rest, _)| rest);
        part(kind) && part(rest)
    })
}

/// A table of data by MIME type. Text stays text, binary data becomes base64, and what is of a JSON type becomes JSON.
///
/// # Errors
///
/// If a table is given where text is due: front ends refuse a notebook that has it.
pub(crate) fn mime_data(lua: &Lua, table: &Table) -> mlua::Result<Data> {
    let mut bundle = MimeBundle::default();
    for pair in table.pairs::<LuaString, Value>() {
        let (mime, value) = pair?;
        let mime = mime.to_string_lossy();
        bundle = match &value {
            Value::String(bytes) => match std::str::from_utf8(&bytes.as_bytes()) {
                Ok(text) => bundle.with(mime, text),
                Err(_) if is_text(&mime) => bundle.with(mime, bytes.to_string_lossy()),
                Err(_) => bundle.with_bytes(mime, &*bytes.as_bytes()),
            },
            _ if is_json(&mime) => {
                let mut data = to_json(lua, &value)?;
                if mime.starts_with("application/vnd.vega") {
                    values_are_lists(&mut data);
                }
                bundle.with(mime, data)
            }
            Value::Integer(_) | Value::Number(_) => bundle.with(mime, value.to_string()?),
            other => {
                let text = format!("data of the type {mime} is a text, not a {}", other.type_name());
                return Err(mlua::Error::runtime(text));
            }
        };
    }
    Ok(bundle.data)
}

/// Whether data of this type is text, whatever its bytes are.
fn is_text(mime: &str) -> bool {
    mime.starts_with("text/") || mime.ends_with("+xml") || is_json(mime)
}

/// In a plot, `values` without any are a list: Lua's empty table does not say so.
fn values_are_lists(plot: &mut serde_json::Value) {
    use serde_json::Value as Json;
    match plot {
        Json::Object(fields) => {
            for (name, field) in fields {
                if name == "values" && field.as_object().is_some_and(serde_json::Map::is_empty) {
                    *field = Json::Array(Vec::new());
                }
                values_are_lists(field);
            }
        }
        Json::Array(items) => items.iter_mut().for_each(values_are_lists),
        _ => {}
    }
}

/// A value as plain text, the way one would write it.
pub(crate) fn text(runtime: &Rc<Runtime>, value: &Value) -> String {
    let mut printer = Printer { runtime, path: Vec::new(), left: BYTES };
    printer.value(value, 0, true)
}

struct Printer<'a> {
    runtime: &'a Rc<Runtime>,
    /// The tables around what is printed, by address.
    path: Vec<usize>,
    /// How many bytes may still be printed.
    left: usize,
}

impl Printer<'_> {
    fn value(&mut self, value: &Value, depth: usize, outermost: bool) -> String {
        let text = match value {
            Value::String(text) => quoted(&text.as_bytes(), if outermost { BYTES } else { TEXT }),
            Value::Table(table) => return self.table(table, depth),
            Value::Function(function) => self.function(function),
            Value::Error(error) => message_of(error),
            other => self.tostring(other),
        };
        self.left = self.left.saturating_sub(text.len());
        text
    }

    fn tostring(&self, value: &Value) -> String {
        match self.runtime.tostring.call::<LuaString>(value.clone()) {
            Ok(text) => shortened(&text.as_bytes(), TEXT),
            Err(error) => {
                format!("<{} whose `__tostring` fails: {}>", value.type_name(), message_of(&error))
            }
        }
    }

    fn function(&self, function: &Function) -> String {
        let docs = self.runtime.docs.borrow();
        if let Some(doc) = docs.of(function) {
            return format!("function {}", doc.signature());
        }
        let info = function.info();
        match (info.short_src.as_deref(), info.line_defined) {
            (Some(place), Some(line)) if info.what != "C" && !is_ours(place) => {
                format!("function: {place}:{line}")
            }
            _ => "function: builtin".to_owned(),
        }
    }

    fn table(&mut self, table: &Table, depth: usize) -> String {
        if metafield(&Value::Table(table.clone()), "__tostring").is_some() {
            let text = self.tostring(&Value::Table(table.clone()));
            self.left = self.left.saturating_sub(text.len());
            return text;
        }
        let address = table.to_pointer().addr();
        // Brackets, a comma, white space.
        self.left = self.left.saturating_sub(4 + 2 * depth);
        if self.path.contains(&address) {
            return "<cycle>".to_owned();
        }
        if table.pairs::<Value, Value>().next().is_none() {
            return "{}".to_owned();
        }
        if depth >= DEPTH || self.left == 0 {
            return "{…}".to_owned();
        }
        self.path.push(address);
        let parts = self.entries(table, depth);
        self.path.pop();
        let length: usize = parts.iter().map(|part| part.chars().count() + 2).sum();
        if length <= LINE && parts.iter().all(|part| !part.contains('\n')) {
            return format!("{{{}}}", parts.join(", "));
        }
        let inner = "  ".repeat(depth + 1);
        let outer = "  ".repeat(depth);
        format!("{{\n{inner}{}\n{outer}}}", rows(parts).join(&format!(",\n{inner}")))
    }

    fn entries(&mut self, table: &Table, depth: usize) -> Vec<String> {
        let length = table.raw_len();
        let mut parts = Vec::new();
        for at in 1..=length.min(ENTRIES) {
            let value = table.raw_get::<Value>(at).unwrap_or(Value::Nil);
            parts.push(self.value(&value, depth + 1, false));
            if self.left == 0 {
                break;
            }
        }
        let mut rest = length - parts.len();
        let mut others = Vec::new();
        let in_list = |key: &Value| matches!(key, Value::Integer(at) if (1..=length as i64).contains(at));
        // The list is passed over one by one, so a long one has no others shown.
        if length <= SORTED {
            let pairs = table.pairs::<Value, Value>().flatten();
            others.extend(pairs.filter(|(key, _)| !in_list(key)).take(SORTED));
        }
        others.sort_by(|(one, _), (other, _)| order(one, other));
        for (key, value) in others {
            if parts.len() >= ENTRIES || self.left == 0 {
                rest += 1;
                continue;
            }
            let value = self.value(&value, depth + 1, false);
            let key = match &key {
                Value::String(name) if is_name(&name.as_bytes()) => name.to_string_lossy(),
                other => format!("[{}]", self.value(other, depth + 1, false)),
            };
            parts.push(format!("{key} = {value}"));
        }
        if rest > 0 {
            parts.push(format!("… {rest} more"));
        }
        parts
    }
}

/// Short entries stand side by side, as many as a line takes.
fn rows(parts: Vec<String>) -> Vec<String> {
    if parts.iter().any(|part| part.contains('\n') || part.chars().count() > LINE / 4) {
        return parts;
    }
    let mut rows: Vec<String> = Vec::new();
    for part in parts {
        match rows.last_mut() {
            Some(row) if row.chars().count() + part.chars().count() + 2 <= LINE => {
                row.push_str(", ");
                row.push_str(&part);
            }
            _ => rows.push(part),
        }
    }
    rows
}

/// Numbers before texts before all else.
fn order(one: &Value, other: &Value) -> Ordering {
    let rank = |value: &Value| match value {
        Value::Integer(_) | Value::Number(_) => 0,
        Value::String(_) => 1,
        Value::Boolean(_) => 2,
        _ => 3,
    };
    let number = |value: &Value| match value {
        Value::Integer(number) => *number as f64,
        Value::Number(number) => *number,
        _ => 0.0,
    };
    rank(one).cmp(&rank(other)).then_with(|| match (one, other) {
        (Value::Integer(one), Value::Integer(other)) => one.cmp(other),
        (Value::String(one), Value::String(other)) => one.as_bytes().cmp(&other.as_bytes()),
        _ => number(one).total_cmp(&number(other)),
    })
}

/// Whether a text can be a key without brackets.
fn is_name(bytes: &[u8]) -> bool {
    let starts = bytes.first().is_some_and(|b| b.is_ascii_alphabetic() || *b == b'_');
    starts
        && bytes.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'_')
        && std::str::from_utf8(bytes).is_ok_and(|name| !KEYWORDS.contains(&name))
}

/// A text as it would be written in code.
fn quoted(bytes: &[u8], limit: usize) -> String {
    let shown = &bytes[..floor(bytes, limit)];
    let mut text = String::from("\"");
    for chunk in shown.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '"' => text.push_str("\\\""),
                '\\' => text.push_str("\\\\"),
                '\n' => text.push_str("\\n"),
                '\r' => text.push_str("\\r"),
                '\t' => text.push_str("\\t"),
                c if c.is_control() => text.push_str(&format!("\\u{{{:x}}}", u32::from(c))),
                c => text.push(c),
            }
        }
        for byte in chunk.invalid() {
            text.push_str(&format!("\\x{byte:02x}"));
        }
    }
    text.push('"');
    if shown.len() < bytes.len() {
        text.push_str(&format!("… {} more bytes", bytes.len() - shown.len()));
    }
    text
}

/// The beginning of a text, with a mark if that is not all.
fn shortened(bytes: &[u8], limit: usize) -> String {
    let shown = &bytes[..floor(bytes, limit)];
    let mut text = String::from_utf8_lossy(shown).into_owned();
    if shown.len() < bytes.len() {
        text.push_str(&format!("… {} more bytes", bytes.len() - shown.len()));
    }
    text
}

/// Where to cut, so that no character is cut in two.
fn floor(bytes: &[u8], limit: usize) -> usize {
    if bytes.len() <= limit {
        return bytes.len();
    }
    (limit.saturating_sub(3)..=limit).rev().find(|at| bytes[*at] & 0xC0 != 0x80).unwrap_or(limit)
}
