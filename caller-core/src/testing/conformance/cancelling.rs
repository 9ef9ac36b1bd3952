//! Cancelling: by several at once, by a stop, and with time to clean up.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    time::Duration,
};

use super::{hold_up, receive};
use crate::{
    AsyncEvent, Caller, PendingHandle, Resolver, current_pending,
    testing::{
        Fixture,
        probe::{SOON, ends_soon, soon},
    },
};

pub fn a_second_cancel_of_a_call_that_has_not_begun_finds_it_done<F: Fixture>() {
    /// Says that its destructor runs, and stays in it for a while.
    struct Slow(mpsc::Sender<()>, mpsc::Receiver<()>);
    impl Drop for Slow {
        fn drop(&mut self) {
            self.0.send(()).unwrap();
            let _left = self.1.recv_timeout(Duration::from_millis(500));
        }
    }
    let caller = F::new().caller();
    let go_on = hold_up(&caller);
    let (entered, enters) = mpsc::channel();
    let (leave, left) = mpsc::channel();
    let slow = Slow(entered, left);
    let call = caller.call_soon(async move || drop(slow));
    let handle = call.handle();
    let first = std::thread::spawn(move || handle.cancel("first"));
    receive(&enters);
    let second = call.cancel("second");
    let done = call.is_done();
    let _gone = leave.send(());
    assert!(first.join().unwrap());
    go_on.send(()).unwrap();
    assert!(done, "a call that has not begun is done when `cancel` returns, which was {second}");
}

pub fn a_call_that_a_stop_ended_says_that_it_was_cancelled<F: Fixture>() {
    async fn forever(begun: mpsc::Sender<()>) {
        begun.send(()).unwrap();
        std::future::pending::<()>().await;
    }
    let caller = F::new().caller();
    let (begun, begins) = mpsc::channel();
    let (sender, local) = mpsc::channel();
    let here = caller.0.clone();
    let started = caller.call_soon({
        let begun = begun.clone();
        async move || {
            sender.send(here.call_soon_local(async || std::future::pending::<()>().await).unwrap()).unwrap();
            forever(begun).await;
        }
    });
    let in_worker = caller.to_thread({
        let begun = begun.clone();
        async move || forever(begun).await
    });
    let delayed = caller.call_later(Duration::from_secs(3600), async || ());
    caller.queue_call(forever, begun).unwrap();
    (0..3).for_each(|_| receive(&begins));
    let queue = caller.queue_get(forever).unwrap();
    let local = receive(&local);
    let ended: [(&str, PendingHandle); 5] = [
        ("started", started.handle()),
        ("in a worker", in_worker.handle()),
        ("delayed", delayed.handle()),
        ("queue", queue),
        ("local", local.handle()),
    ];
    caller.stop();
    soon("the end of the caller", || caller.stopped().is_past());
    let disagree = ended.into_iter().filter(|(_, pending)| {
        let error = pending.error().unwrap().unwrap();
        !error.is_cancelled() || !pending.is_cancelled()
    });
    assert_eq!(disagree.map(|(what, _)| what).collect::<Vec<_>>(), [""; 0]);
}

pub fn a_grace_without_end_is_a_grace<F: Fixture>() {
    for stopped in [false, true] {
        let caller = F::new().caller();
        let (sender, steps) = mpsc::channel();
        let (resolver, cleaned) = Resolver::<()>::new();
        let call = caller.call_soon(async move || {
            let own = current_pending().unwrap();
            own.grace(Duration::MAX);
            sender.send("began").unwrap();
            own.cancel_requested().await;
            sender.send("asked").unwrap();
            cleaned.await.unwrap();
            sender.send("cleaned").unwrap();
        });
        assert_eq!(receive(&steps), "began");
        if stopped {
            caller.stop();
        } else {
            call.cancel("please");
        }
        assert_eq!(steps.recv_timeout(SOON), Ok("asked"), "it is gone: {call}");
        assert!(!call.is_done());
        resolver.resolve(()).unwrap();
        assert_eq!(receive(&steps), "cleaned");
        assert!(call.wait_blocking().unwrap_err().is_cancelled());
    }
}

/// It has not begun when the scope ends, and asked for time to clean up.
pub fn a_local_call_that_asked_for_time_before_its_turn_ends<F: Fixture>() {
    ends_soon("a scope", || {
        let fixture = F::new();
        let ended = fixture.block_on(Caller::scope(fixture.backend(), async |caller: Caller| {
            let local = caller.call_soon_local(async || current_pending().unwrap().cancel_requested().await);
            let local = local.unwrap();
            local.handle().grace(Duration::MAX);
            local
        }));
        assert!(ended.unwrap().handle().is_done());
    });
}

/// What is before it in the queue holds up its turn, and not its end.
pub fn a_local_call_is_cancelled_behind_a_direct_call_that_waits<F: Fixture>() {
    let caller = F::new().caller();
    let here = caller.clone();
    let (resolver, wait) = Resolver::<()>::new();
    let (sender, local) = mpsc::channel();
    let made = caller.call_soon(async move || {
        here.call_direct_async(async move || drop(wait.await));
        let ran = Arc::new(AtomicBool::new(false));
        let (runs, waits) = (ran.clone(), AsyncEvent::new());
        let call = here.call_soon_local(async move || {
            runs.store(true, Ordering::SeqCst);
            waits.wait().await;
        });
        sender.send((call.unwrap().handle(), ran)).unwrap();
    });
    made.wait_blocking().unwrap();
    let (local, ran) = receive(&local);
    assert!(local.cancel("enough"));
    soon("the end of a cancelled call", || local.is_done());
    resolver.resolve(()).unwrap();
    caller.call_soon(async || ()).wait_blocking().unwrap();
    assert!(!ran.load(Ordering::SeqCst), "it was cancelled before it began");
}
