//! What cells print, show and ask; comms.

use caller_kernel::shell::{CommMessage, OUTPUT, Shell};
use insta::assert_snapshot;
use serde_json::json;

use super::notebook;

#[test]
fn printing_goes_to_the_streams_of_the_cell() {
    notebook(async |nb| {
        assert_snapshot!(nb.run("print('ä', nil, 1.0, true)\nio.write('a', 1, '\\n'):write('b')").await, @"");
        assert_snapshot!(nb.run("io.stderr:write('oh\\n')\nio.stdout:write('x')").await, @"");
        assert_snapshot!(nb.run("print(setmetatable({}, {__tostring = function() return 'T' end}))").await, @"");
        assert_snapshot!(nb.run("io.write({})").await, @"");
        assert_snapshot!(nb.run("clear_output(true)").await, @"");
    });
}

#[test]
fn displays_are_shown_and_changed() {
    notebook(async |nb| {
        assert_snapshot!(nb.run("display({1, 2})").await, @"");
        assert_snapshot!(nb.run("display.html('<b>x</b>')\ndisplay.png('\\x89PNG')").await, @"");
        assert_snapshot!(nb.run("display.vegalite{mark = 'bar'}").await, @"");
        assert_snapshot!(nb.run("display({['text/plain'] = 'p', ['image/svg+xml'] = '<svg/>'}, {id = 'one'});").await, @"");
        assert_snapshot!(nb.run("update_display('two', 'one')\nlocal h = display('a', {id = true})\nh:update('b')\nreturn h.id ~= nil").await, @"");
        assert_snapshot!(nb.run("update_display('x')").await, @"");
        assert_snapshot!(nb.run("local p = progress(4, 'a<b')\np:step(2)\np:set(4)").await, @"");
    });
}

#[test]
fn input_is_waited_for() {
    notebook(async |nb| {
        nb.output.answer("Ada");
        nb.output.answer("secret");
        assert_snapshot!(nb.run("local name = input('name? ')\nreturn name, getpass('pw? ')").await, @"");
    });
}

#[test]
fn comms_go_both_ways() {
    notebook(async |nb| {
        assert_snapshot!(nb.run("c = comm.open('slider', {value = 1})\nc:send({value = 2}, {buffers = {'x'}})").await, @r#"
        comm_open: … slider {"value":1}
        Error: In [1]:1: metamethod __metatable is restricted
          In [1]:1: in the cell
            1 │ c = comm.open('slider', {value = 1})
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
        assert_snapshot!(nb.output.take(), @"");
        assert_eq!(shell.comms(None).len(), 1);
        assert_snapshot!(nb.run("c:close()\nc:close()").await, @"");
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
        assert_snapshot!(given, @"");
    });
}
