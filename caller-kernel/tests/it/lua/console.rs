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
