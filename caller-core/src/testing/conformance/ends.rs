//! How callers end where their threads race, where they have children that last longer, and where nobody ran them.

use std::{
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use super::hold_up;
use crate::{
    Caller, CallerState, Pending, PoolSettings,
    testing::{
        Fixture,
        probe::{SOON, ends_soon, soon},
    },
};

/// Awaits whatever a moment gives.
async fn come<F: IntoFuture>(moment: F) {
    let _output = moment.await;
}

/// Numbers that look random, from a seed that is printed. `STRESS_SEED=…` gives the same again.
struct Random(u64);

impl Random {
    fn new() -> Self {
        let given = std::env::var("STRESS_SEED").ok().and_then(|seed| seed.parse().ok());
        let seed = given.unwrap_or_else(|| {
            let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
            u64::try_from(now.as_nanos() & u128::from(u64::MAX)).unwrap() | 1
        });
        println!("STRESS_SEED={seed}");
        Self(seed)
    }

    /// xorshift.
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

/// A thread that is about to run the caller, and one that stops it, both find that it ended.
pub fn a_stopped_caller_has_no_unfinished_calls<F: Fixture>() {
    const CALLS: usize = 200;
    let fixture = F::new();
    let mut random = Random::new();
    let until = Instant::now() + Duration::from_secs(4);
    let mut rounds = 0;
    while Instant::now() < until {
        rounds += 1;
        let caller = fixture.builder().build().unwrap();
        let calls: Vec<Pending<()>> = (0..CALLS).map(|_| caller.call_soon(async || ())).collect();
        let (moment, spins) = (caller.stopped(), random.below(40_000));
        caller.start().unwrap();
        let stops = {
            let caller = caller.clone();
            thread::spawn(move || {
                (0..spins).for_each(|_| std::hint::spin_loop());
                caller.stop();
            })
        };
        soon("the end of the caller", || moment.is_past());
        let unfinished = calls.iter().filter(|call| !call.is_done()).count();
        stops.join().unwrap();
        assert_eq!(unfinished, 0, "in round {rounds}, of {CALLS} calls");
    }
}

/// The one who stops it is in the destructor of what the first call captured; the others are still in its hands.
pub fn a_caller_that_is_stopped_before_it_ran_ends_its_calls_first<F: Fixture>() {
    /// Stays in its destructor for a while.
    struct Slow(mpsc::Receiver<()>);
    impl Drop for Slow {
        fn drop(&mut self) {
            let _left = self.0.recv_timeout(Duration::from_millis(300));
        }
    }
    let fixture = F::new();
    // The thread that is about to run it may be faster; then there is nothing to be seen.
    for _ in 0..8 {
        let caller = fixture.builder().build().unwrap();
        let (leave, left) = mpsc::channel();
        let slow = Slow(left);
        let first = caller.call_soon(async move || drop(slow));
        let rest: Vec<_> = (0..10).map(|_| caller.call_soon(async || ())).collect();
        let stops = {
            let caller = caller.clone();
            thread::spawn(move || {
                caller.start().unwrap();
                caller.stop();
            })
        };
        soon("the end of the caller", || caller.stopped().is_past());
        let unfinished = rest.iter().filter(|call| !call.is_done()).count();
        drop(leave);
        stops.join().unwrap();
        assert_eq!(unfinished, 0, "of 10 calls behind the first, which is {first}");
    }
}

/// Nobody has a handle of it when the last of its children ends.
pub fn a_caller_without_handles_stops_when_its_last_child_has<F: Fixture>() {
    let parent = F::new().builder().build().unwrap();
    let child = parent.child("child").unwrap();
    let go_on = hold_up(&child);
    let (stopping, stopped) = (parent.stopping(), parent.stopped());
    parent.stop();
    assert!(stopping.is_past());
    drop(parent);
    drop(go_on);
    soon("the end of the child", || child.stopped().is_past());
    soon("the end of the parent", || stopped.is_past());
}

pub fn the_moments_of_a_caller_that_never_ran_come<F: Fixture>() {
    let caller = F::new().builder().build().unwrap();
    let moments =
        [("started", caller.started()), ("stopping", caller.stopping()), ("stopped", caller.stopped())];
    drop(caller);
    for (what, moment) in moments {
        soon(what, || moment.is_past());
    }
}

/// The child ends after all handles of its parent, which never ran, have gone.
pub fn the_moments_of_a_parent_that_never_ran_come<F: Fixture>() {
    let parent = F::new().builder().build().unwrap();
    let child = parent.child("child").unwrap();
    let go_on = hold_up(&child);
    let stopped = parent.stopped();
    drop(parent);
    drop(go_on);
    soon("the end of the child", || child.stopped().is_past());
    soon("the end of the parent", || stopped.is_past());
}

/// Many stop and drop it at once, while children come and go.
pub fn stopped_comes_once_whoever_stops_it<F: Fixture>() {
    let fixture = F::new();
    let mut random = Random::new();
    let until = Instant::now() + Duration::from_secs(3);
    while Instant::now() < until {
        let parent = fixture.builder().build().unwrap();
        let moment = parent.stopped();
        let children: Vec<Caller> =
            (0..random.below(4)).map(|_| parent.child_builder().build().unwrap()).collect();
        for child in &children {
            if random.below(2) == 0 {
                child.start().unwrap();
            }
        }
        if random.below(2) == 0 {
            parent.start().unwrap();
        }
        let spins = [0; 3].map(|_| random.below(2000));
        let stops = children.into_iter().chain([parent.clone(), parent]).zip(spins.into_iter().cycle());
        let threads: Vec<_> = stops
            .map(|(caller, spins)| {
                thread::spawn(move || {
                    (0..spins).for_each(|_| std::hint::spin_loop());
                    caller.stop();
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        soon("the end of the parent", || moment.is_past());
    }
}

pub fn the_body_of_a_scope_that_awaits_its_own_end_ends<F: Fixture>() {
    for stop in [true, false] {
        ends_soon("a scope that awaits its own end", move || {
            let fixture = F::new();
            fixture.block_on(async {
                let ended = Caller::scope(fixture.backend(), async |caller: Caller| {
                    if stop {
                        caller.force_stop();
                    }
                    come(caller.stopped()).await;
                });
                let _error_or_not = ended.await;
            });
        });
    }
}

pub fn the_body_of_a_run_that_awaits_its_own_end_ends<F: Fixture>() {
    for stop in [true, false] {
        ends_soon("a run that awaits its own end", move || {
            let ran = F::new().builder().run(async move |caller: Caller| {
                if stop {
                    caller.force_stop();
                }
                come(caller.stopped()).await;
            });
            let _error_or_not = ran;
        });
    }
}

/// The end of the parent waits for the child, and the child's call for the end of the parent.
pub fn a_call_that_awaits_the_end_of_a_parent_ends<F: Fixture>() {
    let parent = F::new().caller();
    let child = parent.child("child").unwrap();
    let up = parent.0.clone();
    let call = child.call_soon(async move || come(up.stopped()).await);
    child.call_soon(async || ()).wait_blocking().unwrap();
    parent.stop();
    soon("the end of the parent", || parent.stopped().is_past());
    assert!(call.is_done());
}

pub fn a_child_that_was_only_built_is_started_by_its_name<F: Fixture>() {
    let parent = F::new().caller();
    let built = parent.child_builder().name("db").build().unwrap();
    assert_eq!(built.state(), CallerState::Initial);
    let early = built.call_soon(async || 1);
    let child = parent.child("db").unwrap();
    assert_eq!(child, built);
    assert_eq!(early.wait().timeout(SOON).blocking().unwrap(), 1);
    assert_eq!(child.call_soon(async || 2).wait().timeout(SOON).blocking().unwrap(), 2);
    // Of several who ask for it at once, one starts it, and all have it.
    parent.child_builder().name("cache").build().unwrap();
    let asking: Vec<_> = (0..4)
        .map(|_| {
            let parent = parent.0.clone();
            thread::spawn(move || parent.child("cache").unwrap().call_soon(async || 3))
        })
        .collect();
    for thread in asking {
        assert_eq!(thread.join().unwrap().wait().timeout(SOON).blocking().unwrap(), 3);
    }
}

/// The backend and the pool settings are inherited; protection is not.
pub fn a_child_inherits_what_is_not_set<F: Fixture>() {
    let settings = PoolSettings::default().limit(7);
    let parent = F::new().builder().protected(true).pool(settings).build().unwrap();
    let unset = parent.child_builder().build().unwrap();
    let set = parent.child_builder().protected(true).build().unwrap();
    assert_eq!((unset.is_protected(), set.is_protected()), (false, true));
    assert_eq!(unset.0.options.pool, settings);
    assert!(unset.backend().is_same(&**parent.backend()));
    parent.force_stop();
}
