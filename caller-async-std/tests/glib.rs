//! A real main loop of glib's as the host, with both backends in its thread.

use std::{cell::Cell, rc::Rc, thread, time::Duration};

use async_std::task;
use caller::{
    Caller, Glib, Resolver, current_host,
    glib::{self, ControlFlow, MainContext},
    host_named,
};
use caller_async_std::AsyncStd;
use caller_tokio::Tokio;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// Each test has a context of its own, since they run in threads of one process.
fn own() -> Glib {
    Glib::new().context(MainContext::new())
}

/// A TCP stream of tokio's, in the thread of the loop.
async fn echo() -> u32 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::task::spawn_local(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let word = stream.read_u32().await.unwrap();
        stream.write_u32(word + 1).await.unwrap();
    });
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_u32(41).await.unwrap();
    let word = stream.read_u32().await.unwrap();
    server.await.unwrap();
    word
}

#[test]
fn gst_05_both_backends_and_the_loop_make_progress() {
    let ran = caller::run(own(), Tokio::new(), async |gui: Caller| {
        let here = thread::current().id();
        assert_eq!(current_host().unwrap().name(), "glib");
        // A source of glib's own, as a widget has it.
        let ticks = Rc::new(Cell::new(0));
        let ticking = ticks.clone();
        let source = glib::timeout_source_new(
            Duration::from_millis(1),
            None,
            glib::Priority::DEFAULT,
            // The callback has to be `Send`, and runs in this thread all the same.
            {
                let ticking = glib::thread_guard::ThreadGuard::new(ticking);
                move || {
                    ticking.get_ref().set(ticking.get_ref().get() + 1);
                    ControlFlow::Continue
                }
            },
        );
        source.attach(Some(&MainContext::thread_default().expect("the loop's")));
        let guest = gui.call_using_backend(AsyncStd::new(), async move || {
            for _ in 0..5 {
                task::sleep(Duration::from_millis(1)).await;
                assert_eq!(thread::current().id(), here);
            }
            task::current().id()
        });
        let worker = {
            let gui = gui.clone();
            gui.clone().to_thread(async move || gui.call_soon(async || thread::current().id()).await.unwrap())
        };
        assert_eq!(echo().await, 42);
        assert_eq!(worker.await.unwrap(), here);
        guest.unwrap().await.unwrap();
        while ticks.get() < 3 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        source.destroy();
        "closed"
    });
    assert_eq!(ran.unwrap(), "closed");
    assert!(current_host().is_none() && Caller::current().is_err());
}

#[test]
fn hst_01_async_std_in_the_loop() {
    let ran = caller::run(own(), AsyncStd::new(), async |gui: Caller| {
        let guest = gui.call_using_backend(Tokio::new(), async || echo().await);
        task::sleep(Duration::from_millis(1)).await;
        guest.unwrap().await.unwrap()
    });
    assert_eq!(ran.unwrap(), 42);
}

#[test]
fn hst_05_a_panic_comes_out_and_the_context_is_free() {
    let context = MainContext::new();
    let host = Glib::new().context(context.clone());
    let ran = std::panic::catch_unwind({
        let host = std::panic::AssertUnwindSafe(host.clone());
        move || caller::run(host.0.clone(), Tokio::new(), async |_| panic!("on purpose"))
    });
    assert_eq!(ran.unwrap_err().downcast_ref(), Some(&"on purpose"));
    assert!(context.acquire().is_ok());
    // Another loop has the context: an error, and no hang.
    let held = context.clone();
    let (sender, taken) = std::sync::mpsc::channel();
    let (free, freed) = std::sync::mpsc::channel::<()>();
    let other = thread::spawn(move || {
        let _held = held.acquire().unwrap();
        sender.send(()).unwrap();
        let _gone = freed.recv();
    });
    taken.recv().unwrap();
    let error = caller::run(host.clone(), Tokio::new(), async |_| ()).unwrap_err();
    assert!(error.is_host(), "{error}");
    drop(free);
    other.join().unwrap();
    assert_eq!(caller::run(host, Tokio::new(), async |_| 1).unwrap(), 1);
}

#[test]
fn a_busy_program_leaves_the_loop_alive() {
    let ran = caller::run(own(), Tokio::new(), async |_| {
        let drawn = Rc::new(Cell::new(false));
        let flag = glib::thread_guard::ThreadGuard::new(drawn.clone());
        // As GTK draws: after events, before what is idle.
        let source =
            glib::timeout_source_new(Duration::from_millis(1), None, glib::Priority::HIGH_IDLE, move || {
                flag.get_ref().set(true);
                ControlFlow::Break
            });
        source.attach(Some(&MainContext::thread_default().expect("the loop's")));
        // It never lets go, and never ends by itself.
        while !drawn.get() {
            tokio::task::yield_now().await;
        }
    });
    ran.unwrap();
}

/// As a program of GTK has it, whose windows are drawn by sources of the default context.
#[test]
fn by_default_it_is_the_loop_that_draws_windows() {
    let ran = caller::run(Glib::new(), Tokio::new(), async |_| {
        assert!(MainContext::default().is_owner(), "the loop of another context runs");
        let (resolver, drawn) = Resolver::<()>::new();
        glib::idle_add_local_once(move || resolver.resolve(()).unwrap());
        drawn.await.is_ok()
    });
    assert!(ran.unwrap());
}

#[test]
fn by_its_name() {
    assert_eq!(host_named("glib").unwrap().name(), "glib");
}
