//! Lua 5.4 as the language of cells.
//!
//! A cell is a coroutine in the thread of its caller. Where it waits (`sleep`, `pending:wait()`, an exposed async
//! function), the thread goes on with other calls; no `await` is needed. Code that computes for long is suspended every few
//! milliseconds for the same reason, in coroutines of its own too, and can be interrupted anywhere. No `pcall` keeps it
//! from that.
//!
//! # Limits
//!
//! - Nothing stops, and nobody else of the thread gets a turn in: a single call of a library function (such as
//!   `string.find` with a pattern that backtracks for ever), a finalizer (`__gc`), the `__close` of a variable of the very
//!   function that is interrupted (it is let run to its end), and what Rust code does before it returns.
//! - What a library function calls back (for `table.sort`, `string.gsub`, a `__tostring`, or `load`) can be stopped, but
//!   neither wait nor be suspended. The same holds for the `__close` of a call that is given up: it has 100 ms, and what
//!   goes wrong in it is told on the call's stderr.
//! - Whether code is to stop is asked every thousand instructions ([`LuaLanguage::hook_interval`]) and wherever an error is
//!   caught; where each instruction takes milliseconds, such as those that make texts of many megabytes, that is later
//!   than one would like.
//! - A coroutine that waits belongs to the call it waits in: for others its status is "normal", and it can be neither
//!   resumed nor closed.
//! - `debug` has `traceback` alone, without that of another coroutine.
//! - There is no end of a cell's input: `io.read("a")` reads up to an empty line.
//! - Data of types such as `image/png` may be given as bytes or as base64 text; what is text is taken as the latter.
//! - In JSON an empty table is an object; `display.list{}` is a list.
//!
//! # Cells
//!
//! Globals persist between cells, locals do not. An expression at the end of a cell is its result, unless a semicolon
//! follows. A table or userdata whose metatable has `__mime`, a function that gives a table of data by MIME type, is
//! shown by that. A first line such as `-- thread` says how a cell is run; `# thread` does too, with a blank behind the
//! `#`, since `#queue` is the length of something.
//!
//! What a cell finds beside Lua's own libraries: `caller`, `Caller`, `sleep`, `as_completed`, `wait`, `display`,
//! `update_display`, `clear_output`, `input`, `getpass`, `progress`, `comm`, and what the program exposes ([`Exposed`]).
//! `os.exit` is taken out, and only text is loaded, by `load`, `loadfile`, `dofile` and `require`. `io.read` asks the front
//! end, and `warn`, once it is on (`warn("@on")`), writes to stderr. `%callers` as first line prints the table of callers.
//!
//! # Threads
//!
//! A state belongs to one thread. A cell that is to run in another one runs in another shell, made there; it gets the
//! globals that are plain data ([`Shell::snapshot`], [`Shell::restore`]), and the same exposed functions. Lua functions
//! never leave their state.

mod api;
mod callable;
mod callers;
mod chunk;
mod comm_table;
mod comms;
mod complete;
mod console;
mod data;
mod docs;
mod expose;
mod failure;
mod fresh_id;
mod groups;
mod hook;
mod inspect;
mod internal;
mod lexer;
mod message;
mod methods;
mod objects;
mod path;
mod pendings;
mod raise;
mod repr;
mod run;
mod running;
mod runtime;
mod sources;
mod stack;
mod state;
mod task;
mod waiting;

use std::{collections::HashSet, fmt, rc::Rc, sync::Arc, time::Duration};

use caller::{Caller, LocalFuture};
use mlua::{Lua, Value};
use serde_json::json;

pub use self::{
    expose::{Exposed, Json},
    methods::{Methods, Place},
};
pub use mlua::{self, FromLua, FromLuaMulti, IntoLua, IntoLuaMulti};

use self::{data::Globals, message::message_of, runtime::Runtime};
use crate::shell::{
    Cell, CellError, CommInfo, CommMessage, Completion, Detail, HelpLink, Inspection, Interrupter,
    IsComplete, Language, LanguageInfo, MimeBundle, Shell, Snapshot, Stream,
};

/// How long a question of a front end may take that runs code of a cell, such as `__tostring`.
const PATIENCE: Duration = Duration::from_millis(500);

/// Lua 5.4, with options: it makes shells.
///
/// ```
/// use caller_kernel::lua::{Exposed, LuaLanguage};
///
/// let language = LuaLanguage::new()
///     .expose(Exposed::new().function("double", "double(n)\nTwice the number.", |n: f64| 2.0 * n))
///     .sandbox(true)
///     .memory_limit(64 << 20);
/// # drop(language);
/// ```
#[derive(Clone)]
pub struct LuaLanguage {
    exposed: Exposed,
    sandbox: bool,
    memory_limit: Option<usize>,
    slice: Duration,
    interval: u32,
    setups: Vec<Arc<Setup>>,
}

type Setup = dyn Fn(&Lua) -> mlua::Result<()> + Send + Sync;

impl LuaLanguage {
    /// All libraries but `debug`, no limit of memory.
    pub fn new() -> Self {
        Self {
            exposed: Exposed::new(),
            sandbox: false,
            memory_limit: None,
            slice: Duration::from_millis(5),
            interval: 1000,
            setups: Vec::new(),
        }
    }

    /// Adds functions and values of the program, for all shells.
    #[must_use]
    pub fn expose(mut self, exposed: Exposed) -> Self {
        self.exposed = self.exposed.and(exposed);
        self
    }

    /// Whether cells are kept from files, processes, the environment and modules: no `io` but its standard streams, no
    /// `package` and `require`, and of `os` only the clock. Off unless set.
    #[must_use]
    pub fn sandbox(mut self, sandbox: bool) -> Self {
        self.sandbox = sandbox;
        self
    }

    /// How many bytes a state may hold. Beyond that the cell fails with a `MemoryError`. No limit unless set; zero is none.
    #[must_use]
    pub fn memory_limit(mut self, bytes: usize) -> Self {
        self.memory_limit = (bytes > 0).then_some(bytes);
        self
    }

    /// How long a cell computes before other calls of its thread get a turn. 5 ms unless set.
    #[must_use]
    pub fn slice(mut self, time: Duration) -> Self {
        self.slice = time;
        self
    }

    /// How many instructions of Lua pass before it is asked whether it is to stop or to let others go on. 1000 unless set;
    /// at least one.
    #[must_use]
    pub fn hook_interval(mut self, instructions: u32) -> Self {
        self.interval = instructions.max(1);
        self
    }

    /// Runs `setup` with each new state, to put in what [`Exposed`] cannot. A panic in a function that is made by it ends
    /// the cell that called it. A coroutine that Rust code resumes by itself yields nothing at times, for others to have a
    /// turn: then it is to be resumed again.
    #[must_use]
    pub fn setup(mut self, setup: impl Fn(&Lua) -> mlua::Result<()> + Send + Sync + 'static) -> Self {
        self.setups.push(Arc::new(setup));
        self
    }

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

impl Default for LuaLanguage {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for LuaLanguage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LuaLanguage")
            .field("exposed", &self.exposed)
            .field("sandbox", &self.sandbox)
            .field("memory_limit", &self.memory_limit)
            .finish_non_exhaustive()
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
        Box::pin(comms::opened(lua, runtime, id.to_owned(), target.to_owned(), message))
    }

    fn comm_message(&self, id: &str, message: CommMessage) -> LocalFuture<'static, ()> {
        let (lua, runtime) = self.parts();
        Box::pin(comms::received(lua, runtime, id.to_owned(), message))
    }

    fn comm_close(&self, id: &str, message: CommMessage) -> LocalFuture<'static, ()> {
        let (lua, runtime) = self.parts();
        Box::pin(comms::closed(lua, runtime, id.to_owned(), message))
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
