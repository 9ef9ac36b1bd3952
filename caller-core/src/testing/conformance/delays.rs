//! Delayed calls: that are cancelled, overdue, or too long.

use std::{
    sync::{Arc, Mutex, mpsc},
    time::{Duration, Instant},
};

use super::{Dropped, Drops, LONG, hold_up, receive};
use crate::{
    Caller, ContextVar, Pending,
    testing::{
        Fixture,
        probe::{SOON, soon},
    },
};

const HOUR: Duration = Duration::from_secs(3600);

/// A delayed call whose context says when it is freed.
fn delayed(caller: &Caller, delay: Duration, drops: &Drops) -> Pending<()> {
    static HELD: ContextVar<Dropped> = ContextVar::new();
    HELD.sync_scope(drops.watch(), || caller.call_later(delay, async || ()))
}

pub fn a_delayed_call_that_was_cancelled_is_freed<F: Fixture>() {
    const CALLS: usize = 1000;
    let caller = F::new().caller();
    let drops = Drops::default();
    let go_on = hold_up(&caller);
    for _ in 0..CALLS {
        // Cancelled before its scheduler has seen it.
        assert!(delayed(&caller, HOUR, &drops).cancel("changed my mind"));
    }
    go_on.send(()).unwrap();
    soon("the end of what the cancelled calls held", || drops.count() == CALLS);
}

pub fn a_delayed_call_that_was_cancelled_is_freed_when_its_time_has_come<F: Fixture>() {
    const CALLS: usize = 1000;
    let fixture = F::new();
    let caller = fixture.caller();
    let drops = Drops::default();
    let go_on = hold_up(&caller);
    for _ in 0..CALLS {
        assert!(delayed(&caller, Duration::from_millis(50), &drops).cancel("changed my mind"));
    }
    go_on.send(()).unwrap();
    caller.call_soon(async || ()).wait_blocking().unwrap();
    fixture.elapse(Duration::from_millis(60));
    soon("the end of what the cancelled calls held", || drops.count() == CALLS);
}

/// Each key stroke begins a delayed call and gives up the one before.
pub fn a_debounce_keeps_nothing<F: Fixture>() {
    const STROKES: usize = 1000;
    let caller = F::new().caller();
    let drops = Drops::default();
    let go_on = hold_up(&caller);
    let mut last = None;
    for _ in 0..STROKES {
        last = Some(delayed(&caller, HOUR, &drops).wait());
    }
    go_on.send(()).unwrap();
    soon("the end of all calls but the last", || drops.count() == STROKES - 1);
    drop(last);
    soon("the end of the last call", || drops.count() == STROKES);
}

pub fn overdue_calls_run_in_the_order_of_their_times<F: Fixture>() {
    let fixture = F::new();
    let caller = fixture.caller();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let go_on = hold_up(&caller);
    let calls = [30, 10, 20, 10].map(|time| {
        let seen = seen.clone();
        caller.call_later(Duration::from_millis(time), async move || seen.lock().unwrap().push(time))
    });
    // All of them are overdue when the thread is free.
    fixture.elapse(Duration::from_millis(80));
    go_on.send(()).unwrap();
    for call in calls {
        call.wait().timeout(SOON).blocking().unwrap();
    }
    assert_eq!(*seen.lock().unwrap(), [10, 10, 20, 30]);
}

/// The one who cancels is still dropping the function when its time comes, and when the caller stops.
pub fn a_delayed_call_belongs_to_whoever_cancelled_it<F: Fixture>() {
    /// Says that its destructor runs, and stays in it.
    struct Slow(mpsc::Sender<()>, mpsc::Receiver<()>, #[expect(dead_code, reason = "it counts")] Dropped);
    impl Drop for Slow {
        fn drop(&mut self) {
            self.0.send(()).unwrap();
            self.1.recv_timeout(LONG).unwrap();
        }
    }
    let fixture = F::new();
    let caller = fixture.caller();
    let drops = Drops::default();
    let (entered, enters) = mpsc::channel();
    let (leave, left) = mpsc::channel();
    let slow = Slow(entered, left, drops.watch());
    let call = caller.call_later(Duration::from_millis(50), async move || drop(slow));
    // Its scheduler keeps it.
    caller.call_soon(async || ()).wait_blocking().unwrap();
    let handle = call.handle();
    let cancels = std::thread::spawn(move || handle.cancel("changed my mind"));
    receive(&enters);
    fixture.elapse(Duration::from_millis(60));
    caller.call_soon(async || ()).wait_blocking().unwrap();
    caller.stop();
    // Time for the stop to do what it should not.
    let until = Instant::now() + Duration::from_millis(500);
    while !call.is_done() && Instant::now() < until {
        std::thread::yield_now();
    }
    leave.send(()).unwrap();
    assert!(cancels.join().unwrap());
    soon("the end of the caller", || caller.stopped().is_past());
    assert_eq!(drops.count(), 1);
    let error = call.error().unwrap().unwrap();
    assert!(error.to_string().contains("changed my mind"), "{error}");
}
