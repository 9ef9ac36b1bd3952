//! An error of Lua code, as people read it.

use std::{any::Any, rc::Rc};

use mlua::{Lua, Value};

use super::{
    internal::OURS,
    message::{message_of, panic_text, root},
    raise::Stopped,
    repr,
    runtime::Runtime,
};
use crate::shell::{CellError, INTERRUPTED};

/// An error that nobody caught: the value, and what is said of it.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    /// The error itself, for whoever waits for a call that failed.
    pub(crate) value: Value,
    pub(crate) ename: String,
    pub(crate) evalue: String,
    /// Where it came from, the innermost first.
    frames: Vec<String>,
}

impl Failure {
    /// An error that Lua code raised.
    pub(crate) fn of_value(runtime: &Rc<Runtime>, value: Value) -> Self {
        let (ename, evalue) = describe(runtime, &value);
        Self { value, ename, evalue, frames: Vec::new() }
    }

    /// An error of mlua itself.
    pub(crate) fn of_error(lua: &Lua, runtime: &Rc<Runtime>, error: &mlua::Error) -> Self {
        let failure = Self::of_value(runtime, Value::Error(Box::new(error.clone())));
        Self { value: text(lua, &failure.evalue), ..failure }
    }

    /// A panic of Rust code that went past everything.
    pub(crate) fn of_panic(lua: &Lua, payload: &(dyn Any + Send)) -> Self {
        let evalue = panic_text(payload);
        Self { value: text(lua, &evalue), ename: "Panic".to_owned(), evalue, frames: Vec::new() }
    }

    /// With the places that were noted when it happened.
    pub(crate) fn at(self, frames: Vec<String>) -> Self {
        Self { frames, ..self }
    }

    /// As the error of a cell that was interrupted, whatever it made of that.
    pub(crate) fn into_interrupt(self) -> Self {
        Self { ename: INTERRUPTED.to_owned(), evalue: "interrupted".to_owned(), ..self }
    }

    pub(crate) fn into_cell_error(self) -> CellError {
        let mut traceback = vec![format!("{}: {}", self.ename, self.evalue)];
        traceback.extend(self.frames);
        CellError { ename: self.ename, evalue: self.evalue, traceback }
    }
}

/// What is known of a failure in other threads than that of its state.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{}", .0.evalue)]
pub(crate) struct SentFailure(pub(crate) CellError);

fn text(lua: &Lua, text: &str) -> Value {
    lua.create_string(text).map_or(Value::Nil, Value::String)
}

/// The kind of an error, and its message.
fn describe(runtime: &Rc<Runtime>, value: &Value) -> (String, String) {
    match value {
        Value::String(text) => of_text(text.to_string_lossy()),
        Value::Error(error) => of_mlua(error),
        Value::Nil => ("Error".to_owned(), "nil, which says nothing; raise a text".to_owned()),
        Value::Table(_) | Value::UserData(_) => {
            let name =
                repr::metafield(value, "__name").and_then(|name| Some(name.as_string()?.to_string_lossy()));
            let message = match repr::metafield(value, "__tostring") {
                Some(_) => match runtime.tostring.call::<mlua::LuaString>(value.clone()) {
                    Ok(text) => text.to_string_lossy(),
                    Err(error) => {
                        format!("an error object whose `__tostring` fails: {}", message_of(&error))
                    }
                },
                None => repr::text(runtime, value),
            };
            (name.unwrap_or_else(|| "Error".to_owned()), message)
        }
        other => ("Error".to_owned(), repr::text(runtime, other)),
    }
}

fn of_text(text: String) -> (String, String) {
    // Lua raises this text, and nothing else, when there is no memory.
    if text == "not enough memory" {
        return memory();
    }
    // A function of Lua's own may name the place of ours that called it.
    let ours = text.strip_prefix(OURS).and_then(|rest| rest.strip_prefix(':'));
    let rest = ours.and_then(|rest| rest.split_once(": ")).map(|(_, rest)| rest.to_owned());
    ("Error".to_owned(), rest.unwrap_or(text))
}

fn memory() -> (String, String) {
    (
        "MemoryError".to_owned(),
        "not enough memory; free some (set globals to nil), or raise the limit".to_owned(),
    )
}

fn of_mlua(error: &mlua::Error) -> (String, String) {
    match root(error) {
        mlua::Error::MemoryError(_) => memory(),
        mlua::Error::SyntaxError { message, .. } => ("SyntaxError".to_owned(), message.clone()),
        mlua::Error::ExternalError(outer) if outer.is::<Stopped>() => {
            (INTERRUPTED.to_owned(), outer.to_string())
        }
        other => of_text(message_of(other)),
    }
}

/// The error of a cell that cannot be compiled.
pub(crate) fn syntax(source: &str, name: &str, error: &mlua::Error) -> CellError {
    if let mlua::Error::MemoryError(_) = root(error) {
        let (ename, evalue) = memory();
        return CellError::new(ename, evalue);
    }
    let message = message_of(error);
    let mut failed = CellError::new("SyntaxError", message.clone());
    let line = message.strip_prefix(name).and_then(|rest| {
        let digits: String = rest.strip_prefix(':')?.chars().take_while(char::is_ascii_digit).collect();
        digits.parse::<usize>().ok()
    });
    if let Some(line) = line
        && let Some(code) = source.lines().nth(line.saturating_sub(1))
    {
        failed.traceback.push(format!("    {line} │ {}", code.trim_end()));
    }
    failed
}
