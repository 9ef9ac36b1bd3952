//! Every wait that may be limited: it ends at its time, not before, and goes by the clock that it should.

use std::{
    future::Future,
    pin::Pin,
    sync::mpsc,
    task::Poll,
    thread,
    time::{Duration, Instant},
};

use caller::{
    Caller, Error, Pending, PendingGroup, PoolSettings, Resolver, current_pending, testing::Manual,
};

use crate::support::{
    LONG, Wakes, caller, eventually, in_a_call, in_time, on_time, poll, receive, turns, turns_of,
};

const TIME: Duration = Duration::from_secs(60);
const MOMENT: Duration = Duration::from_nanos(1);
const HOUR: Duration = Duration::from_secs(3600);
const CENTURY: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

#[derive(Clone, Copy, Debug)]
enum Limit {
    Timeout(Duration),
    Deadline(Instant),
}

/// How a wait ended.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Ended {
    Value,
    TimedOut,
}

fn ended<T>(result: Result<T, Error>) -> Ended {
    match result {
        Ok(_) => Ended::Value,
        Err(error) if error.is_timeout() => Ended::TimedOut,
        Err(error) => panic!("{error}"),
    }
}

/// A wait with a limit, for a pending that this resolver completes.
type Limited = (Pin<Box<dyn Future<Output = Ended> + Send>>, Resolver<u32>);

/// A kind of wait: its name, how it is made, and whether it cancels what it waits for when its time is over.
type Kind = (&'static str, fn(&Caller, Limit) -> Limited, bool);

macro_rules! limit {
    ($wait:expr, $limit:expr) => {
        match $limit {
            Limit::Timeout(time) => $wait.timeout(time),
            Limit::Deadline(at) => $wait.deadline(at),
        }
    };
}

const KINDS: [Kind; 8] = [
    ("Wait", |_, limit| made(|pending| limit!(pending.wait(), limit)), true),
    ("Wait, protected", |_, limit| made(|pending| limit!(pending.wait().protect(), limit)), false),
    ("WaitIgnored", |_, limit| made(|pending| limit!(pending.wait(), limit).ignore_result()), true),
    (
        "WaitMut",
        |_, limit| {
            let (resolver, mut pending) = Resolver::new();
            (Box::pin(async move { ended(limit!(pending.wait_mut(), limit).await) }), resolver)
        },
        false,
    ),
    ("WaitDone", |_, limit| made(|pending| limit!(pending.handle().wait(), limit)), false),
    ("WaitShared", |_, limit| made(|pending| limit!(pending.shared().wait(), limit)), true),
    (
        "WaitShared, protected",
        |_, limit| made(|pending| limit!(pending.shared().wait().protect(), limit)),
        false,
    ),
    (
        "WaitMany",
        |caller, limit| {
            let (resolver, pending) = Resolver::new();
            let wait = limit!(caller.wait([pending]), limit);
            let ended = async move {
                let waited = wait.await.unwrap();
                if waited.done.is_empty() { Ended::TimedOut } else { Ended::Value }
            };
            (Box::pin(ended), resolver)
        },
        false,
    ),
];

fn made<W, T>(make: impl FnOnce(Pending<u32>) -> W) -> Limited
where
    W: Future<Output = Result<T, Error>> + Send + 'static,
{
    let (resolver, pending) = Resolver::new();
    let wait = make(pending);
    (Box::pin(async move { ended(wait.await) }), resolver)
}

#[test]
fn a_wait_ends_at_its_time_and_not_before() {
    for (name, make, cancels) in KINDS {
        for by_deadline in [false, true] {
            let manual = Manual::new();
            let clock = manual.clone();
            in_a_call(&manual, async move |here| {
                let name = format!("{name}, by deadline: {by_deadline}");
                let start = clock.now();
                let limit =
                    if by_deadline { Limit::Deadline(start + HOUR + TIME) } else { Limit::Timeout(TIME) };
                let (mut wait, resolver) = make(&here, limit);
                // A timeout counts from the first poll.
                clock.advance(HOUR);
                let (wakes, waker) = Wakes::new();
                assert!(poll(&mut wait, &waker).is_pending(), "{name}");
                for step in [TIME / 2, TIME / 2 - MOMENT] {
                    clock.advance(step);
                    turns().await;
                    assert_eq!(wakes.count(), 0, "{name} is woken before its time");
                    assert!(poll(&mut wait, &waker).is_pending(), "{name} ends before its time");
                }
                clock.advance(MOMENT);
                turns().await;
                assert_eq!(wakes.count(), 1, "{name} is woken at its time");
                assert_eq!(poll(&mut wait, &waker), Poll::Ready(Ended::TimedOut), "{name}");
                drop(wait);
                assert_eq!(resolver.is_cancelled(), cancels, "{name}");
            });
        }
    }
}

#[test]
fn a_wait_that_has_ended_or_is_dropped_is_not_woken_at_its_time() {
    for (name, make, _) in KINDS {
        for drops in [false, true] {
            let manual = Manual::new();
            let clock = manual.clone();
            in_a_call(&manual, async move |here| {
                let (mut wait, resolver) = make(&here, Limit::Timeout(TIME));
                let (wakes, waker) = Wakes::new();
                assert!(poll(&mut wait, &waker).is_pending(), "{name}");
                if drops {
                    drop(wait);
                } else {
                    resolver.resolve(7).unwrap();
                    assert_eq!(wakes.count(), 1, "{name}");
                    assert_eq!(poll(&mut wait, &waker), Poll::Ready(Ended::Value), "{name}");
                }
                let before = wakes.count();
                clock.advance(HOUR);
                turns().await;
                assert_eq!(wakes.count(), before, "{name}");
            });
        }
    }
}

#[test]
fn without_time_only_what_is_there_is_given() {
    for (name, make, cancels) in KINDS {
        let manual = Manual::new();
        let clock = manual.clone();
        in_a_call(&manual, async move |here| {
            clock.advance(HOUR);
            let now = clock.now();
            for limit in [Limit::Timeout(Duration::ZERO), Limit::Deadline(now), Limit::Deadline(now - HOUR)] {
                let (wakes, waker) = Wakes::new();
                let (mut wait, resolver) = make(&here, limit);
                assert_eq!(poll(&mut wait, &waker), Poll::Ready(Ended::TimedOut), "{name}, {limit:?}");
                drop(wait);
                assert_eq!((resolver.is_cancelled(), wakes.count()), (cancels, 0), "{name}, {limit:?}");
                let (mut wait, resolver) = make(&here, limit);
                resolver.resolve(7).unwrap();
                assert_eq!(poll(&mut wait, &waker), Poll::Ready(Ended::Value), "{name}, {limit:?}");
            }
        });
    }
}

#[test]
fn a_time_that_never_comes_is_waited_for() {
    for (name, make, _) in KINDS {
        let manual = Manual::new();
        let clock = manual.clone();
        in_a_call(&manual, async move |here| {
            let far = [CENTURY + HOUR, Duration::MAX, Duration::MAX - MOMENT].map(Limit::Timeout);
            for limit in far.into_iter().chain([Limit::Deadline(clock.now() + 3 * CENTURY)]) {
                let (mut wait, resolver) = make(&here, limit);
                let (wakes, waker) = Wakes::new();
                assert!(poll(&mut wait, &waker).is_pending(), "{name}, {limit:?}");
                clock.advance(CENTURY / 2);
                turns().await;
                assert_eq!(wakes.count(), 0, "{name}, {limit:?}");
                assert!(poll(&mut wait, &waker).is_pending(), "{name}, {limit:?}");
                resolver.resolve(7).unwrap();
                assert_eq!(wakes.count(), 1, "{name}, {limit:?}");
                assert_eq!(poll(&mut wait, &waker), Poll::Ready(Ended::Value), "{name}, {limit:?}");
            }
        });
    }
}

#[test]
fn a_wait_outside_of_callers_goes_by_the_clock_of_the_machine() {
    let manual = Manual::new();
    let caller = caller(&manual);
    let time = Duration::from_millis(30);
    for (name, make, _) in KINDS {
        for by_deadline in [false, true] {
            on_time(name, time, || {
                let limit = Limit::Deadline(Instant::now() + time);
                let limit = if by_deadline { limit } else { Limit::Timeout(time) };
                let (wait, _resolver) = make(&caller, limit);
                // The time of some caller has nothing to do with it.
                manual.advance(HOUR);
                assert_eq!(in_time(name, move || futures::executor::block_on(wait)), Ended::TimedOut);
            });
        }
        // What comes in time is given, whatever the limit.
        for time in [HOUR, CENTURY, Duration::MAX] {
            let (wait, resolver) = make(&caller, Limit::Timeout(time));
            let resolves = thread::spawn(move || resolver.resolve(7).unwrap());
            assert_eq!(in_time(name, move || futures::executor::block_on(wait)), Ended::Value);
            resolves.join().unwrap();
        }
    }
}

/// The waits that can block a thread.
type Blocks = (&'static str, fn(Pending<u32>, Limit) -> Ended);

const BLOCKING: [Blocks; 5] = [
    ("Wait", |pending, limit| ended(limit!(pending.wait(), limit).blocking())),
    ("WaitIgnored", |pending, limit| ended(limit!(pending.wait(), limit).ignore_result().blocking())),
    ("WaitMut", |mut pending, limit| ended(limit!(pending.wait_mut(), limit).blocking())),
    ("WaitDone", |pending, limit| ended(limit!(pending.handle().wait(), limit).blocking())),
    ("WaitShared", |pending, limit| ended(limit!(pending.shared().wait(), limit).blocking())),
];

#[test]
fn a_blocked_thread_waits_by_the_clock_of_the_machine() {
    let manual = Manual::new();
    let caller = caller(&manual);
    let time = Duration::from_millis(30);
    for (name, block) in BLOCKING {
        // In a thread of its own, and in that of a caller, whose scheduler stands still meanwhile.
        for in_caller in [false, true] {
            let run = |limit: Limit| {
                let (resolver, pending) = Resolver::new();
                let waits = move || block(pending, limit);
                let ended = if in_caller {
                    let call = caller.call_soon(async move || waits());
                    call.wait().timeout(LONG).blocking().unwrap()
                } else {
                    in_time(name, waits)
                };
                drop(resolver);
                ended
            };
            on_time(name, time, || assert_eq!(run(Limit::Timeout(time)), Ended::TimedOut));
            assert_eq!(run(Limit::Timeout(Duration::ZERO)), Ended::TimedOut, "{name}");
            for limit in [HOUR, Duration::MAX] {
                let (resolver, pending) = Resolver::new();
                let (sender, begun) = mpsc::channel();
                let waits = move || {
                    sender.send(()).unwrap();
                    block(pending, Limit::Timeout(limit))
                };
                let resolves = thread::spawn(move || {
                    receive(&begun);
                    resolver.resolve(7).unwrap();
                });
                let ended = if in_caller {
                    caller.call_soon(async move || waits()).wait().timeout(LONG).blocking().unwrap()
                } else {
                    in_time(name, waits)
                };
                assert_eq!(ended, Ended::Value, "{name}, {limit:?}");
                resolves.join().unwrap();
            }
        }
        on_time(name, time, || {
            let (_resolver, pending) = Resolver::new();
            let at = Limit::Deadline(Instant::now() + time);
            assert_eq!(in_time(name, move || block(pending, at)), Ended::TimedOut);
        });
    }
}

#[test]
fn a_wait_goes_on_when_the_caller_it_began_in_stops() {
    let manual = Manual::new();
    let time = Duration::from_millis(50);
    for (name, make, _) in KINDS {
        on_time(name, time, || {
            let caller = caller(&manual);
            let this = caller.0.clone();
            let begun = caller.call_soon(async move || {
                let (mut wait, resolver) = make(&this, Limit::Timeout(HOUR + time));
                let (wakes, waker) = Wakes::new();
                assert!(poll(&mut wait, &waker).is_pending());
                (wait, resolver, wakes)
            });
            let (wait, _resolver, wakes) = begun.wait().timeout(LONG).blocking().unwrap();
            // What is left is waited for elsewhere.
            manual.advance(HOUR);
            turns_of(&caller);
            assert_eq!(wakes.count(), 0, "{name}");
            caller.stop();
            eventually("the end of the caller", || caller.stopped().is_past());
            assert_eq!(wakes.count(), 1, "{name} is woken, to look for other timers");
            assert_eq!(in_time(name, move || futures::executor::block_on(wait)), Ended::TimedOut);
        });
    }
}

#[test]
fn the_timeout_of_a_group() {
    let manual = Manual::new();
    let clock = manual.clone();
    in_a_call(&manual, async move |here| {
        for body_waits in [true, false] {
            let run = |group: std::sync::Arc<PendingGroup>| {
                let here = here.clone();
                Box::pin(async move {
                    let body = async |_group| {
                        drop(here.call_soon(async || std::future::pending::<()>().await));
                        if body_waits {
                            std::future::pending::<()>().await;
                        }
                    };
                    group.run(body).await.map(drop)
                })
            };
            // It counts from the first poll, and cancels at its time.
            let group = here.group().timeout(TIME).build();
            let mut running = run(group.clone());
            clock.advance(HOUR);
            let (wakes, waker) = Wakes::new();
            assert!(poll(&mut running, &waker).is_pending());
            turns().await;
            let before = wakes.count();
            clock.advance(TIME - MOMENT);
            turns().await;
            assert!(poll(&mut running, &waker).is_pending() && !group.is_cancelled());
            assert_eq!(wakes.count(), before, "it is woken before its time");
            clock.advance(MOMENT);
            turns().await;
            assert!(wakes.count() > before, "it is not woken at its time");
            assert!(poll(&mut running, &waker).is_pending() && group.is_cancelled());
            // The members end in the next turns, and it with them.
            turns().await;
            assert!(matches!(poll(&mut running, &waker), Poll::Ready(Ok(()))));
            // At once.
            let group = here.group().timeout(Duration::ZERO).build();
            let mut running = run(group.clone());
            let _first = poll(&mut running, &waker);
            assert!(group.is_cancelled());
            // Never.
            for far in [2 * CENTURY, Duration::MAX] {
                let group = here.group().timeout(far).build();
                let mut running = run(group.clone());
                assert!(poll(&mut running, &waker).is_pending());
                clock.advance(CENTURY);
                turns().await;
                assert!(poll(&mut running, &waker).is_pending() && !group.is_cancelled(), "{far:?}");
            }
        }
    });
}

#[test]
fn how_long_a_group_waits_for_members_that_were_cancelled() {
    let manual = Manual::new();
    let clock = manual.clone();
    in_a_call(&manual, async move |here| {
        // 10 s unless set.
        for (set, time) in
            [(Some(TIME), TIME), (None, Duration::from_secs(10)), (Some(Duration::ZERO), Duration::ZERO)]
        {
            let builder = here.group();
            let group = match set {
                Some(time) => builder.cancellation_timeout(time).build(),
                None => builder.build(),
            };
            let (resolver, deaf) = Resolver::<u32>::new();
            resolver.set_canceller(|_| {}).unwrap();
            group.add(&deaf.handle()).unwrap();
            let running = group.clone();
            let mut running = Box::pin(async move { running.run(async |_| ()).await.map(drop) });
            let (wakes, waker) = Wakes::new();
            assert!(poll(&mut running, &waker).is_pending());
            // It counts from the cancel.
            clock.advance(HOUR);
            group.cancel("enough");
            assert!(deaf.is_cancelled() && wakes.count() == 1);
            if !time.is_zero() {
                assert!(poll(&mut running, &waker).is_pending());
                clock.advance(time - MOMENT);
                turns().await;
                assert!(wakes.count() == 1 && poll(&mut running, &waker).is_pending(), "{time:?}");
                clock.advance(MOMENT);
                turns().await;
                assert_eq!(wakes.count(), 2, "{time:?}");
            }
            let Poll::Ready(Err(error)) = poll(&mut running, &waker) else { panic!("it waits on, {time:?}") };
            assert_eq!(error.left_behind().len(), 1, "{error}");
        }
        for far in [2 * CENTURY, Duration::MAX] {
            let group = here.group().cancellation_timeout(far).build();
            let (resolver, deaf) = Resolver::<u32>::new();
            resolver.set_canceller(|_| {}).unwrap();
            group.add(&deaf.handle()).unwrap();
            let running = group.clone();
            let mut running = Box::pin(async move { running.run(async |_| ()).await.map(drop) });
            let (wakes, waker) = Wakes::new();
            assert!(poll(&mut running, &waker).is_pending());
            group.cancel("enough");
            assert!(poll(&mut running, &waker).is_pending());
            let before = wakes.count();
            clock.advance(CENTURY);
            turns().await;
            assert!(wakes.count() == before && poll(&mut running, &waker).is_pending(), "{far:?}");
            resolver.resolve(7).unwrap();
            assert!(matches!(poll(&mut running, &waker), Poll::Ready(Ok(()))), "{far:?}");
        }
    });
}

/// A call after a delay, by one of the verbs.
type Later = (&'static str, fn(&Caller, Duration, mpsc::Sender<()>) -> Pending<()>);

const LATER: [Later; 4] = [
    ("call_later", |caller, delay, ran| caller.call_later(delay, async move || ran.send(()).unwrap())),
    ("try_call_later", |caller, delay, ran| caller.try_call_later(delay, async move || ran.send(()))),
    ("submit", |caller, delay, ran| {
        caller.schedule_call(async move || ran.send(()).unwrap()).delay(delay).submit().unwrap()
    }),
    ("try_submit", |caller, delay, ran| {
        caller.schedule_call(async move || ran.send(())).delay(delay).try_submit().unwrap()
    }),
];

#[test]
fn a_call_begins_at_its_time_and_not_before() {
    let manual = Manual::new();
    let caller = caller(&manual);
    for (name, submit) in LATER {
        let (sender, ran) = mpsc::channel();
        // It counts from the moment it is made, though the caller takes it in later.
        let (go_on, held_up) = mpsc::channel::<()>();
        let (holding, holds) = mpsc::channel();
        caller.call_direct(move || {
            holding.send(()).unwrap();
            receive(&held_up);
        });
        receive(&holds);
        let call = submit(&caller, TIME, sender.clone());
        manual.advance(TIME / 2);
        go_on.send(()).unwrap();
        turns_of(&caller);
        manual.advance(TIME / 2 - MOMENT);
        turns_of(&caller);
        assert!(ran.try_recv().is_err() && !call.is_done(), "{name} begins before its time");
        manual.advance(MOMENT);
        receive(&ran);
        call.wait().timeout(LONG).blocking().unwrap();
        // Without a delay it is a call as any other.
        submit(&caller, Duration::ZERO, sender.clone()).wait().timeout(LONG).blocking().unwrap();
        receive(&ran);
        // A time that never comes.
        for far in [2 * CENTURY, Duration::MAX] {
            let call = submit(&caller, far, sender.clone());
            turns_of(&caller);
            manual.advance(CENTURY - HOUR);
            turns_of(&caller);
            assert!(ran.try_recv().is_err() && !call.is_done(), "{name}, {far:?}");
            call.cancel("never mind");
            assert!(call.is_done(), "{name}, {far:?}");
        }
    }
}

#[test]
fn an_idle_worker_goes_at_its_time_and_not_before() {
    let spawn = |manual: &Manual, time| {
        let settings = PoolSettings::default().idle_time(time);
        caller::testing::Running(Caller::builder().backend(manual.clone()).pool(settings).spawn().unwrap())
    };
    let manual = Manual::new();
    let caller = spawn(&manual, TIME);
    let worker = caller.to_thread(async || Caller::current().unwrap()).wait_blocking().unwrap();
    manual.advance(TIME - MOMENT);
    turns_of(&caller);
    assert!(worker.is_running(), "it goes before its time");
    manual.advance(MOMENT);
    eventually("the end of the worker", || worker.stopped().is_past());
    for never in [Duration::ZERO, 2 * CENTURY, Duration::MAX] {
        let manual = Manual::new();
        let caller = spawn(&manual, never);
        let worker = caller.to_thread(async || Caller::current().unwrap()).wait_blocking().unwrap();
        manual.advance(CENTURY);
        turns_of(&caller);
        assert!(worker.is_running() && caller.workers() == (1, 1), "{never:?}");
    }
}

/// A call that has asked for time to clean up, which takes until the resolver says so.
fn cleans_up(caller: &Caller, time: Duration) -> (Pending<()>, Resolver<()>, mpsc::Receiver<()>) {
    let (sender, steps) = mpsc::channel();
    let (resolver, cleaned) = Resolver::new();
    let call = caller.call_soon(async move || {
        let own = current_pending().unwrap();
        own.grace(time);
        sender.send(()).unwrap();
        own.cancel_requested().await;
        sender.send(()).unwrap();
        cleaned.await.unwrap();
    });
    receive(&steps);
    turns_of(caller);
    (call, resolver, steps)
}

#[test]
fn the_time_to_clean_up() {
    for stops in [false, true] {
        let manual = Manual::new();
        let caller = Caller::builder().backend(manual.clone()).spawn().unwrap();
        let times = [Duration::ZERO, TIME, 2 * TIME, 2 * CENTURY];
        let [none, short, long, far] = times.map(|time| cleans_up(&caller, time));
        // It counts from the cancel.
        manual.advance(HOUR);
        turns_of(&caller);
        if stops {
            caller.stop();
        } else {
            for (call, ..) in [&none, &short, &long, &far] {
                assert!(call.cancel("please"));
            }
        }
        let ends = |call: Pending<()>| {
            let error = call.wait().timeout(LONG).blocking().unwrap_err();
            assert!(error.is_cancelled() && error.is_closed() == stops, "{error}");
        };
        ends(none.0);
        assert!(none.2.recv().is_err(), "it has no time to clean up");
        for (_, _, steps) in [&short, &long, &far] {
            receive(steps);
        }
        manual.advance(TIME - MOMENT);
        if !stops {
            turns_of(&caller);
        }
        assert!(!short.0.is_done() && !long.0.is_done() && !caller.stopped().is_past());
        manual.advance(MOMENT);
        ends(short.0);
        assert!(short.2.recv().is_err() && !long.0.is_done() && !caller.stopped().is_past());
        manual.advance(TIME);
        ends(long.0);
        assert!(!far.0.is_done() && far.0.is_cancelled() && !caller.stopped().is_past());
        manual.advance(CENTURY);
        assert!(!far.0.is_done());
        far.1.resolve(()).unwrap();
        ends(far.0);
        caller.stop();
    }
}
