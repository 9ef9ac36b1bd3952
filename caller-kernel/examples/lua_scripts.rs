//! A Lua interpreter in a resident, whose scripts run together in one thread.
//!
//! ```sh
//! cargo run -p caller-kernel --example lua_scripts
//! ```
//!
//! Each script is a call with `&Lua`, and a coroutine: while one awaits the Rust function `sleep`, the others go on. mlua's
//! values and errors are not `Send`: a result crosses threads as a Rust value, an error as its text, and a Lua function
//! that is to be called again stays in the thread as a resident of its own. The kernel of this crate is not needed for it.

use std::{sync::Arc, time::Duration};

use caller::{Caller, Pending, Resident};
use caller_tokio::Tokio;
use mlua::{Function, Lua};

/// Takes the lines that are to be shown.
pub(crate) type Tell = Arc<dyn Fn(String) + Send + Sync>;

/// An interpreter with two functions of Rust, `say` and `sleep`.
fn interpreter(tell: Tell) -> mlua::Result<Lua> {
    let lua = Lua::new();
    let say = lua.create_function(move |_, line: String| {
        tell(line);
        Ok(())
    })?;
    // Async in Rust, and a plain call in Lua.
    let sleep = lua.create_async_function(async |_, milliseconds: u64| {
        tokio::time::sleep(Duration::from_millis(milliseconds)).await;
        Ok(())
    })?;
    lua.globals().set("say", say)?;
    lua.globals().set("sleep", sleep)?;
    lua.globals().set("steps", 0)?;
    Ok(lua)
}

/// Counts its own steps in a local, and those of all scripts in a global.
const SCRIPT: &str = "
    local name, pause = ...
    for step = 1, 3 do
        steps = steps + 1
        say(name .. ' ' .. step)
        sleep(pause)
    end
    return name .. ' is done'
";

/// Starts a script, which runs together with all others.
fn start(lua: &Resident<Lua>, name: &'static str, pause: u64) -> Pending<String> {
    lua.try_call(async move |lua| lua.load(SCRIPT).call_async((name, pause)).await.map_err(text))
}

/// mlua's error may hold a value of its interpreter. Its text can leave the thread.
fn text(error: mlua::Error) -> String {
    let text = error.to_string();
    text.lines().next().unwrap_or_default().to_owned()
}

/// Runs scripts on a caller, and tells what they do.
pub(crate) async fn tour(caller: &Caller, tell: Tell) -> caller::Result<()> {
    let lua = caller
        .try_resident({
            let tell = tell.clone();
            async move || interpreter(tell).map_err(text)
        })
        .await?;

    // Three at once; none waits for another.
    for done in [start(&lua, "a", 10), start(&lua, "b", 16), start(&lua, "c", 27)] {
        tell(done.await?);
    }
    let steps: u32 = lua.try_call(async |lua| lua.globals().get("steps").map_err(text)).await?;
    tell(format!("{steps} steps in one interpreter"));

    // A function of Lua, kept in the thread.
    let double: Resident<Function> = lua
        .try_derive(async |lua| lua.load("return function(n) sleep(1) return 2 * n end").eval().map_err(text))
        .await?;
    let twice: u32 = double.try_call(async |double| double.call_async(21).await.map_err(text)).await?;
    tell(format!("twice 21 is {twice}"));

    // The error of one script costs the others nothing.
    let other = start(&lua, "d", 5);
    let fails = lua.try_call(async |lua| {
        lua.load("sleep(1) error('no such thing', 0)").exec_async().await.map_err(text)
    });
    if let Err(error) = fails.await {
        tell(format!("a script failed: {}", error.failure().map(ToString::to_string).unwrap_or_default()));
    }
    tell(other.await?);

    // Giving up the wait cancels a script: its coroutine is dropped, in its thread.
    let endless = lua.try_call(async |lua| {
        lua.load("while true do say('tick') sleep(8) end").exec_async().await.map_err(text)
    });
    let given_up = endless.wait().timeout(Duration::from_millis(20)).await;
    tell(format!("a script was given up: {}", given_up.is_err_and(|error| error.is_timeout())));

    drop(double);
    lua.close().await
}

#[caller::main(backend = Tokio::new())]
async fn main() -> caller::Result<()> {
    tour(&Caller::current()?, Arc::new(|line| println!("{line}"))).await
}
