//! PEN: results, waits, callbacks.

use std::{
    future::{Future, poll_fn},
    pin::Pin,
    sync::{Arc, Mutex, mpsc},
    thread,
    time::Duration,
};

use super::{Drops, LONG, Trouble, eventually, receive};
use crate::{DoneCallback, Resolver, current_pending, testing::Fixture};

pub fn pen_01_not_done_yet<F: Fixture>() {
    let (_resolver, mut pending) = Resolver::<u32>::new();
    assert!(!pending.is_done() && !pending.is_cancelled());
    assert!(pending.try_result().unwrap_err().is_not_done());
    assert!(pending.error().unwrap_err().is_not_done());
}

pub fn pen_02_set_result<F: Fixture>() {
    let (resolver, pending) = Resolver::new();
    let shared = pending.shared();
    resolver.resolve(42).unwrap();
    for clone in [shared.clone(), shared] {
        assert!(clone.is_done());
        assert_eq!((clone.result().unwrap(), clone.result().unwrap()), (42, 42));
        assert!(clone.error().unwrap().is_none());
    }
}

pub fn pen_02_every_waiter_gets_the_result<F: Fixture>() {
    let fixture = F::new();
    let (caller, other) = (fixture.caller(), fixture.caller());
    let (resolver, pending) = Resolver::new();
    let shared = pending.shared();
    let (begun, begins) = mpsc::channel();
    let waits: Vec<_> = [&caller, &other, &caller]
        .into_iter()
        .map(|caller| {
            let (shared, begun) = (shared.clone(), begun.clone());
            caller.call_soon(async move || {
                begun.send(()).unwrap();
                shared.await.unwrap()
            })
        })
        .collect();
    (0..3).for_each(|_| receive(&begins));
    resolver.resolve(42).unwrap();
    for wait in waits {
        assert_eq!(wait.wait_blocking().unwrap(), 42);
    }
    assert_eq!(fixture.block_on(async { shared.await }).unwrap(), 42);
}

pub fn pen_03_set_error<F: Fixture>() {
    let (resolver, pending) = Resolver::<u32>::new();
    let handle = pending.handle();
    assert!(resolver.fail(Trouble));
    let error = F::new().block_on(async { pending.await }).unwrap_err();
    assert!(error.is_failed() && !error.is_panic());
    assert_eq!(error.downcast_ref::<Trouble>(), Some(&Trouble));
    assert_eq!(handle.error().unwrap().unwrap().downcast_ref::<Trouble>(), Some(&Trouble));
}

pub fn pen_04_first_outcome_stays<F: Fixture>() {
    let (resolver, mut pending) = Resolver::new();
    resolver.resolve(1).unwrap();
    assert_eq!(resolver.resolve(2), Err(2));
    assert!(!resolver.fail(Trouble));
    assert_eq!(pending.try_result().unwrap(), 1);
    let (resolver, mut pending) = Resolver::new();
    assert!(resolver.fail(Trouble));
    assert_eq!(resolver.resolve(2), Err(2));
    assert!(pending.try_result().unwrap_err().is_failed());
}

pub fn pen_05_callbacks_in_order_on_the_completing_thread<F: Fixture>() {
    let (resolver, pending) = Resolver::new();
    let handle = pending.handle();
    let seen = Arc::new(Mutex::new(Vec::new()));
    for number in 0..3 {
        let (seen, handle) = (seen.clone(), handle.clone());
        pending.add_done_callback(&DoneCallback::new(move |done| {
            assert!(done.is_done() && *done == handle);
            seen.lock().unwrap().push((number, thread::current().id()));
        }));
    }
    let completing = thread::spawn(move || {
        resolver.resolve(()).unwrap();
        thread::current().id()
    });
    let completing = completing.join().unwrap();
    let here = thread::current().id();
    let late = seen.clone();
    pending.add_done_callback(&DoneCallback::new(move |_| {
        late.lock().unwrap().push((3, thread::current().id()));
    }));
    let expected = [(0, completing), (1, completing), (2, completing), (3, here)];
    assert_eq!(*seen.lock().unwrap(), expected);
}

pub fn pen_06_remove_callback<F: Fixture>() {
    let (resolver, pending) = Resolver::new();
    let (sender, called) = mpsc::channel();
    let callback = DoneCallback::new(move |_| sender.send(()).unwrap());
    pending.add_done_callback(&callback);
    pending.add_done_callback(&callback.clone());
    assert_eq!(pending.remove_done_callback(&callback), 2);
    assert_eq!(pending.remove_done_callback(&callback), 0);
    resolver.resolve(()).unwrap();
    assert!(called.try_recv().is_err());
}

pub fn pen_07_timeout_cancels_unless_protected<F: Fixture>() {
    let fixture = F::new();
    let (_resolver, pending) = Resolver::<()>::new();
    let handle = pending.handle();
    let error =
        fixture.block_on(async { pending.wait().timeout(Duration::from_millis(2)).await }).unwrap_err();
    assert!(error.is_timeout() && handle.is_cancelled());

    let (resolver, pending) = Resolver::<()>::new();
    let handle = pending.handle();
    let wait = async { pending.wait().protect().timeout(Duration::from_millis(2)).await };
    assert!(fixture.block_on(wait).unwrap_err().is_timeout());
    assert!(!handle.is_cancelled() && !handle.is_done());
    drop(resolver);

    // On time, though the caller's thread is busy.
    let caller = fixture.caller();
    let (release, released) = mpsc::channel::<()>();
    let busy = caller.call_soon(async move || released.recv_timeout(LONG).is_ok());
    let late = caller.call_soon(async || ());
    assert!(late.wait().timeout(Duration::from_millis(2)).blocking().unwrap_err().is_timeout());
    release.send(()).unwrap();
    assert!(busy.wait_blocking().unwrap());
}

pub fn pen_07_zero_timeout<F: Fixture>() {
    let (_resolver, mut pending) = Resolver::<u32>::new();
    assert!(pending.wait_mut().timeout(Duration::ZERO).blocking().unwrap_err().is_timeout());
    let (resolver, pending) = Resolver::new();
    resolver.resolve(1).unwrap();
    assert_eq!(pending.wait().timeout(Duration::ZERO).blocking().unwrap(), 1);
}

pub fn pen_07_deadlines<F: Fixture>() {
    let fixture = F::new();
    let caller = fixture.caller();
    let never = || caller.call_soon(async || std::future::pending::<()>().await);
    let past = caller.backend().clock().now();
    fixture.block_on(async {
        let pending = never();
        let handle = pending.handle();
        assert!(pending.wait().deadline(past).await.unwrap_err().is_timeout());
        assert!(handle.is_cancelled());
        let mut kept = never();
        assert!(kept.wait_mut().deadline(past).await.unwrap_err().is_timeout());
        assert!(kept.handle().wait().deadline(past).await.unwrap_err().is_timeout());
        let waited = caller.wait([kept]).deadline(past).await.unwrap();
        assert!(waited.done.is_empty() && !waited.pending[0].is_cancelled());
        assert!(never().shared().wait().deadline(past).await.unwrap_err().is_timeout());
        let done = caller.call_soon(async || 7);
        done.handle().wait().await.unwrap();
        assert_eq!(done.wait().deadline(past).await.unwrap(), 7, "what is there is given");
    });
    let soon = past + Duration::from_millis(2);
    let late = never().wait().deadline(soon).blocking().unwrap_err();
    assert!(late.is_timeout() && caller.call_soon(async || 1).wait_blocking().is_ok(), "{late}");
}

pub fn pen_08_dropped_wait_cancels_unless_protected<F: Fixture>() {
    let caller = F::new().caller();
    let never = || caller.call_soon(async || std::future::pending::<()>().await);
    for polled in [false, true] {
        let pending = never();
        let handle = pending.handle();
        let mut wait = pending.wait();
        if polled {
            let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
            assert!(std::pin::Pin::new(&mut wait).poll(&mut cx).is_pending());
        }
        drop(wait);
        assert!(handle.is_cancelled());
        handle.wait().blocking().unwrap();
    }
    let pending = never();
    let handle = pending.handle();
    drop(pending.wait().protect());
    assert!(!handle.is_cancelled());
    let pending = never();
    let handle = pending.handle();
    drop(pending);
    assert!(!handle.is_cancelled());
}

pub fn pen_08_borrowed_and_shared_waits<F: Fixture>() {
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    let (resolver, mut pending) = Resolver::new();
    let mut wait = pending.wait_mut();
    assert!(std::pin::Pin::new(&mut wait).poll(&mut cx).is_pending());
    drop(wait);
    assert!(!pending.is_cancelled());
    resolver.resolve(1).unwrap();
    assert_eq!(pending.wait_blocking().unwrap(), 1);

    let (_resolver, pending) = Resolver::<u32>::new();
    let shared = pending.shared();
    let (mut one, mut two) = (shared.wait(), shared.wait());
    let never_began = shared.wait();
    assert!(std::pin::Pin::new(&mut one).poll(&mut cx).is_pending());
    assert!(std::pin::Pin::new(&mut two).poll(&mut cx).is_pending());
    drop(never_began);
    drop(one);
    assert!(!shared.is_cancelled(), "another waiter is left");
    drop(two);
    assert!(shared.is_cancelled(), "the last that began gave up");
}

pub fn pen_09_wait_without_result<F: Fixture>() {
    let fixture = F::new();
    let caller = fixture.caller();
    let failing = caller.try_call_soon(async || Err::<(), _>(Trouble));
    let panicking = caller.call_soon(async || panic!("on purpose"));
    let cancelled = caller.call_soon(async || std::future::pending::<()>().await);
    cancelled.cancel("enough");
    fixture.block_on(async {
        failing.wait().ignore_result().await.unwrap();
        panicking.wait().ignore_result().await.unwrap();
        cancelled.wait().ignore_result().await.unwrap();
    });
}

pub fn pen_10_blocking_wait<F: Fixture>() {
    let (resolver, pending) = Resolver::new();
    let shared = pending.shared();
    let completing = thread::spawn(move || resolver.resolve(7));
    assert_eq!(shared.wait_blocking().unwrap(), 7);
    assert_eq!(shared.wait_blocking().unwrap(), 7);
    completing.join().unwrap().unwrap();
    let caller = F::new().caller();
    let pending = caller.call_soon(async || std::future::pending::<()>().await);
    let handle = pending.handle();
    assert!(pending.wait().timeout(Duration::from_millis(2)).blocking().unwrap_err().is_timeout());
    assert!(handle.is_cancelled());
}

pub fn pen_10_blocking_timeout_in_a_callers_thread<F: Fixture>() {
    let fixture = F::new();
    let (caller, other) = (fixture.caller(), fixture.caller());
    let that = other.0.clone();
    // The thread that waits is the one whose scheduler would fire the timers of its caller.
    let waited = caller.call_soon(async move || {
        let mut never = that.call_soon(async || std::future::pending::<()>().await);
        let borrowed = never.wait_mut().timeout(Duration::from_millis(2)).blocking().unwrap_err();
        let begun = std::future::poll_fn(|cx| {
            let mut wait = that.call_soon(async || std::future::pending::<()>().await).wait();
            wait = wait.timeout(Duration::from_millis(2));
            assert!(std::pin::Pin::new(&mut wait).poll(cx).is_pending());
            std::task::Poll::Ready(wait)
        });
        (
            borrowed,
            begun.await.blocking().unwrap_err(),
            never.wait().timeout(Duration::from_millis(2)).blocking(),
        )
    });
    let (borrowed, begun, owned) = waited.wait_blocking().unwrap();
    assert!(borrowed.is_timeout() && begun.is_timeout() && owned.unwrap_err().is_timeout());
}

pub fn pen_10_timeout_under_another_executor<F: Fixture>() {
    let fixture = F::new();
    let caller = fixture.caller();
    let (_resolver, pending) = Resolver::<()>::new();
    let (begins, begun) = mpsc::channel();
    let time = Duration::from_millis(2);
    // The executor blocks the thread whose scheduler would fire the timers of its caller.
    let waited = caller.call_soon(async move || {
        let mut wait = pending.wait().timeout(time);
        futures::executor::block_on(poll_fn(|cx| {
            let polled = Pin::new(&mut wait).poll(cx);
            begins.send(()).unwrap();
            polled
        }))
    });
    receive(&begun);
    fixture.elapse(time);
    assert!(waited.wait().timeout(LONG).blocking().unwrap().unwrap_err().is_timeout());
}

pub fn pen_11_runs_without_handles_and_frees<F: Fixture>() {
    let caller = F::new().caller();
    let drops = Drops::default();
    let (sender, ran) = mpsc::channel();
    let held = drops.watch();
    drop(caller.call_soon(async move || {
        let _held = held;
        sender.send(()).unwrap();
    }));
    receive(&ran);
    eventually("the end of what the call held", || drops.count() == 1);
}

pub fn pen_12_metadata_is_freed_on_completion<F: Fixture>() {
    let caller = F::new().caller();
    let drops = Drops::default();
    let held = drops.watch();
    let (resolver, gate) = Resolver::<()>::new();
    let pending = caller.call_soon(async move || {
        let _held = held;
        gate.await.unwrap();
    });
    pending.set_metadata("request", "the quarterly figures");
    let handle = pending.handle();
    assert_eq!(handle.metadata("request").as_deref(), Some("the quarterly figures"));
    assert!(handle.to_string().contains("request=\"the quarterly figures\""), "{handle}");
    assert_eq!(drops.count(), 0);
    resolver.resolve(()).unwrap();
    handle.wait().blocking().unwrap();
    assert_eq!(drops.count(), 1, "freed on completion, though handles are left");
    assert_eq!(handle.metadata("request"), None);
    drop(pending);
}

pub fn pen_13_cancel_after_done<F: Fixture>() {
    let caller = F::new().caller();
    let mut pending = caller.call_soon(async || 5);
    pending.handle().wait().blocking().unwrap();
    assert!(!pending.cancel("too late") && !pending.is_cancelled());
    assert_eq!(pending.try_result().unwrap(), 5);
}

pub fn pen_14_caller_of_a_pending<F: Fixture>() {
    let caller = F::new().caller();
    let pending = caller.call_soon(async || ());
    assert_eq!(pending.handle().caller().as_ref(), Some(&*caller));
    let (resolver, by_hand) = Resolver::<()>::new();
    assert_eq!(by_hand.handle().caller(), None);
    drop(resolver);
    let worker = caller.to_thread(async || crate::Caller::current().unwrap());
    let handle = worker.handle();
    assert_eq!(worker.wait_blocking().unwrap(), handle.caller().unwrap());
}

pub fn pen_abandoned_is_an_error<F: Fixture>() {
    let (resolver, pending) = Resolver::<()>::new();
    drop(resolver);
    let error = pending.wait_blocking().unwrap_err();
    assert!(error.is_abandoned() && !error.is_cancelled());
    let (resolver, pending) = Resolver::<()>::new();
    resolver.set_canceller(|_| {}).unwrap();
    pending.cancel("no longer needed");
    drop(resolver);
    assert!(pending.wait_blocking().unwrap_err().is_cancelled());
}

pub fn pen_waiting_for_oneself_is_an_error<F: Fixture>() {
    let fixture = F::new();
    let (caller, other) = (fixture.caller(), fixture.caller());
    let own = caller.call_soon(async || current_pending().unwrap().wait().await.unwrap_err());
    assert!(own.wait_blocking().unwrap().is_self_wait());
    // A thread that blocks on its own work.
    let this = caller.0.clone();
    let blocked = caller.call_soon(async move || this.call_soon(async || 1).wait_blocking());
    assert!(blocked.wait_blocking().unwrap().unwrap_err().is_self_wait());
    let this = caller.0.clone();
    let stopped = caller.call_soon(async move || this.stopped().blocking());
    assert!(stopped.wait_blocking().unwrap().unwrap_err().is_self_wait());
    // Two threads that block on each other: one of them hears of it.
    let (this, that) = (caller.0.clone(), other.0.clone());
    let ring = caller.call_soon(async move || {
        that.call_soon(async move || this.call_soon(async || 1).wait_blocking()).wait_blocking()
    });
    let heard = ring.wait_blocking().unwrap().and_then(|inner| inner).unwrap_err();
    assert!(heard.is_self_wait(), "{heard}");
}
