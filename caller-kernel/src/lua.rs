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
//!
//! [`Shell::snapshot`]: crate::shell::Shell::snapshot
//! [`Shell::restore`]: crate::shell::Shell::restore

mod internal;

mod keywords;

mod fresh_id;

mod message;

mod raise;

mod docs;

mod objects;

mod data;

mod sources;

mod stack;

mod callable;

mod comm_table;

mod task;

mod runtime;

mod hook;

mod repr;

mod failure;

mod waiting;

mod running;

mod api;

mod expose;

mod methods;

mod language;

mod state;

mod source;

mod run;

mod shell;

pub use self::{
    expose::{Exposed, Json},
    language::LuaLanguage,
    methods::{Methods, Place},
    shell::LuaShell,
};
pub use mlua::{self, FromLua, FromLuaMulti, IntoLua, IntoLuaMulti};
