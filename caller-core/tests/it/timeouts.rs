//! Times at which waits give up: every wait has one, none overflows, none is lost.

use std::{
    future::{Future, poll_fn},
    pin::Pin,
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use caller::{
    AsyncEvent, Caller, CountdownEvent, Resolver, sleep_until,
    testing::{Manual, Running},
};
use futures::{FutureExt, executor::block_on};

const SHORT: Duration = Duration::from_millis(2);
const LONG: Duration = Duration::from_secs(20);

fn manual() -> (Manual, Running) {
    let manual = Manual::new();
    let caller = Caller::builder().backend(manual.clone()).spawn().expect("a caller can be started");
    (manual, Running(caller))
}

/// Says each time that it was polled.
fn says<W: Future + Unpin>(mut wait: W, polled: &mpsc::Sender<()>) -> impl Future<Output = W::Output> {
    poll_fn(move |cx| {
        let output = Pin::new(&mut wait).poll(cx);
        polled.send(()).unwrap();
        output
    })
}

#[test]
fn waits_without_a_result_have_a_timeout() {
    let (event, countdown) = (AsyncEvent::new(), CountdownEvent::new(1));
    let (_resolver, pending) = Resolver::<()>::new();
    let handle = pending.handle();
    let (_manual, caller) = manual();
    assert!(block_on(event.wait().timeout(SHORT)).unwrap_err().is_timeout());
    assert!(block_on(countdown.wait().timeout(SHORT)).unwrap_err().is_timeout());
    assert!(block_on(caller.stopping().timeout(SHORT)).unwrap_err().is_timeout());
    assert!(block_on(pending.wait().protect().ignore_result().timeout(SHORT)).unwrap_err().is_timeout());
    let error = block_on(handle.cancel_requested().timeout(SHORT)).unwrap_err();
    assert!(error.is_timeout() && error.to_string().contains("Resolver"), "{error}");
    assert!(event.wait().deadline(Instant::now() + SHORT).blocking().unwrap_err().is_timeout());
    assert!(countdown.wait().timeout(SHORT).blocking().unwrap_err().is_timeout());
    assert!(caller.stopped().timeout(SHORT).blocking().unwrap_err().is_timeout());
    assert!(handle.cancel_requested().deadline(Instant::now()).blocking().unwrap_err().is_timeout());
    event.set();
    countdown.down().unwrap();
    handle.cancel("enough");
    block_on(event.wait().timeout(Duration::ZERO)).unwrap();
    countdown.wait().timeout(Duration::ZERO).blocking().unwrap();
    handle.cancel_requested().timeout(LONG).blocking().unwrap();
    caller.started().timeout(LONG).blocking().unwrap();
}

#[test]
fn a_bounded_wait_for_the_end_of_its_own_caller_is_still_an_error() {
    let (_manual, caller) = manual();
    let here = caller.0.clone();
    let waited = caller.call_soon(async move || here.stopped().timeout(LONG).blocking());
    assert!(waited.wait().timeout(LONG).blocking().unwrap().unwrap_err().is_self_wait());
}

#[test]
fn the_longest_time_is_never() {
    let (resolver, pending) = Resolver::<u8>::new();
    let handle = pending.handle();
    let mut wait = pending.wait().timeout(Duration::MAX);
    assert!((&mut wait).now_or_never().is_none());
    let mut done = handle.wait().timeout(Duration::MAX);
    assert!((&mut done).now_or_never().is_none());
    let event = AsyncEvent::new();
    let mut bounded = event.wait().timeout(Duration::MAX);
    assert!((&mut bounded).now_or_never().is_none());
    let (manual, caller) = manual();
    let inside = caller.call_soon({
        let event = event.clone();
        async move || event.wait().timeout(Duration::MAX).await
    });
    let mut slept = manual.sleep(Duration::MAX);
    assert!((&mut slept).now_or_never().is_none());
    manual.advance(Duration::MAX);
    assert!(slept.now_or_never().is_some(), "the longest step goes to the end of the longest sleep");
    resolver.resolve(1).unwrap();
    event.set();
    assert_eq!(block_on(wait).unwrap(), 1);
    block_on(done).unwrap();
    block_on(bounded).unwrap();
    assert!(!inside.wait().timeout(LONG).blocking().is_err_and(|error| error.is_timeout()));
}

#[test]
fn a_timeout_inside_a_call_comes_under_an_executor_that_blocks_the_thread() {
    let (manual, caller) = manual();
    let (_resolver, pending) = Resolver::<()>::new();
    let (begins, begun) = mpsc::channel();
    let waited = caller.call_soon(async move || {
        // Nobody drives the timers of this caller now.
        let wait = pending.wait().timeout(SHORT);
        block_on(says(wait, &begins)).map_err(|error| error.is_timeout())
    });
    begun.recv_timeout(LONG).unwrap();
    // Its own clock still decides.
    manual.advance(SHORT);
    assert_eq!(waited.wait().timeout(LONG).blocking().unwrap(), Err(true));
}

#[test]
fn a_timeout_that_moves_from_its_call_to_a_blocking_executor_comes() {
    let (manual, caller) = manual();
    let (_resolver, pending) = Resolver::<()>::new();
    let (begins, begun) = mpsc::channel();
    let waited = caller.call_soon(async move || {
        let mut wait = pending.wait().timeout(SHORT);
        assert!(futures::poll!(&mut wait).is_pending());
        block_on(says(wait, &begins)).map_err(|error| error.is_timeout())
    });
    begun.recv_timeout(LONG).unwrap();
    manual.advance(SHORT);
    assert_eq!(waited.wait().timeout(LONG).blocking().unwrap(), Err(true));
}

#[test]
fn a_time_ends_in_many_threads_without_a_caller() {
    let threads: Vec<_> = (0..4)
        .map(|_| {
            thread::spawn(|| {
                let (_resolver, pending) = Resolver::<()>::new();
                let handle = pending.handle();
                for _ in 0..50 {
                    let time = Duration::from_micros(fastrand::u64(..500));
                    assert!(handle.wait().timeout(time).blocking().unwrap_err().is_timeout());
                }
                block_on(sleep_until(Instant::now() + SHORT));
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}
