//! GRP: calls that belong together.

use std::{
    fmt,
    future::{Future, pending, poll_fn},
    pin::pin,
    slice::from_ref,
    sync::{Arc, mpsc},
    task::Poll,
    time::{Duration, Instant},
};

use super::{LONG, Trouble, calls::on_time_async, eventually, receive, yield_now};
use crate::{
    Caller, DoneCallback, Error, GroupMode, Pending, PendingGroup, PendingHandle, Resolver, current_pending,
    testing::Fixture,
};

const MODES: [GroupMode; 4] =
    [GroupMode::Lenient, GroupMode::AllOrError, GroupMode::AllOrNothing, GroupMode::Strict];

/// Runs a body in a caller's thread, and hands on what panics in it.
fn in_a_call<F: Fixture, T: Send + 'static>(body: impl AsyncFnOnce(Caller) -> T + Send + 'static) -> T {
    let fixture = F::new();
    let caller = fixture.caller();
    let this = caller.0.clone();
    let call = caller.call_soon(async move || body(this).await);
    let until = Instant::now() + LONG;
    // No faster than the machine's clock, or a virtual one would run out of patience with what is about to end.
    while call.handle().wait().timeout(Duration::from_millis(1)).blocking().is_err() {
        assert!(Instant::now() < until, "the body did not end");
        fixture.elapse(Duration::from_millis(1));
    }
    call.wait_blocking().unwrap_or_else(|error| panic!("{error}"))
}

/// A call that never ends: in this caller's thread, and in a worker.
fn endless(here: &Caller) -> [Pending<()>; 2] {
    [here.call_soon(async || pending().await), here.to_thread(async || pending().await)]
}

/// They are done, since they were cancelled.
async fn cancelled(members: impl IntoIterator<Item = PendingHandle>) {
    for member in members {
        member.wait().timeout(LONG).await.unwrap();
        assert!(member.is_cancelled() && member.error().unwrap().unwrap().is_cancelled(), "{member}");
    }
}

/// Polls a future once.
async fn once<F: Future>(mut future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
    poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await
}

pub fn grp_01_ends_when_all_are_done<F: Fixture>() {
    in_a_call::<F, _>(async |here| {
        let (sender, made) = mpsc::channel();
        let other = here.new_child().unwrap();
        let group = here.group().build();
        assert!(PendingGroup::current().is_none());
        let value = group
            .run(async |group| {
                let this = here.clone();
                let report = sender.clone();
                let first = here.call_soon(async move || {
                    assert!(PendingGroup::current().is_some());
                    // In a worker, and from there on the caller again.
                    let (back, again) = (this.clone(), report.clone());
                    let worker = this.to_thread(async move || {
                        again.send(back.call_soon(async || PendingGroup::current().is_some())).unwrap();
                    });
                    report.send(this.call_later(Duration::from_millis(1), async || true)).unwrap();
                    worker
                });
                let elsewhere = other.call_soon(async || PendingGroup::current().unwrap().len());
                let own = group.call_soon(async || true);
                for handle in [first.handle(), elsewhere.handle(), own.handle()] {
                    assert!(group.pendings().contains(&handle) || handle.is_done());
                }
                (first, elsewhere, own)
            })
            .await
            .unwrap();
        assert!(group.is_empty() && !group.is_cancelled() && PendingGroup::current().is_none());
        let (mut first, mut elsewhere, own) = value.unwrap();
        assert!(
            first.try_result().unwrap().is_done() && elsewhere.try_result().unwrap() >= 1 && own.is_done()
        );
        let later: Vec<Pending<bool>> = made.try_iter().collect();
        assert_eq!(later.len(), 2);
        assert!(
            later.into_iter().all(|mut call| call.try_result().unwrap()),
            "they are done and were members"
        );
        assert!(group.run(async |_| ()).await.unwrap_err().is_mismatch(), "a group is run once");
        // Free-standing, and empty.
        assert_eq!(PendingGroup::builder().run(async |_| 7).await.unwrap(), Some(7));
    });
}

pub fn grp_02_a_failing_member_ends_it<F: Fixture>() {
    in_a_call::<F, _>(async |here| {
        let (sender, body) = mpsc::channel::<()>();
        let group = here.group().build();
        let mut others = Vec::new();
        let error = group
            .run(async |group| {
                let _until_dropped = sender;
                others.extend(endless(&here));
                // The body is cut short before the members have ended: this one waits for that.
                others.push(here.call_soon(async move || {
                    let own = current_pending().unwrap();
                    own.grace(LONG);
                    own.cancel_requested().await;
                    while body.try_recv() != Err(mpsc::TryRecvError::Disconnected) {
                        yield_now().await;
                    }
                }));
                here.call_soon(async || ()).await.unwrap();
                drop(group.try_call_soon(async || Err::<(), _>(Trouble)));
                pending::<()>().await;
            })
            .await
            .unwrap_err();
        assert!(error.left_behind().is_empty(), "the body was not dropped: {error}");
        assert!(others.iter().all(Pending::is_done), "it ends when the others have");
        cancelled(others.iter().map(Pending::handle)).await;
        assert!(error.is_failed() && !error.is_cancelled() && group.is_cancelled() && group.is_empty());
        assert_eq!(error.failures().len(), 1);
        assert_eq!(error.failures()[0].downcast_ref(), Some(&Trouble));
        assert_eq!(error.downcast_ref(), Some(&Trouble));
        assert!(error.to_string().contains(&Trouble.to_string()), "{error}");
        // All failures come back together. A member that fails before the group has heard of another failure is not
        // cancelled by it: here the callbacks of one member make the next one fail, and come before the group's own.
        let group = here.group().build();
        let other = here.new_child().unwrap();
        let error = group
            .run(async |group| {
                let (first, first_pending) = Resolver::<()>::new();
                let (second, second_pending) = Resolver::<()>::new();
                let (go_on, gate) = Resolver::<()>::new();
                let third = other.call_soon(async move || {
                    gate.await.unwrap();
                    panic!("on purpose");
                });
                let (third, heard) = (third.handle(), group.clone());
                second_pending.add_done_callback(&DoneCallback::new(move |_| {
                    go_on.resolve(()).unwrap();
                    eventually("the third failure", || !heard.pendings().contains(&third));
                }));
                first_pending
                    .add_done_callback(&DoneCallback::new(move |_| assert!(second.fail("out of ink"))));
                for member in [&first_pending, &second_pending] {
                    group.add(&member.handle()).unwrap();
                }
                assert!(first.fail(Trouble));
                pending::<()>().await;
            })
            .await
            .unwrap_err();
        assert!(error.is_failed() && !error.is_cancelled() && group.is_empty());
        let failures = error.failures();
        assert_eq!(failures.len(), 3, "{error}");
        assert!(failures[0].is_panic() && failures[0].to_string().contains("on purpose"), "{error}");
        assert_eq!(failures[1].failure().unwrap().to_string(), "out of ink");
        assert_eq!(failures[2].downcast_ref(), Some(&Trouble));
        assert_eq!(error.downcast_ref(), Some(&Trouble));
        let text = error.to_string();
        let lines = ["on purpose", "out of ink", "the cat sat on the keyboard"];
        assert!(lines.iter().all(|line| text.contains(line)), "{text}");
    });
}

pub fn grp_03_dropped_or_timed_out<F: Fixture>() {
    in_a_call::<F, _>(async |here| {
        // Dropped while its body waits, and when that has ended and members have not.
        for body_ends in [false, true] {
            let group = here.group().build();
            let (sender, body) = mpsc::channel::<()>();
            let (_resolver, by_hand) = Resolver::<()>::new();
            let members = {
                let mut running = pin!(group.run(async |group| {
                    let _until_dropped = sender;
                    drop(endless(&here));
                    group.add(&by_hand.handle()).unwrap();
                    if !body_ends {
                        pending::<()>().await;
                    }
                }));
                for _ in 0..2 {
                    assert!(once(running.as_mut()).await.is_pending());
                    // In this turn, members begin.
                    here.call_soon(async || ()).await.unwrap();
                }
                assert!(!group.is_cancelled());
                group.pendings()
            };
            assert_eq!(members.len(), 3);
            assert_eq!(body.try_recv(), Err(mpsc::TryRecvError::Disconnected), "the body was dropped");
            assert!(group.is_empty() && group.pendings().is_empty() && group.is_cancelled());
            assert!(members.iter().all(PendingHandle::is_cancelled));
            cancelled(members).await;
            assert!(group.add(&here.call_soon(async || ()).handle()).unwrap_err().is_closed());
        }
        // A future that was never polled ran nothing, so there is nothing to give up.
        let group = here.group().build();
        let (_resolver, early) = Resolver::<()>::new();
        group.add(&early.handle()).unwrap();
        drop(group.run(async |_| ()));
        assert!(!group.is_cancelled() && group.len() == 1 && !early.is_cancelled());
        // A call that runs one is cancelled: its timeout is that of a wait.
        let (sender, seen) = mpsc::channel();
        let this = here.clone();
        let call = here.call_soon(async move || {
            let group = this.group().build();
            let (running, seen_from_outside) = (group.clone(), sender.clone());
            let body = async |_group| {
                drop(endless(&this));
                seen_from_outside.send((running.clone(), running.pendings())).unwrap();
                pending::<()>().await;
            };
            group.run(body).await.map(drop)
        });
        let (group, members) = loop {
            if let Ok(seen) = seen.try_recv() {
                break seen;
            }
            here.call_soon(async || ()).await.unwrap();
        };
        assert_eq!((group.len(), members.len()), (2, 2));
        let ended = call.handle();
        assert!(call.wait().timeout(Duration::from_millis(2)).await.unwrap_err().is_timeout());
        ended.wait().timeout(LONG).await.unwrap();
        assert!(group.is_empty() && group.pendings().is_empty() && group.is_cancelled());
        cancelled(members).await;
    });
}

pub fn grp_04_a_cancelled_member_is_nobodys_concern<F: Fixture>() {
    in_a_call::<F, _>(async |here| {
        for mode in [GroupMode::Lenient, GroupMode::Strict] {
            let group = here.group().mode(mode).build();
            let (resolver, gate) = Resolver::<()>::new();
            let value = group
                .run(async |group| {
                    let cancelled = here.call_soon(async || pending::<()>().await);
                    let other = here.call_soon(async || gate.await.unwrap());
                    cancelled.cancel_and_wait("not needed").await.unwrap();
                    assert!(!group.is_cancelled());
                    resolver.resolve(()).unwrap();
                    other
                })
                .await
                .unwrap();
            assert!(value.unwrap().try_result().is_ok() && !group.is_cancelled(), "{mode}");
        }
    });
}

pub fn grp_05_a_cancelled_member_cancels_it<F: Fixture>() {
    in_a_call::<F, _>(async |here| {
        for mode in [GroupMode::AllOrError, GroupMode::AllOrNothing] {
            let group = here.group().mode(mode).build();
            let (sender, others) = mpsc::channel();
            let ended = group
                .run(async |_| {
                    let cancelled = here.call_soon(async || pending::<()>().await);
                    sender.send(here.call_soon(async || pending::<()>().await)).unwrap();
                    drop(cancelled.cancel_and_wait("not needed"));
                    pending::<()>().await;
                })
                .await;
            assert!(group.is_cancelled() && receive(&others).is_cancelled(), "{mode}");
            match mode {
                GroupMode::AllOrError => {
                    let error = ended.unwrap_err();
                    assert!(
                        error.is_cancelled() && error.reasons().unwrap().contains("not needed"),
                        "{error}"
                    );
                }
                _ => assert!(ended.unwrap().is_none()),
            }
        }
    });
}

/// What comes of a group that was cancelled.
fn check_cancelled(mode: GroupMode, ended: Result<Option<()>, Error>, reason: &str) {
    match mode {
        GroupMode::AllOrError | GroupMode::Strict => {
            let error = ended.unwrap_err();
            assert!(error.is_cancelled() && error.reasons().unwrap().contains(reason), "{mode}: {error}");
        }
        _ => assert_eq!(ended.unwrap(), None, "{mode}"),
    }
}

pub fn grp_06_cancelled_itself<F: Fixture>() {
    in_a_call::<F, _>(async |here| {
        for mode in MODES {
            for from_inside in [true, false] {
                let group = here.group().mode(mode).build();
                let (sender, members) = mpsc::channel();
                let other = here.child("other").unwrap();
                let ended = group
                    .run(async |group| {
                        sender.send(here.call_soon(async || pending::<()>().await)).unwrap();
                        if from_inside {
                            assert!(group.cancel("enough"));
                        } else {
                            let group = group.clone();
                            other.call_direct(move || {
                                group.cancel("enough");
                            });
                        }
                        pending::<()>().await;
                    })
                    .await;
                assert!(group.is_cancelled() && group.is_empty() && !group.cancel("too late"));
                assert!(receive(&members).is_cancelled());
                check_cancelled(mode, ended, "enough");
            }
        }
        // What is made when it was cancelled already is cancelled at once.
        let group = here.group().build();
        let ended = group
            .run(async |group| {
                group.cancel("enough");
                assert!(here.call_soon(async || pending::<()>().await).is_cancelled());
                assert!(here.to_thread(async || pending::<()>().await).is_done());
                assert_eq!(here.workers(), (0, 0), "it needs no worker");
            })
            .await;
        assert!(ended.unwrap().is_some(), "the body had ended");
    });
}

pub fn grp_07_timeout<F: Fixture>() {
    in_a_call::<F, _>(async |here| {
        let clock = here.backend().clock();
        let timeout = Duration::from_millis(20);
        for mode in MODES {
            on_time_async("the end of a group whose body waits", timeout, async || {
                let group = here.group().mode(mode).timeout(timeout).build();
                let begun = clock.now();
                let ended = group
                    .run(async |_| {
                        drop(here.call_soon(async || pending::<()>().await));
                        pending::<()>().await;
                    })
                    .await;
                let took = clock.now() - begun;
                assert!(group.is_cancelled() && group.is_empty());
                check_cancelled(mode, ended, "timed out");
                took
            })
            .await;
            // The body has ended, and a member goes on.
            on_time_async("the end of a group whose member goes on", timeout, async || {
                let group = here.group().mode(mode).timeout(timeout).build();
                let begun = clock.now();
                let ended = group.run(async |_| drop(here.call_soon(async || pending::<()>().await))).await;
                let took = clock.now() - begun;
                assert!(group.is_cancelled() && group.is_empty());
                match mode {
                    GroupMode::AllOrError | GroupMode::Strict => assert!(ended.unwrap_err().is_cancelled()),
                    _ => assert!(ended.unwrap().is_some()),
                }
                took
            })
            .await;
        }
        // One that ends in time is not cancelled, however long it lives afterwards.
        let group = here.group().timeout(timeout).build();
        assert_eq!(group.run(async |_| here.call_soon(async || 7).await.unwrap()).await.unwrap(), Some(7));
        here.call_later(timeout * 2, async || ()).await.unwrap();
        assert!(!group.is_cancelled());
    });
}

pub fn grp_08_shielded<F: Fixture>() {
    in_a_call::<F, _>(async |here| {
        let group = here.group().shield().build();
        let (resolver, gate) = Resolver::<()>::new();
        let (sender, members) = mpsc::channel();
        {
            let mut running = pin!(group.run(async |_| {
                sender.send(here.call_soon(async || gate.await.map(|()| 7))).unwrap();
                pending::<()>().await;
            }));
            assert!(once(running.as_mut()).await.is_pending());
        }
        let member = receive(&members);
        assert!(!group.is_cancelled() && !member.is_cancelled() && group.len() == 1);
        resolver.resolve(()).unwrap();
        assert_eq!(member.await.unwrap().unwrap(), 7);
        assert!(group.is_empty());
    });
}

pub fn grp_09_nested<F: Fixture>() {
    in_a_call::<F, _>(async |here| {
        // A member of both; its failure comes out of both.
        let outer = here.group().build();
        let error = outer
            .run(async |outer| {
                let inner = here.group().build();
                let failed = inner
                    .run(async |inner| {
                        let call = here.try_call_soon(async || Err::<(), _>(Trouble));
                        assert!(inner.pendings().contains(&call.handle()));
                        assert!(outer.pendings().contains(&call.handle()));
                        pending::<()>().await;
                    })
                    .await;
                assert!(failed.unwrap_err().is_failed());
            })
            .await
            .unwrap_err();
        assert_eq!(error.failures().len(), 1);
        assert_eq!(error.downcast_ref(), Some(&Trouble));
        // Cancelling the outer one cancels it, also where the inner one runs in a call of its own.
        let (sender, calls) = mpsc::channel();
        let (this, worker) = (here.clone(), sender.clone());
        let outer = here.group().build();
        let ended = outer
            .run(async |outer| {
                let inner = here.to_thread(async move || {
                    let body = async |_inner| {
                        worker.send(this.call_soon(async || pending::<()>().await)).unwrap();
                        pending::<()>().await;
                    };
                    this.group().run(body).await.map(drop)
                });
                while outer.len() < 2 {
                    here.call_soon(async || ()).await.unwrap();
                }
                outer.cancel("enough");
                inner
            })
            .await;
        assert!(ended.unwrap().unwrap().is_cancelled());
        assert!(receive(&calls).is_cancelled());
    });
}

pub fn grp_10_the_body_fails<F: Fixture>() {
    in_a_call::<F, _>(async |here| {
        let (sender, members) = mpsc::channel();
        let error = here
            .group()
            .try_run(async |_| {
                sender.send(here.call_soon(async || pending::<()>().await)).unwrap();
                Err::<(), _>(Trouble)
            })
            .await
            .unwrap_err();
        let member = receive(&members);
        assert!(member.is_done() && member.is_cancelled(), "it ends after its members");
        assert!(error.is_failed() && error.failures().is_empty());
        assert_eq!(error.downcast_ref(), Some(&Trouble));
    });
    // A panic goes on when the members have ended.
    let caller = F::new().caller();
    let this = caller.0.clone();
    let (sender, members) = mpsc::channel();
    let call = caller.call_soon(async move || {
        let body = async |_group| -> () {
            sender.send(this.call_soon(async || pending::<()>().await)).unwrap();
            panic!("on purpose");
        };
        this.group().run(body).await.map(drop)
    });
    assert!(call.wait_blocking().unwrap_err().is_panic());
    assert!(receive(&members).is_done());
}

pub fn grp_left_behind<F: Fixture>() {
    in_a_call::<F, _>(async |here| {
        // A member that is in one long poll does not hear of it.
        let (go_on, held_up) = mpsc::channel::<()>();
        let (sender, begun) = mpsc::channel();
        let group = here.group().cancellation_timeout(Duration::from_millis(2)).build();
        let error = group
            .run(async |group| {
                drop(here.to_thread(async move || {
                    sender.send(()).unwrap();
                    receive(&held_up);
                }));
                receive(&begun);
                group.cancel("enough");
                pending::<()>().await;
            })
            .await
            .unwrap_err();
        assert!(error.is_cancelled() && error.left_behind().len() == 1, "{error}");
        assert!(error.left_behind()[0].contains("grp_left_behind") && group.is_empty(), "{error}");
        go_on.send(()).unwrap();
    });
}

pub fn grp_by_hand<F: Fixture>() {
    in_a_call::<F, _>(async |here| {
        let group = here.group().build();
        let (resolver, early) = Resolver::<u32>::new();
        group.add(&early.handle()).unwrap();
        let ended = group
            .run(async |group| {
                let own = current_pending().unwrap();
                assert!(group.add(&own).unwrap_err().is_self_wait(), "it would wait for itself");
                let (never, pending) = Resolver::<u32>::new();
                group.add(&pending.handle()).unwrap();
                assert_eq!(group.len(), 2);
                assert!(group.remove(&pending.handle()) && !group.remove(&pending.handle()));
                drop(never);
                resolver.resolve(1).unwrap();
            })
            .await;
        assert!(ended.unwrap().is_some() && early.is_done());
        assert!(group.add(&early.handle()).unwrap_err().is_closed());
        // Removing the last member lets the group end.
        let group = here.group().build();
        let (_resolver, held) = Resolver::<u32>::new();
        group.add(&held.handle()).unwrap();
        let mut running = pin!(group.run(async |_| ()));
        assert!(once(running.as_mut()).await.is_pending());
        group.remove(&held.handle());
        assert_eq!(running.await.unwrap(), Some(()));
        // The call that runs it is a member: it would wait for itself.
        let group = here.group().build();
        group.add(&current_pending().unwrap()).unwrap();
        assert!(group.run(async |_| ()).await.unwrap_err().is_self_wait());
    });
    // Where no caller is, a group's own verbs say so.
    let group = PendingGroup::builder().build();
    assert!(group.call_soon(async || ()).wait_blocking().unwrap_err().is_no_caller());
    // Free-standing, in a runtime without a caller.
    let fixture = F::new();
    let caller = fixture.caller();
    let ended = fixture.block_on(PendingGroup::builder().run(async |group| {
        let member = caller.call_soon(async || PendingGroup::current().is_some());
        assert!(group.pendings().contains(&member.handle()) || member.is_done());
        member
    }));
    assert!(ended.unwrap().unwrap().wait_blocking().unwrap());
    eventually("the end of the caller's call", || caller.children().is_empty());
}

/// An error whose text asks the group of the call that failed.
struct Asking(Arc<PendingGroup>);

impl fmt::Debug for Asking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} left", self.0.len())
    }
}

impl fmt::Display for Asking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} left of {:?}, cancelled={}", self.0.len(), self.0, self.0.is_cancelled())
    }
}

impl std::error::Error for Asking {}

pub fn grp_an_error_whose_text_asks_the_group<F: Fixture>() {
    in_a_call::<F, _>(async |here| {
        let error = here
            .group()
            .run(async |group: Arc<PendingGroup>| {
                let asked = group.clone();
                drop(group.try_call_soon(async move || Err::<(), _>(Asking(asked))));
                pending::<()>().await;
            })
            .await
            .unwrap_err();
        assert_eq!(error.failures().len(), 1);
        assert!(error.to_string().contains("0 left"), "{error}");
        let body = here.group().build();
        let asked = body.clone();
        let error = body.try_run(async move |_| Err::<(), _>(Asking(asked))).await.unwrap_err();
        assert!(error.is_failed(), "{error}");
    });
}

pub fn grp_what_panics_around_it<F: Fixture>() {
    struct Mute;
    impl fmt::Debug for Mute {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            panic!("no words, on purpose")
        }
    }
    impl fmt::Display for Mute {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            panic!("no words, on purpose")
        }
    }
    impl std::error::Error for Mute {}
    /// Panics when it is dropped.
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            assert!(std::thread::panicking(), "drop, on purpose");
        }
    }
    in_a_call::<F, _>(async |here| {
        // A canceller, a future that is dropped, a text: the others are cancelled, the group ends, and has all failures.
        let (resolver, by_hand) = Resolver::<()>::new();
        let by_hand = by_hand.handle();
        resolver.set_canceller(|_| panic!("a canceller, on purpose")).unwrap();
        let group = here.group().build();
        group.add(&by_hand).unwrap();
        let (sender, dropped) = mpsc::channel::<()>();
        let error = group.run(async |group: Arc<PendingGroup>| {
            drop(group.call_soon(async || {
                let _bomb = Bomb;
                pending::<()>().await;
            }));
            drop(group.call_soon(async move || {
                let _until_dropped = sender;
                pending::<()>().await;
            }));
            here.call_soon(async || ()).await.unwrap();
            drop(group.try_call_soon(async || Err::<(), _>(Mute)));
            while !by_hand.is_cancelled() {
                here.call_soon(async || ()).wait().protect().await.unwrap();
            }
            pending::<()>().await;
        });
        let mut error = pin!(error);
        let until = std::time::Instant::now() + super::LONG;
        while !by_hand.is_cancelled() {
            assert!(std::time::Instant::now() < until && once(error.as_mut()).await.is_pending());
            let _cancelled = here.call_soon(async || ()).wait().protect().await;
        }
        assert!(resolver.resolve(()).is_ok());
        let error = error.await.unwrap_err();
        assert!(dropped.recv().is_err() && group.is_empty());
        assert_eq!(error.failures().len(), 1);
        // The destructor of its body.
        let ended = here
            .call_soon(async move || {
                let this = Caller::current().unwrap();
                let group = this.group().build();
                let (outer, member) = (group.clone(), this.clone());
                let run = group.run(async move |group| {
                    let _bomb = Bomb;
                    drop(member.call_soon(async || pending::<()>().await));
                    group.cancel("enough");
                    pending::<()>().await;
                });
                let panicked =
                    futures::FutureExt::catch_unwind(std::panic::AssertUnwindSafe(run)).await.is_err();
                panicked && outer.is_empty()
            })
            .await;
        assert!(ended.unwrap(), "a panic of its body goes on when the members have ended");
    });
}

pub fn grp_09_members_of_groups_inside<F: Fixture>() {
    in_a_call::<F, _>(async |here| {
        let waits = || here.call_soon(async || pending::<()>().await).handle();
        let outer = here.group().build();
        let ended = outer
            .run(async |outer| {
                let first = waits();
                let inner = here.group().build();
                let (early, early_pending) = Resolver::<()>::new();
                inner.add(&early_pending.handle()).unwrap();
                let mut running = pin!(inner.run(async |_| {
                    let second = waits();
                    pending::<()>().await;
                    second
                }));
                assert!(once(running.as_mut()).await.is_pending());
                let third = waits();
                let inside = inner.pendings();
                assert!(inner.len() == 2 && inside[0] == early_pending.handle());
                assert_eq!(outer.pendings(), [from_ref(&first), &inside[..], from_ref(&third)].concat());
                assert_eq!(outer.len(), 4);
                // Let go by the inner one, it is still the outer one's.
                assert!(inner.remove(&inside[0]) && !inner.remove(&inside[0]));
                assert!(inner.len() == 1 && outer.len() == 4 && outer.remove(&inside[0]));
                assert!(inner.len() == 1 && outer.len() == 3 && !outer.remove(&inside[0]));
                // Dropped, the inner one has no members; the outer one waits for them.
                inner.add(&early_pending.handle()).unwrap();
                early.set_canceller(|_| ()).unwrap();
                first.cancel("enough");
                first.wait().await.unwrap();
                third.cancel("enough");
                third.wait().await.unwrap();
                outer.len()
            })
            .await;
        assert_eq!(ended.unwrap(), Some(2));
        // A member that goes on when the inner group has ended holds up the outer one, and its failure comes out of it.
        let (resolver, by_hand) = Resolver::<()>::new();
        resolver.set_canceller(|_| ()).unwrap();
        let by_hand = by_hand.handle();
        let outer = here.group().build();
        let mut running = pin!(outer.run(async |outer| {
            let inner = here.group().cancellation_timeout(Duration::ZERO).build();
            inner.add(&by_hand).unwrap();
            inner.cancel("enough");
            let left = inner.run(async |_| ()).await.unwrap_err();
            assert_eq!(left.left_behind().len(), 1);
            assert!(inner.is_empty() && inner.pendings().is_empty());
            assert!(outer.len() == 1 && outer.pendings()[0] == by_hand);
        }));
        for _ in 0..10 {
            assert!(once(running.as_mut()).await.is_pending());
            here.call_soon(async || ()).await.unwrap();
        }
        assert_eq!(outer.pendings(), from_ref(&by_hand));
        resolver.resolve(()).unwrap_or(());
        assert_eq!(running.await.unwrap(), Some(()));
        // A member by hand of both: one failure.
        let (resolver, by_hand) = Resolver::<()>::new();
        let by_hand = by_hand.handle();
        let error = here
            .group()
            .run(async |outer| {
                let failed = here
                    .group()
                    .run(async |inner| {
                        outer.add(&by_hand).unwrap();
                        inner.add(&by_hand).unwrap();
                        assert!(outer.len() == 1 && inner.len() == 1);
                        assert!(resolver.fail(Trouble));
                        pending::<()>().await;
                    })
                    .await;
                assert!(failed.unwrap_err().is_failed());
            })
            .await
            .unwrap_err();
        assert_eq!(error.failures().len(), 1);
        // One that is run in its own context has none around it.
        let group = here.group().build();
        let again = group.clone();
        let ended = crate::Tracker::scope(&group, async {
            again.run(async |_| here.call_soon(async || 7).await).await
        })
        .await;
        assert_eq!(ended.unwrap().unwrap().unwrap(), 7);
    });
}
