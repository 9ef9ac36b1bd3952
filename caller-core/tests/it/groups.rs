//! Groups in great numbers: deep nests, long chains, many members. None may overflow the stack, or cost the square of its
//! size.

use std::{
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use caller::{
    Caller, DoneCallback, PendingGroup, Resolver, Trackers, current_pending,
    testing::{Manual, Running},
};

const LONG: Duration = Duration::from_secs(20);

fn caller() -> Running {
    Running(Caller::builder().backend(Manual::new()).spawn().unwrap())
}

/// Runs a group in a call inside the group before, `left` times.
fn nest(caller: &Caller, left: usize, deepest: Arc<AtomicUsize>, fails: bool) {
    let here = caller.clone();
    drop(caller.try_call_soon(async move || {
        let this = here.clone();
        let ended = here.group().run(async move |_: Arc<PendingGroup>| {
            if left > 0 {
                nest(&this, left - 1, deepest, fails);
            } else {
                deepest.fetch_add(1, Ordering::SeqCst);
                if fails {
                    drop(this.try_call_soon(async || Err::<(), _>("the deepest")));
                }
            }
        });
        ended.await.map(drop)
    }));
}

#[test]
fn groups_nested_deeply_end() {
    const DEPTH: usize = 10_000;
    let caller = caller();
    let deepest = Arc::new(AtomicUsize::new(0));
    let (here, seen) = (caller.0.clone(), deepest.clone());
    let call = caller.call_soon(async move || {
        let this = here.clone();
        here.group().run(async move |_| nest(&this, DEPTH, seen, false)).await.map(|ended| ended.is_some())
    });
    assert!(call.wait().timeout(LONG).blocking().unwrap().unwrap());
    assert_eq!(deepest.load(Ordering::SeqCst), 1);
}

#[test]
fn a_failure_comes_out_of_groups_nested_deeply() {
    // Each group hears of the failure, and each call that runs a group fails with that of the one inside.
    const DEPTH: usize = 300;
    let caller = caller();
    let deepest = Arc::new(AtomicUsize::new(0));
    let here = caller.0.clone();
    let call = caller.call_soon(async move || {
        let this = here.clone();
        here.group().run(async move |_| nest(&this, DEPTH, deepest, true)).await
    });
    let error = call.wait().timeout(LONG).blocking().unwrap().unwrap_err();
    assert!(error.failures().iter().any(|failure| failure.to_string().contains("the deepest")));
}

#[test]
fn groups_nested_deeply_are_cancelled_from_the_outside() {
    const DEPTH: usize = 10_000;
    let caller = caller();
    let (groups, made) = std::sync::mpsc::channel();
    fn wait_inside(caller: &Caller, left: usize, groups: std::sync::mpsc::Sender<Arc<PendingGroup>>) {
        let here = caller.clone();
        drop(caller.call_soon(async move || {
            let this = here.clone();
            let run = here.group().run(async move |group| {
                groups.send(group).unwrap();
                if left > 0 {
                    wait_inside(&this, left - 1, groups);
                }
                pending::<()>().await;
            });
            drop(run.await);
        }));
    }
    wait_inside(&caller, DEPTH, groups);
    let all: Vec<_> = (0..=DEPTH).map(|_| made.recv_timeout(LONG).unwrap()).collect();
    assert!(all[0].len() >= DEPTH);
    let began = Instant::now();
    all[0].cancel("enough");
    while !all.iter().all(|group| group.is_empty()) {
        assert!(began.elapsed() < LONG, "the groups do not end");
        std::thread::yield_now();
    }
    // The last handles, the innermost group last.
    let innermost = all.last().cloned();
    drop(all);
    drop(innermost);
}

/// A member that is done cancels the next group, whose member is done, and so on.
#[test]
fn a_chain_of_groups_that_cancel_the_next_one() {
    const CHAIN: usize = 20_000;
    let groups: Vec<_> = (0..CHAIN).map(|_| PendingGroup::builder().build()).collect();
    let members: Vec<_> = groups
        .iter()
        .enumerate()
        .map(|(at, group)| {
            let (resolver, pending) = Resolver::<()>::new();
            let handle = pending.handle();
            group.add(&handle).unwrap();
            let next = groups.get(at + 1).cloned();
            handle.add_done_callback(&DoneCallback::new(move |_| {
                next.iter().for_each(|next| assert!(next.cancel("the one before") && next.is_cancelled()));
            }));
            (resolver, handle)
        })
        .collect();
    groups[0].cancel("begin");
    assert!(members.iter().all(|(_, member)| member.is_done()), "all of it when the first has returned");
    assert!(groups.iter().all(|group| group.is_empty() && group.is_cancelled()));
}

#[test]
fn a_group_of_many_members_is_cancelled() {
    const MEMBERS: usize = 100_000;
    let caller = caller();
    let group = caller.group().build();
    let this = group.clone();
    let (here, (sender, began)) = (caller.0.clone(), std::sync::mpsc::channel());
    let call = caller.call_soon(async move || {
        this.run(async move |_| {
            (0..MEMBERS).for_each(|_| drop(here.call_soon(async || pending::<()>().await)));
            sender.send(()).unwrap();
            pending::<()>().await;
        })
        .await
        .map(|ended| ended.is_none())
    });
    began.recv_timeout(LONG).unwrap();
    assert_eq!(group.len(), MEMBERS);
    group.cancel("enough");
    assert!(call.wait().timeout(LONG).blocking().unwrap().unwrap());
    assert!(group.is_empty());
}

#[test]
fn a_group_of_many_failures_has_all() {
    const MEMBERS: usize = 20_000;
    let caller = caller();
    let here = caller.0.clone();
    let call = caller.call_soon(async move || {
        let (this, inner) = (here.clone(), here.group().build());
        let group = inner.clone();
        let outer = here.group().run(async move |_| {
            drop(this);
            let failed = inner.run(async |inner| {
                for _ in 0..MEMBERS {
                    let (resolver, pending) = Resolver::<()>::new();
                    assert!(resolver.fail("trouble"));
                    inner.add(&pending.handle()).unwrap();
                }
            });
            failed.await.unwrap_err().failures().len()
        });
        (outer.await.unwrap_err(), group.is_cancelled())
    });
    let (error, cancelled) = call.wait().timeout(LONG).blocking().unwrap();
    assert!(cancelled);
    assert_eq!(error.failures().len(), MEMBERS, "each failure comes out of both groups");
}

/// A group that has ended leaves nothing behind in the one around it.
#[test]
fn many_groups_one_after_the_other_inside_another() {
    const GROUPS: usize = 20_000;
    let caller = caller();
    let here = caller.0.clone();
    let call = caller.call_soon(async move || {
        let outer = here.group().build();
        let held = outer.clone();
        let ended = outer
            .run(async |_| {
                for _ in 0..GROUPS {
                    let ended = here.group().run(async |_| here.call_soon(async || 1).await.unwrap()).await;
                    assert_eq!(ended.unwrap(), Some(1));
                }
                Arc::weak_count(&held)
            })
            .await;
        ended.unwrap().unwrap()
    });
    assert!(call.wait().timeout(LONG).blocking().unwrap() < 10);
}

#[test]
fn the_call_that_runs_a_group_is_no_member_of_it() {
    let caller = caller();
    let here = caller.0.clone();
    let call = caller.call_soon(async move || {
        let own = current_pending().unwrap();
        here.group()
            .run(async |group| {
                own.track(&Trackers::all());
                group.len()
            })
            .await
    });
    assert_eq!(call.wait().timeout(LONG).blocking().unwrap().unwrap(), Some(0));
}

#[test]
fn the_call_that_runs_a_group_is_no_member_of_one_inside() {
    let caller = caller();
    let here = caller.0.clone();
    let call = caller.call_soon(async move || {
        let own = current_pending().unwrap();
        let this = here.clone();
        here.group()
            .run(async move |_| {
                let inside = async move || {
                    let added = async |group: Arc<PendingGroup>| {
                        own.track(&Trackers::all());
                        (group.add(&own).unwrap_err().is_self_wait(), group.len())
                    };
                    this.group().run(added).await.unwrap()
                };
                inside().await
            })
            .await
    });
    assert_eq!(call.wait().timeout(LONG).blocking().unwrap().unwrap(), Some(Some((true, 0))));
}

#[test]
fn a_group_that_waits_for_the_call_around_it_does_not_run() {
    let caller = caller();
    let here = caller.0.clone();
    let call = caller.call_soon(async move || {
        let inside = here.group().build();
        inside.add(&current_pending().unwrap()).unwrap();
        let this = here.clone();
        here.group()
            .run(async move |_| {
                let member = this.call_soon(async move || inside.run(async |_| ()).await);
                member.await.unwrap().unwrap_err().is_self_wait()
            })
            .await
    });
    assert_eq!(call.wait().timeout(LONG).blocking().unwrap().unwrap(), Some(true));
}
