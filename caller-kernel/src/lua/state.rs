//! Making a Lua state: its libraries, its limits, and all that a cell finds in it.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::Instant,
};

use caller::Caller;
use mlua::{Function, IntoLua, Lua, LuaOptions, StdLib, Table, Value, chunk::ChunkMode};

use super::{
    api::{Api, as_completed, callers, comm, console, display, input, pending, sleep, wait},
    comm_table::CommTable,
    docs::Doc,
    hook,
    internal::{OURS, is_ours},
    language::LuaLanguage,
    runtime::Runtime,
    stack,
};
use crate::shell::Interrupter;

pub(super) fn make(language: &LuaLanguage, caller: Caller) -> mlua::Result<(Lua, Rc<Runtime>)> {
    let sandbox_libraries =
        StdLib::COROUTINE | StdLib::TABLE | StdLib::STRING | StdLib::UTF8 | StdLib::MATH | StdLib::OS;
    let libraries = if language.sandbox { sandbox_libraries } else { StdLib::ALL_SAFE };
    // A panic of Rust code may be caught by `pcall`, or end the cell: never more than that.
    let lua = Lua::new_with(libraries, LuaOptions::new().catch_rust_panics(true))?;
    let ending = lua.create_table()?;
    let note = lua.create_function(|lua, ()| {
        if let Some(runtime) = lua.app_data_ref::<Rc<Runtime>>() {
            runtime.note(lua);
        }
        Ok(())
    })?;
    let (protect, driver) = lua.load(DRIVER).set_name(format!("={OURS}")).call((&ending, note))?;
    let runtime = Rc::new(Runtime {
        caller,
        interrupter: Interrupter::new(),
        slice: language.slice,
        interval: language.interval,
        tostring: lua.globals().get("tostring")?,
        protect,
        driver,
        presenter: ours(&lua, "return function(show, f) return function() return show(f()) end end")?,
        guard: lua
            .load(GUARD)
            .set_name(format!("={OURS}"))
            .call(lua.create_function(|lua, ()| Ok(stack::place(lua)))?)?,
        sources: RefCell::default(),
        docs: RefCell::default(),
        exposed: RefCell::default(),
        comms: CommTable::default(),
        current: RefCell::default(),
        patience: Cell::default(),
        shown: Cell::default(),
    });
    lua.set_app_data(runtime.clone());
    restrict(&lua, language.sandbox)?;
    let api = Api { lua: &lua, runtime: &runtime };
    pending::install(&api)?;
    as_completed::install(&api)?;
    wait::install(&api)?;
    sleep::install(&api)?;
    callers::install(&api)?;
    comm::install(&api)?;
    let parts = lua.create_table()?;
    parts.set("waiting", Lua::poll_pending())?;
    let stopped = {
        let runtime = runtime.clone();
        lua.create_function(move |_, ()| Ok(hook::reason(&runtime).is_some()))?
    };
    parts.set("stopped", stopped)?;
    parts.set("ending", ending)?;
    parts.set("guard", &runtime.guard)?;
    let doc = {
        let runtime = runtime.clone();
        lua.create_function(move |_, (value, signature, text): (Value, String, String)| {
            runtime.docs.borrow_mut().put_for(&value, Doc::new(&signature, &text));
            Ok(())
        })?
    };
    parts.set("doc", doc)?;
    let began = Instant::now();
    parts.set("clock", lua.create_function(move |_, ()| Ok(began.elapsed().as_secs_f64()))?)?;
    console::install(&api, &parts)?;
    display::install(&api, &parts)?;
    input::install(&api)?;
    let prelude =
        lua.load(include_str!("prelude.lua")).set_name(format!("={OURS}")).set_mode(ChunkMode::Text);
    prelude.call::<()>((parts, language.sandbox))?;
    language.exposed.install(&api)?;
    for setup in &language.setups {
        setup(&lua)?;
    }
    hook::install(&lua, &runtime)?;
    if let Some(limit) = language.memory_limit {
        let used = lua.used_memory();
        if limit <= used {
            let text = format!(
                "the memory limit of {limit} bytes is too low: a state without any data takes {used}"
            );
            return Err(mlua::Error::runtime(text));
        }
        lua.set_memory_limit(limit)?;
    }
    Ok((lua, runtime))
}

/// Two functions that call another: the first notes where an error happens that ends it, the second then does what was
/// left to the end of the cell or call, too: `ending[object]` is a function of the object.
const DRIVER: &str = "
    local ending, note = ...
    local pcall, next, xpcall = pcall, next, xpcall
    -- It does not look at the error: that may be a panic, which goes on where it is looked at.
    local function noted(e)
      note()
      return e
    end
    local function protect(f, ...)
      return xpcall(f, noted, ...)
    end
    local function finish(...)
      for object, f in next, ending do
        ending[object] = nil
        -- It fails where there is no front end to show it.
        pcall(f, object)
      end
      return ...
    end
    return protect, function(...)
      return finish(protect(...))
    end
";

/// Turns what a function of ours gives into values or an error.
const GUARD: &str = "
    local error, place = error, ...
    local function fail(value, bare)
      error(bare and value or place() .. value, 0)
    end
    local function check(ok, ...)
      if ok then
        return ...
      end
      return fail(...)
    end
    return function(raw)
      return function(...)
        return check(raw(...))
      end
    end
";

fn ours(lua: &Lua, code: &str) -> mlua::Result<Function> {
    lua.load(code).set_name(format!("={OURS}")).set_mode(ChunkMode::Text).eval()
}

/// Takes out what would harm the program, and in a sandbox what reaches outside of it.
fn restrict(lua: &Lua, sandbox: bool) -> mlua::Result<()> {
    let globals = lua.globals();
    let traceback = lua.create_function(|lua, (first, second): (Value, Value)| {
        let (thread, message) = match first {
            Value::Thread(thread) => (Some(thread), second),
            message => (None, message),
        };
        let text = match &message {
            Value::Nil => None,
            Value::String(text) => Some(text.to_string_lossy()),
            _ => return Ok(message),
        };
        let traceback = match thread {
            None => lua.traceback(text.as_deref(), 1)?.to_string_lossy(),
            // That of another coroutine cannot be had without unsafe code.
            Some(_) => format!(
                "{}stack traceback:\n\t(of another coroutine: not known here)",
                text.map(|text| text + "\n").unwrap_or_default()
            ),
        };
        let is_shown = |line: &&str| !line.strip_prefix('\t').is_some_and(is_ours);
        let lines: Vec<_> = traceback.split('\n').filter(is_shown).collect();
        lines.join("\n").into_lua(lua)
    })?;
    let debug = lua.create_table()?;
    debug.set("traceback", traceback)?;
    globals.set("debug", debug)?;
    if sandbox {
        for name in ["dofile", "loadfile", "require", "package", "io"] {
            globals.set(name, Value::Nil)?;
        }
        let os: Table = globals.get("os")?;
        for name in ["execute", "exit", "getenv", "remove", "rename", "setlocale", "tmpname"] {
            os.set(name, Value::Nil)?;
        }
    }
    Ok(())
}
