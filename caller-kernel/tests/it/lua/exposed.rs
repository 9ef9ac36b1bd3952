//! What the program exposes.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use caller::{AsyncEvent, Caller, Resident};
use caller_kernel::lua::{Exposed, Json, LuaLanguage, Methods};
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

/// A value that is not `Send`, in a thread of its own.
fn lines() -> (Caller, Resident<Lines>) {
    let db = Caller::builder().name("db").backend(Tokio::new()).spawn().unwrap();
    let lines = db.resident(async || Lines::default()).wait_blocking().unwrap();
    (db, lines)
}

type Lines = Rc<RefCell<Vec<String>>>;

/// Sets the event when it is dropped.
struct Tells(AsyncEvent);

impl Drop for Tells {
    fn drop(&mut self) {
        self.0.set();
    }
}

#[test]
fn methods_are_given_the_value_of_a_resident_in_its_thread() {
    let (db, lines) = lines();
    let methods = Methods::<Lines>::new()
        .function("lines.count", "lines.count()", |lines, ()| lines.borrow().len())
        .try_function("lines.number", "lines.number(at)", |lines, at: usize| {
            lines.borrow().get(at).map_or("no such line", |line| line).parse::<u16>()
        })
        .function_mut("lines.add", "lines.add(text, times)", |lines, (text, times): (String, usize)| {
            lines.borrow_mut().extend(vec![text; times]);
        })
        .try_function_mut("lines.take", "lines.take()", |lines, ()| {
            lines.borrow_mut().pop().ok_or("there is no line")
        })
        .async_function("lines.thread", "lines.thread()", async |_, ()| {
            tokio::task::yield_now().await;
            thread::current().name().map(str::to_owned)
        })
        .try_async_function("lines.later", "lines.later()", async |lines, ()| {
            tokio::task::yield_now().await;
            if lines.borrow().is_empty() { Err("there is no line") } else { Ok(Json(lines.borrow().clone())) }
        })
        .async_function_mut("lines.clear", "lines.clear()", async |lines, ()| *lines = Lines::default())
        .try_async_function_mut("lines.fail", "lines.fail()", async |_, ()| Err::<(), _>("as asked"))
        .function("lines.panic", "lines.panic()", |_, ()| -> i64 { panic!("oh no") });
    let language = LuaLanguage::new().expose(Exposed::new().on(&lines, methods));
    on_caller(async move || {
        let nb = Notebook::new(&language);
        assert_snapshot!(nb.run("lines.thread(), lines.count()").await, @r#"result: "db", 0"#);
        nb.run("lines.add('7', 2)").await;
        assert_snapshot!(nb.run("lines.count(), lines.later(), lines.number(1), lines.take(), lines.count()").await, @r#"result: 2, {"7", "7"}, 7, "7", 1"#);
        nb.run("lines.clear()").await;
        for (code, told) in [
            ("lines.take()", "there is no line"),
            ("lines.later()", "there is no line"),
            ("lines.fail()", "as asked"),
            ("lines.number(0)", "invalid digit found in string"),
            ("lines.panic()", "panicked: oh no"),
            ("lines.add('x', 'many')", "bad argument #2: "),
        ] {
            let error = nb.error(code).await;
            assert!(error.evalue.contains(told), "{code}: {}", error.evalue);
        }
        // They are called on other threads too.
        assert_snapshot!(nb.run("lines.add('a', 3) local p = caller:to_thread(lines.count) return p:wait()").await, @"result: 3");
        lines.close().await.unwrap();
        let error = nb.error("lines.count()").await;
        assert!(error.evalue.ends_with("has ended"), "{}", error.evalue);
        db.stop();
        db.stopped().await;
    });
}

#[test]
fn a_cell_that_is_dropped_cancels_its_call_of_a_resident() {
    let (db, lines) = lines();
    let dropped = AsyncEvent::new();
    let methods = Methods::<Lines>::new()
        .async_function_mut("lines.forever", "lines.forever()", {
            let dropped = dropped.clone();
            async move |_, ()| {
                let _tells = Tells(dropped.clone());
                std::future::pending::<()>().await;
            }
        })
        .function("lines.count", "lines.count()", |lines, ()| lines.borrow().len());
    let language = LuaLanguage::new().expose(Exposed::new().on(&lines, methods));
    on_caller(async move || {
        let nb = Notebook::new(&language);
        let mut cell = nb.execute("lines.forever()");
        assert!(futures::poll!(&mut cell).is_pending());
        // Behind it in the thread of the value, so that has begun.
        db.call_soon(async || ()).await.unwrap();
        assert!(!dropped.is_set());
        drop(cell);
        dropped.wait().await;
        // The next call has its turn.
        assert_snapshot!(nb.run("lines.count()").await, @"result: 0");
        db.stop();
        db.stopped().await;
    });
}

#[test]
fn a_function_may_give_a_pending() {
    let (db, lines) = lines();
    let exposed = Exposed::new()
        .pending_function("push", "push(text)", {
            let lines = lines.clone();
            move |text: String| lines.call_mut(async |lines| lines.borrow_mut().push(text))
        })
        .pending_function("pop", "pop()", {
            let lines = lines.clone();
            move |()| lines.try_call_mut(async |lines| lines.borrow_mut().pop().ok_or("there is no line"))
        });
    let language = LuaLanguage::new().expose(exposed);
    on_caller(async move || {
        let nb = Notebook::new(&language);
        assert_snapshot!(nb.run("push('x') return pop()").await, @r#"result: "x""#);
        assert_snapshot!(nb.run("pop()").await, @r#"
        Error: In [2]:1: there is no line
          In [2]:1: in the cell
            1 │ pop()
        "#);
        db.stop();
        db.stopped().await;
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
