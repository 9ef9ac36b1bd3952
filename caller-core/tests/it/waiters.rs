//! Several that wait for one thing: each is woken by itself, once, with the waker it was polled with last.

use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, mpsc},
    task::{Poll, Waker},
    thread,
};

use caller::{
    AsyncEvent, AsyncLock, Caller, CountdownEvent, PendingGroup, ReentrantAsyncLock, Resolver,
    SingleConsumerQueue, testing::Manual,
};

use crate::support::{LONG, Wakes, caller, poll, receive, turns_of};

type Waiting = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Something that is waited for: how, and what makes it come.
type Thing = (&'static str, Box<dyn Fn() -> Waiting>, Box<dyn FnOnce()>);

fn things() -> Vec<Thing> {
    let event = AsyncEvent::new();
    let set = event.clone();
    let count = CountdownEvent::new(1);
    let down = count.clone();
    let (resolver, pending) = Resolver::<u32>::new();
    let handle = pending.handle();
    let (by_all, pending) = Resolver::<u32>::new();
    let shared = pending.shared();
    let (asked, pending) = Resolver::<u32>::new();
    asked.set_canceller(|_| {}).unwrap();
    let asked = Arc::new(asked);
    let stays = asked.clone();
    let request = pending.handle();
    let cancel = request.clone();
    let (both, pending) = Resolver::<u32>::new();
    let (observed, turn) = (pending.handle(), Mutex::new(false));
    let built = Caller::builder().backend(Manual::new()).build().unwrap();
    let stop = built.clone();
    vec![
        ("an event", Box::new(move || Box::pin(event.wait())), Box::new(move || set.set())),
        (
            "a countdown",
            Box::new(move || Box::pin(count.wait())),
            Box::new(move || assert_eq!(down.down().unwrap(), 0)),
        ),
        (
            "a pending",
            Box::new(move || {
                let wait = handle.wait();
                Box::pin(async { wait.await.unwrap() })
            }),
            Box::new(move || resolver.resolve(7).unwrap()),
        ),
        (
            "a shared pending",
            Box::new(move || {
                // Protected, since the last that gives up would cancel it.
                let wait = shared.wait().protect();
                Box::pin(async { assert_eq!(wait.await.unwrap(), 7) })
            }),
            Box::new(move || by_all.resolve(7).unwrap()),
        ),
        (
            "a request to cancel",
            Box::new(move || {
                let _stays = &stays;
                Box::pin(request.cancel_requested())
            }),
            Box::new(move || {
                assert!(cancel.cancel("enough") && !cancel.is_done());
                drop(asked);
            }),
        ),
        (
            "the end of a pending, and a request to cancel it",
            Box::new(move || {
                let mut turn = turn.lock().unwrap();
                *turn = !*turn;
                if *turn {
                    return Box::pin(observed.cancel_requested());
                }
                let wait = observed.wait();
                Box::pin(async { wait.await.unwrap() })
            }),
            Box::new(move || both.resolve(7).unwrap()),
        ),
        (
            "the end of a caller",
            Box::new(move || Box::pin(built.stopped())),
            Box::new(move || {
                stop.stop();
            }),
        ),
    ]
}

/// Who of four that wait gives up, one bit each.
const GIVE_UP: std::ops::Range<u8> = 0..16;

fn gives_up(bits: u8, at: usize) -> bool {
    bits & (1 << at) != 0
}

#[test]
fn each_of_several_is_woken() {
    for bits in GIVE_UP {
        for (name, wait, come) in things() {
            let case = format!("{name}, {bits:04b} give up");
            let (old, old_waker) = Wakes::new();
            // Each is polled by another task first, and then by its own.
            let mut waits: Vec<_> = (0..4).map(|_| (wait(), Wakes::new())).collect();
            for (wait, _) in &mut waits {
                assert!(poll(wait, &old_waker).is_pending(), "{case}");
            }
            for (wait, (_, waker)) in &mut waits {
                assert!(poll(wait, waker).is_pending(), "{case}");
            }
            // From the last to the first, so that they do not leave in the order in which they came.
            let mut left = Vec::new();
            for (at, (wait, (wakes, waker))) in waits.into_iter().enumerate().rev() {
                left.push(((!gives_up(bits, at)).then_some(wait), wakes, waker));
            }
            come();
            assert_eq!(old.count(), 0, "{case}: a task that waits no longer is woken");
            for (wait, wakes, waker) in left {
                assert_eq!(wakes.count(), usize::from(wait.is_some()), "{case}");
                if let Some(mut wait) = wait {
                    assert!(poll(&mut wait, &waker).is_ready(), "{case}");
                }
            }
            let mut late = wait();
            assert!(poll(&mut late, Waker::noop()).is_ready(), "{case}: it is past");
        }
    }
}

#[test]
fn a_lock_goes_to_each_in_turn() {
    type Guard = Box<dyn Send>;
    type Take = Box<dyn Fn() -> Pin<Box<dyn Future<Output = Guard> + Send>>>;
    for bits in GIVE_UP {
        let lock = Arc::new(AsyncLock::new(()));
        let again = Arc::new(ReentrantAsyncLock::new(()));
        let (held, held_again) = (lock.clone(), again.clone());
        let locks: [(&str, Take, Guard); 2] = [
            (
                "AsyncLock",
                Box::new(move || {
                    let lock = lock.clone();
                    Box::pin(async move { Box::new(lock.lock_arc().await.unwrap()) as Guard })
                }),
                Box::new(held.try_lock_arc().unwrap()),
            ),
            (
                "ReentrantAsyncLock",
                Box::new(move || {
                    let lock = again.clone();
                    Box::pin(async move { Box::new(lock.lock_arc().await.unwrap()) as Guard })
                }),
                Box::new(held_again.try_lock_arc().unwrap()),
            ),
        ];
        for (name, take, guard) in locks {
            let case = format!("{name}, {bits:04b} give up");
            let (old, old_waker) = Wakes::new();
            let mut waits: Vec<_> = (0..4).map(|_| (take(), Wakes::new())).collect();
            for (wait, (_, waker)) in &mut waits {
                assert!(poll(wait, &old_waker).is_pending() && poll(wait, waker).is_pending(), "{case}");
            }
            let mut left: Vec<_> = waits
                .into_iter()
                .enumerate()
                .filter(|(at, _)| !gives_up(bits, *at))
                .map(|(_, wait)| wait)
                .collect();
            let mut guard = Some(guard);
            while !left.is_empty() {
                assert!(left.iter().all(|(_, (wakes, _))| wakes.count() == 0), "{case}: it is held");
                drop(guard.take());
                let (mut next, (wakes, waker)) = left.remove(0);
                assert_eq!(wakes.count(), 1, "{case}");
                assert!(left.iter_mut().all(|(wait, (_, waker))| poll(wait, waker).is_pending()), "{case}");
                let Poll::Ready(mine) = poll(&mut next, &waker) else { panic!("{case}: it was passed on") };
                guard = Some(mine);
            }
            drop(guard);
            assert!(poll(&mut take(), Waker::noop()).is_ready(), "{case}: it is free at the end");
            assert_eq!(old.count(), 0, "{case}");
        }
    }
}

#[test]
fn the_last_waker_of_the_only_one_that_waits_counts() {
    // The consumer of a queue.
    let queue = SingleConsumerQueue::new();
    let mut consumer = queue.consume();
    let mut next = Box::pin(consumer.next());
    let ((old, old_waker), (new, new_waker)) = (Wakes::new(), Wakes::new());
    assert!(poll(&mut next, &old_waker).is_pending() && poll(&mut next, &new_waker).is_pending());
    queue.push_back(7);
    assert_eq!((old.count(), new.count()), (0, 1));
    assert_eq!(poll(&mut next, &new_waker), Poll::Ready(Some(7)));
    // The owner of a pending.
    let (resolver, pending) = Resolver::<u32>::new();
    let mut wait = Box::pin(pending.wait());
    let ((old, old_waker), (new, new_waker)) = (Wakes::new(), Wakes::new());
    assert!(poll(&mut wait, &old_waker).is_pending() && poll(&mut wait, &new_waker).is_pending());
    resolver.resolve(7).unwrap();
    assert_eq!((old.count(), new.count()), (0, 1));
    assert!(matches!(poll(&mut wait, &new_waker), Poll::Ready(Ok(7))));
    // Who runs a group.
    let group = PendingGroup::builder().build();
    let (resolver, member) = Resolver::<u32>::new();
    group.add(&member.handle()).unwrap();
    let running = group.clone();
    let mut run = Box::pin(async move { running.run(async |_| ()).await });
    let ((old, old_waker), (new, new_waker)) = (Wakes::new(), Wakes::new());
    assert!(poll(&mut run, &old_waker).is_pending() && poll(&mut run, &new_waker).is_pending());
    resolver.resolve(7).unwrap();
    assert_eq!((old.count(), new.count()), (0, 1));
    assert!(matches!(poll(&mut run, &new_waker), Poll::Ready(Ok(Some(())))));
}

#[test]
fn a_call_is_polled_once_for_each_wake() {
    let caller = caller(&Manual::new());
    // The number of each poll, and its waker.
    let (sender, polls) = mpsc::channel::<(u32, Waker)>();
    let (go_on, turn) = mpsc::channel::<bool>();
    let call = caller.call_soon(async move || {
        let mut poll = 0;
        std::future::poll_fn(|cx| {
            poll += 1;
            if poll == 4 {
                // Woken while it is polled, by itself twice.
                cx.waker().wake_by_ref();
                cx.waker().wake_by_ref();
            }
            sender.send((poll, cx.waker().clone())).unwrap();
            if poll == 5 {
                // And while it is polled, by another thread.
                receive(&turn);
            }
            if poll == 7 { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    });
    let next = |number| {
        let (poll, waker) = receive(&polls);
        assert_eq!(poll, number);
        waker
    };
    let none_more = || {
        turns_of(&caller);
        assert!(polls.try_recv().is_err(), "nobody woke it");
    };
    let waker = next(1);
    none_more();
    waker.wake();
    let waker = next(2);
    none_more();
    // Twice before it is polled is once.
    let (held, held_up) = mpsc::channel::<()>();
    let (hold, holds) = mpsc::channel();
    caller.call_direct(move || {
        hold.send(()).unwrap();
        receive(&held_up);
    });
    receive(&holds);
    waker.wake_by_ref();
    thread::spawn(move || waker.wake()).join().unwrap();
    held.send(()).unwrap();
    let waker = next(3);
    none_more();
    waker.wake();
    next(4);
    // The wake of its own.
    let waker = next(5);
    waker.wake();
    go_on.send(true).unwrap();
    let waker = next(6);
    none_more();
    waker.wake();
    let late = next(7);
    call.wait().timeout(LONG).blocking().unwrap();
    late.wake();
    none_more();
}
