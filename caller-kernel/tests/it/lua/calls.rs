//! Calls, pendings, groups, and waiting in coroutines.

use insta::assert_snapshot;

use super::notebook;
use crate::recording::Recording;

#[test]
fn a_cell_that_waits_lets_others_go_on() {
    notebook(async |nb| {
        tokio::time::pause();
        assert_snapshot!(
            nb.run("caller:call_soon(function() for i = 1, 3 do print('b', i) sleep(1) end end)
                for i = 1, 3 do print('a', i) sleep(1) end").await,
            @r#"
            stdout: a	1
            b	1
            a	2
            b	2
            a	3
            b	3⏎
            "#
        );
    });
}

#[test]
fn a_pending_gives_what_its_call_returned() {
    notebook(async |nb| {
        tokio::time::pause();
        assert_snapshot!(nb.run("p = caller:call_soon(function(a, b) return a + b, 'x' end, 1, 2)\nreturn p:done(), p").await, @"result: false, <pending: pending>");
        assert_snapshot!(nb.run("p:wait()").await, @r#"result: 3, "x""#);
        assert_snapshot!(nb.run("p:wait(), p:result(), p:done(), p").await, @"result: 3, 3, true, <pending: done>");
        assert_snapshot!(nb.run("q = caller:call_later(5, function() return 'late' end) return q:wait(1)").await, @r#"
        Error: In [4]:1: timed out after 1s
          In [4]:1: in the cell
            1 │ q = caller:call_later(5, function() return 'late' end) return q:wait(1)
        "#);
        assert_snapshot!(nb.run("q:wait()").await, @r#"result: "late""#);
        assert_snapshot!(nb.run("q = caller:call_soon(function() sleep(1) end) return q:result()").await, @r#"
        Error: In [6]:1: not done yet; use `wait`, or ask `done` first
          In [6]:1: in the cell
            1 │ q = caller:call_soon(function() sleep(1) end) return q:result()
        "#);
        assert_snapshot!(nb.run("q:cancel('enough'), q:wait()").await, @r#"
        Error: cancelled: enough
          In [7]:1: in the cell
            1 │ q:cancel('enough'), q:wait()
        "#);
        assert_snapshot!(nb.run("pcall(q.wait, q)").await, @r#"result: false, "cancelled: enough""#);
        assert_snapshot!(nb.run("q:cancel(), q:cancelled(), q:error(), q").await, @r#"result: false, true, "cancelled: enough", <pending: cancelled>"#);
        assert_snapshot!(nb.run("function fails() error({code = 1}) end\nlocal p = caller:call_soon(fails)\nreturn pcall(p.wait, p)").await, @"result: false, {code = 1}");
        assert_snapshot!(nb.run("local p = caller:call_soon(function() error('boom') end)\np:wait()").await, @r#"
        Error: In [11]:1: boom
          In [11]:2: in the cell
            2 │ p:wait()
        "#);
        assert_snapshot!(nb.run("local me me = caller:call_soon(function() me:wait() end)\nme:wait()").await, @r#"
        Error: In [12]:1: the call would wait for itself for ever; hand the work to another caller, or do not wait for it here
          In [12]:2: in the cell
            2 │ me:wait()
        "#);
        assert_snapshot!(nb.run("local p = caller:call_soon(function() return 1 end) p:on_done(function(p) print('done', p:result()) end) p:wait() sleep(1)").await, @"stdout: done	1⏎");
    });
}

#[test]
fn a_failure_that_nobody_waits_for_is_shown_in_its_cell() {
    notebook(async |nb| {
        assert_eq!(nb.run("caller:call_soon(function()\n  error('lost')\nend)\nsleep(0)").await, "");
        // It is known that nobody waits once the pending is collected.
        assert_snapshot!(nb.run("sleep(0) collectgarbage() collectgarbage()").await, @"stderr: a call failed, and nobody waited for it⏎Error: In [1]:2: lost⏎  In [1]:2: in the function of line 1⏎    2 │   error('lost')⏎");
    });
}

#[test]
fn what_a_call_prints_later_lands_in_its_own_cell() {
    notebook(async |nb| {
        tokio::time::pause();
        nb.run("p = caller:call_later(5, function() print('first') end)").await;
        let mut other = nb.cell("print('second') p:wait()");
        let output = Recording::new();
        other.output = output.clone();
        use caller_kernel::shell::Shell;
        nb.shell.execute(other).await.unwrap();
        assert_eq!(
            (nb.output.take().as_str(), output.take().as_str()),
            ("stdout: first⏎", "stdout: second⏎")
        );
    });
}

#[test]
fn several_pendings() {
    notebook(async |nb| {
        tokio::time::pause();
        nb.run("function after(n) return caller:call_later(n, function() return n end) end").await;
        assert_snapshot!(nb.run("for p in as_completed{after(3), after(1), after(2)} do print(p:result()) end").await, @r#"
        stdout: 1
        2
        3⏎
        "#);
        assert_snapshot!(nb.run("a, b = after(1), after(9)\nfor p in caller:as_completed{a, b} do break end\nreturn a, b:cancelled()").await, @"result: <pending: done>, true");
        assert_snapshot!(nb.run("local done, rest = wait({after(1), after(2), after(30)}, {timeout = 5}) return #done, #rest").await, @"result: 2, 1");
        assert_snapshot!(nb.run("local done, rest = wait({after(2), after(1)}, {return_when = 'first_completed'}) return done[1]:result(), #rest").await, @"result: 1, 1");
        assert_snapshot!(nb.run("local done, rest = wait({after(2), caller:call_later(1, function() error('bad', 0) end)}, {return_when = 'first_exception'}) return done[1]:error(), #rest").await, @r#"result: "bad", 1"#);
        assert_snapshot!(nb.run("wait({}, {return_when = 'never'})").await, @r#"
        Error: In [7]:1: `return_when` is "never"; it is all_completed, first_completed or first_exception
          In [7]:1: in the cell
            1 │ wait({}, {return_when = 'never'})
        "#);
        assert_snapshot!(nb.run("local done, rest = wait({}) return #done, #rest").await, @"result: 0, 0");
    });
}

#[test]
fn a_group_waits_for_what_is_made_in_it() {
    notebook(async |nb| {
        tokio::time::pause();
        assert_snapshot!(nb.run("caller:group(function(g)
            g:call_soon(function() sleep(1) print('member') caller:call_soon(function() sleep(1) print('of a member') end) end)
            print(g)
            return 'body'
        end)").await, @r#"
        stdout: <group: lenient, 1 not done>
        member
        of a member⏎
        result: "body"
        "#);
        assert_snapshot!(nb.run("caller:group(function(g)\n  error('own')\nend)").await, @r#"
        Error: In [2]:2: own
          In [2]:1: in the cell
            1 │ caller:group(function(g)
        "#);
        assert_snapshot!(nb.run("caller:group(function(g)
            g:call_soon(function() error('one') end)
            sleep(100)
            print('never')
        end)").await, @r#"
        Error: In [3]:1: 1 call of the group failed:
        - In [3]:2: one
          In [3]:1: in the cell
            1 │ caller:group(function(g)
        "#);
        assert_snapshot!(nb.run("caller:group(function(g) sleep(100) end, {timeout = 1, mode = 'strict'})").await, @r#"
        Error: In [4]:1: cancelled: the group timed out after 1s
          In [4]:1: in the cell
            1 │ caller:group(function(g) sleep(100) end, {timeout = 1, mode = 'strict'})
        "#);
        assert_snapshot!(nb.run("caller:group(function(g) sleep(100) end, {timeout = 1}), 'on'").await, @r#"result: nil, "on""#);
        assert_snapshot!(nb.run("caller:group(print, {mode = 'odd'})").await, @r#"
        Error: In [6]:1: the mode of a group is "odd"; it is lenient, all_or_error, all_or_nothing or strict
          In [6]:1: in the cell
            1 │ caller:group(print, {mode = 'odd'})
        "#);
        assert_snapshot!(nb.run("caller:group(function() return caller:group(function() sleep(1) return 'deep' end) end)").await, @r#"result: "deep""#);
    });
}

#[test]
fn waiting_works_inside_of_coroutines() {
    notebook(async |nb| {
        tokio::time::pause();
        assert_snapshot!(nb.run("co = coroutine.create(function(a)
            sleep(1)
            local b = coroutine.yield(a + 1)
            local p = caller:call_soon(function() return 'called' end)
            return b, p:wait()
        end)
        print(coroutine.resume(co, 1))
        print(coroutine.resume(co, 'b'))
        print(coroutine.resume(co))").await, @r#"
        stdout: true	2
        true	b	called
        false	cannot resume dead coroutine⏎
        "#);
        assert_snapshot!(nb.run("for i in coroutine.wrap(function() for i = 1, 3 do sleep(1) coroutine.yield(i) end end) do print(i) end").await, @r#"
        stdout: 1
        2
        3⏎
        "#);
        assert_snapshot!(nb.run("local inner = coroutine.wrap(function() sleep(1) coroutine.yield('in') sleep(1) return 'end' end)
        local outer = coroutine.wrap(function() coroutine.yield(inner()) sleep(1) coroutine.yield(inner()) end)
        return outer(), outer()").await, @r#"result: "in", "end""#);
        assert_snapshot!(nb.run("local co = coroutine.wrap(function() sleep(1) error('late') end)\nprint(pcall(co))\nprint(pcall(co))").await, @r#"
        stdout: false	In [4]:1: late
        false	cannot resume dead coroutine⏎
        "#);
        assert_snapshot!(nb.run("('x'):gsub('x', function() sleep(1) end)").await, @r#"
        Error: attempt to yield across a C-call boundary
          In [5]:1: in the function of line 1
            1 │ ('x'):gsub('x', function() sleep(1) end)
          In [5]:1: in the cell
            1 │ ('x'):gsub('x', function() sleep(1) end)
        "#);
        assert_snapshot!(nb.run("local t = setmetatable({}, {__index = function(_, k) sleep(1) return k end}) return t.field").await, @r#"result: "field""#);
        assert_snapshot!(nb.run("coroutine.yield(1) return 'on'").await, @r#"result: "on""#);
        assert_snapshot!(nb.run("local ok, e = xpcall(function() sleep(1) error('x', 0) end, function(e) return e .. '!' end) return e").await, @r#"result: "x!""#);
    });
}

#[test]
fn callers_are_objects() {
    notebook(async |nb| {
        assert_snapshot!(nb.run("caller.name, caller.state, caller == Caller.current(), caller == Caller.named('shell'), Caller.named('nosuch')").await, @r#"result: "shell", "running", true, true, nil"#);
        assert_snapshot!(nb.run("child = caller:child('helper')\nreturn child == caller:child('helper'), child:parent() == caller, #caller:children(), child.name").await, @r#"result: true, true, 1, "helper""#);
        assert_snapshot!(nb.run("child:call_soon(function() end)").await, @r#"
        Error: In [3]:1: a Lua function cannot leave its thread; give an exposed function, or run the cell there (`-- thread` or `-- caller name=…` as its first line)
          In [3]:1: in the cell
            1 │ child:call_soon(function() end)
        "#);
        assert_snapshot!(nb.run("caller:to_thread(function() end)").await, @r#"
        Error: In [4]:1: a Lua function cannot leave its thread; give an exposed function, or run the cell there (`-- thread` or `-- caller name=…` as its first line)
          In [4]:1: in the cell
            1 │ caller:to_thread(function() end)
        "#);
        assert_snapshot!(nb.run("child:stop() return caller.nosuch").await, @"");
        assert_snapshot!(nb.run("sleep(0/0)").await, @r#"
        Error: In [6]:1: the time is not a number; give seconds
          In [6]:1: in the cell
            1 │ sleep(0/0)
        "#);
    });
}

#[test]
fn what_cannot_be_closed_is_told() {
    notebook(async |nb| {
        tokio::time::pause();
        let call = |close: &str| {
            format!(
                "p = caller:call_soon(function() local x <close> = setmetatable({{}}, {{__close = function() {close} end}}) sleep(5) end)\nsleep(0.1) p:cancel() sleep(0.1)"
            )
        };
        assert_snapshot!(nb.run(&call("print('closed')")).await, @"stdout: closed⏎");
        assert_snapshot!(nb.run(&call("sleep(0.01) print('closed')")).await, @"stderr: a call was given up, and a `__close` of it failed; it cannot wait there, and has 100 ms⏎attempt to yield across a C-call boundary⏎");
        assert_snapshot!(nb.run(&call("error('no')")).await, @"stderr: a call was given up, and a `__close` of it failed; it cannot wait there, and has 100 ms⏎In [3]:1: no⏎");
    });
}
