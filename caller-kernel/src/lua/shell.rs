//! A shell whose cells are Lua, and how the language makes one.

use std::{collections::HashSet, fmt, rc::Rc, time::Duration};

use caller::{Caller, LocalFuture};
use mlua::{Lua, Value};
use serde_json::json;

use super::{
    api::{comm, console},
    data::Globals,
    language::LuaLanguage,
    message::message_of,
    run,
    runtime::Runtime,
    source::{chunk, complete, inspect},
    state,
};
use crate::shell::{
    Cell, CellError, CommInfo, CommMessage, Completion, Detail, HelpLink, Inspection, Interrupter,
    IsComplete, Language, LanguageInfo, MimeBundle, Shell, Snapshot, Stream,
};

/// How long a question of a front end may take that runs code of a cell, such as `__tostring`.
const PATIENCE: Duration = Duration::from_millis(500);

impl LuaLanguage {
    /// Makes a shell in this thread, for the caller of this thread.
    ///
    /// # Errors
    ///
    /// If there is no caller here, or the state cannot be made.
    pub fn make(&self) -> Result<LuaShell, CellError> {
        let caller = Caller::current().map_err(|error| CellError::new("Error", error.to_string()))?;
        let made = state::make(self, caller);
        let (lua, runtime) = made.map_err(|error| CellError::new("Error", message_of(&error)))?;
        let globals = lua.globals();
        let names = globals.pairs::<Value, Value>().flatten();
        let builtins = names.filter_map(|(name, _)| Some(name.as_string()?.as_bytes().to_vec())).collect();
        Ok(LuaShell { lua, runtime, builtins })
    }
}

impl Language for LuaLanguage {
    fn info(&self) -> LanguageInfo {
        LanguageInfo {
            name: "lua".to_owned(),
            version: "5.4".to_owned(),
            mimetype: "text/x-lua".to_owned(),
            file_extension: ".lua".to_owned(),
            pygments_lexer: "lua".to_owned(),
            codemirror_mode: json!({ "name": "lua" }),
            banner: format!(
                "Lua 5.4 in a running Rust program (caller-kernel {}).\n\
                 `caller` is the caller of this shell, `%callers` lists all; cells wait without `await`.",
                env!("CARGO_PKG_VERSION")
            ),
            help_links: vec![HelpLink {
                text: "Lua 5.4 reference manual".to_owned(),
                url: "https://www.lua.org/manual/5.4/".to_owned(),
            }],
        }
    }

    fn shell(&self) -> Result<Box<dyn Shell>, CellError> {
        Ok(Box::new(self.make()?))
    }
}

/// Runs Lua cells in the thread of one caller; made by [`LuaLanguage`].
///
/// Dropping it leaves the calls that its cells have made, which keep the state until they have ended or their caller stops.
pub struct LuaShell {
    lua: Lua,
    runtime: Rc<Runtime>,
    /// The globals that it began with.
    builtins: HashSet<Vec<u8>>,
}

impl LuaShell {
    /// The Lua state itself.
    pub fn lua(&self) -> &Lua {
        &self.lua
    }

    fn parts(&self) -> (Lua, Rc<Runtime>) {
        (self.lua.clone(), self.runtime.clone())
    }
}

impl Shell for LuaShell {
    fn execute(&self, cell: Cell) -> LocalFuture<'static, Result<Option<MimeBundle>, CellError>> {
        let (lua, runtime) = self.parts();
        run::for_output(cell.output.clone(), run::cell(lua, runtime, cell))
    }

    fn evaluate(&self, expression: &str, cell: &Cell) -> LocalFuture<'static, Result<MimeBundle, CellError>> {
        let (lua, runtime) = self.parts();
        run::for_output(cell.output.clone(), run::expression(lua, runtime, expression.to_owned()))
    }

    fn complete(&self, code: &str, cursor: usize) -> Completion {
        self.runtime.impatiently(PATIENCE, || complete::complete(&self.lua, &self.runtime, code, cursor))
    }

    fn inspect(&self, code: &str, cursor: usize, detail: Detail) -> Option<Inspection> {
        self.runtime
            .impatiently(PATIENCE, || inspect::inspect(&self.lua, &self.runtime, code, cursor, detail))
    }

    fn is_complete(&self, code: &str) -> IsComplete {
        chunk::is_complete(&self.lua, code)
    }

    fn interrupter(&self) -> Interrupter {
        self.runtime.interrupter.clone()
    }

    fn comm_open(&self, id: &str, target: &str, message: CommMessage) -> LocalFuture<'static, bool> {
        let (lua, runtime) = self.parts();
        Box::pin(comm::opened(lua, runtime, id.to_owned(), target.to_owned(), message))
    }

    fn comm_message(&self, id: &str, message: CommMessage) -> LocalFuture<'static, ()> {
        let (lua, runtime) = self.parts();
        Box::pin(comm::received(lua, runtime, id.to_owned(), message))
    }

    fn comm_close(&self, id: &str, message: CommMessage) -> LocalFuture<'static, ()> {
        let (lua, runtime) = self.parts();
        Box::pin(comm::closed(lua, runtime, id.to_owned(), message))
    }

    fn comms(&self, target: Option<&str>) -> Vec<CommInfo> {
        self.runtime.comms.list(target)
    }

    fn snapshot(&self) -> Option<Snapshot> {
        Some(Snapshot::new(Globals::take(&self.lua, |name| self.builtins.contains(name))))
    }

    fn restore(&self, snapshot: &Snapshot) {
        if let Some(globals) = snapshot.get::<Globals>() {
            // It fails only for want of memory.
            if let Err(error) = globals.give(&self.lua) {
                let text = message_of(&error);
                console::write(Stream::Stderr, format!("not all globals fit in here: {text}\n").as_bytes());
            }
        }
    }
}

impl fmt::Debug for LuaShell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LuaShell").field("caller", &self.runtime.caller).finish_non_exhaustive()
    }
}
