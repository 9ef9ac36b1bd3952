//! Stopping cells, and taking turns.

use std::sync::{Arc, OnceLock};

use caller_kernel::{
    lua::{Exposed, LuaLanguage},
    shell::{Interrupter, Shell},
};
use insta::assert_snapshot;

use super::{Notebook, notebook, notebook_of};

/// A language in which `stop()` has another thread interrupt the shell.
fn stoppable() -> (LuaLanguage, Arc<OnceLock<Interrupter>>) {
    let interrupter = Arc::new(OnceLock::<Interrupter>::new());
    let exposed = Exposed::new().function("stop", "", {
        let interrupter = interrupter.clone();
        move |()| {
            let interrupter = interrupter.get().unwrap().clone();
            drop(std::thread::spawn(move || interrupter.interrupt()));
        }
    });
    (LuaLanguage::new().expose(exposed), interrupter)
}

/// Runs a test in which cells call `stop()`.
fn with_stop(test: impl AsyncFnOnce(Notebook) + Send + 'static) {
    let (language, interrupter) = stoppable();
    notebook_of(language, async move |nb| {
        interrupter.set(nb.shell.interrupter()).unwrap();
        test(nb).await;
    });
}

#[test]
fn code_that_runs_for_ever_is_stopped() {
    with_stop(async |nb| {
        for code in [
            "stop(); while true do end",
            "stop(); while true do pcall(function() while true do end end) end",
            "stop(); pcall(function() while true do pcall(function() while true do end end) end end) while true do end",
            "stop(); coroutine.wrap(function() while true do end end)()",
            "stop(); while true do coroutine.resume(coroutine.create(function() while true do end end)) end",
            "stop(); while true do pcall(coroutine.wrap(function() while true do end end)) end",
            "stop(); ('x'):gsub('x', function() while true do end end)",
            "stop(); return setmetatable({}, {__index = function() while true do end end}).x",
            "stop(); local t = {} for i = 1, 10 do t[i] = i end table.sort(t, function() while true do end end)",
            "stop(); return setmetatable({}, {__tostring = function() while true do end end})",
            "stop(); while true do coroutine.yield() end",
            "stop(); while true do sleep(0) end",
            "stop(); local ok = xpcall(function() while true do end end, function() while true do end end) return ok",
            "stop(); while true do xpcall(error, function() while true do end end) end",
            "stop(); while true do load('while true do end')() end",
            "stop(); while true do print('x') end",
            "stop(); local c <close> = setmetatable({}, {__close = function() local n = 0 for i = 1, 1e5 do n = n + i end end}) while true do end",
            "stop(); require_nothing = 1 goto again ::again:: goto again",
            "stop(); caller:group(function() while true do end end)",
            "stop(); caller:group(function() while true do pcall(sleep, 0) end end)",
            "stop(); while true do local co = coroutine.create(function() while true do pcall(function() while true do end end) end end) coroutine.resume(co) end",
            "stop(); while true do pcall(coroutine.wrap(function() while true do pcall(function() while true do end end) end end)) collectgarbage() end",
            "stop(); while true do load(function() while true do end end) end",
            "stop(); local t = setmetatable({}, {__tostring = function() while true do end end}) while true do display({t}) end",
            "stop(); while true do coroutine.close(coroutine.create(print)) end",
        ] {
            let error = nb.error(code).await;
            assert!(error.is_interrupt(), "{code}: {error:?}");
            assert_eq!(nb.run("1 + 1").await, "result: 2", "after {code}");
        }
    });
}

#[test]
fn a_cell_that_waits_is_stopped() {
    with_stop(async |nb| {
        for code in [
            "stop(); sleep(1e9)",
            "stop(); while true do pcall(sleep, 1e9) end",
            "stop(); coroutine.wrap(function() sleep(1e9) end)()",
            "stop(); input('nobody answers')",
            "stop(); caller:call_soon(function() sleep(1e9) end):wait()",
            "stop(); caller:group(function() sleep(1e9) end)",
            "stop(); caller:group(function(g) g:call_soon(sleep, 1e9) end)",
            "stop(); for p in as_completed{caller:call_later(1e9, print)} do end",
        ] {
            let error = nb.error(code).await;
            assert!(error.is_interrupt(), "{code}: {error:?}");
            assert_eq!(nb.run("1 + 1").await, "result: 2", "after {code}");
        }
    });
}

#[test]
fn the_place_of_an_interrupt_is_named_and_globals_are_kept() {
    with_stop(async |nb| {
        assert_snapshot!(nb.run("n = 0\nstop()\nwhile true do\nn = n + 1 end").await, @r#"
        Interrupted: interrupted
          In [1]:4: in the cell
            4 │ n = n + 1 end
        "#);
        assert_snapshot!(nb.run("n > 0").await, @"result: true");
        assert_snapshot!(nb.run("stop()\nsleep(1e9)").await, @r#"
        Interrupted: interrupted
          In [3]:2: in the cell
            2 │ sleep(1e9)
        "#);
    });
}

#[test]
fn an_interrupt_concerns_what_runs_and_nothing_else() {
    with_stop(async |nb| {
        tokio::time::pause();
        // Of nothing, it stops nothing.
        nb.shell.interrupter().interrupt();
        assert_eq!(nb.run("1").await, "result: 1");
        // A call that waits goes on; one that loops ends.
        nb.run("waits = caller:call_soon(function() sleep(5) return 'went on' end) sleep(0)").await;
        nb.run("loops = caller:call_soon(function() stop() while true do end end)").await;
        assert_snapshot!(nb.run("pcall(loops.wait, loops)").await, @r#"
        Interrupted: interrupted
          In [4]:1: in the cell
            1 │ pcall(loops.wait, loops)
        "#);
        assert_snapshot!(nb.run("waits:wait()").await, @r#"result: "went on""#);
    });
}

#[test]
fn a_coroutine_that_outlives_an_interrupt_can_go_on() {
    with_stop(async |nb| {
        nb.run("co = coroutine.create(function() while true do pcall(function() stop() while true do if go then break end end end) coroutine.yield('on') end end)").await;
        assert!(nb.error("coroutine.resume(co)").await.is_interrupt());
        nb.run("go = true").await;
        // What is left of it is either dead or runs as any other, at full speed.
        let status = nb.run("coroutine.status(co)").await;
        assert!(status.contains("dead") || status.contains("suspended"), "{status}");
    });
}

#[test]
fn a_cell_that_computes_lets_others_go_on() {
    notebook(async |nb| {
        assert_snapshot!(nb.run("caller:call_soon(function() done = true end)\nwhile not done do end\nreturn 'seen'").await, @r#"result: "seen""#);
        assert_snapshot!(
            nb.run("done = false caller:call_soon(function() done = true end)\npcall(function() while not done do end end)\nreturn 'seen'").await,
            @r#"result: "seen""#
        );
        // A coroutine of the user's never sees a yield that is not its own.
        assert_snapshot!(
            nb.run("local co = coroutine.wrap(function() for i = 1, 3e6 do end return 'whole' end)\nreturn co()").await,
            @r#"result: "whole""#
        );
    });
}

#[test]
fn a_coroutine_that_computes_lets_others_go_on() {
    notebook(async |nb| {
        for code in [
            "coroutine.wrap(function() while not done do end end)()",
            "local co = coroutine.create(function() coroutine.wrap(function() while not done do end end)() end) coroutine.resume(co)",
            "for _ in coroutine.wrap(function() while not done do end coroutine.yield(1) end) do end",
        ] {
            let code =
                format!("done = false caller:call_soon(function() done = true end)\n{code}\nreturn 'seen'");
            assert_eq!(nb.run(&code).await, "result: \"seen\"");
        }
        // Nobody sees a yield that is not his own, nor misses one.
        assert_snapshot!(
            nb.run("local co = coroutine.create(function() for i = 1, 3 do for n = 1, 1e6 do end coroutine.yield() end end)\nlocal n = 0\nwhile coroutine.resume(co) and coroutine.status(co) == 'suspended' do n = n + 1 end\nreturn n").await,
            @"result: 3"
        );
        // Within a function of C nobody else gets a turn, and all goes on.
        assert_snapshot!(
            nb.run("local t = {3, 2, 1}\ntable.sort(t, function(a, b) return coroutine.wrap(function() for i = 1, 1e6 do end return a < b end)() end)\nreturn t").await,
            @"result: {1, 2, 3}"
        );
    });
}

#[test]
fn a_coroutine_that_waits_cannot_be_resumed_by_another_call() {
    notebook(async |nb| {
        tokio::time::pause();
        assert_snapshot!(
            nb.run("co = coroutine.create(function() sleep(0.2) return 'slept' end)\np = caller:call_soon(function() return coroutine.resume(co) end)\nsleep(0.1)\nreturn coroutine.status(co), coroutine.resume(co)").await,
            @r#"result: "normal", false, "cannot resume a coroutine that waits in another call""#
        );
        assert_snapshot!(nb.run("coroutine.close(co)").await, @r#"
        Error: In [2]:1: cannot close a coroutine that waits in another call
          In [2]:1: in the cell
            1 │ coroutine.close(co)
        "#);
        assert_snapshot!(nb.run("p:wait()").await, @r#"result: true, "slept""#);
        assert_snapshot!(nb.run("coroutine.status(co)").await, @r#"result: "dead""#);
        // What is left when its call is gone is nobody's.
        assert_snapshot!(
            nb.run("co = coroutine.create(function() sleep(9) end)\np = caller:call_soon(coroutine.resume, co)\nsleep(0.1)\np:cancel()\nsleep(0.1)\nreturn coroutine.status(co), coroutine.close(co)").await,
            @r#"result: "suspended", true"#
        );
    });
}

#[test]
fn a_full_state_is_stopped_at_once() {
    let interrupter = Arc::new(OnceLock::<Interrupter>::new());
    let stop = interrupter.clone();
    let language = LuaLanguage::new().memory_limit(16 << 20).setup(move |lua| {
        let stop = stop.clone();
        let stop_here = lua.create_function(move |_, ()| {
            stop.get().unwrap().interrupt();
            Ok(())
        })?;
        lua.globals().set("stop_here", stop_here)
    });
    notebook_of(language, async move |nb| {
        interrupter.set(nb.shell.interrupter()).unwrap();
        // Each step of it collects all garbage, so a thousand of them take seconds.
        let error = nb.error("t, n = {}, 0\nwhile true do\nn = n + 1\npcall(function() while true do t[#t + 1] = {} end end)\nif n == 1 then stop_here() end\nend").await;
        assert!(error.is_interrupt(), "{error:?}");
        assert_snapshot!(nb.run("t = nil return n").await, @"result: 2");
    });
}

#[test]
fn two_cells_take_turns() {
    notebook(async |nb| {
        let one = nb.execute("a = true while not b do end return 'one'");
        let two = nb.execute("b = true while not a do end return 'two'");
        let (one, two) = futures::join!(one, two);
        assert_eq!(one.unwrap().unwrap().plain(), Some("\"one\""));
        assert_eq!(two.unwrap().unwrap().plain(), Some("\"two\""));
    });
}

#[test]
fn a_cell_that_computes_can_be_dropped() {
    notebook(async |nb| {
        let mut cell = nb.execute("n = 0 while true do n = n + 1 end");
        assert!(futures::poll!(&mut cell).is_pending());
        drop(cell);
        assert_eq!(nb.run("n > 0").await, "result: true");
    });
}
