//! THR: the worker pool.

use std::{
    sync::{Arc, Barrier, Mutex, mpsc},
    thread,
    time::{Duration, Instant},
};

use super::{
    LONG, Trouble,
    calls::{on_time, turns},
    eventually, receive,
};
use crate::{
    Caller, CallerState, PoolSettings,
    testing::{Fixture, Running},
};

pub fn thr_01_plain_and_async<F: Fixture>() {
    let fixture = F::new();
    let caller = fixture.caller();
    let own = caller.call_soon(async || thread::current().id()).wait_blocking().unwrap();
    let plain =
        caller.to_thread(async || (thread::current().id(), F::is_current(), Caller::current().unwrap()));
    let (id, current, worker) = plain.wait_blocking().unwrap();
    assert!(current && id != own && id != thread::current().id());
    assert_eq!(worker.parent().as_ref(), Some(&*caller));
    assert_eq!(worker.thread().unwrap().0, id);
    let sleep = fixture.sleeper();
    let (sender, begun) = mpsc::channel();
    let pending = caller.to_thread(async move || {
        let sleep = sleep(Duration::from_millis(1));
        sender.send(()).unwrap();
        sleep.await;
        thread::current().id()
    });
    receive(&begun);
    fixture.elapse(Duration::from_millis(1));
    assert_ne!(pending.wait_blocking().unwrap(), own);
}

pub fn thr_02_one_worker_for_one_after_the_other<F: Fixture>() {
    let caller = F::new().caller();
    let workers: Vec<_> = (0..5)
        .map(|at| {
            let seen = Arc::new(Mutex::new(None));
            let see = seen.clone();
            let call = caller.try_to_thread(async move || {
                *see.lock().unwrap() = Some(Caller::current().unwrap());
                if at == 2 { Err(Trouble) } else { Ok(()) }
            });
            assert_eq!(call.wait_blocking().is_err(), at == 2);
            seen.lock().unwrap().take().unwrap()
        })
        .collect();
    assert!(workers.iter().all(|worker| *worker == workers[0]), "{workers:?}");
    assert_eq!(caller.children(), workers[..1]);
    assert_eq!(caller.workers(), (1, 1));
}

pub fn thr_03_idle_workers_go<F: Fixture>() {
    let fixture = F::new();
    let idle_time = Duration::from_millis(20);
    let settings = PoolSettings::default().idle_time(idle_time);
    let caller = Running(fixture.builder().pool(settings).spawn().unwrap());
    let clock = caller.backend().clock();
    let run =
        || caller.to_thread(async || Caller::current().unwrap()).wait().timeout(LONG).blocking().unwrap();
    on_time("the end of an idle worker", idle_time, || {
        let since = clock.now();
        let worker = run();
        // Nobody but the pool wakes the caller, which sleeps.
        fixture.elapse(idle_time);
        eventually("the end of an idle worker", || worker.stopped().is_past());
        let took = clock.now() - since;
        eventually("an empty pool", || caller.workers() == (0, 0) && caller.children().is_empty());
        took
    });
    // No worker goes before its own time, and one that was used is young again.
    let still_there = |worker: &Caller, since: Instant| {
        turns(&caller);
        let runs = worker.state() == CallerState::Running;
        assert!(runs || clock.now() >= since + idle_time, "it was not idle for as long");
        runs
    };
    let (go_on, held_up) = mpsc::channel::<()>();
    let (sender, began) = mpsc::channel();
    let busy = caller.to_thread(async move || {
        sender.send(()).unwrap();
        receive(&held_up);
        Caller::current().unwrap()
    });
    receive(&began);
    let first_since = clock.now();
    let first = run();
    fixture.elapse(idle_time / 2);
    let reused = if still_there(&first, first_since) { run() == first } else { false };
    let first_since = if reused { clock.now() } else { first_since };
    fixture.elapse(idle_time / 2);
    // It would be gone by now, if it had not been used.
    still_there(&first, first_since);
    let second_since = clock.now();
    go_on.send(()).unwrap();
    let second = busy.wait().timeout(LONG).blocking().unwrap();
    assert_ne!(first, second);
    fixture.elapse(idle_time / 2);
    eventually("the end of the first", || first.stopped().is_past());
    still_there(&second, second_since);
    fixture.elapse(idle_time / 2);
    eventually("the end of the second", || second.stopped().is_past());
    eventually("an empty pool", || caller.workers() == (0, 0));
}

pub fn thr_03_idle_workers_stay<F: Fixture>() {
    let fixture = F::new();
    let settings = PoolSettings::default().idle_time(Duration::ZERO);
    let caller = Running(fixture.builder().pool(settings).spawn().unwrap());
    let run =
        || caller.to_thread(async || Caller::current().unwrap()).wait().timeout(LONG).blocking().unwrap();
    let worker = run();
    for _ in 0..3 {
        turns(&caller);
        fixture.elapse(Duration::from_millis(10));
        turns(&caller);
        assert_eq!((worker.state(), caller.workers()), (CallerState::Running, (1, 1)));
    }
    assert_eq!(run(), worker);
}

pub fn thr_04_three_at_once_and_ten_idle<F: Fixture>() {
    let caller = F::new().caller();
    for (calls, idle) in [(3, 3), (12, 10)] {
        let barrier = Arc::new(Barrier::new(calls));
        let pendings: Vec<_> = (0..calls)
            .map(|_| {
                let barrier = barrier.clone();
                caller.to_thread(async move || {
                    barrier.wait();
                    Caller::current().unwrap()
                })
            })
            .collect();
        let workers: Vec<_> = pendings.into_iter().map(|pending| pending.wait_blocking().unwrap()).collect();
        let threads: std::collections::HashSet<_> = workers.iter().map(Caller::id).collect();
        assert_eq!(threads.len(), calls);
        assert_eq!(caller.workers(), (idle, idle));
        eventually("the end of the workers beyond", || {
            workers.iter().filter(|worker| worker.state() == CallerState::Stopped).count() == calls - idle
        });
        assert_eq!(caller.children().len(), idle);
    }
}

pub fn thr_calls_beyond_the_limit_wait<F: Fixture>() {
    let fixture = F::new();
    let caller = fixture.builder().pool(PoolSettings::default().limit(1)).spawn().unwrap();
    let order = Arc::new(Mutex::new(Vec::new()));
    let (release, released) = mpsc::channel::<()>();
    let first = caller.to_thread(async move || released.recv_timeout(LONG).unwrap());
    let rest: Vec<_> = (0..4)
        .map(|at| {
            let order = order.clone();
            caller.to_thread(async move || order.lock().unwrap().push(at))
        })
        .collect();
    assert!(rest[1].cancel("never mind") && rest[1].is_done());
    assert_eq!(caller.workers(), (1, 0));
    release.send(()).unwrap();
    first.wait_blocking().unwrap();
    for (at, pending) in rest.into_iter().enumerate() {
        assert_eq!(pending.wait_blocking().is_err(), at == 1);
    }
    assert_eq!(*order.lock().unwrap(), [0, 2, 3]);
    assert!(fixture.builder().pool(PoolSettings::default().limit(0)).build().unwrap_err().is_zero_limit());
    caller.stop();
}

pub fn thr_own_workers_exceed_the_limit<F: Fixture>() {
    let caller = F::new().builder().pool(PoolSettings::default().limit(1)).spawn().unwrap();
    let this = caller.clone();
    let nested = caller.to_thread(async move || {
        let inner = this.to_thread(async || 1);
        inner.wait_blocking().unwrap() + 1
    });
    assert_eq!(nested.wait_blocking().unwrap(), 2);
    eventually("the end of the worker beyond", || caller.workers() == (1, 1));
    caller.stop();
}

pub fn thr_stop_while_calls_wait<F: Fixture>() {
    let caller = F::new().builder().pool(PoolSettings::default().limit(1)).spawn().unwrap();
    let (sender, began) = mpsc::channel();
    let running = caller.to_thread(async move || {
        sender.send(()).unwrap();
        std::future::pending::<()>().await;
    });
    let waiting = caller.to_thread(async || ());
    receive(&began);
    caller.stop();
    caller.stopped().blocking().unwrap();
    for call in [running, waiting, caller.to_thread(async || ())] {
        assert!(call.is_done());
        let error = call.wait_blocking().unwrap_err();
        assert!(error.is_cancelled() && error.is_closed(), "{error}");
    }
}

pub fn thr_cancelled_calls_wait_no_longer<F: Fixture>() {
    let caller = F::new().builder().pool(PoolSettings::default().limit(1)).spawn().unwrap();
    let (sender, began) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let busy = caller.to_thread(async move || {
        sender.send(()).unwrap();
        released.recv_timeout(LONG).unwrap();
    });
    receive(&began);
    let waiting: Vec<_> = (0..10).map(|_| caller.to_thread(async || ())).collect();
    assert_eq!(caller.0.pool.waiting(), 10);
    waiting[1..].iter().for_each(|call| assert!(call.cancel("never mind")));
    assert_eq!(caller.0.pool.waiting(), 1, "though no worker has come back");
    release.send(()).unwrap();
    busy.wait_blocking().unwrap();
    for (at, call) in waiting.into_iter().enumerate() {
        assert_eq!(call.wait_blocking().is_ok(), at == 0);
    }
    caller.stop();
}

pub fn thr_settings_at_their_limits<F: Fixture>() {
    for (settings, idle) in [
        (PoolSettings::default().max_idle(0), 0),
        (PoolSettings::default().idle_time(Duration::MAX), 1),
        (PoolSettings::default().limit(usize::MAX).max_idle(usize::MAX), 1),
    ] {
        let caller = F::new().builder().pool(settings).spawn().unwrap();
        assert_eq!(caller.to_thread(async || 1).wait_blocking().unwrap(), 1);
        assert_eq!(caller.workers(), (idle, idle));
        caller.stop();
        caller.stopped().blocking().unwrap();
    }
}

/// The call that the caller's thread is blocked on waited for a worker, and blocks that worker on its caller.
pub fn thr_a_ring_through_a_call_that_waited_for_a_worker<F: Fixture>() {
    let caller = F::new().builder().pool(PoolSettings::default().limit(1)).spawn().unwrap();
    let (sender, began) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let busy = caller.to_thread(async move || {
        sender.send(()).unwrap();
        released.recv_timeout(LONG).unwrap();
    });
    receive(&began);
    let here = caller.clone();
    let outer = caller.call_soon(async move || {
        let owner = here.clone();
        here.to_thread(async move || owner.call_soon(async || 1).wait_blocking()).wait_blocking()
    });
    eventually("a call that waits for a worker", || caller.0.pool.waiting() == 1);
    eventually("a blocked thread", || crate::blocked::is_blocked(caller.id()));
    release.send(()).unwrap();
    busy.wait_blocking().unwrap();
    let inner = outer.wait().timeout(LONG).blocking().unwrap().unwrap();
    assert!(inner.unwrap_err().is_self_wait());
    caller.stop();
}
