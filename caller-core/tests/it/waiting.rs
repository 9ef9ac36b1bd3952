//! Those who wait: they leave nothing behind, they are found quickly, and one that panics or calls back harms no other.

use std::{
    future::Future,
    panic::panic_any,
    pin::Pin,
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    task::{Context, Poll, Wake, Waker},
    thread,
    time::{Duration, Instant},
};

use caller::{
    AsyncEvent, AsyncLock, CountdownEvent, DoneCallback, PendingHandle, PendingSet, Resolver, Shared,
    SingleConsumerQueue,
    testing::{Manual, kept_wakers},
};

use crate::support::{LONG, caller, receive, turns};

/// Runs a test in a thread of its own, with a bound on its time and with so much stack.
#[track_caller]
fn bounded_with_stack(stack: usize, test: impl FnOnce() + Send + 'static) {
    let (sender, ended) = mpsc::channel();
    let thread = thread::Builder::new().stack_size(stack).spawn(move || {
        test();
        sender.send(()).unwrap();
    });
    let thread = thread.unwrap();
    match ended.recv_timeout(Duration::from_secs(20)) {
        Ok(()) | Err(mpsc::RecvTimeoutError::Disconnected) => {
            thread.join().unwrap_or_else(|payload| std::panic::resume_unwind(payload));
        }
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("it hangs"),
    }
}

#[track_caller]
fn bounded(test: impl FnOnce() + Send + 'static) {
    bounded_with_stack(2 << 20, test);
}

fn poll<F: Future + Unpin>(future: &mut F, waker: &Waker) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(waker))
}

/// A waker that runs a function when it is woken, and another when its last clone is dropped.
struct Acts<W: Fn() + Send + Sync, D: Fn() + Send + Sync>(W, D);

impl<W: Fn() + Send + Sync, D: Fn() + Send + Sync> Wake for Acts<W, D> {
    fn wake(self: Arc<Self>) {
        (self.0)();
    }
}

impl<W: Fn() + Send + Sync, D: Fn() + Send + Sync> Drop for Acts<W, D> {
    fn drop(&mut self) {
        (self.1)();
    }
}

fn acts(woken: impl Fn() + Send + Sync + 'static) -> Waker {
    Waker::from(Arc::new(Acts(woken, || ())))
}

fn acts_when_dropped(
    woken: impl Fn() + Send + Sync + 'static,
    dropped: impl Fn() + Send + Sync + 'static,
) -> Waker {
    Waker::from(Arc::new(Acts(woken, dropped)))
}

#[derive(Clone, Default)]
struct Count(Arc<AtomicUsize>);

impl Count {
    fn get(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }

    fn one_more(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }

    fn waker(&self) -> Waker {
        let count = self.clone();
        acts(move || count.one_more())
    }
}

/// A waker that does nothing, whose clones are counted.
#[derive(Default)]
struct Idle(());

impl Wake for Idle {
    fn wake(self: Arc<Self>) {}
}

#[test]
fn a_dropped_wait_leaves_no_waker_behind() {
    let (_resolver, pending) = Resolver::<()>::new();
    let handle = pending.handle();
    let shared = pending.shared();
    let (event, countdown, queue) =
        (AsyncEvent::new(), CountdownEvent::new(1), SingleConsumerQueue::<u8>::new());
    let mut consumer = queue.consume();
    let lock = AsyncLock::new(());
    let _held = lock.try_lock().unwrap();
    let idle = Arc::new(Idle::default());
    let waker = Waker::from(idle.clone());
    let day = Duration::from_secs(86_400);
    let left = |what: &str, mut wait: Pin<Box<dyn Future<Output = ()> + '_>>| {
        for _ in 0..2 {
            assert!(poll(&mut wait, &waker).is_pending(), "{what}");
        }
        assert!(Arc::strong_count(&idle) > 2, "{what} keeps no waker");
        drop(wait);
        assert_eq!(Arc::strong_count(&idle), 2, "{what} leaves a waker behind");
    };
    left("a wait for the end", Box::pin(async { drop(handle.wait().await) }));
    left("a wait with a timeout", Box::pin(async { drop(handle.wait().timeout(day).await) }));
    left("a shared wait", Box::pin(async { drop(shared.wait().protect().timeout(day).await) }));
    left("a wait for a cancel", Box::pin(async { handle.cancel_requested().await }));
    left("an event", Box::pin(async { event.wait().await }));
    left("a countdown", Box::pin(async { countdown.wait().await }));
    left("a lock", Box::pin(async { drop(lock.lock().await) }));
    left("a queue", Box::pin(async { assert!(consumer.next().await.is_none()) }));
    let (_resolver, mut pending) = Resolver::<()>::new();
    left("a borrowed wait", Box::pin(async { drop(pending.wait_mut().timeout(day).await) }));
    left("a wait", Box::pin(async { drop(pending.wait().protect().timeout(day).await) }));
}

#[test]
fn wakers_that_are_kept_are_counted() {
    // So many that tests in other threads of this process do not matter.
    const MANY: usize = 300_000;
    let event = AsyncEvent::new();
    let mut waits: Vec<_> = (0..MANY).map(|_| event.wait()).collect();
    for wait in &mut waits {
        assert!(poll(wait, Waker::noop()).is_pending());
    }
    assert!(kept_wakers() >= MANY);
    drop(waits);
    assert!(kept_wakers() < MANY / 2);
}

/// Polls as many waits twice, and drops them in any order.
fn many_waits<W: Future + Unpin>(what: &str, wait: impl Fn() -> W) {
    const MANY: usize = 40_000;
    let mut waits: Vec<_> = (0..MANY).map(|_| wait()).collect();
    let began = Instant::now();
    for _ in 0..2 {
        for wait in &mut waits {
            assert!(poll(wait, Waker::noop()).is_pending());
        }
    }
    fastrand::shuffle(&mut waits);
    drop(waits);
    assert!(began.elapsed() < Duration::from_secs(3), "{what} took {:?}", began.elapsed());
}

#[test]
fn forty_thousand_waits_for_one_thing_are_polled_again_and_dropped_in_no_time() {
    let (_resolver, pending) = Resolver::<()>::new();
    let handle = pending.handle();
    many_waits("a pending", || handle.wait());
    many_waits("a cancel", || handle.cancel_requested());
    let shared = pending.shared();
    many_waits("a shared pending", || shared.wait().protect());
    let event = AsyncEvent::new();
    many_waits("an event", || event.wait());
    let countdown = CountdownEvent::new(1);
    many_waits("a countdown", || countdown.wait());
    let lock = AsyncLock::new(());
    let _held = lock.try_lock().unwrap();
    many_waits("a lock", || Box::pin(lock.lock()));
}

/// The payload of a panic, whose drop is counted.
struct Payload(Count);

impl Drop for Payload {
    fn drop(&mut self) {
        self.0.one_more();
    }
}

#[test]
fn a_callback_that_panics_costs_nobody_else() {
    let (resolver, pending) = Resolver::new();
    let (called, payloads) = (Count::default(), Count::default());
    let bad = payloads.clone();
    let (bad, good) = (
        DoneCallback::new(move |_| panic_any(Payload(bad.clone()))),
        DoneCallback::new({
            let called = called.clone();
            move |_| called.one_more()
        }),
    );
    let set = PendingSet::new();
    for callback in [&bad, &good, &bad, &good] {
        pending.add_done_callback(callback);
        set.add(&pending.handle());
    }
    let mut wait = pending.handle().wait();
    assert!(poll(&mut wait, &called.waker()).is_pending());
    resolver.resolve(1).unwrap();
    assert_eq!(called.get(), 3, "two callbacks and a waker");
    assert_eq!(payloads.get(), 2, "what it panicked with is dropped, once");
    assert!(set.is_empty());
    assert!(poll(&mut wait, Waker::noop()).is_ready());
}

#[test]
fn a_waker_that_panics_costs_nobody_else() {
    let woken = Count::default();
    let bad = || {
        acts_when_dropped(
            || panic!("woken, on purpose"),
            || {
                if !thread::panicking() {
                    panic!("dropped, on purpose")
                }
            },
        )
    };
    // Pending, cancel, event, countdown: between two good wakers stands a bad one.
    let wakers = || [woken.waker(), bad(), woken.waker()];
    let (resolver, pending) = Resolver::new();
    let handle = pending.handle();
    let mut waits: Vec<_> = wakers().into_iter().map(|waker| (handle.wait(), waker)).collect();
    let mut owner = pending.wait();
    assert!(poll(&mut owner, &woken.waker()).is_pending());
    waits.iter_mut().for_each(|(wait, waker)| assert!(poll(wait, waker).is_pending()));
    let _waits: Vec<_> = waits.into_iter().map(|(wait, _)| wait).collect();
    resolver.resolve(1).unwrap();
    assert_eq!(woken.get(), 3, "of a pending, and the one who takes the result");

    let event = AsyncEvent::new();
    let mut waits: Vec<_> = wakers().into_iter().map(|waker| (event.wait(), waker)).collect();
    waits.iter_mut().for_each(|(wait, waker)| assert!(poll(wait, waker).is_pending()));
    let _waits: Vec<_> = waits.into_iter().map(|(wait, _)| wait).collect();
    event.set();
    assert_eq!(woken.get(), 5, "of an event");

    let countdown = CountdownEvent::new(1);
    let mut waits: Vec<_> = wakers().into_iter().map(|waker| (countdown.wait(), waker)).collect();
    waits.iter_mut().for_each(|(wait, waker)| assert!(poll(wait, waker).is_pending()));
    let _waits: Vec<_> = waits.into_iter().map(|(wait, _)| wait).collect();
    countdown.down().unwrap();
    assert_eq!(woken.get(), 7, "of a countdown");
}

/// How many links the chains have that must not need a stack as deep.
const CHAIN: usize = 100_000;

#[test]
fn a_chain_of_callbacks_each_of_which_completes_the_next_needs_no_deep_stack() {
    bounded_with_stack(1 << 20, || {
        let done = Count::default();
        let (first, pending) = Resolver::new();
        let mut last = pending.handle();
        for _ in 0..CHAIN {
            let (next, pending) = Resolver::new();
            let done = done.clone();
            last.add_done_callback(&DoneCallback::new(move |_: &PendingHandle| {
                done.one_more();
                next.resolve(()).unwrap();
            }));
            last = pending.handle();
        }
        first.resolve(()).unwrap();
        assert_eq!(done.get(), CHAIN);
        assert!(last.is_done());
    });
}

#[test]
fn a_chain_of_abandoned_resolvers_needs_no_deep_stack() {
    bounded_with_stack(1 << 20, || {
        let (first, pending) = Resolver::<()>::new();
        let mut last = pending.handle();
        for link in 0..CHAIN {
            let (next, pending) = Resolver::<()>::new();
            // It is dropped with the callback, or in it.
            if link % 2 == 0 {
                last.add_done_callback(&DoneCallback::new(move |_: &PendingHandle| assert!(!next.is_done())));
            } else {
                let kept = Mutex::new(Some(next));
                last.add_done_callback(&DoneCallback::new(move |_: &PendingHandle| {
                    drop(kept.lock().unwrap().take())
                }));
            }
            last = pending.handle();
        }
        drop(first);
        assert!(last.is_done());
        assert!(last.error().unwrap().unwrap().is_abandoned());
    });
}

#[test]
fn a_chain_of_cancellers_that_hold_the_next_resolver_needs_no_deep_stack() {
    bounded_with_stack(1 << 20, || {
        let (mut first, pending) = Resolver::<()>::new();
        let last = pending.handle();
        for _ in 0..CHAIN {
            let (before, _) = Resolver::<()>::new();
            before.set_canceller(move |_| assert!(!first.is_done())).unwrap();
            first = before;
        }
        drop(first);
        assert!(last.error().unwrap().unwrap().is_abandoned());
    });
}

/// A future that is polled at once, in the thread that wakes it.
struct Runs(Mutex<Option<Pin<Box<dyn Future<Output = ()> + Send>>>>);

impl Wake for Runs {
    fn wake(self: Arc<Self>) {
        let waker = Waker::from(self.clone());
        let mut future = self.0.lock().unwrap();
        if let Some(running) = &mut *future
            && poll(running, &waker).is_ready()
        {
            *future = None;
        }
    }
}

#[test]
fn a_lock_that_is_handed_along_wakers_that_run_at_once_needs_no_deep_stack() {
    bounded_with_stack(1 << 20, || {
        let lock = Arc::new(AsyncLock::new(0));
        let held = lock.try_lock_arc().unwrap();
        for _ in 0..CHAIN {
            let lock = lock.clone();
            let future = Box::pin(async move { *lock.lock().await.unwrap() += 1 });
            Arc::new(Runs(Mutex::new(Some(future)))).wake();
        }
        assert_eq!(*held, 0);
        drop(held);
        assert_eq!(*lock.try_lock().expect("the last has given it back"), CHAIN);
    });
}

#[test]
fn a_waker_that_calls_back_finds_no_lock() {
    bounded(|| {
        let seen = Count::default();
        let event = AsyncEvent::new();
        let (at_event, count) = (event.clone(), seen.clone());
        let waker = acts(move || {
            at_event.set();
            assert!(poll(&mut at_event.wait(), Waker::noop()).is_ready());
            count.one_more();
        });
        let mut wait = event.wait();
        assert!(poll(&mut wait, &waker).is_pending());
        event.set();

        let countdown = CountdownEvent::new(1);
        let (at_zero, count) = (countdown.clone(), seen.clone());
        let waker = acts(move || {
            assert_eq!((at_zero.count(), at_zero.waiting(), at_zero.up()), (0, 0, 1));
            assert!(poll(&mut at_zero.wait(), Waker::noop()).is_pending());
            count.one_more();
        });
        let mut wait = countdown.wait();
        assert!(poll(&mut wait, &waker).is_pending());
        countdown.down().unwrap();

        let lock = Arc::new(AsyncLock::new(()));
        let held = lock.try_lock().unwrap();
        let (at_lock, count) = (lock.clone(), seen.clone());
        let waker = acts(move || {
            assert_eq!(at_lock.count(), 1);
            assert!(at_lock.try_lock().is_none());
            assert!(poll(&mut Box::pin(at_lock.lock()), Waker::noop()).is_pending());
            count.one_more();
        });
        let mut wait = Box::pin(lock.lock());
        assert!(poll(&mut wait, &waker).is_pending());
        drop(held);

        let queue = SingleConsumerQueue::new();
        let (at_queue, count) = (queue.clone(), seen.clone());
        let waker = acts(move || {
            assert_eq!(at_queue.len(), 1);
            assert!(at_queue.push_back(2));
            at_queue.stop();
            count.one_more();
        });
        let mut consumer = queue.consume();
        assert!(poll(&mut consumer.next(), &waker).is_pending(), "the first wait leaves");
        let mut next = consumer.next();
        assert!(poll(&mut next, &waker).is_pending());
        assert!(queue.push_back(1));
        assert_eq!(seen.get(), 4);
    });
}

#[test]
fn a_callback_or_waker_that_calls_back_into_its_pending_finds_no_lock() {
    bounded(|| {
        let seen = Count::default();
        let (resolver, pending) = Resolver::new();
        let again = Arc::new(OnceLock::<DoneCallback>::new());
        let (count, own) = (seen.clone(), Arc::downgrade(&again));
        let callback = DoneCallback::new(move |done: &PendingHandle| {
            assert!(!done.cancel("too late") && done.to_string().contains("done"));
            assert_eq!(done.remove_done_callback(own.upgrade().unwrap().get().unwrap()), 0);
            assert!(poll(&mut done.wait(), Waker::noop()).is_ready());
            let count = count.clone();
            done.add_done_callback(&DoneCallback::new(move |_| count.one_more()));
        });
        again.set(callback.clone()).unwrap_or_else(|_| unreachable!());
        pending.add_done_callback(&callback);
        let handle = pending.handle();
        let (count, at_end) = (seen.clone(), handle.clone());
        let waker = acts(move || {
            assert!(at_end.is_done() && at_end.metadata("label").is_none());
            count.one_more();
        });
        let mut wait = handle.wait();
        assert!(poll(&mut wait, &waker).is_pending());
        // A waker that is renewed, and dropped by that, calls back too.
        let (count, renewing) = (seen.clone(), handle.clone());
        let dropped = acts_when_dropped(
            || (),
            move || {
                renewing.set_metadata("label", "renewed");
                count.one_more();
            },
        );
        let mut other = handle.wait();
        assert!(poll(&mut other, &dropped).is_pending());
        drop(dropped);
        assert!(poll(&mut other, Waker::noop()).is_pending());
        assert_eq!((seen.get(), handle.metadata("label").as_deref()), (1, Some("renewed")));
        resolver.resolve(()).unwrap();
        assert_eq!(seen.get(), 3);
    });
}

#[test]
fn a_waker_that_asks_when_cancelling_is_asked_for_finds_no_lock() {
    bounded(|| {
        let (resolver, pending) = Resolver::<()>::new();
        resolver.set_canceller(|_| ()).unwrap();
        let handle = pending.handle();
        let woken = Count::default();
        let (count, asking) = (woken.clone(), handle.clone());
        let waker = acts(move || {
            assert!(asking.is_cancelled() && asking.cancel("again"));
            assert!(poll(&mut asking.cancel_requested(), Waker::noop()).is_ready());
            count.one_more();
        });
        let mut wait = handle.cancel_requested();
        assert!(poll(&mut wait, &waker).is_pending());
        assert!(handle.cancel("once"));
        assert_eq!(woken.get(), 1);
    });
}

#[test]
fn a_waker_that_panics_when_it_is_replaced_does_not_harm_the_poll() {
    let (_resolver, pending) = Resolver::<()>::new();
    let handle = pending.handle();
    let (event, countdown) = (AsyncEvent::new(), CountdownEvent::new(1));
    let lock = AsyncLock::new(());
    let held = lock.try_lock().unwrap();
    let renew = |mut wait: Pin<Box<dyn Future<Output = ()> + '_>>| {
        let bad = acts_when_dropped(|| (), || panic!("dropped, on purpose"));
        assert!(poll(&mut wait, &bad).is_pending());
        // The list has the last clone.
        drop(bad);
        assert!(poll(&mut wait, Waker::noop()).is_pending());
        let bad = acts_when_dropped(|| (), || panic!("dropped, on purpose"));
        assert!(poll(&mut wait, &bad).is_pending());
        drop(bad);
        drop(wait);
    };
    renew(Box::pin(async { drop(handle.wait().timeout(Duration::MAX).await) }));
    renew(Box::pin(async { handle.cancel_requested().await }));
    renew(Box::pin(async { event.wait().await }));
    renew(Box::pin(async { countdown.wait().await }));
    renew(Box::pin(async { drop(lock.lock().await) }));
    drop(held);
    assert!(lock.try_lock().is_some());
}

#[test]
fn a_countdown_at_its_limit_stays_there() {
    let event = CountdownEvent::new(usize::MAX);
    assert_eq!(event.up(), usize::MAX);
    assert_eq!(event.down().unwrap(), usize::MAX - 1);
    assert_eq!(event.up(), usize::MAX);
}

#[test]
fn a_shared_wait_for_oneself_cancels_nothing() {
    let caller = caller(&Manual::new());
    let (sender, own) = mpsc::channel::<Shared<u32>>();
    let call = caller.call_soon(async move || {
        let own = receive(&own);
        let mut wait = Box::pin(own.wait());
        assert!(wait.as_mut().await.unwrap_err().is_self_wait());
        drop(wait);
        turns().await;
        5
    });
    let call = call.shared();
    sender.send(call.clone()).unwrap();
    call.handle().wait().timeout(LONG).blocking().unwrap();
    assert_eq!(call.result().unwrap(), 5);
}

#[test]
fn an_ignored_result_may_be_an_error_of_another_wait() {
    let (_resolver, never) = Resolver::<()>::new();
    let timed_out = never.wait().timeout(Duration::ZERO).blocking().unwrap_err();
    assert!(timed_out.is_timeout());
    for blocking in [true, false] {
        let (resolver, pending) = Resolver::<()>::new();
        resolver.fail_with(timed_out.clone());
        let wait = pending.wait().ignore_result();
        let ignored = if blocking { wait.blocking() } else { futures::executor::block_on(wait) };
        ignored.unwrap();
    }
    // Its own timeout it tells.
    let (_resolver, pending) = Resolver::<()>::new();
    assert!(pending.wait().ignore_result().timeout(Duration::ZERO).blocking().unwrap_err().is_timeout());
}
