//! What a notebook has to be, and how it is printed.

use std::collections::HashSet;

use serde::Serialize;
use serde_json::{Map, Value, ser::PrettyFormatter};

use super::{NotebookError, numbers};
use crate::wire::random_hex;

/// The minor version from which on each cell has an id.
const IDS: i64 = 5;

/// Whether this is a notebook that can be worked with.
pub(super) fn check(root: &Value) -> Result<(), NotebookError> {
    let form = |text: &str| NotebookError::Form(text.to_owned());
    let object = root.as_object().ok_or_else(|| form("it is not a JSON object"))?;
    let major = object.get("nbformat").and_then(Value::as_i64);
    let major = major.ok_or_else(|| form("it does not say its `nbformat`"))?;
    if major != 4 {
        return Err(NotebookError::Version { major });
    }
    if !matches!(object.get("metadata"), None | Some(Value::Object(_))) {
        return Err(form("its metadata is not an object"));
    }
    let cells = object.get("cells").and_then(Value::as_array).ok_or_else(|| form("it has no `cells`"))?;
    for (at, cell) in cells.iter().enumerate() {
        let wrong = |what: &str| NotebookError::Form(format!("cell {} {what}", at + 1));
        let cell = cell.as_object().ok_or_else(|| wrong("is not an object"))?;
        if !cell.get("cell_type").is_some_and(is_text) {
            return Err(wrong("does not say its `cell_type`"));
        }
        let is_source = match cell.get("source") {
            Some(Value::Array(lines)) => lines.iter().all(is_text),
            source => source.is_some_and(is_text),
        };
        if !is_source {
            return Err(wrong("has no text as its `source`"));
        }
        if !matches!(cell.get("metadata"), None | Some(Value::Object(_))) {
            return Err(wrong("has metadata that is not an object"));
        }
    }
    Ok(())
}

/// Whether it is a text in the file, too.
fn is_text(value: &Value) -> bool {
    value.as_str().is_some_and(|text| !numbers::is_hidden(text))
}

/// Adds what the format asks for and may be missing.
pub(super) fn complete(root: &mut Value) {
    let minor = root["nbformat_minor"].as_i64().unwrap_or(0);
    root["nbformat_minor"] = minor.into();
    let object = |value: &mut Value| {
        if !value.is_object() {
            *value = Map::new().into();
        }
    };
    object(&mut root["metadata"]);
    let Some(cells) = root["cells"].as_array_mut() else { return };
    let mut ids = HashSet::new();
    for cell in cells {
        object(&mut cell["metadata"]);
        if cell["cell_type"] == "code" {
            if !cell["outputs"].is_array() {
                cell["outputs"] = Value::Array(Vec::new());
            }
            // Indexing puts a null where it is missing.
            let _count = &mut cell["execution_count"];
        }
        if minor < IDS {
            continue;
        }
        let own = cell.get("id").and_then(Value::as_str);
        if own.is_some_and(|id| is_id(id) && ids.insert(id.to_owned())) {
            continue;
        }
        let mut id = random_hex::<4>();
        while !ids.insert(id.clone()) {
            id = random_hex::<4>();
        }
        cell["id"] = id.into();
    }
}

fn is_id(id: &str) -> bool {
    (1..=64).contains(&id.len()) && id.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c))
}

/// The text of a file: indented by one space, with a line feed at its end.
pub(super) fn print(root: &Value) -> String {
    let mut text = Vec::new();
    let mut printer = serde_json::Serializer::with_formatter(&mut text, PrettyFormatter::with_indent(b" "));
    let printed = root.serialize(&mut printer);
    debug_assert!(printed.is_ok(), "a value of JSON, printed to memory");
    text.push(b'\n');
    String::from_utf8_lossy(&text).into_owned()
}
