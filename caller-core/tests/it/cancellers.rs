//! Cancellers of pendings that are made by hand.

use std::sync::{Arc, OnceLock, mpsc};

use caller::{ContextVar, PendingHandle, Resolver, testing::Manual};

use crate::support::{caller, in_time};

#[test]
fn cancellers_that_cancel_each_other_end() {
    let ((one, of_one), (other, of_other)) = (Resolver::<()>::new(), Resolver::<()>::new());
    let (first, second) = (one.handle(), other.handle());
    one.set_canceller(move |reason| {
        second.cancel(reason);
    })
    .unwrap();
    other
        .set_canceller(move |reason| {
            first.cancel(reason);
        })
        .unwrap();
    let of_one = in_time("cancelling", move || {
        assert!(of_one.cancel("enough"));
        of_one
    });
    one.resolve(()).unwrap();
    other.resolve(()).unwrap();
    assert_eq!(of_one.wait_blocking().unwrap_err().reasons(), Some("enough\nenough"));
    assert_eq!(of_other.wait_blocking().unwrap_err().reasons(), Some("enough"));
}

#[test]
fn a_canceller_is_told_of_each_cancel_but_those_it_causes() {
    let (resolver, pending) = Resolver::<()>::new();
    let (sender, told) = mpsc::channel();
    let own: Arc<OnceLock<PendingHandle>> = Arc::default();
    own.set(pending.handle()).unwrap();
    let handle = Arc::downgrade(&own);
    resolver
        .set_canceller(move |reason| {
            sender.send(reason.to_owned()).unwrap();
            handle.upgrade().unwrap().get().unwrap().cancel("by its canceller");
        })
        .unwrap();
    in_time("cancelling", move || {
        for reason in ["first", "second"] {
            assert!(pending.cancel(reason));
        }
        assert!(resolver.set_canceller(|_| {}).is_err(), "it has one");
        drop(own);
        resolver.resolve(()).unwrap();
        let reasons = pending.wait_blocking().unwrap_err();
        assert_eq!(reasons.reasons(), Some("first\nby its canceller\nsecond\nby its canceller"));
    });
    assert_eq!(told.iter().collect::<Vec<_>>(), ["first", "second"], "and it was dropped");
}

#[test]
fn a_canceller_that_ends_its_pending_is_dropped() {
    let (resolver, pending) = Resolver::<()>::new();
    let resolver = Arc::new(resolver);
    let (ends, held) = (Arc::downgrade(&resolver), Arc::new(()));
    let kept = Arc::downgrade(&held);
    resolver
        .set_canceller(move |_| {
            let _held = &held;
            ends.upgrade().unwrap().resolve(()).unwrap();
        })
        .unwrap();
    assert!(pending.cancel("enough") && pending.is_done());
    assert_eq!(kept.strong_count(), 0);
}

#[test]
fn a_canceller_runs_in_the_context_of_its_registration() {
    static VAR: ContextVar<u32> = ContextVar::new();
    let (resolver, pending) = Resolver::<()>::new();
    let (sender, seen) = mpsc::channel();
    let canceller = move |_: &str| sender.send((VAR.get(), VAR.set(99).is_ok())).unwrap();
    VAR.sync_scope(1, || resolver.set_canceller(canceller)).unwrap();
    let caller = caller(&Manual::new());
    let after = caller.call_soon(async move || {
        pending.cancel("enough");
        pending.cancel("more than enough");
        VAR.get()
    });
    assert_eq!(after.wait_blocking().unwrap(), None, "the call that cancels keeps its context");
    assert_eq!(seen.try_iter().collect::<Vec<_>>(), [(Some(1), true), (Some(1), true)]);
}
