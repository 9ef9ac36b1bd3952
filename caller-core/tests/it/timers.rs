//! Lists of deadlines, and the clocks they go by.

use std::{
    sync::{Arc, Mutex, mpsc},
    task::{Poll, Wake, Waker},
    thread,
    time::{Duration, Instant},
};

use caller::{
    AsyncEvent, Resolver, sleep_until,
    testing::{Manual, Process},
};
use fastrand::Rng;

use crate::support::{
    LONG, Wakes, caller, eventually, in_a_call, in_time, on_time, poll, receive, turns, turns_of,
};

const STEP: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);

#[test]
fn each_of_many_is_woken_at_its_own_time() {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let manual = Manual::new();
    let clock = manual.clone();
    in_a_call(&manual, async move |_| {
        let mut rng = Rng::with_seed(seed);
        let (_never, pending) = Resolver::<()>::new();
        let handle = pending.handle();
        // Many at one time, in no order; some are polled again by another task, and some give up.
        let mut waits: Vec<_> = (0..200)
            .map(|_| {
                let after = rng.u32(1..40);
                (after, Box::pin(handle.wait().timeout(STEP * after)), Wakes::new())
            })
            .collect();
        let (old, old_waker) = Wakes::new();
        for (_, wait, (_, waker)) in &mut waits {
            if rng.bool() {
                assert!(poll(wait, &old_waker).is_pending());
            }
            assert!(poll(wait, waker).is_pending());
        }
        let given_up: Vec<_> = (0..50).map(|_| waits.swap_remove(rng.usize(..waits.len())).2.0).collect();
        for step in 1..=40 {
            clock.advance(STEP);
            turns().await;
            for (after, wait, (wakes, waker)) in &mut waits {
                assert_eq!(wakes.count(), usize::from(*after <= step), "of {after} after {step}");
                if *after == step {
                    assert!(matches!(poll(wait, waker), Poll::Ready(Err(error)) if error.is_timeout()));
                }
            }
        }
        assert!(given_up.iter().all(|wakes| wakes.count() == 0), "they have given up");
        assert_eq!(old.count(), 0, "another task has taken over");
    });
}

#[test]
fn calls_of_one_time_begin_in_the_order_made() {
    let manual = Manual::new();
    let caller = caller(&manual);
    let order = Arc::new(Mutex::new(Vec::new()));
    let calls: Vec<_> = (0..100)
        .map(|number| {
            let order = order.clone();
            caller.call_later(HOUR, async move || order.lock().unwrap().push(number))
        })
        .collect();
    turns_of(&caller);
    manual.advance(HOUR);
    for call in calls {
        call.wait().timeout(LONG).blocking().unwrap();
    }
    assert_eq!(*order.lock().unwrap(), (0..100).collect::<Vec<_>>());
}

#[test]
fn an_earlier_deadline_is_heard_of_by_a_caller_that_sleeps() {
    let manual = Manual::new();
    let caller = caller(&manual);
    let (sender, begun) = mpsc::channel();
    for after in [HOUR, STEP, HOUR / 2, STEP * 2] {
        let sender = sender.clone();
        drop(caller.call_later(after, async move || sender.send(after).unwrap()));
        turns_of(&caller);
    }
    for (advance, expected) in [(STEP, STEP), (STEP, STEP * 2), (HOUR / 2, HOUR / 2), (HOUR / 2, HOUR)] {
        manual.advance(advance);
        assert_eq!(receive(&begun), expected);
        turns_of(&caller);
        assert!(begun.try_recv().is_err());
    }
    // From another thread: a wait that is polled there by a caller of its own is that caller's.
    let (_never, pending) = Resolver::<()>::new();
    let other_time = Manual::new();
    let other = crate::support::caller(&other_time);
    let handle = pending.handle();
    let mine = caller.call_soon({
        let handle = handle.clone();
        async move || handle.wait().timeout(STEP).await.unwrap_err()
    });
    let theirs = other.call_soon(async move || handle.wait().timeout(STEP).await.unwrap_err());
    turns_of(&caller);
    turns_of(&other);
    manual.advance(HOUR);
    assert!(mine.wait().timeout(LONG).blocking().unwrap().is_timeout());
    turns_of(&other);
    assert!(!theirs.is_done(), "each caller has a clock of its own");
    other_time.advance(STEP);
    assert!(theirs.wait().timeout(LONG).blocking().unwrap().is_timeout());
}

#[test]
fn a_sleep_by_the_clock_of_the_machine() {
    let time = Duration::from_millis(30);
    on_time("the end of a sleep", time, || {
        let at = Instant::now() + time;
        in_time("a sleep", move || futures::executor::block_on(sleep_until(at)));
        assert!(Instant::now() >= at);
    });
    // What is past is not waited for.
    let (wakes, waker) = Wakes::new();
    for at in [Instant::now(), Instant::now() - time] {
        assert!(poll(&mut Box::pin(sleep_until(at)), &waker).is_ready());
    }
    assert_eq!(wakes.count(), 0);
    // A later one does not hold up an earlier one, and neither does one that is dropped.
    on_time("an earlier sleep", time, || {
        let at = Instant::now();
        let (wakes, waker) = Wakes::new();
        let mut late = Box::pin(sleep_until(at + HOUR));
        let mut dropped = Box::pin(sleep_until(at + time / 2));
        assert!(poll(&mut late, &waker).is_pending() && poll(&mut dropped, &waker).is_pending());
        drop(dropped);
        in_time("an earlier sleep", move || futures::executor::block_on(sleep_until(at + time)));
        assert_eq!(wakes.count(), 0);
        assert!(poll(&mut late, &waker).is_pending());
    });
    // In many threads at once.
    let threads: Vec<_> = (0..20)
        .map(|at| {
            let time = Duration::from_millis(10 + at % 5);
            thread::spawn(move || {
                let until = Instant::now() + time;
                in_time("one of many sleeps", move || futures::executor::block_on(sleep_until(until)));
                assert!(Instant::now() >= until);
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap_or_else(|payload| std::panic::resume_unwind(payload));
    }
}

#[cfg(target_os = "linux")]
#[test]
fn the_thread_of_the_shared_list_goes_when_nothing_waits_and_comes_again() {
    let sleep = || {
        let at = Instant::now() + Duration::from_millis(5);
        in_time("a sleep", move || futures::executor::block_on(sleep_until(at)));
    };
    let is_given_up = || {
        let mut long = Box::pin(sleep_until(Instant::now() + Duration::from_hours(1)));
        assert!(poll(&mut long, Waker::noop()).is_pending());
        // After this one, the thread knows of the long one only.
        sleep();
    };
    let threads = || {
        let tasks = std::fs::read_dir("/proc/self/task").unwrap().filter_map(Result::ok);
        let names = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("comm")).ok());
        names.filter(|name| name.trim() == "caller-timer").count()
    };
    // Other tests in this process would keep the thread busy.
    let name =
        concat!(module_path!(), "::the_thread_of_the_shared_list_goes_when_nothing_waits_and_comes_again");
    Process::of(name).run(|| {
        for _ in 0..3 {
            sleep();
            eventually("the end of the thread", || threads() == 0);
        }
        is_given_up();
        eventually("the end of the thread, long before the hour", || threads() == 0);
    });
}

/// A stack as large as this is no thread's: what asks for no size of its own gets no thread.
const NO_THREADS: (&str, &str) = ("RUST_MIN_STACK", "70368744177664");

#[test]
fn a_blocking_wait_needs_no_other_thread_to_end_on_time() {
    let name = concat!(module_path!(), "::a_blocking_wait_needs_no_other_thread_to_end_on_time");
    Process::of(name).variable(NO_THREADS.0, NO_THREADS.1).run(|| {
        assert!(thread::Builder::new().spawn(|| ()).is_err(), "this test is about a machine without threads");
        let time = Duration::from_millis(30);
        on_time("an event", time, || {
            assert!(AsyncEvent::new().wait().timeout(time).blocking().unwrap_err().is_timeout());
        });
        let (_resolver, pending) = Resolver::<()>::new();
        on_time("a pending", time, || {
            assert!(pending.handle().wait().timeout(time).blocking().unwrap_err().is_timeout());
        });
        // Where another executor polls, the wait looks at the clock again and again.
        on_time("an event, elsewhere", time, || {
            let waits = AsyncEvent::new();
            assert!(futures::executor::block_on(waits.wait().timeout(time)).unwrap_err().is_timeout());
        });
    });
}

/// A waker that runs its task in the thread that wakes: all other timeouts go on.
#[test]
fn a_task_that_blocks_in_the_thread_of_the_timeouts_ends_on_time() {
    struct Blocks(Mutex<Option<mpsc::Sender<bool>>>);
    impl Wake for Blocks {
        fn wake(self: Arc<Self>) {
            let late = AsyncEvent::new().wait().timeout(Duration::from_millis(20)).blocking();
            if let Some(ended) = self.0.lock().unwrap().take() {
                ended.send(late.is_err()).unwrap();
            }
        }
    }
    let (sender, ended) = mpsc::channel();
    let waker = Waker::from(Arc::new(Blocks(Mutex::new(Some(sender)))));
    let mut wait = Box::pin(AsyncEvent::new().wait().timeout(Duration::from_millis(1)));
    assert!(poll(&mut wait, &waker).is_pending());
    assert!(receive(&ended));
    let next = AsyncEvent::new().wait().timeout(Duration::from_millis(1));
    in_time("the next timeout", move || futures::executor::block_on(next).unwrap_err());
}
