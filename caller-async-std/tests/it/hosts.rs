//! Callers under a host: loops of our own, built on a channel or on the other backend.

use std::{
    cell::RefCell,
    rc::Rc,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    task::{Context, Wake, Waker},
    thread,
    time::Duration,
};

use async_std::task;
use caller::{
    Backend, BoxError, Caller, Host, LocalFuture, Pending, current_host, host_named, testing::Manual,
};
use caller_async_std::AsyncStd;
use caller_tokio::Tokio;

use crate::loops::{Loop, ON_ASYNC_STD, ON_TOKIO, runtime};

/// A loop over messages; it counts those that wake the program, and ends when it is told to.
#[derive(Clone, Debug, Default)]
struct Messages {
    turns: Arc<AtomicUsize>,
    quit: Arc<Mutex<Option<mpsc::Sender<bool>>>>,
}

struct Poke(mpsc::Sender<bool>);

impl Wake for Poke {
    fn wake(self: Arc<Self>) {
        let _the_loop_has_ended = self.0.send(true);
    }
}

impl Messages {
    fn quit(&self) {
        self.quit.lock().unwrap().as_ref().unwrap().send(false).unwrap();
    }
}

impl Host for Messages {
    fn name(&self) -> &'static str {
        "messages"
    }

    fn run(&self, mut program: LocalFuture<'static>) -> Result<(), BoxError> {
        let (sender, messages) = mpsc::channel();
        *self.quit.lock().unwrap() = Some(sender.clone());
        let waker = Waker::from(Arc::new(Poke(sender)));
        let mut go_on = true;
        while go_on && program.as_mut().poll(&mut Context::from_waker(&waker)).is_pending() {
            go_on = messages.recv()?;
            self.turns.fetch_add(1, Ordering::SeqCst);
        }
        Ok(())
    }
}

/// In a thread of its own, since a thread of the harness is not ours, and so that thread-locals are gone with it.
fn in_thread<R: Send + 'static>(function: impl FnOnce() -> R + Send + 'static) -> R {
    thread::spawn(function).join().unwrap_or_else(|payload| std::panic::resume_unwind(payload))
}

async fn sleep_on(backend: &str) {
    match backend {
        "tokio" => tokio::time::sleep(Duration::from_millis(1)).await,
        _ => {
            assert!(task::try_current().is_some(), "in a task of async-std's");
            task::sleep(Duration::from_millis(1)).await;
        }
    }
}

/// What holds in the body of a program: calls, timers, workers, in the thread of the loop.
async fn works(caller: &Caller, backend: &'static str) -> usize {
    let here = thread::current().id();
    sleep_on(backend).await;
    let order = Rc::new(RefCell::new(Vec::new()));
    let local = caller.call_soon_local({
        let order = order.clone();
        async move || {
            sleep_on(backend).await;
            order.borrow_mut().push(1);
        }
    });
    let from_a_worker = {
        let caller = caller.clone();
        caller.clone().to_thread(async move || {
            let there = caller.call_soon(async move || {
                sleep_on(backend).await;
                thread::current().id()
            });
            there.await.unwrap()
        })
    };
    assert_eq!(from_a_worker.await.unwrap(), here);
    local.unwrap().await.unwrap();
    let later = caller.call_later(Duration::from_millis(1), async || 3);
    assert_eq!(later.await.unwrap(), 3);
    assert_eq!(thread::current().id(), here);
    order.take().len()
}

fn hst_01(backend: impl Backend, name: &'static str) {
    in_thread(move || {
        let here = thread::current().id();
        let builder = Caller::builder().backend(backend).name("main");
        let ran = builder.run(async move |caller: Caller| {
            assert_eq!(thread::current().id(), here);
            assert!(current_host().is_none() && caller.host().is_none());
            assert!(caller.to_string().contains("host=none"));
            works(&caller, name).await
        });
        assert_eq!(ran.unwrap(), 1);
        assert!(Caller::current().is_err(), "the thread is free again");
    });
}

#[test]
fn hst_01_without_a_host_on_tokio() {
    hst_01(Tokio::new(), "tokio");
}

#[test]
fn hst_01_without_a_host_on_async_std() {
    hst_01(AsyncStd::new(), "async-std");
}

#[test]
fn hst_01_on_the_default_backend() {
    let ran = in_thread(|| caller_tokio::run(async |caller: Caller| works(&caller, "tokio").await));
    assert_eq!(ran.unwrap(), 1);
    let error = Caller::builder().run(async |_| ()).unwrap_err();
    assert!(error.is_no_caller(), "core knows no default: {error}");
}

fn hst_02(host: impl Host, backend: impl Backend, name: &'static str) {
    in_thread(move || {
        let here = thread::current().id();
        let host_name = host.name();
        let ran = caller::run(host, backend, async move |caller: Caller| {
            assert_eq!(thread::current().id(), here);
            assert_eq!(current_host().unwrap().name(), host_name);
            assert_eq!(caller.host().unwrap().name(), host_name);
            assert!(caller.to_string().contains(&format!("backend={name} host={host_name} running")));
            works(&caller, name).await
        });
        assert_eq!(ran.unwrap(), 1);
        assert!(current_host().is_none() && Caller::current().is_err(), "the thread is free again");
    });
}

#[test]
fn hst_02_tokio_under_a_loop_on_async_std() {
    hst_02(ON_ASYNC_STD, Tokio::new(), "tokio");
}

#[test]
fn hst_02_async_std_under_a_loop_on_tokio() {
    hst_02(ON_TOKIO, AsyncStd::new(), "async-std");
}

#[test]
fn hst_02_both_under_a_loop_over_messages() {
    hst_02(Messages::default(), Tokio::new(), "tokio");
    hst_02(Messages::default(), AsyncStd::new(), "async-std");
}

#[test]
fn hst_03_a_thread_has_one() {
    in_thread(|| {
        let ran = caller::run(Messages::default(), Tokio::new(), async |gui: Caller| {
            let inside = || caller::run(ON_TOKIO, AsyncStd::new(), async |_| ()).unwrap_err();
            let in_the_body = inside();
            let in_a_call = gui.call_soon(async move || inside()).await.unwrap();
            let without = Caller::builder().backend(Tokio::new()).run(async |_| ()).unwrap_err();
            assert_eq!(gui.call_soon(async || 1).await.unwrap(), 1, "it was not harmed");
            [in_the_body, in_a_call, without]
        });
        for error in ran.unwrap() {
            assert!(error.is_mismatch(), "{error}");
        }
    });
    // A runtime that runs would stand still meanwhile.
    let runtime = runtime();
    let error =
        runtime.block_on(async { Caller::builder().backend(Tokio::new()).run(async |_| ()).unwrap_err() });
    assert!(error.is_mismatch() && error.to_string().contains("Caller::scope"), "{error}");
}

/// The loop ends while the body waits and calls run: everything is over, and the thread is free.
fn hst_04(backend: impl Backend + Clone, name: &'static str) {
    in_thread(move || {
        let host = Messages::default();
        let (tell, told) = mpsc::channel::<(Caller, Pending<()>, Pending<()>)>();
        let quit = host.clone();
        let error = caller::run(host, backend.clone(), async move |gui: Caller| {
            let running = gui.call_soon(async || std::future::pending::<()>().await);
            let later = gui.call_later(Duration::from_secs(3600), async || ());
            sleep_on(name).await;
            quit.quit();
            tell.send((gui, running, later)).unwrap();
            std::future::pending::<()>().await;
        });
        let error = error.unwrap_err();
        assert!(error.is_host() && !error.is_mismatch(), "{error}");
        assert!(error.to_string().contains("ended before"), "{error}");
        let (gui, running, later) = told.recv().unwrap();
        assert!(running.wait_blocking().unwrap_err().is_cancelled());
        assert!(later.wait_blocking().unwrap_err().is_cancelled());
        gui.stopped().blocking().unwrap();
        // The thread is usable again.
        let again =
            caller::run(Messages::default(), backend, async move |gui: Caller| works(&gui, name).await);
        assert_eq!(again.unwrap(), 1);
    });
}

#[test]
fn hst_04_a_loop_that_ends_early_on_tokio() {
    hst_04(Tokio::new(), "tokio");
}

#[test]
fn hst_04_a_loop_that_ends_early_on_async_std() {
    hst_04(AsyncStd::new(), "async-std");
}

#[test]
fn hst_04_a_loop_that_fails_forgets_or_panics() {
    let error = in_thread(|| {
        caller::run(Loop("broken", |_| Err("no display".into())), Tokio::new(), async |_| ()).unwrap_err()
    });
    assert!(error.is_host());
    assert_eq!(error.to_string(), "the host \"broken\" failed: no display");
    // It keeps the program for ever: that is ended all the same.
    let (sender, told) = mpsc::channel();
    let error = in_thread(move || {
        let leaky = Loop("leaky", |mut program| {
            assert!(program.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
            std::mem::forget(program);
            Ok(())
        });
        caller::run(leaky, Tokio::new(), async move |gui: Caller| {
            sender.send(gui.call_soon(async || std::future::pending::<()>().await)).unwrap();
            std::future::pending::<()>().await;
        })
    });
    assert!(error.unwrap_err().is_host());
    assert!(told.recv().unwrap().wait_blocking().unwrap_err().is_cancelled());
    in_thread(|| {
        let panics = Loop("panics", |_| panic!("in the loop"));
        let ran = std::panic::catch_unwind(|| caller::run(panics, Tokio::new(), async |_| ()));
        assert_eq!(ran.unwrap_err().downcast_ref(), Some(&"in the loop"));
        assert!(current_host().is_none() && Caller::current().is_err());
        assert!(caller::run(Messages::default(), Tokio::new(), async |_| ()).is_ok());
    });
}

#[test]
fn hst_05_a_program_that_fails() {
    in_thread(|| {
        let ran = caller::run(Messages::default(), AsyncStd::new(), async |_| Err::<(), _>("spilled"));
        assert_eq!(ran.unwrap(), Err("spilled"));
        for backend in ["tokio", "async-std"] {
            let panics = async move |gui: Caller| {
                let other = gui.call_soon(async || std::future::pending::<()>().await);
                sleep_on(backend).await;
                drop(other);
                panic!("on purpose");
            };
            let ran = std::panic::catch_unwind(|| match backend {
                "tokio" => caller::run(Messages::default(), Tokio::new(), panics),
                _ => caller::run(Messages::default(), AsyncStd::new(), panics),
            });
            assert_eq!(ran.unwrap_err().downcast_ref(), Some(&"on purpose"), "{backend}");
            assert!(current_host().is_none() && Caller::current().is_err());
        }
    });
}

#[test]
fn hst_05_a_host_that_is_not_there() {
    let error = host_named("tk").unwrap_err();
    assert!(error.is_unknown_host());
    assert!(error.to_string().contains("no host is named \"tk\"") && error.to_string().contains("`winit`"));
    // A backend that cannot be a guest, before anything runs.
    let error = caller::run(Messages::default(), Manual::new(), async |_| ()).unwrap_err();
    assert!(error.is_mismatch() && error.to_string().contains("cannot be the guest"), "{error}");
    // A scope has the loop that surrounds it, and no other.
    let caller = Caller::builder().backend(Tokio::new()).host(Messages::default()).build().unwrap();
    let runtime = runtime();
    let error = runtime.block_on(caller.enter(async |_| ())).unwrap_err();
    assert!(error.is_mismatch(), "{error}");
    caller.stop();
}

#[derive(Debug)]
struct Gui;

impl Host for Gui {
    fn name(&self) -> &'static str {
        "gui"
    }

    fn needs_main_thread(&self) -> bool {
        true
    }

    fn run(&self, _program: LocalFuture<'static>) -> Result<(), BoxError> {
        unreachable!("this is not the main thread")
    }
}

#[test]
fn a_gui_wants_the_main_thread() {
    let error = caller::run(Gui, Tokio::new(), async |_| ()).unwrap_err();
    assert!(error.is_mismatch() && error.to_string().contains("main thread"), "{error}");
    let error = Caller::builder().host(Gui).backend(Tokio::new()).spawn().unwrap_err();
    assert!(error.is_mismatch(), "{error}");
}

/// GST-05 on a loop over messages; on real ones it is in the tests of those.
fn gst_05(backend: impl Backend, own: &'static str, other: impl Backend + Clone, others: &'static str) {
    in_thread(move || {
        let host = Messages::default();
        let turns = host.turns.clone();
        let ran = caller::run(host, backend, async move |gui: Caller| {
            let here = thread::current().id();
            let steps = Arc::new(Mutex::new(Vec::new()));
            let step = |name: &'static str| {
                let steps = steps.clone();
                move || {
                    assert_eq!(thread::current().id(), here);
                    steps.lock().unwrap().push(name);
                }
            };
            let (native, guest) = (step(own), step(others));
            let a = gui.call_soon(async move || {
                for _ in 0..5 {
                    sleep_on(own).await;
                    native();
                }
            });
            let b = gui.call_using_backend(other, async move || {
                for _ in 0..5 {
                    sleep_on(others).await;
                    guest();
                }
            });
            let before = turns.load(Ordering::SeqCst);
            a.await.unwrap();
            b.unwrap().await.unwrap();
            assert!(turns.load(Ordering::SeqCst) > before, "and so did the loop");
            steps.lock().unwrap().clone()
        });
        let steps = ran.unwrap();
        assert_eq!(steps.len(), 10);
        assert!(steps[..5] != [own; 5] && steps[..5] != [others; 5], "{steps:?}");
    });
}

#[test]
fn gst_05_both_backends_under_a_host() {
    gst_05(Tokio::new(), "tokio", AsyncStd::new(), "async-std");
    gst_05(AsyncStd::new(), "async-std", Tokio::new(), "tokio");
}

#[test]
fn a_thread_of_its_own_under_a_host() {
    for backend in [Arc::new(Tokio::new()) as Arc<dyn Backend>, Arc::new(AsyncStd::new())] {
        let name = backend.name();
        let host = Messages::default();
        let gui = Caller::builder().shared_backend(backend).host(host.clone()).name("gui").spawn().unwrap();
        let here = gui.call_soon(async move || {
            sleep_on(name).await;
            (thread::current().id(), current_host().map(|host| host.name()))
        });
        let (thread, host_name) = here.wait_blocking().unwrap();
        assert_eq!((Some(thread), host_name), (gui.thread().map(|(id, _)| id), Some("messages")));
        // A child has a thread, and no host.
        let child = gui.child("child").unwrap();
        assert!(child.host().is_none());
        assert_eq!(child.call_soon(async || 1).wait_blocking().unwrap(), 1);
        let running = gui.call_soon(async || std::future::pending::<()>().await);
        gui.stop();
        gui.stopped().blocking().unwrap();
        assert!(running.wait_blocking().unwrap_err().is_cancelled());
        // One whose loop ends under it is stopped, and says why.
        let gui = Caller::builder().backend(Tokio::new()).host(host.clone()).spawn().unwrap();
        gui.call_soon(async || ()).wait_blocking().unwrap();
        let running = gui.call_soon(async || std::future::pending::<()>().await);
        host.quit();
        gui.stopped().blocking().unwrap();
        assert!(running.wait_blocking().unwrap_err().is_closed());
        let error = gui.call_soon(async || ()).wait_blocking().unwrap_err();
        assert!(error.to_string().contains("ended before"), "{error}");
    }
}
