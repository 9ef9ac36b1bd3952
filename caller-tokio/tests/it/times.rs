//! Times: those of a clock that was paused, and those that no timer can name.

use std::{
    panic,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use caller::{
    Caller, Resolver,
    testing::{Process, Running},
};
use caller_tokio::Tokio;
use tokio::time;

const LONG: Duration = Duration::from_secs(20);
const HOUR: Duration = Duration::from_secs(3_600);

fn caller() -> Running {
    Running(Caller::builder().backend(Tokio::new()).spawn().unwrap())
}

#[test]
fn a_delay_that_another_thread_asks_for_goes_by_the_clock_of_the_caller() {
    let caller = caller();
    let ahead = async || {
        time::pause();
        time::advance(HOUR).await;
        time::Instant::now()
    };
    let before = caller.call_soon(ahead).wait().timeout(LONG).blocking().unwrap();
    let later = caller.call_later(HOUR, async || time::Instant::now());
    let at = later.wait().timeout(LONG).blocking().unwrap();
    let waited = at.duration_since(before);
    // The machine's clock goes on until the call has come to its thread.
    assert!(waited > HOUR - LONG && waited <= HOUR + Duration::from_secs(1), "it waited for {waited:?}");
}

#[test]
fn the_furthest_deadline_never_comes() {
    Process::of(concat!(module_path!(), "::the_furthest_deadline_never_comes")).run(|| {
        let panics = Arc::new(AtomicUsize::new(0));
        let count = panics.clone();
        panic::set_hook(Box::new(move |_| {
            count.fetch_add(1, Ordering::SeqCst);
        }));
        let (mut furthest, mut step) = (Instant::now(), Duration::MAX / 2);
        while !step.is_zero() {
            furthest = furthest.checked_add(step).unwrap_or(furthest);
            step /= 2;
        }
        let caller = caller();
        let (resolver, pending) = Resolver::<u32>::new();
        let waits = caller.call_soon(async move || pending.wait().deadline(furthest).await);
        // It has begun, and its timer with it.
        caller.call_soon(async || tokio::task::yield_now().await).wait_blocking().unwrap();
        resolver.resolve(3).unwrap();
        assert_eq!(waits.wait().timeout(LONG).blocking().unwrap().unwrap(), 3);
        assert_eq!(panics.load(Ordering::SeqCst), 0);
    });
}
