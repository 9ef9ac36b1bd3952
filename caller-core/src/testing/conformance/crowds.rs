//! Many who wait for one thing: twice as many take about twice as long.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Wake, Waker},
    time::{Duration, Instant},
};

use crate::{
    AsyncEvent, CountdownEvent, Resolver,
    testing::{Fixture, probe::poll_with},
};

type Wait = Pin<Box<dyn Future<Output = ()>>>;

struct Nobody;

impl Wake for Nobody {
    fn wake(self: Arc<Self>) {}
}

/// In which order they leave.
#[derive(Clone, Copy, Debug)]
enum Leave {
    FirstFirst,
    LastFirst,
    AtRandom,
}

/// How long `count` waits take for each of the steps that they have in common.
fn time(count: usize, leave: Leave, wait: &dyn Fn() -> Wait) -> [Duration; 3] {
    let waker = Waker::from(Arc::new(Nobody));
    let mut waits: Vec<Wait> = (0..count).map(|_| wait()).collect();
    let poll = |waits: &mut Vec<Wait>| {
        let begun = Instant::now();
        for wait in waits {
            assert!(poll_with(wait.as_mut(), &waker).is_pending());
        }
        begun.elapsed()
    };
    let (first, again) = (poll(&mut waits), poll(&mut waits));
    match leave {
        Leave::FirstFirst => {}
        Leave::LastFirst => waits.reverse(),
        Leave::AtRandom => {
            // A step that has no factor in common with the count visits all.
            let step = 7919;
            let mut mixed: Vec<Option<Wait>> = waits.into_iter().map(Some).collect();
            waits = (0..count).filter_map(|at| mixed[at * step % count].take()).collect();
            assert_eq!(waits.len(), count);
        }
    }
    let begun = Instant::now();
    drop(waits);
    [first, again, begun.elapsed()]
}

/// Compares a crowd with one twice as large. What is slow for other reasons is given another chance.
fn grows_with_its_size(wait: &dyn Fn() -> Wait) {
    const SMALL: usize = 1500;
    const STEPS: [&str; 3] = ["polled first", "polled again", "dropped"];
    // Below that, it is no search that takes the time.
    const SHORT: Duration = Duration::from_millis(10);
    for leave in [Leave::FirstFirst, Leave::LastFirst, Leave::AtRandom] {
        let mut slow = Vec::new();
        for _attempt in 0..3 {
            let times: Vec<[[Duration; 3]; 2]> =
                (0..3).map(|_| [SMALL, 2 * SMALL].map(|count| time(count, leave, wait))).collect();
            slow.clear();
            for (step, name) in STEPS.iter().enumerate() {
                // The least, since what else runs on the machine only adds to it.
                let least = |size: usize| times.iter().map(|times| times[size][step]).min().unwrap();
                let (small, large) = (least(0), least(1));
                if large > SHORT && large > 3 * small {
                    slow.push(format!("{name} in {small:?}, and twice as many in {large:?} ({leave:?})"));
                }
            }
            if slow.is_empty() {
                break;
            }
        }
        assert!(slow.is_empty(), "{SMALL} waits are {}", slow.join("; "));
    }
}

pub fn a_crowd_before_an_event<F: Fixture>() {
    let event = AsyncEvent::new();
    grows_with_its_size(&|| Box::pin(event.wait()));
}

pub fn a_crowd_before_a_countdown<F: Fixture>() {
    let count = CountdownEvent::new(1);
    grows_with_its_size(&|| Box::pin(count.wait()));
}

pub fn a_crowd_before_the_end_of_a_caller<F: Fixture>() {
    let caller = F::new().caller();
    grows_with_its_size(&|| {
        let stopped = caller.stopped();
        Box::pin(async move {
            let _output = stopped.await;
        })
    });
}

pub fn a_crowd_before_a_pending<F: Fixture>() {
    let (_resolver, pending) = Resolver::<()>::new();
    grows_with_its_size(&|| {
        let wait = pending.handle().wait();
        Box::pin(async move { drop(wait.await) })
    });
}

pub fn a_crowd_before_a_shared_result<F: Fixture>() {
    let (_resolver, pending) = Resolver::<()>::new();
    let shared = pending.shared();
    grows_with_its_size(&|| {
        let wait = shared.wait().protect();
        Box::pin(async move { drop(wait.await) })
    });
}

pub fn a_crowd_before_a_request_to_cancel<F: Fixture>() {
    let (_resolver, pending) = Resolver::<()>::new();
    grows_with_its_size(&|| Box::pin(pending.handle().cancel_requested()));
}
