//! What a cell ends in, and what is kept for the next.

use insta::assert_snapshot;

use super::notebook;

#[test]
fn the_expression_at_the_end_is_the_result() {
    notebook(async |nb| {
        assert_snapshot!(nb.run("1 + 1").await, @"result: 2");
        assert_snapshot!(nb.run("x = 20; y = 'two'").await, @"");
        assert_snapshot!(nb.run("x, y").await, @r#"result: 20, "two""#);
        assert_snapshot!(nb.run("x = x + 1\nx").await, @"result: 21");
        assert_snapshot!(nb.run("local t = {x} t").await, @r#"
        SyntaxError: In [5]:1: syntax error near <eof>
            1 │ local t = {x} t
        "#);
        assert_snapshot!(nb.run("local t = {x}; t").await, @"result: {21}");
        assert_snapshot!(nb.run("function f(n) return n * 2 end\nf(x) -- twice").await, @"result: 42");
        assert_snapshot!(nb.run("return x").await, @"result: 21");
        assert_snapshot!(nb.run("nil").await, @"");
        assert_snapshot!(nb.run("-- nothing").await, @"");
        assert_snapshot!(nb.run("x;").await, @"");
        assert_snapshot!(nb.run("x; -- hidden").await, @"");
        assert_snapshot!(nb.run("# thread name=x\nx").await, @"result: 21");
        assert_snapshot!(nb.run("#'abc'").await, @"result: 3");
    });
}

#[test]
fn what_looks_like_a_result_and_is_none() {
    notebook(async |nb| {
        assert_snapshot!(nb.run("for i = 1, 3 do\nprint(i)\nend").await, @r#"
        stdout: 1
        2
        3⏎
        "#);
        assert_snapshot!(nb.run("x = 5\n- 3").await, @"");
        assert_snapshot!(nb.run("x").await, @"result: 2");
        assert_snapshot!(nb.run("f = function(s) return s .. '!' end\nx = f\n'a'").await, @"");
        assert_snapshot!(nb.run("x").await, @r#"result: "a!""#);
        assert_snapshot!(nb.run("if true then\nprint(1)\nend").await, @"stdout: 1⏎");
    });
}

#[test]
fn results_are_shown_as_one_would_write_them() {
    notebook(async |nb| {
        assert_snapshot!(nb.run("'a \"quoted\"\\n\\xff text'").await, @r#"result: "a \"quoted\"\n\xff text""#);
        assert_snapshot!(nb.run("{1, 2.0, 'x', true, name = 'n', [3.5] = {}, ['a b'] = 1, ['end'] = 2}").await, @r#"result: {1, 2.0, "x", true, [3.5] = {}, ["a b"] = 1, ["end"] = 2, name = "n"}"#);
        assert_snapshot!(nb.run("t = {} t.self = t; t.list = {t} return t").await, @"result: {list = {<cycle>}, self = <cycle>}");
        assert_snapshot!(nb.run("d = {} for i = 1, 20 do d = {d} end return d").await, @"result: {{{{{{{…}}}}}}}");
        assert_snapshot!(nb.run("t = {} for i = 1, 200 do t[i] = i end return t").await, @r#"
        result: {
          1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22,
          23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42,
          43, 44, 45, 46, 47, 48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62,
          63, 64, 65, 66, 67, 68, 69, 70, 71, 72, 73, 74, 75, 76, 77, 78, 79, 80, 81, 82,
          83, 84, 85, 86, 87, 88, 89, 90, 91, 92, 93, 94, 95, 96, 97, 98, 99, 100,
          … 100 more
        }
        "#);
        assert_snapshot!(nb.run("shared = {1}; return {shared, shared}").await, @"result: {{1}, {1}}");
        assert_snapshot!(nb.run("function g() end\nreturn {g, print, sleep}").await, @"result: {function: In [7]:1, function: builtin, function sleep(seconds)}");
        assert_snapshot!(nb.run("{{a = 'a long text to fill the line', b = 'another long text to fill it'}, {c = 'and more of it'}}").await, @r#"
        result: {
          {a = "a long text to fill the line", b = "another long text to fill it"},
          {c = "and more of it"}
        }
        "#);
        assert_snapshot!(nb.run("1/0, -1/0, 2^53, 1e100, math.mininteger").await, @"result: inf, -inf, 9.007199254741e+15, 1e+100, -9223372036854775808");
    });
}

#[test]
fn metamethods_say_how_a_value_is_shown() {
    notebook(async |nb| {
        assert_snapshot!(nb.run("setmetatable({}, {__tostring = function() return 'me' end})").await, @"result: me");
        assert_snapshot!(
            nb.run("setmetatable({n = 1}, {__mime = function(t) return {['text/html'] = '<b>' .. t.n .. '</b>'} end})").await,
            @"result: [text/html: <b>1</b>] {n = 1}"
        );
        assert_snapshot!(nb.run("setmetatable({}, {__mime = function() error('no luck') end})").await, @r#"
        Error: In [3]:1: no luck
          In [3]:1: in the function of line 1
            1 │ setmetatable({}, {__mime = function() error('no luck') end})
        "#);
        assert_snapshot!(nb.run("setmetatable({}, {__tostring = function() return 1 end})").await, @"result: 1");
    });
}

#[test]
fn errors_name_the_cell_and_the_line() {
    notebook(async |nb| {
        assert_snapshot!(nb.run("function f(x)\n  return x.y.z\nend").await, @"");
        assert_snapshot!(nb.run("local a = {}\n\nf(a)").await, @r#"
        Error: In [1]:2: attempt to index a nil value (field 'y')
          In [1]:2: in function 'f'
            2 │   return x.y.z
          In [2]:3: in the cell
            3 │ f(a)
        "#);
        assert_snapshot!(nb.run("x = = 1").await, @r#"
        SyntaxError: In [3]:1: unexpected symbol near '='
            1 │ x = = 1
        "#);
        assert_snapshot!(nb.run("error('plain', 0)").await, @r#"
        Error: plain
          In [4]:1: in the cell
            1 │ error('plain', 0)
        "#);
        assert_snapshot!(nb.run("error({code = 7})").await, @r#"
        Error: {code = 7}
          In [5]:1: in the cell
            1 │ error({code = 7})
        "#);
        assert_snapshot!(nb.run("error()").await, @r#"
        Error: nil, which says nothing; raise a text
          In [6]:1: in the cell
            1 │ error()
        "#);
        assert_snapshot!(nb.run("error(setmetatable({}, {__name = 'MyError', __tostring = function() return 'mine' end}))").await, @r#"
        MyError: mine
          In [7]:1: in the cell
            1 │ error(setmetatable({}, {__name = 'MyError', __tostring = function() return 'mine' end}))
        "#);
        assert_snapshot!(nb.run("error(setmetatable({}, {__tostring = function() error('worse') end}))").await, @r#"
        Error: an error object whose `__tostring` fails: In [8]:1: worse
          In [8]:1: in the cell
            1 │ error(setmetatable({}, {__tostring = function() error('worse') end}))
        "#);
        assert_snapshot!(nb.run("sleep('x')").await, @r#"
        Error: In [9]:1: bad argument #1: number expected, got string
          In [9]:1: in the cell
            1 │ sleep('x')
        "#);
        assert_snapshot!(nb.run("local co = coroutine.wrap(function() error('inside') end)\nco()").await, @r#"
        Error: In [10]:1: inside
          In [10]:2: in the cell
            2 │ co()
        "#);
        assert_snapshot!(nb.run("caller:call_soon(1)").await, @r#"
        Error: In [11]:1: bad argument #2: function expected, got integer
          In [11]:1: in the cell
            1 │ caller:call_soon(1)
        "#);
    });
}

#[test]
fn callers_are_listed() {
    notebook(async |nb| {
        let table = nb.run("%callers").await;
        assert!(table.contains("shell") && table.contains("← current"), "{table}");
        assert_snapshot!(nb.run("%nosuch\nx = 1").await, @"UsageError: `%nosuch` is not known; there is `%callers`");
    });
}

#[test]
fn globals_that_are_plain_data_go_to_another_state() {
    use caller_kernel::{lua::LuaLanguage, shell::Shell};
    notebook(async |nb| {
        nb.run("n, s, list = 1, 'text\\0', {1, {x = 2.5}} ring = {} ring.self = ring\nshared = {list, list}")
            .await;
        nb.run("f = print; mixed = {print}; meta = setmetatable({}, {})").await;
        let snapshot = nb.shell.snapshot().unwrap();
        let other = super::on_caller(async move || {
            let other = super::Notebook::new(&LuaLanguage::new());
            other.shell.restore(&snapshot);
            other.run("n, s, list, ring.self == ring, shared[1] == shared[2], f, mixed, meta").await
        });
        assert_snapshot!(other, @r#"result: 1, "text\u{0}", {1, {x = 2.5}}, true, true, nil, nil, nil"#);
    });
}

#[test]
fn keys_that_are_numbers_stand_in_order() {
    notebook(async |nb| {
        assert_snapshot!(nb.run("{[10] = 1, [30] = 2, [20] = 3, [5] = 4, [7.5] = 5, [math.maxinteger] = 6, [math.maxinteger - 1] = 7}").await, @r#"
        result: {
          [5] = 4,
          [7.5] = 5,
          [10] = 1,
          [20] = 3,
          [30] = 2,
          [9223372036854775806] = 7,
          [9223372036854775807] = 6
        }
        "#);
    });
}

#[test]
fn a_cell_has_no_arguments() {
    notebook(async |nb| {
        assert_snapshot!(nb.run("select('#', ...), {...}").await, @"result: 0, {}");
        assert_snapshot!(nb.run("f = function(...) return ... end\nf(1, nil, 3)").await, @"result: 1, nil, 3");
        assert_snapshot!(nb.run("(...)").await, @"");
    });
}

#[test]
fn a_first_line_with_a_hash_says_how_a_cell_is_run() {
    notebook(async |nb| {
        for line in ["# queue", "#\ttask", "  # thread name=x", "# timeout=1", "# caller"] {
            assert_eq!(nb.run(&format!("{line}\nreturn 1")).await, "result: 1", "{line}");
        }
        // Without a blank it is the length of something.
        assert_snapshot!(nb.run("queue = {1, 2, 3}").await, @"");
        assert_snapshot!(nb.run("#queue").await, @"result: 3");
    });
}

#[test]
fn magics_stand_at_the_head_and_in_no_comment() {
    notebook(async |nb| {
        assert_snapshot!(nb.run("--[[\n%callers\n]] return 1").await, @"result: 1");
        let table = nb.run("-- first\n--[[ and ]]\n\n%callers\nreturn 1").await;
        assert!(table.contains("← current") && table.ends_with("result: 1"), "{table}");
    });
}

#[test]
fn a_traceback_shows_code_of_the_users() {
    notebook(async |nb| {
        assert_snapshot!(nb.run("function f()\nreturn (debug.traceback('here'))\nend\nlocal ok, text = pcall(f)\nprint(text)").await, @"stdout: here⏎stack traceback:⏎	In [1]:2: in function 'f'⏎	[C]: in upvalue 'pcall'⏎	In [1]:4: in upvalue 'f'⏎	[C]: in upvalue 'xpcall'⏎");
        assert_snapshot!(nb.run("debug.traceback(coroutine.create(print), 'other'), debug.traceback({}), debug.traceback(coroutine.create(print), 5)").await, @r#"result: "other\nstack traceback:\n\t(of another coroutine: not known here)", {}, 5"#);
    });
}

#[test]
fn an_error_while_a_value_is_shown_is_told_as_any_other() {
    notebook(async |nb| {
        assert_snapshot!(nb.run("setmetatable({}, {__tostring = function()\nerror('x') end})").await, @r#"
        Error: In [1]:2: x
          In [1]:2: in the function of line 1
            2 │ error('x') end})
        "#);
        assert_snapshot!(nb.run("setmetatable({}, {__mime = function() error({code = 7}) end})").await, @r#"
        Error: {code = 7}
          In [2]:1: in the function of line 1
            1 │ setmetatable({}, {__mime = function() error({code = 7}) end})
        "#);
        assert_snapshot!(nb.run("t = setmetatable({}, {__mime = function() error({code = 7}) end})\nreturn select(2, pcall(display, t)).code").await, @"result: 7");
        // What was caught is not told again.
        assert_snapshot!(nb.run("pcall(display, t)\nreturn setmetatable({}, {__mime = {['text/html'] = {}}})").await, @"Error: data of the type text/html is a text, not a table");
        assert_snapshot!(nb.run("t = setmetatable({}, {__tostring = function(t) display(t) end}) display(t)").await, @r#"
        Error: In [5]:1: a value shows itself while it is shown; leave that out of its metamethods
          In [5]:1: in the cell
            1 │ t = setmetatable({}, {__tostring = function(t) display(t) end}) display(t)
        "#);
    });
}

#[test]
fn errors_name_no_types_of_rust() {
    notebook(async |nb| {
        let calls = [
            "caller.child(5)",
            "caller:child({})",
            "caller:child('\\255')",
            "wait({1})",
            "wait(1)",
            "as_completed({{}})",
            "comm.open({})",
            "comm.open('t', 1, 2)",
            "comm.open('t', {}, {buffers = {{}}})",
            "caller.stop(io)",
            "caller.stop(caller:call_soon(print))",
            "caller:group(print, {mode = {}})",
            "display('x', {id = {}})",
            "sleep({})",
            "Caller.named()",
        ];
        let mut texts = Vec::new();
        for call in calls {
            texts.push(format!("{call}: {}", nb.error(call).await.evalue));
        }
        assert_snapshot!(texts.join("\n"), @r#"
        caller.child(5): In [1]:1: bad argument #1: caller expected, got integer
        caller:child({}): In [2]:1: bad argument #2: string expected, got table
        caller:child('\255'): In [3]:1: bad argument #2: string in UTF-8 expected
        wait({1}): In [4]:1: bad argument #1: object expected, got integer
        wait(1): In [5]:1: bad argument #1: list expected, got integer
        as_completed({{}}): In [6]:1: bad argument #1: object expected, got table
        comm.open({}): In [7]:1: bad argument #1: string expected, got table
        comm.open('t', 1, 2): In [8]:1: bad argument #3: table expected, got integer
        comm.open('t', {}, {buffers = {{}}}): In [9]:1: string expected, got table (expected string or number)
        caller.stop(io): In [10]:1: bad argument #1: caller expected, got table
        caller.stop(caller:call_soon(print)): In [11]:1: bad argument #1: an object of another kind expected
        caller:group(print, {mode = {}}): In [12]:1: string expected, got table
        display('x', {id = {}}): In [13]:1: the id of a display is a text, or true for a new one
        sleep({}): In [14]:1: bad argument #1: number expected, got table
        Caller.named(): In [15]:1: bad argument #1: string expected, got nil
        "#);
    });
}
