//! PEN: results, waits, callbacks.

use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::{Arc, Barrier, Mutex, PoisonError, mpsc},
    task::{Context, Poll, Waker},
    thread,
    time::Duration,
};

use super::{Drops, LONG, Trouble, eventually, receive};
use crate::{
    ContextVar, DoneCallback, Error, Pending, PendingHandle, Resolver, current_pending, testing::Fixture,
};

/// An error that can be told from an equal one.
#[derive(Clone, Debug, thiserror::Error)]
#[error("error number {0}")]
struct Numbered(Arc<u32>);

impl Numbered {
    fn new(number: u32) -> Self {
        Self(Arc::new(number))
    }

    /// Whether `error` is a failure with this very value.
    fn is(&self, error: &Error) -> bool {
        let failed = error.is_failed() && !error.is_panic() && !error.is_cancelled();
        failed && error.downcast_ref::<Self>().is_some_and(|known| Arc::ptr_eq(&known.0, &self.0))
    }
}

/// Polls a future once, with a waker that does nothing.
fn poll_once<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    pin!(future).poll(&mut Context::from_waker(Waker::noop()))
}

/// Waits until a pending is done, at most for `LONG`.
fn done(handle: &PendingHandle) {
    handle.wait().timeout(LONG).blocking().expect("the pending should be done");
}

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
    let fixture = F::new();
    let caller = fixture.caller();
    let failed = |very: &Numbered| -> Pending<u32> {
        let (resolver, pending) = Resolver::new();
        assert!(resolver.fail(very.clone()));
        pending
    };
    // Awaited afterwards and before, and blocked on.
    let very = Numbered::new(1);
    assert!(very.is(&fixture.block_on(async { failed(&very).await }).unwrap_err()));
    assert!(very.is(&failed(&very).wait_blocking().unwrap_err()));
    let (resolver, pending) = Resolver::<u32>::new();
    let (sender, begun) = mpsc::channel();
    let waits = caller.call_soon(async move || {
        let mut wait = pending.wait();
        assert!(std::future::poll_fn(|cx| Poll::Ready(pin!(&mut wait).poll(cx))).await.is_pending());
        sender.send(()).unwrap();
        wait.await
    });
    receive(&begun);
    assert!(resolver.fail(very.clone()));
    assert!(very.is(&waits.wait().timeout(LONG).blocking().unwrap().unwrap_err()));
    // Asked for, as often as one likes.
    let mut pending = failed(&very);
    let handle = pending.handle();
    assert!(pending.is_done() && !pending.is_cancelled());
    assert!(very.is(&pending.error().unwrap().unwrap()) && very.is(&handle.error().unwrap().unwrap()));
    for _ in 0..2 {
        assert!(very.is(&pending.try_result().unwrap_err()));
        assert!(very.is(&fixture.block_on(async { pending.wait_mut().await }).unwrap_err()));
        assert!(very.is(&pending.error().unwrap().unwrap()) && very.is(&handle.error().unwrap().unwrap()));
    }
    let shared = failed(&very).shared();
    for _ in 0..2 {
        assert!(very.is(&shared.result().unwrap_err()) && very.is(&shared.error().unwrap().unwrap()));
        assert!(very.is(&fixture.block_on(async { shared.wait().await }).unwrap_err()));
    }
    // The error of one pending is given to another as it is.
    let (resolver, mut second) = Resolver::<u32>::new();
    assert!(resolver.fail_with(shared.result().unwrap_err()));
    assert!(very.is(&second.try_result().unwrap_err()));
}

pub fn pen_04_first_outcome_stays<F: Fixture>() {
    /// What a pending is completed with, twice: a value, or a numbered error.
    fn set(resolver: &Resolver<u32>, with: Result<u32, &Numbered>) -> bool {
        match with {
            Ok(value) => resolver.resolve(value).map_err(|back| assert_eq!(back, value)).is_ok(),
            Err(error) => resolver.fail(error.clone()),
        }
    }
    let (one, two) = (Numbered::new(1), Numbered::new(1));
    for first in [Ok(1), Err(&one)] {
        for second in [Ok(2), Err(&two)] {
            for taken_before in [true, false] {
                let (resolver, mut pending) = Resolver::new();
                let handle = pending.handle();
                let called = Arc::new(Mutex::new(0));
                let count = called.clone();
                pending.add_done_callback(&DoneCallback::new(move |_| *count.lock().unwrap() += 1));
                assert!(set(&resolver, first));
                let result = taken_before.then(|| pending.try_result());
                assert!(!set(&resolver, second), "the second is refused");
                assert!(!resolver.fail_with(Error::no_runtime("a third")));
                drop(resolver);
                let result = result.unwrap_or_else(|| pending.try_result());
                let error = handle.error().unwrap();
                match first {
                    Ok(value) => assert!(result.unwrap() == value && error.is_none(), "{error:?}"),
                    Err(very) => assert!(very.is(&result.unwrap_err()) && very.is(&error.unwrap())),
                }
                assert_eq!(*called.lock().unwrap(), 1, "the outcome is announced once");
            }
        }
    }
    // A cancel is an outcome too.
    let (resolver, mut pending) = Resolver::new();
    assert!(pending.cancel("first"));
    assert!(!set(&resolver, Ok(2)) && !set(&resolver, Err(&two)));
    assert_eq!(pending.try_result().unwrap_err().reasons(), Some("first"));
    // Of several threads that complete it, one does.
    for _ in 0..20 {
        let (resolver, pending) = Resolver::new();
        let barrier = Barrier::new(4);
        let winners: Vec<u32> = thread::scope(|scope| {
            let complete = |number| {
                let (barrier, resolver) = (&barrier, &resolver);
                scope.spawn(move || {
                    barrier.wait();
                    resolver.resolve(number).is_ok().then_some(number)
                })
            };
            let threads: Vec<_> = (0..4).map(complete).collect();
            threads.into_iter().filter_map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(winners, [pending.wait_blocking().unwrap()]);
    }
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
    for (polled, protected, ignored) in (0..8).map(|bits| (bits & 1 != 0, bits & 2 != 0, bits & 4 != 0)) {
        let case = format!("polled {polled}, protected {protected}, ignored {ignored}");
        let (resolver, gate) = Resolver::<()>::new();
        let (sender, begun) = mpsc::channel();
        let pending = caller.call_soon(async move || {
            sender.send(()).unwrap();
            gate.await
        });
        let handle = pending.handle();
        receive(&begun);
        let wait = pending.wait();
        let mut wait = if protected { wait.protect() } else { wait };
        if ignored {
            let mut wait = wait.ignore_result();
            assert!(!polled || poll_once(&mut wait).is_pending());
            drop(wait);
        } else {
            assert!(!polled || poll_once(&mut wait).is_pending());
            drop(wait);
        }
        assert_eq!(handle.is_cancelled(), !protected, "{case}");
        if protected {
            // It keeps running, and ends as if nobody had waited.
            caller.call_soon(async || ()).wait_blocking().unwrap();
            assert!(!handle.is_done() && !handle.is_cancelled(), "{case}");
            resolver.resolve(()).unwrap();
            done(&handle);
            assert!(handle.error().unwrap().is_none() && !handle.is_cancelled(), "{case}");
        } else {
            done(&handle);
            assert!(handle.error().unwrap().unwrap().is_cancelled(), "{case}");
            assert!(resolver.resolve(()).is_err(), "what the call waited for is given up too: {case}");
        }
    }
    // A pending that is dropped gives nothing up.
    let pending = caller.call_soon(async || std::future::pending::<()>().await);
    let handle = pending.handle();
    drop(pending);
    assert!(!handle.is_cancelled());
}

pub fn pen_08_borrowed_and_shared_waits<F: Fixture>() {
    let (resolver, mut pending) = Resolver::new();
    let mut wait = pending.wait_mut();
    assert!(poll_once(&mut wait).is_pending());
    drop(wait);
    assert!(!pending.is_cancelled());
    resolver.resolve(1).unwrap();
    assert_eq!(pending.wait_blocking().unwrap(), 1);

    let (_resolver, pending) = Resolver::<u32>::new();
    let shared = pending.shared();
    let (mut one, mut two) = (Box::pin(shared.wait()), Box::pin(shared.wait()));
    let never_began = shared.wait();
    assert!(poll_once(&mut one).is_pending() && poll_once(&mut two).is_pending());
    // Polled again, a wait is still one wait.
    assert!(poll_once(&mut two).is_pending());
    drop(never_began);
    drop(one);
    assert!(!shared.is_cancelled(), "another waiter is left");
    drop(two);
    assert!(shared.is_cancelled(), "the last that began gave up");

    // The last one is protected.
    let (resolver, pending) = Resolver::<u32>::new();
    let shared = pending.shared();
    let (mut one, mut two) = (Box::pin(shared.wait()), Box::pin(shared.wait().protect()));
    assert!(poll_once(&mut one).is_pending() && poll_once(&mut two).is_pending());
    drop(one);
    drop(two);
    assert!(!shared.is_cancelled());
    resolver.resolve(1).unwrap();
    assert_eq!(shared.result().unwrap(), 1);
    // One that ended gave nothing up.
    let mut ended = Box::pin(shared.wait());
    assert!(matches!(poll_once(&mut ended), Poll::Ready(Ok(1))));
    drop(ended);
    assert!(!shared.is_cancelled());
}

pub fn pen_09_wait_without_result<F: Fixture>() {
    let fixture = F::new();
    let caller = fixture.caller();
    let failing = caller.try_call_soon(async || Err::<(), _>(Trouble));
    let panicking = caller.call_soon(async || panic!("on purpose"));
    let cancelled = caller.call_soon(async || std::future::pending::<()>().await);
    cancelled.cancel("enough");
    for pending in [failing, panicking, cancelled] {
        let handle = pending.handle();
        fixture.block_on(async { pending.wait().timeout(LONG).ignore_result().await }).unwrap();
        assert!(handle.error().unwrap().is_some(), "the wait returns when it is done");
    }
    // Not before it is done: neither while it runs, nor when cancelling was asked for.
    let (resolver, pending) = Resolver::<()>::new();
    let handle = pending.handle();
    resolver.set_canceller(|_| {}).unwrap();
    let mut wait = pending.wait().ignore_result();
    assert!(poll_once(&mut wait).is_pending());
    handle.cancel("enough");
    assert!(handle.is_cancelled() && poll_once(&mut wait).is_pending());
    resolver.resolve(()).unwrap();
    assert!(matches!(poll_once(&mut wait), Poll::Ready(Ok(()))));
    assert!(handle.error().unwrap().unwrap().is_cancelled());
    // What concerns the wait itself is still an error.
    let (_resolver, pending) = Resolver::<()>::new();
    let wait = pending.wait().timeout(Duration::ZERO).ignore_result();
    assert!(fixture.block_on(wait).unwrap_err().is_timeout());
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
    static LENT: ContextVar<Arc<super::Dropped>> = ContextVar::new();
    /// So large that the allocator gives it back to the system at once.
    const LABEL: usize = 64 << 20;
    /// In one process, the memory of one such test is not that of another.
    static ALONE: Mutex<()> = Mutex::new(());
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let caller = F::new().caller();
    let (drops, ran_to_its_end) = (Drops::default(), mpsc::channel());
    let before = resident();
    for awaits in [false, true] {
        let (sender, (resolver, gate)) = (ran_to_its_end.0.clone(), Resolver::<()>::new());
        let (captured, returned) = (drops.watch(), drops.watch());
        let make = || {
            caller.call_soon(async move || {
                let _captured = captured;
                if awaits {
                    gate.await.unwrap();
                }
                sender.send(()).unwrap();
                returned
            })
        };
        let before_the_end = drops.count();
        // Held up, so that the labels are put on before the call has ended.
        let (go_on, held_up) = mpsc::channel::<()>();
        caller.call_direct(move || receive(&held_up));
        let pending = LENT.sync_scope(Arc::new(drops.watch()), make);
        pending.set_metadata("request", "x".repeat(LABEL));
        let callback = drops.watch();
        pending.add_done_callback(&DoneCallback::new(move |_| {
            let _held = &callback;
        }));
        assert!(before.is_none_or(|before| resident().unwrap() > before + LABEL / 2));
        drop(pending);
        assert_eq!(drops.count(), before_the_end);
        go_on.send(()).unwrap();
        resolver.resolve(()).unwrap();
        receive(&ran_to_its_end.1);
        eventually("the end of all that the call held", || drops.count() == before_the_end + 4);
        let given_back = || before.is_none_or(|before| resident().unwrap() < before + LABEL / 2);
        eventually("the end of the labels", given_back);
    }
}

/// How many bytes of this process are in memory, where the system can tell.
fn resident() -> Option<usize> {
    if !cfg!(all(target_os = "linux", target_env = "gnu")) {
        return None;
    }
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().strip_suffix(" kB")?.parse::<usize>().ok()? << 10)
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
    assert!(!handle.to_string().contains("request"), "{handle}");
    drop(pending);
    // Labels that a call is given before it is submitted are there before it can begin.
    let (resolver, gate) = Resolver::<()>::new();
    let labelled = caller.schedule_call(async move || {
        let own = current_pending().unwrap();
        let labels = (own.metadata("request"), own.metadata("attempt"));
        gate.await.unwrap();
        labels
    });
    let pending = labelled.metadata("request", "the figures").metadata("attempt", 2).submit().unwrap();
    let handle = pending.handle();
    assert_eq!(handle.metadata("attempt").as_deref(), Some("2"));
    assert!(handle.to_string().contains("request=\"the figures\" attempt=\"2\""), "{handle}");
    assert_eq!(handle.metadata("other"), None);
    resolver.resolve(()).unwrap();
    let (request, attempt) = pending.wait().timeout(LONG).blocking().unwrap();
    assert_eq!((request.as_deref(), attempt.as_deref()), (Some("the figures"), Some("2")));
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
