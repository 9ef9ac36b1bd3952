//! What the program exposes.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use caller::Caller;
use caller_kernel::lua::{Exposed, Json, LuaLanguage};
use caller_tokio::Tokio;
use insta::assert_snapshot;

use super::{Notebook, notebook_of, on_caller};

fn exposed() -> Exposed {
    Exposed::new()
        .function("add", "add(a, b)\nThe sum.", |(a, b): (i64, i64)| a + b)
        .try_function("port", "port(text)\nA port.", |text: String| text.parse::<u16>())
        .function("swap", "Swaps.", |Json((x, y)): Json<(f64, f64)>| {
            Json(BTreeMap::from([("x", y), ("y", x)]))
        })
        .function("panics", "", |()| -> i64 { panic!("oh no") })
        .async_function("thread_name", "", async |()| thread::current().name().map(str::to_owned))
        .try_async_function("later", "later(text)", async |text: String| {
            tokio::task::yield_now().await;
            if text.is_empty() { Err("the text is empty") } else { Ok(text + "!") }
        })
        .async_function("panics_later", "", async |()| -> i64 {
            tokio::task::yield_now().await;
            panic!("oh later")
        })
        .value("limits.users", "How many users there may be.", 20)
}

#[test]
fn functions_of_the_program_are_called_like_those_of_lua() {
    notebook_of(LuaLanguage::new().expose(exposed()), async |nb| {
        assert_snapshot!(nb.run("add(1, 2), port('80'), swap{1, 2}, limits").await, @"result: 3, 80, {x = 2.0, y = 1.0}, {users = 20}");
        assert_snapshot!(nb.run("later('x')").await, @r#"result: "x!""#);
        assert_snapshot!(nb.run("later('')").await, @r#"
        Error: In [3]:1: the text is empty
          In [3]:1: in the cell
            1 │ later('')
        "#);
        assert_snapshot!(nb.run("port('x')").await, @r#"
        Error: In [4]:1: invalid digit found in string
          In [4]:1: in the cell
            1 │ port('x')
        "#);
        assert_snapshot!(nb.run("add(1, {})").await, @r#"
        Error: In [5]:1: bad argument #2: integer expected, got table
          In [5]:1: in the cell
            1 │ add(1, {})
        "#);
        assert_snapshot!(nb.run("pcall(panics)").await, @r#"result: false, "In [6]:1: panicked: oh no""#);
        assert_snapshot!(nb.run("panics()").await, @r#"
        Error: In [7]:1: panicked: oh no
          In [7]:1: in the cell
            1 │ panics()
        "#);
        assert_snapshot!(nb.run("panics_later()").await, @r#"
        Error: In [8]:1: panicked: oh later
          In [8]:1: in the cell
            1 │ panics_later()
        "#);
        assert_snapshot!(nb.run("('ab'):gsub('.', function(c) return add(string.byte(c), 0) end)").await, @r#"result: "9798", 2"#);
    });
}

#[test]
fn exposed_functions_run_on_other_threads() {
    notebook_of(LuaLanguage::new().expose(exposed()), async |nb| {
        let name = nb.run("thread_name()").await;
        assert_eq!(name, "result: \"shell\"");
        let name = nb.run("caller:child('other'):call_soon(thread_name):wait()").await;
        assert_eq!(name, "result: \"other\"");
        let name = nb.run("local p = caller:to_thread(thread_name) return p:wait()").await;
        assert!(!name.contains("shell"), "{name}");
        assert_snapshot!(nb.run("caller:to_thread(later, 'a'):wait(), caller:child('other'):call_soon(add, 1, 2):wait()").await, @r#"result: "a!", 3"#);
        assert_snapshot!(nb.run("local p = caller:to_thread(later, '') p:wait()").await, @r#"
        Error: the text is empty
          In [5]:1: in the cell
            1 │ local p = caller:to_thread(later, '') p:wait()
        "#);
    });
}

#[test]
fn functions_that_are_bound_to_a_caller_run_in_its_thread() {
    thread_local! {
        static TITLE: RefCell<String> = const { RefCell::new(String::new()) };
    }
    let gui = Caller::builder().name("gui").backend(Tokio::new()).spawn().unwrap();
    let on_gui = Exposed::new()
        .function("gui.set_title", "set_title(text)\nSets the title.", |text: String| TITLE.set(text))
        .function("gui.title", "", |()| {
            TITLE.with_borrow(|title| format!("{title} in {:?}", thread::current().name()))
        });
    let language = LuaLanguage::new().expose(Exposed::new().on(&gui, on_gui));
    on_caller(async move || {
        let nb = Notebook::new(&language);
        nb.run("gui.set_title('hello')").await;
        assert_snapshot!(nb.run("gui.title()").await, @r#"result: "hello in Some(\"gui\")""#);
        gui.stop();
        gui.stopped().await;
        assert_snapshot!(nb.run("gui.title()").await, @r#"
        Error: In [3]:1: cancelled: the caller "gui" has stopped
          In [3]:1: in the cell
            1 │ gui.title()
        "#);
    });
}

#[test]
fn a_panic_of_code_that_bypasses_the_registry_ends_the_cell_alone() {
    let language = LuaLanguage::new().setup(|lua| {
        lua.globals().set("wild", lua.create_function(|_, ()| -> mlua::Result<()> { panic!("wild") })?)
    });
    notebook_of(language, async |nb| {
        nb.run("x = 1").await;
        assert_snapshot!(nb.run("wild()").await, @r#"
        Panic: panicked: wild
          In [2]:1: in the cell
            1 │ wild()
        "#);
        assert_snapshot!(nb.run("pcall(wild)").await, @"Panic: panicked: wild");
        assert_snapshot!(nb.run("x").await, @"result: 1");
    });
}

/// Says when it is dropped.
struct Dropped(Arc<AtomicBool>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[test]
fn a_cell_that_is_dropped_drops_what_it_waits_for() {
    let dropped = Arc::new(AtomicBool::new(false));
    let exposed = Exposed::new().async_function("forever", "", {
        let dropped = dropped.clone();
        async move |()| {
            let _dropped = Dropped(dropped.clone());
            std::future::pending::<()>().await;
        }
    });
    notebook_of(LuaLanguage::new().expose(exposed), async move |nb| {
        for code in [
            "local c <close> = setmetatable({}, {__close = function() print('closed') end}) forever()",
            "local c <close> = setmetatable({}, {__close = function() print('closed') end}) coroutine.wrap(forever)()",
            "local c <close> = setmetatable({}, {__close = function() print('closed') while true do end end}) forever()",
        ] {
            let mut cell = nb.execute(code);
            assert!(futures::poll!(&mut cell).is_pending());
            assert!(!dropped.swap(false, Ordering::SeqCst));
            drop(cell);
            assert!(dropped.swap(false, Ordering::SeqCst), "{code}");
            let told = nb.output.take();
            assert!(told.starts_with("stdout: closed⏎"), "{told}");
            assert_eq!(told.contains("took too long to clean up"), code.contains("while true"), "{told}");
            assert_eq!(nb.run("1").await, "result: 1");
        }
    });
}
