//! What `print`, `io` and `warn` write to.

use std::{
    cell::{Cell, RefCell},
    io::Write,
};

use mlua::{LuaString, Table};

use super::Api;
use crate::shell::{Output, Stream};

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

/// Gives the prelude what it makes `print` and `io` of, and has warnings written.
pub(crate) fn install(api: &Api<'_>, parts: &Table) -> mlua::Result<()> {
    let lua = api.lua;
    for (name, stream) in [("out", Stream::Stdout), ("err", Stream::Stderr)] {
        parts.set(
            name,
            lua.create_function(move |_, text: LuaString| {
                write(stream, &text.as_bytes());
                Ok(())
            })?,
        )?;
    }
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
    Ok(())
}
