//! What a cell ends in, and what is kept for the next.

use insta::assert_snapshot;

use super::notebook;

#[test]
fn the_expression_at_the_end_is_the_result() {
    notebook(async |nb| {
        assert_snapshot!(nb.run("1 + 1").await, @"");
        assert_snapshot!(nb.run("x = 20; y = 'two'").await, @"");
        assert_snapshot!(nb.run("x, y").await, @"");
        assert_snapshot!(nb.run("x = x + 1\nx").await, @"");
        assert_snapshot!(nb.run("local t = {x} t").await, @"");
        assert_snapshot!(nb.run("local t = {x}; t").await, @"");
        assert_snapshot!(nb.run("function f(n) return n * 2 end\nf(x) -- twice").await, @"");
        assert_snapshot!(nb.run("return x").await, @"");
        assert_snapshot!(nb.run("nil").await, @"");
        assert_snapshot!(nb.run("-- nothing").await, @"");
        assert_snapshot!(nb.run("x;").await, @"");
        assert_snapshot!(nb.run("x; -- hidden").await, @"");
        assert_snapshot!(nb.run("# thread name=x\nx").await, @"");
        assert_snapshot!(nb.run("#'abc'").await, @"");
    });
}

#[test]
fn what_looks_like_a_result_and_is_none() {
    notebook(async |nb| {
        assert_snapshot!(nb.run("for i = 1, 3 do\nprint(i)\nend").await, @"");
        assert_snapshot!(nb.run("x = 5\n- 3").await, @"");
        assert_snapshot!(nb.run("x").await, @"");
        assert_snapshot!(nb.run("f = function(s) return s .. '!' end\nx = f\n'a'").await, @"");
        assert_snapshot!(nb.run("x").await, @"");
        assert_snapshot!(nb.run("if true then\nprint(1)\nend").await, @"");
    });
}

#[test]
fn results_are_shown_as_one_would_write_them() {
    notebook(async |nb| {
        assert_snapshot!(nb.run("'a \"quoted\"\\n\\xff text'").await, @"");
        assert_snapshot!(nb.run("{1, 2.0, 'x', true, name = 'n', [3.5] = {}, ['a b'] = 1, ['end'] = 2}").await, @"");
        assert_snapshot!(nb.run("t = {} t.self = t; t.list = {t} return t").await, @"");
        assert_snapshot!(nb.run("d = {} for i = 1, 20 do d = {d} end return d").await, @"");
        assert_snapshot!(nb.run("t = {} for i = 1, 200 do t[i] = i end return t").await, @"");
        assert_snapshot!(nb.run("shared = {1}; return {shared, shared}").await, @"");
        assert_snapshot!(nb.run("function g() end\nreturn {g, print, sleep}").await, @"");
        assert_snapshot!(nb.run("{{a = 'a long text to fill the line', b = 'another long text to fill it'}, {c = 'and more of it'}}").await, @"");
        assert_snapshot!(nb.run("1/0, -1/0, 2^53, 1e100, math.mininteger").await, @"");
    });
}

#[test]
fn metamethods_say_how_a_value_is_shown() {
    notebook(async |nb| {
        assert_snapshot!(nb.run("setmetatable({}, {__tostring = function() return 'me' end})").await, @"");
        assert_snapshot!(
            nb.run("setmetatable({n = 1}, {__mime = function(t) return {['text/html'] = '<b>' .. t.n .. '</b>'} end})").await,
            @""
        );
        assert_snapshot!(nb.run("setmetatable({}, {__mime = function() error('no luck') end})").await, @"");
        assert_snapshot!(nb.run("setmetatable({}, {__tostring = function() return 1 end})").await, @"");
    });
}

#[test]
fn errors_name_the_cell_and_the_line() {
    notebook(async |nb| {
        assert_snapshot!(nb.run("function f(x)\n  return x.y.z\nend").await, @"");
        assert_snapshot!(nb.run("local a = {}\n\nf(a)").await, @"");
        assert_snapshot!(nb.run("x = = 1").await, @"");
        assert_snapshot!(nb.run("error('plain', 0)").await, @"");
        assert_snapshot!(nb.run("error({code = 7})").await, @"");
        assert_snapshot!(nb.run("error()").await, @"");
        assert_snapshot!(nb.run("error(setmetatable({}, {__name = 'MyError', __tostring = function() return 'mine' end}))").await, @"");
        assert_snapshot!(nb.run("error(setmetatable({}, {__tostring = function() error('worse') end}))").await, @"");
        assert_snapshot!(nb.run("sleep('x')").await, @"");
        assert_snapshot!(nb.run("local co = coroutine.wrap(function() error('inside') end)\nco()").await, @"");
        assert_snapshot!(nb.run("caller:call_soon(1)").await, @"");
    });
}

#[test]
fn callers_are_listed() {
    notebook(async |nb| {
        let table = nb.run("%callers").await;
        assert!(table.contains("shell") && table.contains("← current"), "{table}");
        assert_snapshot!(nb.run("%nosuch\nx = 1").await, @"");
    });
}

#[test]
fn globals_that_are_plain_data_go_to_another_state() {
    use caller_kernel::{lua::LuaLanguage, shell::Shell};
    notebook(async |nb| {
        nb.run("n, s, list = 1, 'text\\0', {1, {x = 2.5}} ring = {} ring.self = ring\nshared = {list, list}").await;
        nb.run("f = print; mixed = {print}; meta = setmetatable({}, {})").await;
        let snapshot = nb.shell.snapshot().unwrap();
        let other = super::on_caller(async move || {
            let other = super::Notebook::new(&LuaLanguage::new());
            other.shell.restore(&snapshot);
            other.run("n, s, list, ring.self == ring, shared[1] == shared[2], f, mixed, meta").await
        });
        assert_snapshot!(other, @"");
    });
}
