//! Callers in the thread of a loop that the test itself runs, on each backend.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc::{self, Receiver, Sender},
    },
    thread::{self, ThreadId},
    time::Duration,
};

use caller::{Attached, Caller, CallerState, DoneCallback, Pending, current_host};
use caller_async_std::AsyncStd;
use caller_smol::Smol;
use caller_tokio::Tokio;

use crate::{guests::World, loops::ON_TOKIO};

/// How long something may take that should happen at once.
const SOON: Duration = Duration::from_secs(20);

/// A loop over messages, each of which is a turn that was asked for.
struct Loop {
    attached: Attached,
    wake: Sender<()>,
    turns: Receiver<()>,
    /// How many have come.
    count: usize,
}

impl Loop {
    fn new<W: World>() -> Self {
        let (wake, turns) = mpsc::channel();
        let builder = Caller::builder().name("gui").backend(W::make());
        let wakes = wake.clone();
        let attached = builder.attach("messages", move || wakes.send(()).unwrap());
        Self { attached: attached.unwrap(), wake, turns, count: 0 }
    }

    fn caller(&self) -> Caller {
        self.attached.caller().clone()
    }

    /// Runs the loop until this is done.
    fn until<T: Send + 'static>(&mut self, pending: Pending<T>) -> caller::Result<T> {
        // It may be done by another thread, which asks for no turn.
        let wake = self.wake.clone();
        pending.add_done_callback(&DoneCallback::new(move |_| {
            let _told = wake.send(());
        }));
        while !pending.is_done() {
            self.turns.recv_timeout(SOON).expect("the loop is told");
            self.count += 1;
            assert!(self.attached.turn());
        }
        pending.wait_blocking()
    }
}

fn works<W: World>() {
    let here = thread::current().id();
    let mut running = Loop::new::<W>();
    let caller = running.caller();
    // Code of the loop itself is in the caller's thread, also between the turns.
    assert_eq!(Caller::current().unwrap(), caller);
    assert_eq!(current_host().unwrap().name(), "messages");
    assert!(caller.to_string().contains("host=messages running"), "{caller}");
    let inside = caller.call_soon(async move || {
        W::sleep(Duration::from_millis(1)).await;
        assert!(W::is_current());
        thread::current().id()
    });
    assert_eq!(running.until(inside).unwrap(), here);
    assert!(!W::is_current() || running.count == 0);
    let gui = caller.clone();
    let worker = caller.to_thread(async move || {
        assert_ne!(thread::current().id(), here);
        W::sleep(Duration::from_millis(1)).await;
        gui.call_soon(async || thread::current().id()).await.unwrap()
    });
    assert_eq!(running.until(worker).unwrap(), here);
    let later = caller.call_later(Duration::from_millis(1), async || 3);
    assert_eq!(running.until(later).unwrap(), 3);
    // A value that is not `Send`, reached by the loop without a wait.
    let value = caller.resident_local(std::rc::Rc::new(std::cell::Cell::new(1))).unwrap();
    let set = value.run(|value| value.set(2));
    running.until(set).unwrap();
    assert_eq!(value.with(|value| value.get()).unwrap(), 2);
    // A panic costs its call.
    let panics = caller.call_soon(async || panic!("on purpose"));
    assert!(running.until(panics).unwrap_err().is_panic());
    let fine = caller.call_soon(async || 1);
    assert_eq!(running.until(fine).unwrap(), 1);
}

/// The loop is told once for many calls, and a busy call leaves it its turns.
fn is_not_flooded<W: World>() {
    let mut running = Loop::new::<W>();
    let caller = running.caller();
    let calls = thread::spawn({
        let caller = caller.clone();
        move || (0..10_000).map(|_| caller.call_soon(async || ())).collect::<Vec<_>>()
    });
    let mut calls = calls.join().unwrap();
    running.until(calls.pop().unwrap()).unwrap();
    assert!(calls.iter().all(Pending::is_done));
    assert!(running.count < 5_000, "told {} times", running.count);
    let polls = Arc::new(AtomicUsize::new(0));
    let busy = caller.call_soon({
        let polls = polls.clone();
        async move || loop {
            polls.fetch_add(1, Ordering::Relaxed);
            futures_lite::future::yield_now().await;
        }
    });
    for _ in 0..100 {
        running.turns.recv_timeout(SOON).expect("it asks for the next turn");
        assert!(running.attached.turn());
    }
    assert!(polls.load(Ordering::Relaxed) > 0);
    busy.cancel("enough");
    assert!(running.until(busy).unwrap_err().is_cancelled());
}

struct Probe(Sender<(ThreadId, bool)>, fn() -> bool);

impl Drop for Probe {
    fn drop(&mut self) {
        self.0.send((thread::current().id(), (self.1)())).unwrap();
    }
}

/// What is outstanding ends in the thread, inside the runtime, when it is stopped or dropped; then the thread is free.
fn ends<W: World>() {
    let here = thread::current().id();
    for stops in [false, true] {
        let mut running = Loop::new::<W>();
        let caller = running.caller();
        let (sender, dropped) = mpsc::channel();
        let probe = Probe(sender, W::is_current);
        let (begun, begins) = mpsc::channel();
        let never = caller.call_soon(async move || {
            let _probe = probe;
            begun.send(()).unwrap();
            W::sleep(Duration::from_secs(3600)).await;
        });
        let first = caller.call_soon(async || ());
        running.until(first).unwrap();
        begins.recv().unwrap();
        let child = caller.child("child").unwrap();
        let unheard = caller.call_soon(async || 1);
        if stops {
            caller.force_stop();
            while running.attached.turn() {
                running.turns.recv_timeout(SOON).expect("the loop is told of a stop");
            }
            assert!(!running.attached.turn(), "it has ended");
        }
        drop(running);
        assert_eq!(dropped.try_iter().collect::<Vec<_>>(), [(here, true)]);
        assert!(never.wait_blocking().unwrap_err().is_closed());
        assert!(unheard.wait_blocking().unwrap_err().is_closed());
        caller.stopped().blocking().unwrap();
        assert_eq!(child.state(), CallerState::Stopped);
        assert!(Caller::current().is_err() && current_host().is_none(), "the thread is free");
    }
}

fn says_what_is_wrong<W: World>() {
    let attach = || Caller::builder().backend(W::make()).attach("second", || ());
    let running = Loop::new::<W>();
    assert!(attach().unwrap_err().is_mismatch(), "the thread has a caller");
    assert!(Caller::builder().backend(W::make()).run(async |_| ()).unwrap_err().is_mismatch());
    drop(running);
    let error = Caller::builder().backend(W::make()).host(ON_TOKIO).attach("other", || ()).unwrap_err();
    assert!(error.is_mismatch(), "{error}");
    assert!(error.to_string().contains("\"on tokio\" has a loop of its own"), "{error}");
    let error = Caller::builder().attach("none", || ()).unwrap_err();
    assert!(error.is_no_caller(), "{error}");
    let manual = Caller::builder().backend(caller::testing::Manual::new()).attach("none", || ()).unwrap_err();
    assert!(manual.is_mismatch() && manual.to_string().contains("cannot be the guest"), "{manual}");
    // And then it works.
    assert!(attach().unwrap().turn());
}

/// Each in a thread of its own, which is the loop's.
macro_rules! on_each_backend {
    ($($test:ident)*) => {$(
        mod $test {
            use super::*;

            fn on<W: World>() {
                thread::spawn(super::$test::<W>).join().unwrap();
            }

            #[test]
            fn on_tokio() {
                on::<Tokio>();
            }

            #[test]
            fn on_async_std() {
                on::<AsyncStd>();
            }

            #[test]
            fn on_smol() {
                on::<Smol>();
            }
        }
    )*};
}

on_each_backend! { works is_not_flooded ends says_what_is_wrong }
