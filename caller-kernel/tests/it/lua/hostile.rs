//! Cells that try to break the shell.

use std::sync::Arc;

use caller_kernel::{
    lua::{Exposed, LuaLanguage},
    shell::{OUTPUT, Shell},
};
use insta::assert_snapshot;

use super::{notebook, notebook_of, on_caller};

#[test]
fn recursion_without_end_is_an_error() {
    notebook(async |nb| {
        let error = nb.error("function f(n) return 1 + f(n + 1) end\nf(1)").await;
        assert!(error.evalue.contains("stack overflow"), "{error:?}");
        assert!(error.traceback.len() < 60, "{}", error.traceback.len());
        let error = nb
            .error("local t = {} setmetatable(t, {__index = function(t, k) return t[k] end}) return t.x")
            .await;
        assert!(error.evalue.contains("overflow"), "{error:?}");
        let error = nb.error("local function f() return pcall(f) end f() local function g() return ('x'):gsub('x', g) end g()").await;
        assert!(error.evalue.contains("overflow"), "{error:?}");
        let error = nb.error(&format!("return {}1{}", "(".repeat(10_000), ")".repeat(10_000))).await;
        assert_eq!(error.ename, "SyntaxError");
        let error = nb.error("local function f() caller:group(f) end f()").await;
        assert!(error.evalue.contains("nested too deep"), "{error:?}");
        for code in [
            "t = setmetatable({}, {__tostring = function(t) display(t) return 'x' end}) display(t)",
            "t = setmetatable({}, {__mime = function(t) display(t) end}) display(t)",
            "t = setmetatable({}, {__tostring = function(t) error(t) end}) error(t)",
            "t = setmetatable({}, {__tostring = function(t) return tostring(t) end}) print(t)",
            "function f() return ('x'):gsub('x', function() coroutine.wrap(f)() end) end f()",
            "function f() coroutine.wrap(f)() end f()",
        ] {
            nb.error(code).await;
        }
        assert_eq!(nb.run("1").await, "result: 1");
    });
}

#[test]
fn memory_has_a_limit() {
    notebook_of(LuaLanguage::new().memory_limit(32 << 20), async |nb| {
        for code in [
            "local s = ('x'):rep(100 * 1024 * 1024)",
            "local t = {} while true do t[#t + 1] = ('x'):rep(1000) .. #t end",
            "t = {} for i = 1, 1e9 do t[i] = {} end",
            "local s = 'x' while true do s = s .. s end",
            "local t = {} while true do t[#t + 1] = coroutine.create(print) end",
        ] {
            nb.run("t = nil").await;
            let error = nb.error(code).await;
            assert_eq!(error.ename, "MemoryError", "{code}: {error:?}");
            assert_eq!(nb.run("t = nil collectgarbage() return 1").await, "result: 1", "after {code}");
        }
        assert_snapshot!(nb.run("local ok, e = pcall(string.rep, 'x', 1 << 30) return ok, e").await, @r#"result: false, "not enough memory""#);
    });
}

#[test]
fn large_results_are_cut() {
    notebook(async |nb| {
        for code in [
            "('x'):rep(100 * 1024 * 1024)",
            "local t = {} for i = 1, 1e6 do t[i] = i end return t",
            "local t = {} for i = 1, 1e5 do t['k' .. i] = i end return t",
            "local function deep(n) if n == 0 then return {} end local t = {} for i = 1, 12 do t[i] = deep(n - 1) end return t end return deep(5)",
            "local t = {} for i = 1, 100 do t[i] = ('y'):rep(1e6) end return t",
        ] {
            let shown = nb.run(code).await;
            assert!(shown.len() < 300_000, "{code}: {}", shown.len());
            assert!(shown.contains('…'), "{code}");
        }
    });
}

#[test]
fn finalizers_and_error_objects_may_fail() {
    notebook(async |nb| {
        assert_snapshot!(nb.run("setmetatable({}, {__gc = function() error('in gc') end}) collectgarbage() return 'on'").await, @r#"result: "on""#);
        assert_snapshot!(nb.run("error(setmetatable({}, {__tostring = function() return {} end}))").await, @r#"
        Error: an error object whose `__tostring` fails: '__tostring' must return a string
          In [2]:1: in the cell
            1 │ error(setmetatable({}, {__tostring = function() return {} end}))
        "#);
        assert_snapshot!(nb.run("error(setmetatable({}, {__tostring = error}))").await, @r#"
        Error: an error object whose `__tostring` fails: C stack overflow
          In [3]:1: in the cell
            1 │ error(setmetatable({}, {__tostring = error}))
        "#);
        assert_snapshot!(nb.run("print(setmetatable({}, {__tostring = function() return {} end}))").await, @r#"
        Error: '__tostring' must return a string
          In [4]:1: in the cell
            1 │ print(setmetatable({}, {__tostring = function() return {} end}))
        "#);
        assert_snapshot!(nb.run("error(print)").await, @r#"
        Error: function: builtin
          In [5]:1: in the cell
            1 │ error(print)
        "#);
        assert_snapshot!(nb.run("local t = {} t.t = t error(t)").await, @r#"
        Error: {t = <cycle>}
          In [6]:1: in the cell
            1 │ local t = {} t.t = t error(t)
        "#);
        assert_snapshot!(nb.run("local c <close> = setmetatable({}, {__close = function() error('in close') end}) error('first')").await, @r#"
        Error: In [7]:1: in close
          In [7]:1: in the function of line 1
            1 │ local c <close> = setmetatable({}, {__close = function() error('in close') end}) error('first')
        "#);
        assert_snapshot!(nb.run("error(caller)").await.split("backend").next().unwrap().trim_end(), @r#"caller: <Caller "shell" (current)"#);
    });
}

#[test]
fn cells_that_take_the_world_away() {
    notebook(async |nb| {
        nb.run("for _, name in ipairs{'tostring', 'error', 'pcall', 'xpcall', 'select', 'type', 'setmetatable', 'coroutine', 'string', 'table', 'print', 'caller'} do _G[name] = nil end").await;
        assert_snapshot!(nb.run("{1, 'x'}").await, @r#"result: {1, "x"}"#);
        assert_snapshot!(nb.run("nosuch()").await, @r#"
        Error: In [3]:1: attempt to call a nil value (global 'nosuch')
          In [3]:1: in the cell
            1 │ nosuch()
        "#);
        assert_snapshot!(nb.run("sleep(0) return 'still waits'").await, @r#"result: "still waits""#);
        nb.run("setmetatable = nil _G = nil _ENV = nil").await;
        assert_snapshot!(nb.run("2").await, @"result: 2");
    });
    notebook(async |nb| {
        nb.run("setmetatable(_G, {__index = function(_, k) error('no ' .. k) end, __newindex = function() error('no') end})").await;
        assert_snapshot!(nb.run("x = 1").await, @r#"
        Error: In [1]:1: no
          In [1]:1: in function 'newindex'
            1 │ setmetatable(_G, {__index = function(_, k) error('no ' .. k) end, __newindex = function() error('no') end})
          In [2]:1: in the cell
            1 │ x = 1
        "#);
        assert_snapshot!(nb.run("1").await, @"result: 1");
        nb.run("getmetatable('').__index = nil").await;
        assert_snapshot!(nb.run("'x'").await, @r#"result: "x""#);
    });
}

#[test]
fn a_sandbox_has_no_way_out() {
    notebook_of(LuaLanguage::new().sandbox(true), async |nb| {
        assert_snapshot!(
            nb.run("io.open, io.popen, pcall(io.lines, 'file'), os.execute, os.remove, os.getenv, package, require, dofile, loadfile, debug.getregistry").await,
            @"result: nil, nil, false, nil, nil, nil, nil, nil, nil, nil, nil"
        );
        assert_snapshot!(nb.run("os.exit()").await, @r#"
        Error: In [2]:1: os.exit would end the program that this shell is a part of; ask the front end to shut the kernel down
          In [2]:1: in the cell
            1 │ os.exit()
        "#);
        assert_snapshot!(nb.run("io.write('x') io.output('file')").await, @r#"
        stdout: x
        Error: In [3]:1: a sandbox has no files; there are io.stdin, io.stdout and io.stderr
          In [3]:1: in the cell
            1 │ io.write('x') io.output('file')
        "#);
        assert_snapshot!(nb.run("load(string.dump(function() end), 'x', 'b')").await, @r#"result: nil, "attempt to load a binary chunk (mode is 't')""#);
        assert_snapshot!(nb.run("load('return x', 'n', 'b', {x = 5})()").await, @"result: 5");
        assert_eq!(
            nb.run("type(os.clock()), debug.traceback('here'):match('^here')").await,
            "result: \"number\", \"here\""
        );
    });
}

#[test]
fn nothing_stays_behind_when_the_caller_stops() {
    let held = Arc::new(());
    let language = LuaLanguage::new().expose(Exposed::new().function("hold", "", {
        let held = held.clone();
        move |()| Arc::strong_count(&held) > 1
    }));
    notebook_of(language, async |nb| {
        for code in [
            "co = coroutine.create(function() coroutine.yield() end) coroutine.resume(co)",
            "p = caller:call_soon(function() sleep(1e9) end) sleep(0)",
            "q = caller:call_soon(function() while true do sleep(0) end end) sleep(0)",
            "r = caller:call_soon(coroutine.wrap(function() sleep(1e9) end)) sleep(0)",
            "s = caller:call_soon(function() for p in as_completed{p, q} do end end) sleep(0)",
            "t = caller:call_soon(function() caller:group(function() sleep(1e9) end) end) sleep(0)",
            "keep = setmetatable({}, {__gc = function() later = hold() end})",
            "comm.register_target('x', function(c) c:on_msg(function() print(c) end) end)",
            "p:on_done(function(p) print(p) end)",
        ] {
            assert_eq!(nb.run(code).await, "", "{code}");
        }
        let mut waits = nb.execute("waits = coroutine.wrap(function() sleep(1e9) end) waits()");
        assert!(futures::poll!(&mut waits).is_pending());
        let mut computes = nb.execute("while true do end");
        assert!(futures::poll!(&mut computes).is_pending());
    });
    // The state and all that it held are gone with the caller.
    assert_eq!(Arc::strong_count(&held), 1);
}

#[test]
fn compiled_code_is_not_loaded() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap().to_owned();
    notebook(async move |nb| {
        let code = format!(
            "dir = {path:?}\nlocal function write(name, text) local f <close> = io.open(dir .. '/' .. name, 'wb') f:write(text) end\nwrite('bytes.lua', string.dump(function() end)) write('text.lua', 'return 5, ...') package.path = dir .. '/?.lua'"
        );
        assert_eq!(nb.run(&code).await, "");
        for call in
            ["dofile(dir .. '/bytes.lua')", "assert(loadfile(dir .. '/bytes.lua', 'b'))", "require 'bytes'"]
        {
            let error = nb.error(call).await;
            assert!(error.evalue.contains("attempt to load a binary chunk"), "{call}: {error:?}");
        }
        assert_snapshot!(nb.run("dofile(dir .. '/text.lua'), loadfile(dir .. '/text.lua', 't', {})(1), (require 'text')").await, @"result: 5, 5, 5");
        assert_snapshot!(nb.run("select(2, pcall(require, 'nosuch')):match('^[^\\n]*'), loadfile('/no/such')").await, @r#"result: "module 'nosuch' not found:", nil, "cannot open /no/such: No such file or directory""#);
        assert_snapshot!(nb.run("dofile()").await, @r#"
        Error: In [7]:1: give the name of a file; the input of the program is not the cell's
          In [7]:1: in the cell
            1 │ dofile()
        "#);
    });
}

#[test]
fn a_limit_of_memory_is_told_for_what_it_is() {
    on_caller(async || {
        let error = LuaLanguage::new().memory_limit(1000).make().unwrap_err();
        assert!(error.evalue.starts_with("the memory limit of 1000 bytes is too low: a state"), "{error}");
    });
    notebook_of(LuaLanguage::new().memory_limit(4 << 20), async |nb| {
        nb.run("t = {}").await;
        nb.run("while true do t[#t + 1] = ('x'):rep(1000) .. #t end").await;
        nb.run("while true do t = {t} end").await;
        let error = nb.error(&format!("x = {}1", "1 + ".repeat(20_000))).await;
        assert_eq!(error.ename, "MemoryError", "{error:?}");
    });
    notebook(async |nb| {
        // Another state that has no room for the globals says so.
        nb.run("t = ('x'):rep(1 << 20)").await;
        let snapshot = nb.shell.snapshot().unwrap();
        let other = super::Notebook::new(&LuaLanguage::new().memory_limit(1 << 20));
        OUTPUT.scope(nb.output.clone(), async { other.shell.restore(&snapshot) }).await;
        assert_snapshot!(nb.output.take(), @"stderr: not all globals fit in here: memory error: not enough memory⏎");
    });
}
