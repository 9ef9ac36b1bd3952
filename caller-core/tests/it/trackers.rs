//! Trackers that call back, and activations that go elsewhere.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use caller::{
    Caller, PendingHandle, Tracker,
    testing::{Manual, Process},
};

use crate::support::{LONG, caller, in_a_call};

/// Counts what it hears of.
#[derive(Default)]
struct Counts(AtomicUsize);

impl Tracker for Counts {
    fn track(&self, _: &PendingHandle) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// Makes a call for each that it hears of.
struct Logs(Caller, AtomicUsize);

impl Tracker for Logs {
    fn track(&self, pending: &PendingHandle) {
        assert!(Self::current().is_none());
        let name = pending.name().into_owned();
        drop(self.0.call_soon(async move || assert!(Self::current().is_none(), "{name}")));
        self.1.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn a_tracker_that_makes_calls_does_not_hear_of_them() {
    Process::of(concat!(module_path!(), "::a_tracker_that_makes_calls_does_not_hear_of_them")).run(|| {
        let caller = caller(&Manual::new());
        let (logs, counts) =
            (Arc::new(Logs(caller.0.clone(), AtomicUsize::new(0))), Arc::new(Counts::default()));
        let call = || caller.call_soon(async || Logs::current().is_some()).wait().timeout(LONG).blocking();
        let is_active = counts.sync_scope(|| logs.sync_scope(call)).unwrap();
        assert!(is_active, "in the call itself");
        assert_eq!(logs.1.load(Ordering::SeqCst), 1);
        assert_eq!(counts.0.load(Ordering::SeqCst), 2, "another tracker hears of both");
    });
}

#[test]
fn an_activation_in_another_call_is_a_mismatch() {
    in_a_call(&Manual::new(), async |here| {
        let active = Arc::new(Counts::default()).activate().unwrap();
        let elsewhere = here.call_soon(async move || active.deactivate()).await.unwrap();
        assert!(elsewhere.unwrap_err().is_mismatch());
        assert!(Counts::current().is_some(), "it stays active here");
        let active = Arc::new(Counts::default()).activate().unwrap();
        here.call_soon(async move || drop(active)).await.unwrap();
        assert!(Counts::current().is_some());
    });
}
