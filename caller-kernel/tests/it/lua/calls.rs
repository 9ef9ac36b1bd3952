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
            @""
        );
    });
}

#[test]
fn a_pending_gives_what_its_call_returned() {
    notebook(async |nb| {
        tokio::time::pause();
        assert_snapshot!(nb.run("p = caller:call_soon(function(a, b) return a + b, 'x' end, 1, 2)\nreturn p:done(), p").await, @"");
        assert_snapshot!(nb.run("p:wait()").await, @"");
        assert_snapshot!(nb.run("p:wait(), p:result(), p:done(), p").await, @"");
        assert_snapshot!(nb.run("q = caller:call_later(5, function() return 'late' end) return q:wait(1)").await, @"");
        assert_snapshot!(nb.run("q:wait()").await, @"");
        assert_snapshot!(nb.run("q = caller:call_soon(function() sleep(1) end) return q:result()").await, @"");
        assert_snapshot!(nb.run("q:cancel('enough'), q:wait()").await, @"");
        assert_snapshot!(nb.run("pcall(q.wait, q)").await, @"");
        assert_snapshot!(nb.run("q:cancel(), q:cancelled(), q:error(), q").await, @"");
        assert_snapshot!(nb.run("function fails() error({code = 1}) end\nlocal p = caller:call_soon(fails)\nreturn pcall(p.wait, p)").await, @"");
        assert_snapshot!(nb.run("local p = caller:call_soon(function() error('boom') end)\np:wait()").await, @"");
        assert_snapshot!(nb.run("local me me = caller:call_soon(function() me:wait() end)\nme:wait()").await, @"");
        assert_snapshot!(nb.run("local p = caller:call_soon(function() return 1 end) p:on_done(function(p) print('done', p:result()) end) p:wait() sleep(1)").await, @"");
    });
}

#[test]
fn a_failure_that_nobody_waits_for_is_shown_in_its_cell() {
    notebook(async |nb| {
        assert_snapshot!(
            nb.run("caller:call_soon(function()\n  error('lost')\nend)\nsleep(0) sleep(0) collectgarbage() collectgarbage()").await,
            @""
        );
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
        assert_eq!((nb.output.take().as_str(), output.take().as_str()), ("stdout: first⏎", "stdout: second⏎"));
    });
}

#[test]
fn several_pendings() {
    notebook(async |nb| {
        tokio::time::pause();
        nb.run("function after(n) return caller:call_later(n, function() return n end) end").await;
        assert_snapshot!(nb.run("for p in as_completed{after(3), after(1), after(2)} do print(p:result()) end").await, @"");
        assert_snapshot!(nb.run("a, b = after(1), after(9)\nfor p in caller:as_completed{a, b} do break end\nreturn a, b:cancelled()").await, @"");
        assert_snapshot!(nb.run("local done, rest = wait({after(1), after(2), after(30)}, {timeout = 5}) return #done, #rest").await, @"");
        assert_snapshot!(nb.run("local done, rest = wait({after(2), after(1)}, {return_when = 'first_completed'}) return done[1]:result(), #rest").await, @"");
        assert_snapshot!(nb.run("local done, rest = wait({after(2), caller:call_later(1, error)}, {return_when = 'first_exception'}) return done[1], #rest").await, @"");
        assert_snapshot!(nb.run("wait({}, {return_when = 'never'})").await, @"");
        assert_snapshot!(nb.run("local done, rest = wait({}) return #done, #rest").await, @"");
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
        end)").await, @"");
        assert_snapshot!(nb.run("caller:group(function(g)\n  error('own')\nend)").await, @"");
        assert_snapshot!(nb.run("caller:group(function(g)
            g:call_soon(function() error('one') end)
            sleep(100)
            print('never')
        end)").await, @"");
        assert_snapshot!(nb.run("caller:group(function(g) sleep(100) end, {timeout = 1, mode = 'strict'})").await, @"");
        assert_snapshot!(nb.run("caller:group(function(g) sleep(100) end, {timeout = 1}), 'on'").await, @"");
        assert_snapshot!(nb.run("caller:group(print, {mode = 'odd'})").await, @"");
        assert_snapshot!(nb.run("caller:group(function() return caller:group(function() sleep(1) return 'deep' end) end)").await, @"");
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
        print(coroutine.resume(co))").await, @"");
        assert_snapshot!(nb.run("for i in coroutine.wrap(function() for i = 1, 3 do sleep(1) coroutine.yield(i) end end) do print(i) end").await, @"");
        assert_snapshot!(nb.run("local inner = coroutine.wrap(function() sleep(1) coroutine.yield('in') sleep(1) return 'end' end)
        local outer = coroutine.wrap(function() coroutine.yield(inner()) sleep(1) coroutine.yield(inner()) end)
        return outer(), outer()").await, @"");
        assert_snapshot!(nb.run("local co = coroutine.wrap(function() sleep(1) error('late') end)\nprint(pcall(co))\nprint(pcall(co))").await, @"");
        assert_snapshot!(nb.run("('x'):gsub('x', function() sleep(1) end)").await, @"");
        assert_snapshot!(nb.run("local t = setmetatable({}, {__index = function(_, k) sleep(1) return k end}) return t.field").await, @"");
        assert_snapshot!(nb.run("coroutine.yield(1) return 'on'").await, @"");
        assert_snapshot!(nb.run("local ok, e = xpcall(function() sleep(1) error('x', 0) end, function(e) return e .. '!' end) return e").await, @"");
    });
}

#[test]
fn callers_are_objects() {
    notebook(async |nb| {
        assert_snapshot!(nb.run("caller.name, caller.state, caller == Caller.current(), caller == Caller.named('shell'), Caller.named('nosuch')").await, @"");
        assert_snapshot!(nb.run("child = caller:child('helper')\nreturn child == caller:child('helper'), child:parent() == caller, #caller:children(), child.name").await, @"");
        assert_snapshot!(nb.run("child:call_soon(function() end)").await, @"");
        assert_snapshot!(nb.run("caller:to_thread(function() end)").await, @"");
        assert_snapshot!(nb.run("child:stop() return caller.nosuch").await, @"");
        assert_snapshot!(nb.run("sleep(0/0)").await, @"");
    });
}
