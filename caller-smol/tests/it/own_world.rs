//! What belongs to smol works inside calls.

use std::{
    cell::Cell,
    net::TcpListener,
    rc::Rc,
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use async_io::{Async, Timer};
use caller::{
    Caller,
    testing::{Running, probe::soon},
};
use caller_smol::{Smol, spawn_local};
use caller_tokio::Tokio;
use futures_lite::{AsyncReadExt, AsyncWriteExt, future::yield_now};

fn caller() -> Running {
    Running(Caller::builder().backend(Smol::new()).spawn().unwrap())
}

/// Sends a word to a task of this thread, which sends it back.
async fn echo() {
    let here = thread::current().id();
    let listener = Async::<TcpListener>::bind(([127, 0, 0, 1], 0)).unwrap();
    let address = listener.get_ref().local_addr().unwrap();
    let echo = spawn_local(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut word = [0; 4];
        stream.read_exact(&mut word).await.unwrap();
        stream.write_all(&word).await.unwrap();
        thread::current().id()
    });
    let mut stream = Async::<std::net::TcpStream>::connect(address).await.unwrap();
    stream.write_all(b"ping").await.unwrap();
    let mut word = [0; 4];
    stream.read_exact(&mut word).await.unwrap();
    assert_eq!(&word, b"ping");
    assert_eq!(echo.unwrap().await, here, "a local task runs in the caller's thread");
    assert_eq!(thread::current().id(), here);
}

#[test]
fn timers_sockets_and_local_tasks() {
    let caller = caller();
    let begun = Instant::now();
    let call = caller.call_soon(async || {
        Timer::after(Duration::from_millis(1)).await;
        echo().await;
    });
    call.wait_blocking().unwrap();
    assert!(begun.elapsed() >= Duration::from_millis(1));
}

#[test]
fn and_in_a_guest() {
    let caller = Running(Caller::builder().backend(Tokio::new()).spawn().unwrap());
    caller.call_using_backend(Smol::new(), echo).unwrap().wait_blocking().unwrap();
    assert!(caller.call_soon(async || spawn_local(async {}).is_err()).wait_blocking().unwrap());
}

#[test]
fn a_scope_inside_an_executor() {
    let value = async_io::block_on(Caller::scope(Smol::new(), async |caller| {
        let error = spawn_local(async {}).unwrap_err();
        assert!(error.is_no_caller() && error.to_string().contains("no caller on smol"), "{error}");
        let worker = caller.to_thread(async || {
            Timer::after(Duration::from_millis(1)).await;
            spawn_local(async { 20 }).unwrap().await
        });
        worker.await.unwrap() + caller.call_soon(async || 22).await.unwrap()
    }));
    assert_eq!(value.unwrap(), 42);
}

/// Says that it is dropped, in which thread, and whether a task could have been spawned.
struct Probe(mpsc::Sender<(thread::ThreadId, bool)>);

impl Drop for Probe {
    fn drop(&mut self) {
        let _nobody_listens = self.0.send((thread::current().id(), spawn_local(async {}).is_ok()));
    }
}

#[test]
fn tasks_are_dropped_in_their_thread_when_the_caller_stops() {
    for guest in [false, true] {
        let caller =
            if guest { Running(Caller::builder().backend(Tokio::new()).spawn().unwrap()) } else { caller() };
        let (sender, dropped) = mpsc::channel();
        let spawns = async move || {
            let probe = Probe(sender);
            let task = spawn_local(async move {
                let _probe = probe;
                std::future::pending::<()>().await;
            });
            task.unwrap().detach();
            yield_now().await;
            thread::current().id()
        };
        let spawned = if guest {
            caller.call_using_backend(Smol::new(), spawns).unwrap()
        } else {
            caller.call_soon(spawns)
        };
        let here = spawned.wait_blocking().unwrap();
        assert!(dropped.try_recv().is_err(), "it goes on after the call that spawned it");
        caller.force_stop();
        caller.stopped().blocking().unwrap();
        // What it might spawn would run no more.
        assert_eq!(dropped.try_iter().collect::<Vec<_>>(), [(here, false)]);
    }
}

#[test]
fn a_task_that_panics_costs_itself_alone() {
    struct Panics;
    impl Drop for Panics {
        fn drop(&mut self) {
            panic!("in a destructor, on purpose");
        }
    }
    let caller = caller();
    let call = caller.call_soon(async || {
        spawn_local(async { panic!("in a task, on purpose") }).unwrap().detach();
        spawn_local(async {
            let _panics = Panics;
            yield_now().await;
        })
        .unwrap()
        .detach();
        let cancelled = spawn_local(async {
            let _panics = Panics;
            std::future::pending::<()>().await;
        });
        yield_now().await;
        drop(cancelled);
        let seen = Rc::new(Cell::new(0));
        let counts = spawn_local({
            let seen = seen.clone();
            async move {
                for _ in 0..10 {
                    yield_now().await;
                    seen.set(seen.get() + 1);
                }
            }
        });
        counts.unwrap().await;
        seen.get()
    });
    assert_eq!(call.wait_blocking().unwrap(), 10);
    // Whoever awaits it panics, and nobody else.
    let awaits = caller.call_soon(async || spawn_local(async { panic!("again") }).unwrap().await);
    assert!(awaits.wait_blocking().unwrap_err().is_panic());
    assert_eq!(caller.call_soon(async || 1).wait_blocking().unwrap(), 1);
}

/// Tasks that always have something to do leave calls and timers their turn, and calls leave it to tasks.
#[test]
fn calls_and_tasks_leave_each_other_their_turn() {
    let caller = caller();
    let (sender, turns) = mpsc::channel();
    let busy = caller.call_soon(async move || {
        for _ in 0..1000 {
            spawn_local(async {
                loop {
                    yield_now().await;
                }
            })
            .unwrap()
            .detach();
        }
        let ticks = spawn_local(async move {
            loop {
                if sender.send(()).is_err() {
                    return;
                }
                yield_now().await;
            }
        });
        ticks.unwrap().detach();
        loop {
            yield_now().await;
        }
    });
    assert_eq!(caller.call_soon(async || 1).wait_blocking().unwrap(), 1);
    assert_eq!(caller.call_later(Duration::from_millis(1), async || 2).wait_blocking().unwrap(), 2);
    soon("turns of a task", || turns.try_recv().is_ok());
    busy.cancel("enough");
    assert!(busy.wait_blocking().unwrap_err().is_cancelled());
}
