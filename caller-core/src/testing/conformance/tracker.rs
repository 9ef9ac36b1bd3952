//! TRK: trackers, and the set that they keep pendings in.

use std::{
    sync::{Arc, mpsc},
    time::Duration,
};

use super::{Trouble, eventually, receive};
use crate::{
    Caller, Pending, PendingGroup, PendingHandle, PendingSet, Resolver, Tracker, Trackers, current_pending,
    testing::Fixture,
};

#[derive(Default)]
struct Manager(PendingSet);

impl Tracker for Manager {
    fn track(&self, pending: &PendingHandle) {
        self.0.add(pending);
    }
}

/// Another type, with a current one of its own.
#[derive(Default)]
struct Auditor(PendingSet);

impl Tracker for Auditor {
    fn track(&self, pending: &PendingHandle) {
        self.0.add(pending);
    }
}

fn is_current(manager: &Arc<Manager>) -> bool {
    Manager::current().is_some_and(|current| Arc::ptr_eq(&current, manager))
}

pub fn trk_01_activate_and_deactivate<F: Fixture>() {
    let caller = F::new().caller();
    let manager = Arc::new(Manager::default());
    assert!(manager.activate().unwrap_err().is_mismatch(), "outside of a call it would leak");
    caller
        .call_soon(async move || {
            assert!(Manager::current().is_none());
            let active = manager.activate().unwrap();
            assert!(is_current(&manager));
            active.deactivate().unwrap();
            assert!(Manager::current().is_none());
            drop(manager.activate().unwrap());
            assert!(Manager::current().is_none(), "dropping it does the same");
            let inner = Arc::new(Manager::default());
            let outer_active = manager.activate().unwrap();
            let inner_active = inner.activate().unwrap();
            assert!(outer_active.deactivate().unwrap_err().is_mismatch(), "the last one first");
            assert!(is_current(&inner));
            inner_active.deactivate().unwrap();
            assert!(is_current(&manager));
        })
        .wait_blocking()
        .unwrap();
    assert!(Manager::current().is_none());
    caller
        .call_soon(async || assert!(Manager::current().is_none(), "what a call activates ends with it"))
        .wait_blocking()
        .unwrap();
}

pub fn trk_02_in_the_set_until_done<F: Fixture>() {
    let caller = F::new().caller();
    let manager = Arc::new(Manager::default());
    let (resolver, gate) = Resolver::<()>::new();
    let gate = gate.shared();
    let (sender, inner) = mpsc::channel();
    let (first, failing, cancelled) = manager.sync_scope(|| {
        let this = caller.0.clone();
        let wait = gate.clone();
        let first = caller.call_soon(async move || {
            let again = wait.clone();
            // A call that is made inside such a call, and one in a worker.
            sender.send(this.call_soon(async move || wait.await)).unwrap();
            sender.send(this.to_thread(async move || again.await)).unwrap();
            7
        });
        let failing = caller.try_call_soon(async || Err::<(), _>(Trouble));
        let cancelled = caller.call_soon(async || std::future::pending::<()>().await);
        assert!(manager.0.contains(&first.handle()) || first.is_done());
        assert!(manager.0.contains(&cancelled.handle()));
        (first, failing, cancelled)
    });
    let (nested, worker) = (receive(&inner), receive(&inner));
    assert!(manager.0.contains(&nested.handle()) && manager.0.contains(&worker.handle()));
    assert_eq!(first.wait_blocking().unwrap(), 7);
    assert!(failing.wait_blocking().unwrap_err().is_failed());
    cancelled.handle().cancel("enough");
    assert!(cancelled.wait().blocking().unwrap_err().is_cancelled());
    eventually("the end of those that are done", || manager.0.len() == 2);
    assert_eq!(manager.0.pendings(), [nested.handle(), worker.handle()], "in the order of adding");
    resolver.resolve(()).unwrap();
    nested.wait_blocking().unwrap().unwrap();
    worker.wait_blocking().unwrap().unwrap();
    eventually("an empty set", || manager.0.is_empty());
    // By hand.
    let (_resolver, pending) = Resolver::<()>::new();
    assert!(manager.0.add(&pending.handle()) && !manager.0.add(&pending.handle()));
    assert!(manager.0.remove(&pending.handle()) && !manager.0.remove(&pending.handle()));
    let done = caller.call_soon(async || ());
    done.handle().wait().blocking().unwrap();
    assert!(!manager.0.add(&done.handle()) && manager.0.is_empty());
}

pub fn trk_03_one_current_of_each_type<F: Fixture>() {
    let caller = F::new().caller();
    caller
        .call_soon(async || {
            let (manager, auditor) = (Arc::new(Manager::default()), Arc::new(Auditor::default()));
            let managing = manager.activate().unwrap();
            let auditing = auditor.activate().unwrap();
            assert!(is_current(&manager) && Auditor::current().is_some());
            // Which type an activation is of, the compiler knows; elsewhere than here it is an error.
            let here = Caller::current().unwrap();
            let plain = here.schedule_call(async move || managing.deactivate()).trackers(Trackers::none());
            assert!(plain.submit().unwrap().await.unwrap().unwrap_err().is_mismatch());
            auditing.deactivate().unwrap();
            assert!(is_current(&manager) && Auditor::current().is_none());
        })
        .wait_blocking()
        .unwrap();
}

pub fn trk_04_chosen_trackers<F: Fixture>() {
    let fixture = F::new();
    let caller = fixture.caller();
    let this = caller.0.clone();
    let manager = Arc::new(Manager::default());
    let run = async move || {
        let (resolver, gate) = Resolver::<()>::new();
        let gate = gate.shared();
        let seen = Manager::current().unwrap();
        let ended = this
            .group()
            .run(async |group| {
                let make = |trackers: Trackers| -> Pending<(bool, bool)> {
                    let gate = gate.clone();
                    let call = this.schedule_call(async move || {
                        gate.await.unwrap();
                        (PendingGroup::current().is_some(), Manager::current().is_some())
                    });
                    call.trackers(trackers).submit().unwrap()
                };
                let choices = [
                    (Trackers::none(), (false, false)),
                    (Trackers::all(), (true, true)),
                    (Trackers::only::<PendingGroup>(), (true, false)),
                    (Trackers::only::<Manager>(), (false, true)),
                    (Trackers::except::<Manager>(), (true, false)),
                    (Trackers::only::<Manager>().and::<PendingGroup>(), (true, true)),
                ];
                let made = choices.map(|(trackers, tracked)| (make(trackers), tracked));
                for (pending, tracked) in &made {
                    let handle = pending.handle();
                    assert_eq!((group.pendings().contains(&handle), seen.0.contains(&handle)), *tracked);
                }
                resolver.resolve(()).unwrap();
                for (pending, tracked) in made {
                    assert_eq!(pending.await.unwrap(), tracked, "what is current inside the call");
                }
                // A pending that is made by hand is tracked when it asks for it.
                let (_resolver, by_hand) = Resolver::<()>::new();
                assert!(!group.pendings().contains(&by_hand.handle()));
                by_hand.handle().track(&Trackers::only::<Manager>());
                assert!(group.is_empty() && seen.0.contains(&by_hand.handle()));
                assert!(current_pending().is_some());
            })
            .await;
        assert!(ended.unwrap().is_some());
    };
    let call = manager.sync_scope(|| caller.call_soon(run));
    call.wait().timeout(Duration::from_secs(20)).blocking().unwrap();
}

pub fn trk_a_tracker_that_panics<F: Fixture>() {
    struct Broken;
    impl Tracker for Broken {
        fn track(&self, _: &PendingHandle) {
            panic!("a tracker, on purpose");
        }
    }
    let fixture = F::new();
    let caller = fixture.caller();
    let (this, (sender, dropped)) = (caller.0.clone(), mpsc::channel::<()>());
    let call = caller.call_soon(async move || {
        // Beside it, a tracker of each side of its place in the list.
        let (broken, manager) = (Arc::new(Broken), Arc::new(Manager::default()));
        let before = Arc::new(Auditor::default());
        let ended = this.group().run(async |group| {
            let calls = before.sync_scope(|| {
                broken.sync_scope(|| {
                    manager.sync_scope(|| {
                        let local = this.call_soon_local(async move || {
                            let _held = sender;
                            7
                        });
                        [this.call_soon(async || 7), this.to_thread(async || 7), local.unwrap()]
                    })
                })
            });
            for call in calls {
                let handle = call.handle();
                let tracked = before.0.contains(&handle) && manager.0.contains(&handle);
                assert!(tracked && group.pendings().contains(&handle) || handle.is_done());
                assert_eq!(call.await.unwrap(), 7, "the call goes on");
            }
        });
        ended.await.unwrap().is_some()
    });
    assert!(call.wait().timeout(super::LONG).blocking().unwrap(), "its group ends");
    assert!(dropped.recv_timeout(super::LONG).is_err(), "the future of a local call is dropped");
}
