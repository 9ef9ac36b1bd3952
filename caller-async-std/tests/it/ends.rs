//! How guests, hosts and scopes end where it is awkward.

use std::{
    future::{Future, pending, poll_fn},
    panic::catch_unwind,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    task::{Poll, Waker},
    thread,
    time::Duration,
};

use async_std::task;
use caller::{AsyncEvent, Caller, ContextVar, current_pending, testing::Running};
use caller_async_std::AsyncStd;
use caller_tokio::Tokio;

use crate::loops::{Loop, ON_ASYNC_STD};

const HOUR: Duration = Duration::from_secs(3600);

fn on_tokio() -> Running {
    Running(Caller::builder().backend(Tokio::new()).spawn().unwrap())
}

fn on_async_std() -> Running {
    Running(Caller::builder().backend(AsyncStd::new()).spawn().unwrap())
}

/// Tells when it is dropped.
struct Tell<F: FnMut()>(F);

impl<F: FnMut()> Drop for Tell<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// async-std's executor is entered inside itself, which its own `block_on` cannot.
#[test]
fn a_guest_of_async_stds_in_a_loop_on_async_std() {
    let ran = caller::run(ON_ASYNC_STD, Tokio::new(), async |gui: Caller| {
        let waits = gui.call_using_backend(AsyncStd::new(), async || task::sleep(HOUR).await);
        drop(waits.unwrap());
        let seven = gui.call_using_backend(AsyncStd::new(), async || {
            task::sleep(Duration::from_millis(1)).await;
            7
        });
        seven.unwrap().await
    });
    assert_eq!(ran.unwrap().unwrap(), 7);
    let ran = task::block_on(async {
        Caller::builder().backend(Tokio::new()).run(async |caller: Caller| {
            let seven = caller.call_using_backend(AsyncStd::new(), async || {
                task::sleep(Duration::from_millis(1)).await;
                7
            });
            seven.unwrap().await
        })
    });
    assert_eq!(ran.unwrap().unwrap(), 7);
}

/// A waker that is used when its task has ended wakes nobody, and costs nothing.
#[test]
fn i7_a_waker_that_outlives_its_task() {
    static STOLEN: Mutex<Option<Waker>> = Mutex::new(None);
    let caller = on_tokio();
    let call = caller.call_using_backend(AsyncStd::new(), async || {
        let mut polls = 0;
        poll_fn(|cx| {
            polls += 1;
            *STOLEN.lock().unwrap() = Some(cx.waker().clone());
            cx.waker().wake_by_ref();
            if polls == 2 { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        nix::unistd::gettid()
    });
    let id = call.unwrap().wait_blocking().unwrap();
    STOLEN.lock().unwrap().take().unwrap().wake();
    let spent = || {
        let stat = std::fs::read_to_string(format!("/proc/self/task/{id}/schedstat")).unwrap();
        stat.split_whitespace().next().unwrap().parse::<u64>().unwrap()
    };
    let before = spent();
    // The time is what is measured.
    thread::sleep(Duration::from_millis(500));
    let spent = Duration::from_nanos(spent() - before);
    assert!(spent < Duration::from_millis(5), "{spent:?}");
}

/// Only what was started implicitly is entered where it runs.
#[test]
fn entering_what_was_started_is_an_error_and_harms_nobody() {
    let hosted = Caller::builder().backend(Tokio::new()).host(ON_ASYNC_STD).spawn().unwrap();
    for caller in [on_tokio(), Running(hosted)] {
        let inside = caller.call_soon(async || Caller::current().unwrap().enter(async |_| 5).await);
        assert!(inside.wait_blocking().unwrap().unwrap_err().is_mismatch());
        assert_eq!(caller.call_soon(async || 1).wait_blocking().unwrap(), 1);
    }
}

/// The name is taken by a child that runs: it is told, and the child goes on.
#[test]
fn running_what_runs_is_an_error_and_harms_nobody() {
    let parent = on_tokio();
    let child = parent.child("db").unwrap();
    let work = child.call_soon(async || pending::<()>().await);
    let error = parent.child_builder().name("db").run(async |_| ()).unwrap_err();
    assert!(error.is_mismatch(), "{error}");
    assert_eq!(child.call_soon(async || 1).wait_blocking().unwrap(), 1);
    assert!(!work.is_done());
}

/// Nobody finds a child that will never run.
#[test]
fn a_host_that_panics_at_once_leaves_no_child_behind() {
    let parent = on_tokio();
    let at_once = Loop("at once", |_| panic!("in the loop"));
    let builder = parent.child_builder().name("gui").host(at_once);
    let ran = catch_unwind(std::panic::AssertUnwindSafe(|| builder.run(async |_| ())));
    assert!(ran.is_err());
    assert_eq!(parent.child("gui").unwrap().call_soon(async || 1).wait_blocking().unwrap(), 1);
    // And so where the thread is taken.
    let builder = parent.child_builder().name("other").host(Loop("never", |_| Ok(())));
    let error = caller_tokio::run(async |_| builder.run(async |_| ()).unwrap_err()).unwrap();
    assert!(error.is_mismatch());
    assert_eq!(parent.child("other").unwrap().call_soon(async || 1).wait_blocking().unwrap(), 1);
}

/// A task in the thread of tokio's driver waits for the end of the caller, which waits for that thread.
#[test]
fn a_task_of_the_driver_that_waits_for_the_end() {
    let caller = on_async_std();
    let (tell, told) = mpsc::channel();
    let this = caller.0.clone();
    let call = caller.call_using_backend(Tokio::new(), async move || {
        let begun = AsyncEvent::new();
        let begin = begun.clone();
        drop(tokio::spawn(async move {
            begin.set();
            tell.send(this.stopped().blocking().is_ok()).unwrap();
        }));
        begun.wait().await;
    });
    call.unwrap().wait_blocking().unwrap();
    caller.force_stop();
    caller.stopped().blocking().unwrap();
    assert!(told.recv().unwrap());
}

/// What was cancelled is dropped when its pending is done, however many tasks are in the way.
#[test]
fn a_cancelled_call_is_dropped_before_it_is_done() {
    let caller = on_tokio();
    for _ in 0..500 {
        drop(caller.call_using_backend(AsyncStd::new(), async || {
            loop {
                task::yield_now().await;
            }
        }));
    }
    let dropped = Arc::new(AtomicBool::new(false));
    let seen = dropped.clone();
    let (begin, begun) = mpsc::channel();
    let probe = caller.call_using_backend(AsyncStd::new(), async move || {
        let _tell = Tell(|| seen.store(true, Ordering::SeqCst));
        begin.send(()).unwrap();
        pending::<()>().await;
    });
    let probe = probe.unwrap();
    begun.recv().unwrap();
    probe.cancel("enough");
    assert!(probe.wait_blocking().unwrap_err().is_cancelled());
    assert!(dropped.load(Ordering::SeqCst));
}

/// Other tasks that go on while a call is dropped are not that call.
#[test]
fn i8_a_cancel_lends_its_context_to_nobody() {
    static USER: ContextVar<u32> = ContextVar::new();
    let caller = on_tokio();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let waker = Arc::new(Mutex::new(None::<Waker>));
    let (record, wake) = (seen.clone(), waker.clone());
    let spawned = caller.call_using_backend(AsyncStd::new(), async move || {
        drop(task::spawn_local(poll_fn(move |cx| {
            *wake.lock().unwrap() = Some(cx.waker().clone());
            record.lock().unwrap().push((USER.get(), current_pending().is_some()));
            Poll::<()>::Pending
        })));
        task::yield_now().await;
    });
    spawned.unwrap().wait_blocking().unwrap();
    let (begin, begun) = mpsc::channel();
    let other = USER.sync_scope(99, || {
        let waker = waker.clone();
        caller.call_using_backend(AsyncStd::new(), async move || {
            // Dropped, it wakes the other, which is then polled in the same tick.
            let _tell = Tell(|| waker.lock().unwrap().iter().for_each(Waker::wake_by_ref));
            begin.send(()).unwrap();
            pending::<()>().await;
        })
    });
    let other = other.unwrap();
    begun.recv().unwrap();
    let before = seen.lock().unwrap().len();
    waker.lock().unwrap().iter().for_each(Waker::wake_by_ref);
    other.cancel("enough");
    assert!(other.wait_blocking().unwrap_err().is_cancelled());
    // Another tick, for what was woken last.
    caller
        .call_using_backend(AsyncStd::new(), async || task::yield_now().await)
        .unwrap()
        .wait_blocking()
        .unwrap();
    let seen = seen.lock().unwrap();
    assert!(seen.len() > before, "it was polled again");
    assert!(seen.iter().all(|seen| *seen == (None, false)), "{seen:?}");
}

/// A call that a dropped scope has ended is dropped with the scope, in its thread, and not when the thread ends.
#[test]
fn i5_a_scope_dropped_midway_leaves_nothing() {
    task::block_on(async {
        let dropped = Arc::new(AtomicBool::new(false));
        let tell = dropped.clone();
        let (begun, begins) = mpsc::channel();
        let mut scope = Box::pin(Caller::scope(AsyncStd::new(), async |caller| {
            let call = async move || {
                let here = thread::current().id();
                let _tell = Tell(move || tell.store(thread::current().id() == here, Ordering::SeqCst));
                begun.send(()).unwrap();
                pending::<()>().await;
            };
            drop(caller.call_soon(call));
            pending::<()>().await;
        }));
        while begins.try_recv().is_err() {
            poll_fn(|cx| Poll::Ready(scope.as_mut().poll(cx).is_pending())).await;
            task::yield_now().await;
        }
        assert!(!dropped.load(Ordering::SeqCst));
        drop(scope);
        assert!(dropped.load(Ordering::SeqCst));
    });
}

/// The runtime's own tasks are dropped in the thread of the caller, which is seen: it would wait for itself.
#[test]
fn a_destructor_of_a_task_that_waits_for_the_end() {
    let hosted = Caller::builder().backend(Tokio::new()).host(ON_ASYNC_STD).spawn().unwrap();
    for caller in [on_tokio(), Running(hosted)] {
        let (tell, told) = mpsc::channel();
        let this = caller.0.clone();
        let call = caller.call_soon(async move || {
            drop(tokio::task::spawn_local(async move {
                let _tell = Tell(move || {
                    let here = Caller::current().is_ok_and(|here| here == this);
                    tell.send((here, this.stopped().blocking().unwrap_err().is_self_wait())).unwrap();
                });
                pending::<()>().await;
            }));
            tokio::task::yield_now().await;
        });
        call.wait_blocking().unwrap();
        caller.force_stop();
        assert_eq!(told.recv_timeout(Duration::from_secs(20)).unwrap(), (true, true));
        caller.stopped().blocking().unwrap();
    }
    // The same of a runtime that is made for a body.
    let (tell, told) = mpsc::channel();
    caller_tokio::run(async move |caller: Caller| {
        drop(tokio::task::spawn_local(async move {
            let _tell =
                Tell(move || tell.send(caller.stopped().blocking().unwrap_err().is_self_wait()).unwrap());
            pending::<()>().await;
        }));
        tokio::task::yield_now().await;
    })
    .unwrap();
    assert!(told.recv().unwrap());
}

#[test]
fn a_guest_call_that_cancels_itself() {
    for caller in [on_tokio(), on_async_std()] {
        let this = caller.0.clone();
        let run = async || {
            let me = current_pending().unwrap();
            me.cancel("by itself");
            tokio::task::yield_now().await;
            pending::<()>().await;
        };
        let call = match this.backend().name() {
            "tokio" => this.call_using_backend(AsyncStd::new(), run),
            _ => this.call_using_backend(Tokio::new(), run),
        };
        assert!(call.unwrap().wait_blocking().unwrap_err().is_cancelled());
    }
}
