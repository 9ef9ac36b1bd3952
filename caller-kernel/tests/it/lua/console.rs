//! What cells print, show and ask; comms.

use caller_kernel::shell::{CommMessage, OUTPUT, Shell};
use insta::assert_snapshot;
use serde_json::json;

use super::notebook;

#[test]
fn printing_goes_to_the_streams_of_the_cell() {
    notebook(async |nb| {
        assert_snapshot!(nb.run("print('ä', nil, 1.0, true)\nio.write('a', 1, '\\n'):write('b')").await, @r#"
        stdout: ä	nil	1.0	true
        a1
        b
        "#);
        assert_snapshot!(nb.run("io.stderr:write('oh\\n')\nio.stdout:write('x')").await, @r#"
        stderr: oh⏎
        stdout: x
        "#);
        assert_snapshot!(nb.run("print(setmetatable({}, {__tostring = function() return 'T' end}))").await, @"stdout: T⏎");
        assert_snapshot!(nb.run("io.write({})").await, @r#"
        Error: In [4]:1: bad argument #1 to 'write' (string expected, got table)
          In [4]:1: in the cell
            1 │ io.write({})
        "#);
        assert_snapshot!(nb.run("clear_output(true)").await, @"clear: wait=true");
    });
}

#[test]
fn displays_are_shown_and_changed() {
    notebook(async |nb| {
        assert_snapshot!(nb.run("display({1, 2})").await, @"display: {1, 2}");
        assert_snapshot!(nb.run("display.html('<b>x</b>')\ndisplay.png('\\x89PNG')").await, @r#"
        display: [text/html: <b>x</b>] <html>
        display: [image/png: iVBORw==] <png>
        "#);
        assert_snapshot!(nb.run("display.vegalite{mark = 'bar'}").await, @r#"display: [application/vnd.vegalite.v5+json: {"$schema":"https://vega.github.io/schema/vega-lite/v5.json","mark":"bar"}] <vegalite>"#);
        assert_snapshot!(nb.run("display({['text/plain'] = 'p', ['image/svg+xml'] = '<svg/>'}, {id = 'one'});").await, @"display (one): [image/svg+xml: <svg/>] p");
        assert_snapshot!(nb.run("update_display('two', 'one')\nlocal h = display('a', {id = true})\nh:update('b')\nreturn h.id ~= nil").await, @r#"
        update (one): "two"
        display (id): "a"
        update (id): "b"
        result: true
        "#);
        assert_snapshot!(nb.run("update_display('x')").await, @r#"
        Error: In [6]:1: update_display needs the id under which something was shown
          In [6]:1: in the cell
            1 │ update_display('x')
        "#);
        assert_snapshot!(nb.run("local p = progress(4, 'a<b')\np:step(2)\np:set(4)").await, @r#"
        display (id): [text/html: <div>a&lt;b <progress value="0" max="4"></progress> 0/4</div>] a<b ░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░   0% 0/4
        update (id): [text/html: <div>a&lt;b <progress value="4" max="4"></progress> 4/4</div>] a<b ██████████████████████████████ 100% 4/4
        "#);
    });
}

#[test]
fn input_is_waited_for() {
    notebook(async |nb| {
        nb.output.answer("Ada");
        nb.output.answer("secret");
        assert_snapshot!(nb.run("local name = input('name? ')\nreturn name, getpass('pw? ')").await, @r#"
        input: name? 
        password: pw? 
        result: "Ada", "secret"
        "#);
    });
}

#[test]
fn comms_go_both_ways() {
    notebook(async |nb| {
        assert_snapshot!(nb.run("c = comm.open('slider', {value = 1})\nc:send({value = 2}, {buffers = {'x'}})").await, @r#"
        comm_open: … slider {"value":1}
        comm_msg: … {"value":2} +1
        "#);
        nb.run("comm.register_target('echo', function(c, data) c:on_msg(function(d) c:send(d) end) c:on_close(function() print('bye') end) print('open', data.n) end)").await;
        let shell = &nb.shell;
        let there = OUTPUT.scope(nb.output.clone(), async {
            assert!(shell.comm_open("1", "echo", CommMessage::new(json!({"n": 3}))).await);
            assert!(!shell.comm_open("2", "nosuch", CommMessage::default()).await);
            shell.comm_message("1", CommMessage::new(json!({"list": [1, null, {"x": []}]}))).await;
            shell.comm_message("9", CommMessage::default()).await;
            let open = shell.comms(Some("echo"));
            shell.comm_close("1", CommMessage::default()).await;
            open.len()
        });
        assert_eq!(there.await, 1);
        assert_snapshot!(nb.output.take(), @r#"
        stdout: open	3⏎
        comm_msg: 1 {"list":[1,null,{"x":[]}]} +0
        stdout: bye⏎
        "#);
        assert_eq!(shell.comms(None).len(), 1);
        assert_snapshot!(nb.run("c:close()\nc:close()").await, @"comm_close: … {}");
        assert!(shell.comms(None).is_empty());
    });
}

#[test]
fn comm_messages_are_handled_while_a_cell_waits() {
    notebook(async |nb| {
        nb.run("comm.register_target('t', function(c) c:on_msg(function(d) seen = d end) end)").await;
        let shell = &nb.shell;
        assert!(shell.comm_open("1", "t", CommMessage::default()).await);
        let waits = nb.run("while not seen do sleep(0) end\nreturn seen");
        let sends = async {
            shell.comm_message("1", CommMessage::new("here")).await;
            std::future::pending::<()>().await;
        };
        let given = futures::future::select(Box::pin(waits), Box::pin(sends)).await;
        let futures::future::Either::Left((given, _)) = given else { panic!("the cell should end") };
        assert_snapshot!(given, @r#"result: "here""#);
    });
}

#[test]
fn data_is_of_the_kind_that_its_type_says() {
    notebook(async |nb| {
        // Front ends refuse a notebook in which this is a number or a list.
        assert_snapshot!(nb.run("display({['text/plain'] = 5})").await, @"display: 5");
        assert_snapshot!(nb.run("display.html({1, 2})").await, @r#"
        Error: In [2]:1: data of the type text/html is a text, not a table
          In [2]:1: in the cell
            1 │ display.html({1, 2})
        "#);
        assert_snapshot!(nb.run("setmetatable({}, {__mime = function() return {['text/html'] = {}} end})").await, @"Error: data of the type text/html is a text, not a table");
    });
}

#[test]
fn text_that_is_not_utf8_stays_text() {
    notebook(async |nb| {
        assert_snapshot!(nb.run("display({['text/html'] = 'a\\255', ['image/svg+xml'] = '\\u{D800}'})").await, @"display: [image/svg+xml: ���] [text/html: a�]");
        assert_snapshot!(nb.run("display.json('\\255')").await, @r#"display: [application/json: �] <json>"#);
        assert_snapshot!(nb.run("display({['application/x'] = '\\255'})").await, @"display: [application/x: /w==]");
    });
}

#[test]
fn no_entry_of_a_table_is_lost_in_json() {
    notebook(async |nb| {
        assert_snapshot!(nb.run("display.json({1, 2, x = 3})").await, @r#"
        Error: In [1]:1: the key x is lost in JSON, where its table is a list; a list has the keys from 1 on, an object texts
          In [1]:1: in the cell
            1 │ display.json({1, 2, x = 3})
        "#);
        assert_snapshot!(nb.run("display.json({[1] = 1, [3] = 3})").await, @r#"
        Error: In [2]:1: the key 3 is lost in JSON, where its table is a list; a list has the keys from 1 on, an object texts
          In [2]:1: in the cell
            1 │ display.json({[1] = 1, [3] = 3})
        "#);
        assert_snapshot!(nb.run("display.json({a = {x = 1, [7] = 1}})").await, @r#"
        Error: In [3]:1: the key 7 is lost in JSON, where its table is an object; a list has the keys from 1 on, an object texts
          In [3]:1: in the cell
            1 │ display.json({a = {x = 1, [7] = 1}})
        "#);
        assert_snapshot!(nb.run("local t = {} t.t = t display.json(t)").await, @r#"
        Error: In [4]:1: for JSON, tables stand too deep within each other, or in a cycle
          In [4]:1: in the cell
            1 │ local t = {} t.t = t display.json(t)
        "#);
        assert_snapshot!(nb.run("display.json({a = print})").await, @r#"
        Error: In [5]:1: JSON has no function
          In [5]:1: in the cell
            1 │ display.json({a = print})
        "#);
        assert_snapshot!(nb.run("display.json({a = {1, 2.5, 'x', true, {b = 0/0}}})").await, @r#"display: [application/json: {"a":[1,2.5,"x",true,{"b":null}]}] <json>"#);
        assert_snapshot!(nb.run("comm.open('t', {1, x = {}})").await, @r#"
        Error: In [7]:1: the key x is lost in JSON, where its table is a list; a list has the keys from 1 on, an object texts
          In [7]:1: in the cell
            1 │ comm.open('t', {1, x = {}})
        "#);
        assert_snapshot!(nb.run("comm.open('t', {}, {metadata = {1}})").await, @r#"
        Error: In [8]:1: a list stands where a table with texts as keys is due
          In [8]:1: in the cell
            1 │ comm.open('t', {}, {metadata = {1}})
        "#);
    });
}

#[test]
fn a_list_may_be_empty() {
    notebook(async |nb| {
        assert_snapshot!(nb.run("display.json({a = display.list{}, b = display.list{1}, c = {}})").await, @r#"display: [application/json: {"a":[],"b":[1],"c":{}}] <json>"#);
        assert_snapshot!(nb.run("display.vegalite({data = {values = {}}, layer = {{data = {values = {}}}}, mark = 'bar'})").await, @r#"display: [application/vnd.vegalite.v5+json: {"$schema":"https://vega.github.io/schema/vega-lite/v5.json","data":{"values":[]},"layer":[{"data":{"values":[]}}],"mark":"bar"}] <vegalite>"#);
    });
}

#[test]
fn warnings_are_seen_when_they_are_on() {
    notebook(async |nb| {
        assert_snapshot!(nb.run("warn('unseen') warn('@on') warn('see', 'n') warn('@other') warn('@off') warn('unseen')").await, @"stderr: Lua warning: seen⏎");
    });
}

#[test]
fn reading_asks_the_front_end_for_what_is_wanted() {
    notebook(async |nb| {
        for answer in ["  0x1F, 2.5e1x", "rest", "line", "whole", "abcdef", "a", "b", ""] {
            nb.output.answer(answer);
        }
        assert_snapshot!(nb.run("return io.read('n', 1, 'n', 'l')").await, @r#"
        input: 
        result: 31, ",", 25.0, "x"
        "#);
        assert_snapshot!(nb.run("return io.read(), io.read('L'), io.stdin:read('*l')").await, @r#"
        input: 
        input: 
        input: 
        result: "rest", "line\n", "whole"
        "#);
        assert_snapshot!(nb.run("return io.read(3), io.read(0), io.read()").await, @r#"
        input: 
        result: "abc", "", "def"
        "#);
        assert_snapshot!(nb.run("return io.read('a')").await, @r#"
        input: 
        input: 
        input: 
        result: "a\nb\n"
        "#);
        nb.output.answer("no number");
        assert_snapshot!(nb.run("return tostring(io.read('n', 'l'))").await, @r#"
        input: 
        result: "nil"
        "#);
        nb.output.answer("one");
        assert_snapshot!(nb.run("for line in io.lines() do return line end").await, @r#"result: "no number""#);
        assert_snapshot!(nb.run("io.read('x')").await, @r#"
        Error: In [7]:1: invalid format: read "n", "l", "L", "a" or a number of bytes
          In [7]:1: in the cell
            1 │ io.read('x')
        "#);
        assert_snapshot!(nb.run("io.type(io.stdin), io.input() == io.stdin, tostring(io.stdin)").await, @r#"result: "file", true, "stream (stdin)""#);
    });
}

#[test]
fn files_take_the_place_of_the_streams() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file").to_str().unwrap().to_owned();
    notebook(async move |nb| {
        assert_snapshot!(nb.run(&format!("path = {path:?} io.output(path) io.write('in the file') io.close() io.output(io.stdout) io.write('here')")).await, @"stdout: here");
        assert_snapshot!(nb.run("io.input(path) return io.read('a')").await, @r#"result: "in the file""#);
        // The error is the cell's.
        assert_snapshot!(nb.run("io.input():close() io.read()").await, @r#"
        Error: In [3]:1: attempt to use a closed file
          In [3]:1: in the cell
            1 │ io.input():close() io.read()
        "#);
        assert_snapshot!(nb.run("return pcall(io.read)").await, @r#"result: false, "In [4]:1: attempt to use a closed file""#);
    });
}

#[test]
fn a_progress_bar_shows_where_it_stopped() {
    notebook(async |nb| {
        let stopped = "local p = progress(100)\nfor i = 1, 50 do p:step() end";
        for code in [
            stopped.to_owned(),
            format!("{stopped} error('early')"),
            format!("caller:call_soon(function() {stopped} end):wait()"),
        ] {
            let shown = nb.run(&code).await;
            let last = shown.lines().rfind(|line| line.starts_with("update"));
            assert!(last.is_some_and(|line| line.contains("50/100")), "{shown}");
        }
        assert_eq!(nb.run("1").await, "result: 1");
    });
}
