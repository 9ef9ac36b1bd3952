//! An application of gio's as the host. Without a name on the bus each test has one of its own; they share the default
//! context, which one thread has at a time, so they come one after another.

use std::{
    cell::Cell,
    process::ExitCode,
    rc::Rc,
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use caller::{
    Caller, Gio, current_host,
    gio::{Application, ApplicationFlags, prelude::*},
    glib,
};
use caller_async_std::AsyncStd;
use caller_tokio::Tokio;

/// One loop of the default context at a time.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

fn plain() -> Application {
    let application = Application::new(None, ApplicationFlags::NON_UNIQUE);
    application.connect_activate(|_| {});
    application
}

fn host(make: fn() -> Application) -> Gio {
    Gio::new(make).arguments(["a test"])
}

#[test]
fn hst_06_the_end_of_the_program_is_that_of_the_application() {
    let _turn = turn();
    let host = host(plain);
    let code = host.run(Tokio::new(), async |gui: Caller| {
        let here = thread::current().id();
        assert_eq!(current_host().unwrap().name(), "gio");
        let worker = {
            let gui = gui.clone();
            gui.clone().to_thread(async move || gui.call_soon(async || thread::current().id()).await.unwrap())
        };
        // Nothing else holds it once the program has been polled.
        let _hold = Application::default().expect("it runs").hold();
        assert_eq!(worker.await.unwrap(), here);
        tokio::time::sleep(Duration::from_millis(1)).await;
        ExitCode::from(7)
    });
    assert_eq!(code.unwrap(), ExitCode::from(7));
    assert_eq!(host.exit_code(), glib::ExitCode::SUCCESS);
    assert!(current_host().is_none() && Caller::current().is_err());
    // As any host.
    let ran = caller::run(self::host(plain), AsyncStd::new(), async |_| 42);
    assert_eq!(ran.unwrap(), 42);
}

struct Drops(Rc<Cell<bool>>);

impl Drop for Drops {
    fn drop(&mut self) {
        self.0.set(true);
    }
}

#[test]
fn hst_06_an_application_that_ends_first_cancels_what_is_left() {
    let _turn = turn();
    fn quits() -> Application {
        let application = plain();
        application.connect_activate(|application| {
            // As a menu does, or the last window.
            let quits = application.clone();
            glib::idle_add_local_once(move || quits.quit());
        });
        application
    }
    let dropped = Rc::new(Cell::new(false));
    let held = Drops(dropped.clone());
    let (sender, calls) = std::sync::mpsc::channel();
    let code = host(quits).run(Tokio::new(), async move |gui: Caller| {
        let _held = held;
        let _hold = Application::default().expect("it runs").hold();
        sender.send(gui.call_soon(async || std::future::pending::<()>().await)).unwrap();
        std::future::pending::<()>().await;
    });
    assert_eq!(code.unwrap(), ExitCode::SUCCESS);
    assert!(dropped.get());
    let call = calls.recv().unwrap();
    assert!(call.wait_blocking().unwrap_err().is_closed());
    // By the general way it is an error of its own.
    let error = caller::run(host(quits), Tokio::new(), async |_| {
        let _hold = Application::default().expect("it runs").hold();
        std::future::pending::<()>().await;
    });
    let error = error.unwrap_err();
    assert!(error.is_host_ended() && error.is_host(), "{error}");
}

#[test]
fn hst_06_nobody_holds_it() {
    let _turn = turn();
    // Without a window it ends when the program first waits.
    let code = host(plain).run(Tokio::new(), async |_| std::future::pending::<()>().await);
    assert_eq!(code.unwrap(), ExitCode::SUCCESS);
}

#[test]
fn hst_06_its_command_line_decides() {
    let _turn = turn();
    fn parses() -> Application {
        let application =
            Application::new(None, ApplicationFlags::NON_UNIQUE | ApplicationFlags::HANDLES_COMMAND_LINE);
        application.connect_command_line(|_, line| {
            let wrong = line.arguments().iter().any(|argument| argument == "--wrong");
            glib::ExitCode::from(if wrong { 3 } else { 0 })
        });
        application
    }
    let host = Gio::new(parses).arguments(["a test", "--wrong"]);
    let code = host.run(Tokio::new(), async |_| std::future::pending::<()>().await);
    assert_eq!(code.unwrap(), ExitCode::from(3));
    assert_eq!(host.exit_code().get(), 3);
}

#[test]
fn hst_06_a_panic_comes_out_and_the_loop_is_free() {
    let _turn = turn();
    let host = host(plain);
    let ran = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        host.run(Tokio::new(), async |_| -> () { panic!("on purpose") })
    }));
    assert_eq!(ran.unwrap_err().downcast_ref(), Some(&"on purpose"));
    // While another thread has the loop, it is an error.
    let held = glib::MainContext::default();
    let held = held.acquire().unwrap();
    let elsewhere = host.clone();
    let elsewhere =
        thread::spawn(move || elsewhere.run(Tokio::new(), async |_| ()).map_err(|error| error.is_host()));
    assert_eq!(elsewhere.join().unwrap(), Err(true));
    drop(held);
    assert_eq!(host.run(Tokio::new(), async |_| ()).unwrap(), ExitCode::SUCCESS);
}
