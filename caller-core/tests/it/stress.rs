//! Locks, events and groups under threads that wait, give up, and are cancelled. What is counted in comes out.
//!
//! The seed is printed; `STRESS_SEED=… cargo test` runs the same again, as far as threads allow.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::Poll,
    thread,
};

use caller::{
    AsyncEvent, AsyncLock, Caller, CountdownEvent, GroupMode, Pending, PendingSet, ReentrantAsyncLock,
    testing::{Manual, Running, probe::yield_now},
};
use fastrand::Rng;
use futures::{FutureExt, future::join_all};

use crate::support::{LONG, caller, in_time, turns_of};

const THREADS: usize = 4;
const CALLS: usize = 300;

fn seed() -> Rng {
    let given = std::env::var("STRESS_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = given.unwrap_or_else(|| fastrand::u64(..));
    println!("STRESS_SEED={seed}");
    Rng::with_seed(seed)
}

fn callers() -> Vec<Running> {
    (0..THREADS).map(|_| Running(Caller::builder().backend(Manual::new()).spawn().unwrap())).collect()
}

/// Polls a future some times, and gives up. True if it ended before.
async fn impatient(polls: usize, future: impl Future) -> bool {
    let mut future = pin!(future);
    for _ in 0..polls {
        if poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx).is_ready())).await {
            return true;
        }
        yield_now().await;
    }
    false
}

/// How often something was entered and left, and how many are in.
#[derive(Default)]
struct Counts {
    entered: AtomicUsize,
    left: AtomicUsize,
    inside: AtomicUsize,
}

struct Entry<'a>(&'a Counts);

impl Counts {
    /// Nobody else may be in.
    fn enter_alone(&self) -> Entry<'_> {
        assert_eq!(self.inside.load(Ordering::SeqCst), 0, "one at a time");
        self.enter()
    }

    fn enter(&self) -> Entry<'_> {
        self.entered.fetch_add(1, Ordering::SeqCst);
        self.inside.fetch_add(1, Ordering::SeqCst);
        Entry(self)
    }

    fn check(&self) {
        assert_eq!(self.inside.load(Ordering::SeqCst), 0);
        assert_eq!(self.entered.load(Ordering::SeqCst), self.left.load(Ordering::SeqCst));
    }
}

impl Drop for Entry<'_> {
    fn drop(&mut self) {
        self.0.inside.fetch_sub(1, Ordering::SeqCst);
        self.0.left.fetch_add(1, Ordering::SeqCst);
    }
}

/// Makes calls from as many threads as there are callers, cancels some of them, and waits for all.
fn storm(callers: &[Running], rng: &mut Rng, call: impl Fn(&Caller, Rng) -> Pending<()> + Sync) {
    thread::scope(|scope| {
        for caller in callers {
            let mut rng = rng.fork();
            let call = &call;
            scope.spawn(move || {
                let mut made: Vec<Pending<()>> = Vec::new();
                for _ in 0..CALLS {
                    made.push(call(caller, rng.fork()));
                    if rng.u8(..4) == 0 {
                        let at = rng.usize(..made.len());
                        made[at].cancel("the storm");
                    }
                    if rng.u8(..16) == 0 {
                        thread::yield_now();
                    }
                }
                for pending in made {
                    match pending.wait().timeout(LONG).blocking() {
                        Ok(()) => {}
                        Err(error) => assert!(error.is_cancelled(), "{error}"),
                    }
                }
            });
        }
    });
}

#[test]
fn a_lock_is_had_by_one_and_lost_by_none() {
    let (mut rng, callers) = (seed(), callers());
    let lock = Arc::new(AsyncLock::new(0_usize));
    let counts = Arc::new(Counts::default());
    storm(&callers, &mut rng, |caller, mut rng| {
        let (lock, counts) = (lock.clone(), counts.clone());
        caller.call_soon(async move || {
            let (yields, polls) = (rng.bool(), rng.usize(..3));
            let under = async |value: &mut usize| {
                let _entry = counts.enter_alone();
                *value += 1;
                if yields {
                    yield_now().await;
                }
            };
            match rng.u8(..5) {
                0 => {
                    impatient(polls, lock.with(under)).await;
                }
                1 => {
                    if let Some(mut value) = lock.try_lock() {
                        under(&mut value).await;
                    }
                }
                2 => {
                    let mut value = lock.lock_arc().await.unwrap();
                    under(&mut value).await;
                }
                _ => lock.with(under).await.unwrap(),
            }
        })
    });
    counts.check();
    assert_eq!(lock.count(), 0);
    assert_eq!(*lock.try_lock().expect("it is free"), counts.entered.load(Ordering::SeqCst));
}

#[test]
fn a_reentrant_lock_is_had_by_one_family() {
    let (mut rng, callers) = (seed(), callers());
    let lock = Arc::new(ReentrantAsyncLock::new(Counts::default()));
    let inner = Arc::new(Counts::default());
    storm(&callers, &mut rng, |caller, mut rng| {
        let (lock, inner, caller) = (lock.clone(), inner.clone(), caller.clone());
        let here = caller.clone();
        caller.call_soon(async move || {
            let patient = rng.bool();
            let body = async |counts: &Counts| {
                let entry = counts.enter_alone();
                let again = lock.clone();
                let inside = inner.clone();
                let deeper = here.call_soon(async move || {
                    let enter = again.with(async |_| {
                        let _entry = inside.enter();
                        yield_now().await;
                    });
                    if patient {
                        enter.await.unwrap();
                    } else {
                        impatient(1, enter).await;
                    }
                });
                // Gone before what was called from here, at times. That is in alone then.
                match deeper.await {
                    Ok(()) => {}
                    Err(error) => assert!(error.is_cancelled(), "{error}"),
                }
                drop(entry);
            };
            if rng.u8(..4) == 0 {
                impatient(rng.usize(..4), lock.with(body)).await;
            } else {
                lock.with(body).await.unwrap();
            }
        })
    });
    inner.check();
    lock.try_with(Counts::check).expect("it is free");
    assert_eq!(lock.count(), 0);
}

#[test]
fn whoever_waits_for_an_event_is_woken() {
    let mut rng = seed();
    let callers = callers();
    for _ in 0..20 {
        let (event, count) = (AsyncEvent::new(), CountdownEvent::new(THREADS));
        let waiting: Vec<(bool, Pending<bool>)> = (0..THREADS * 10)
            .map(|at| {
                let (event, count, mut rng) = (event.clone(), count.clone(), rng.fork());
                let patient = rng.bool();
                let call = callers[at % THREADS].call_soon(async move || {
                    let both = async {
                        event.wait().await;
                        assert!(event.is_set(), "woken before it was set");
                        count.wait().await;
                        assert_eq!(count.count(), 0, "woken before it was zero");
                    };
                    if patient {
                        both.await;
                        return true;
                    }
                    impatient(rng.usize(..3), both).await
                });
                (patient, call)
            })
            .collect();
        // Set from several threads, the count and the event in any order.
        thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| count.down().unwrap());
            }
            scope.spawn(|| event.set());
        });
        for (patient, call) in waiting {
            let ended = call.wait().timeout(LONG).blocking();
            let ended = ended.unwrap_or_else(|error| panic!("somebody was not woken: {error}"));
            assert!(ended || !patient);
        }
        assert_eq!((count.waiting(), count.count()), (0, 0));
        // Who comes late does not wait at all.
        assert!(event.wait().now_or_never().is_some());
        assert!(count.wait().now_or_never().is_some());
    }
}

#[test]
fn a_group_waits_for_all_of_its_members() {
    let (mut rng, callers) = (seed(), callers());
    let all = PendingSet::new();
    for round in 0..20 {
        let counts = Arc::new(Counts::default());
        let mode = if round % 2 == 0 { GroupMode::Lenient } else { GroupMode::AllOrNothing };
        let group = callers[0].group().mode(mode).build();
        let (others, tracked, inside, mut rng) = (
            callers.iter().map(|caller| caller.0.clone()).collect::<Vec<_>>(),
            all.clone(),
            counts.clone(),
            rng.fork(),
        );
        let running = group.clone();
        let ran = callers[0].call_soon(async move || {
            let body = async |_group| {
                for at in 0..CALLS / 4 {
                    let (inside, next) = (inside.clone(), others[(at + 1) % others.len()].clone());
                    let member = others[at % others.len()].call_soon(async move || {
                        let _entry = inside.enter();
                        let (deeper, inside) = (next.clone(), inside.clone());
                        drop(deeper.call_soon(async move || {
                            let _entry = inside.enter();
                            yield_now().await;
                        }));
                        yield_now().await;
                    });
                    tracked.add(&member.handle());
                    if rng.u8(..8) == 0 {
                        member.cancel("the storm");
                    }
                }
            };
            running.run(body).await
        });
        let ended = ran.wait().timeout(LONG).blocking().unwrap();
        assert!(ended.is_ok(), "{ended:?}");
        assert!(group.is_empty());
        counts.check();
    }
    assert!(all.is_empty());
}

/// The time grows with the crowd, and not with its square.
#[test]
fn a_crowd_has_a_resident_while_another_waits_for_it() {
    const CROWD: usize = 20_000;
    in_time("a crowd at a resident", || {
        let (here, there) = (caller(&Manual::new()), caller(&Manual::new()));
        let value = here.resident(async || 0).wait_blocking().unwrap();
        let event = AsyncEvent::new();
        let share = |_| {
            let (event, there) = (event.clone(), there.0.clone());
            // What those inside wait for is looked at for each that waits at the gate.
            value.call(async move |_| there.call_soon(async move || event.wait().await).await)
        };
        let shares: Vec<_> = (0..CROWD).map(share).collect();
        turns_of(&here);
        let own = value.clone();
        let waits = there.call_soon(async move || {
            let adds = (0..CROWD).map(|_| own.call_mut(async |value| *value += 1).wait());
            join_all(adds).await.len()
        });
        turns_of(&there);
        turns_of(&here);
        event.set();
        shares.into_iter().for_each(|shares| shares.wait_blocking().unwrap().unwrap());
        assert_eq!(waits.wait_blocking().unwrap(), CROWD);
        assert_eq!(value.close_with(async |value| value).wait_blocking().unwrap(), CROWD);
    });
}
