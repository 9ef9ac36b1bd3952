//! CAN: what cancelling does.

use std::{
    sync::{Arc, Mutex, mpsc},
    thread,
    time::Duration,
};

use super::{Drops, LONG, calls::turns, receive};
use crate::{Caller, PendingHandle, Resolver, current_pending, testing::Fixture};

pub fn can_01_without_canceller<F: Fixture>() {
    let (resolver, mut pending) = Resolver::<u32>::new();
    assert!(pending.cancel("not wanted"));
    assert!(pending.is_done() && pending.is_cancelled());
    assert!(pending.try_result().unwrap_err().is_cancelled());
    assert!(pending.error().unwrap().unwrap().is_cancelled());
    assert_eq!(resolver.resolve(1), Err(1));
}

pub fn can_02_with_canceller<F: Fixture>() {
    let (resolver, mut pending) = Resolver::<u32>::new();
    let told = Arc::new(Mutex::new(Vec::new()));
    let tell = told.clone();
    resolver.set_canceller(move |reason| tell.lock().unwrap().push(reason.to_owned())).unwrap();
    assert!(resolver.set_canceller(|_| {}).is_err());
    assert!(pending.cancel("stop it"));
    assert_eq!(*told.lock().unwrap(), ["stop it"]);
    assert!(pending.is_cancelled() && !pending.is_done());
    resolver.resolve(1).unwrap();
    assert!(pending.is_done());
    assert!(pending.try_result().unwrap_err().is_cancelled(), "the value is never visible");
}

pub fn can_03_reasons_add_up<F: Fixture>() {
    let (resolver, pending) = Resolver::<u32>::new();
    resolver.set_canceller(|_| {}).unwrap();
    pending.cancel("first");
    pending.cancel("second");
    resolver.resolve(1).unwrap();
    let error = pending.wait_blocking().unwrap_err();
    assert_eq!(error.reasons(), Some("first\nsecond"));
    assert!(error.to_string().contains("first\nsecond"), "{error}");
}

pub fn can_04_running_call<F: Fixture>() {
    let fixture = F::new();
    let (caller, worker) = (fixture.caller(), fixture.caller());
    for from_own_thread in [true, false] {
        let drops = Drops::default();
        let held = drops.watch();
        let (sender, began) = mpsc::channel();
        let pending = caller.call_soon(async move || {
            let _held = held;
            sender.send(thread::current().id()).unwrap();
            std::future::pending::<u32>().await
        });
        receive(&began);
        let shared = pending.shared();
        let waiting = worker.call_soon({
            let shared = shared.clone();
            async move || shared.await.unwrap_err()
        });
        let handle = shared.handle();
        let from = if from_own_thread { &caller } else { &worker };
        let cancel = from.call_soon(async move || handle.cancel_and_wait("enough of this").await);
        cancel.wait_blocking().unwrap().unwrap();
        assert!(shared.is_done());
        assert_eq!(drops.count(), 1, "the future is dropped before the pending is done");
        for error in [shared.result().unwrap_err(), waiting.wait_blocking().unwrap()] {
            assert!(error.is_cancelled() && error.to_string().contains("enough of this"), "{error}");
        }
    }
}

pub fn can_05_before_the_start<F: Fixture>() {
    let caller = F::new().caller();
    let drops = Drops::default();
    let (release, released) = mpsc::channel::<()>();
    let (sender, ran) = mpsc::channel();
    let busy = caller.call_soon(async move || released.recv_timeout(LONG).unwrap());
    let calls = [
        caller.call_soon({
            let (sender, held) = (sender.clone(), drops.watch());
            async move || {
                let _held = held;
                sender.send("soon").unwrap();
            }
        }),
        caller.call_later(Duration::from_secs(3600), {
            let held = drops.watch();
            async move || {
                let _held = held;
                sender.send("later").unwrap();
            }
        }),
    ];
    for call in calls {
        assert!(call.cancel("changed my mind"));
        assert!(call.is_done());
        assert!(call.wait_blocking().unwrap_err().is_cancelled());
    }
    assert_eq!(drops.count(), 2, "what was captured is freed");
    release.send(()).unwrap();
    busy.wait_blocking().unwrap();
    caller.call_soon(async || ()).wait_blocking().unwrap();
    assert!(ran.try_recv().is_err());
    // A delayed call that its scheduler keeps already.
    let later = caller.call_later(Duration::from_secs(3600), async || ());
    caller.call_soon(async || ()).wait_blocking().unwrap();
    assert!(later.cancel("changed my mind") && later.is_done());
}

pub fn can_06_seen_inside_a_long_poll<F: Fixture>() {
    let caller = F::new().caller();
    let (sender, began) = mpsc::channel();
    let pending = caller.call_soon(async move || {
        sender.send(()).unwrap();
        let own = current_pending().unwrap();
        let until = std::time::Instant::now() + LONG;
        while !own.is_cancelled() {
            assert!(std::time::Instant::now() < until, "the request was not seen");
            thread::yield_now();
        }
    });
    receive(&began);
    assert!(pending.cancel("leave early"));
    assert!(pending.wait_blocking().unwrap_err().is_cancelled());
}

pub fn can_grace_to_clean_up<F: Fixture>() {
    let fixture = F::new();
    let caller = fixture.caller();
    let (call, steps, cleaned) = with_grace(&caller, LONG);
    call.cancel("please");
    assert_eq!(receive(&steps), "asked");
    assert!(!call.is_done());
    cleaned.resolve(()).unwrap();
    assert_eq!(receive(&steps), "cleaned");
    done(&call);
    assert!(call.error().unwrap().unwrap().is_cancelled());

    // The time runs out: the call is dropped then, and not before.
    let grace = Duration::from_millis(20);
    let (call, steps, _cleaned) = with_grace(&caller, grace);
    let clock = caller.backend().clock();
    let asked = clock.now();
    call.cancel("please");
    assert_eq!(receive(&steps), "asked");
    // The time counts from the turn in which the caller hears of the cancel.
    turns(&caller);
    fixture.elapse(grace / 2);
    turns(&caller);
    assert!(!call.is_done() || clock.now() >= asked + grace);
    fixture.elapse(grace / 2);
    done(&call);
    assert!(clock.now() >= asked + grace);
    assert_eq!(receive(&steps), "dropped");
    assert!(steps.try_recv().is_err());
}

/// A call that has begun and asked for time to clean up: its handle, what it does, and what its clean-up waits for.
fn with_grace(
    caller: &Caller,
    grace: Duration,
) -> (PendingHandle, mpsc::Receiver<&'static str>, Resolver<()>) {
    struct Tells(mpsc::Sender<&'static str>);
    impl Drop for Tells {
        fn drop(&mut self) {
            // A test that has seen enough does not listen any more.
            let _nobody = self.0.send("dropped");
        }
    }
    let (sender, steps) = mpsc::channel();
    let (resolver, cleaned) = Resolver::<()>::new();
    let call = caller.call_soon(async move || {
        let own = current_pending().unwrap();
        own.grace(grace);
        sender.send("began").unwrap();
        let tells = Tells(sender);
        own.cancel_requested().await;
        tells.0.send("asked").unwrap();
        cleaned.wait().protect().await.unwrap();
        tells.0.send("cleaned").unwrap();
    });
    assert_eq!(receive(&steps), "began");
    (call.handle(), steps, resolver)
}

/// Waits until a pending is done, at most for `LONG`.
fn done(pending: &PendingHandle) {
    pending.wait().timeout(LONG).blocking().expect("the pending should be done");
}
