//! LCK: events and locks.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    task::Poll,
    thread,
    time::Duration,
};

use futures::{future::join, join};

use super::{LONG, eventually, receive, yield_now};
use crate::{
    AsyncEvent, AsyncLock, Caller, CountdownEvent, Pending, ReentrantAsyncLock, Resolver, blocked,
    testing::Fixture,
};

/// Runs a body in a call of a fresh caller, and hands on what panics in it.
fn in_a_call<F: Fixture>(body: impl AsyncFnOnce(Caller) + Send + 'static) {
    let caller = F::new().caller();
    let this = caller.0.clone();
    let ran = caller.call_soon(async move || body(this).await).wait().timeout(LONG).blocking();
    ran.unwrap_or_else(|error| panic!("{error}"));
}

async fn once<F: Future>(mut future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
    poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await
}

pub fn lck_01_event<F: Fixture>() {
    let caller = F::new().caller();
    let event = AsyncEvent::new();
    let (here, there) = (event.clone(), event.clone());
    let own = caller.call_soon(async move || here.wait().await);
    let worker = caller.to_thread(async move || there.wait().await);
    {
        // One who gives up takes nobody's wake along.
        let given_up = event.clone();
        let call = caller.call_soon(async move || given_up.wait().await);
        caller.call_soon(async || ()).wait().timeout(LONG).blocking().unwrap();
        call.cancel_and_wait("given up").timeout(LONG).blocking().unwrap();
    }
    assert!(!event.is_set() && !own.is_done() && !worker.is_done());
    let setter = event.clone();
    thread::spawn(move || setter.set()).join().unwrap();
    own.wait().timeout(LONG).blocking().unwrap();
    worker.wait().timeout(LONG).blocking().unwrap();
    assert!(event.is_set());
    event.wait().blocking();
    caller.call_soon(async move || event.wait().await).wait().timeout(LONG).blocking().unwrap();
}

pub fn lck_01_countdown<F: Fixture>() {
    let caller = F::new().caller();
    let count = CountdownEvent::new(2);
    let waits = [(); 2].map(|()| {
        let count = count.clone();
        caller.call_soon(async move || count.wait().await)
    });
    eventually("two who wait", || count.waiting() == 2);
    assert_eq!(format!("{count:?}"), "CountdownEvent(2) count=2 waiting=2");
    assert_eq!(count.down().unwrap(), 1);
    assert_eq!(count.up(), 2);
    waits[0].cancel("given up");
    eventually("one who waits", || count.waiting() == 1);
    assert_eq!((count.down().unwrap(), count.down().unwrap()), (1, 0));
    // Whoever was woken goes on, also when more is counted in before.
    count.up();
    let [given_up, goes_on] = waits;
    goes_on.wait().timeout(LONG).blocking().unwrap();
    assert!(given_up.wait().timeout(LONG).blocking().unwrap_err().is_cancelled());
    count.down().unwrap();
    assert!(count.down().unwrap_err().is_mismatch());
    count.wait().blocking();
}

pub fn lck_02_one_at_a_time_in_order<F: Fixture>() {
    let fixture = F::new();
    let (caller, other) = (fixture.caller(), fixture.caller());
    let lock = Arc::new(AsyncLock::new(Vec::new()));
    let (resolver, gate) = Resolver::<()>::new();
    let holder = lock.clone();
    let first = caller.call_soon(async move || holder.with(async |_| gate.await.unwrap()).await.unwrap());
    eventually("the first to have it", || lock.count() == 1);
    let active = Arc::new(AtomicUsize::new(0));
    let mut waiting = Vec::new();
    for number in 0..6 {
        let (lock, active) = (lock.clone(), active.clone());
        let (sender, asked) = mpsc::channel();
        let on = if number % 2 == 0 { &caller } else { &other };
        waiting.push(on.call_soon(async move || {
            let take = lock.with(async |list| {
                assert_eq!(active.fetch_add(1, Ordering::SeqCst), 0, "one at a time");
                assert!(lock.is_in_context() && lock.count() == 1);
                yield_now().await;
                list.push(number);
                active.fetch_sub(1, Ordering::SeqCst);
            });
            let mut take = pin!(take);
            assert!(once(take.as_mut()).await.is_pending());
            sender.send(()).unwrap();
            take.await.unwrap();
        }));
        // In the order they ask, which is one after the other.
        receive(&asked);
    }
    // One gives up in the middle of the queue.
    let gone = waiting.remove(2);
    gone.cancel_and_wait("given up").blocking().unwrap();
    assert!(!lock.is_in_context(), "nothing is held here");
    resolver.resolve(()).unwrap();
    first.wait_blocking().unwrap();
    for call in waiting {
        call.wait_blocking().unwrap();
    }
    assert_eq!(lock.count(), 0);
    assert_eq!(*lock.lock_blocking().unwrap(), [0, 1, 3, 4, 5]);
    // The last that waits gives up: it is held as before, whoever asks next waits, and then it is free.
    let guard = lock.lock_blocking().unwrap();
    let ask = |on: &Caller| {
        let lock = lock.clone();
        let (sender, asked) = mpsc::channel();
        let call = on.call_soon(async move || {
            let mut take = pin!(lock.lock());
            assert!(once(take.as_mut()).await.is_pending());
            sender.send(()).unwrap();
            take.await.map(|list| list.len()).unwrap()
        });
        receive(&asked);
        call
    };
    for on in [&other, &caller] {
        ask(on).cancel_and_wait("given up").timeout(LONG).blocking().unwrap();
        assert!(lock.count() == 1 && lock.try_lock().is_none() && lock.try_with(|_| ()).is_none());
    }
    let next = ask(&other);
    assert!(lock.count() == 1 && !next.is_done());
    drop(guard);
    assert_eq!(next.wait().timeout(LONG).blocking().unwrap(), 5);
    let guard = lock.lock_blocking().unwrap();
    ask(&other).cancel_and_wait("given up").timeout(LONG).blocking().unwrap();
    drop(guard);
    assert!(lock.count() == 0 && lock.try_lock().is_some());
}

pub fn lck_03_again_under_itself_is_an_error<F: Fixture>() {
    in_a_call::<F>(async |here| {
        let lock = Arc::new(AsyncLock::new(0));
        let inner = lock.clone();
        lock.with(async |value| {
            assert!(inner.with(async |_| ()).await.unwrap_err().is_self_wait());
            assert!(inner.lock().await.unwrap_err().is_self_wait());
            assert!(inner.lock_blocking().unwrap_err().is_self_wait());
            assert!(inner.with_blocking(|_| ()).unwrap_err().is_self_wait());
            assert!(inner.try_lock().is_none() && inner.try_with(|_| ()).is_none());
            // So does a call that was made under it, in any thread.
            let (soon, worker) = (inner.clone(), inner.clone());
            assert!(here.call_soon(async move || soon.with(async |_| ()).await.is_err()).await.unwrap());
            assert!(here.to_thread(async move || worker.lock().await.is_err()).await.unwrap());
            assert!(inner.is_in_context() && inner.count() == 1, "it is still held");
            *value += 1;
        })
        .await
        .unwrap();
        // A guard is the running call's.
        let guard = lock.lock().await.unwrap();
        assert!(lock.is_in_context() && lock.lock().await.unwrap_err().is_self_wait());
        assert!(lock.with(async |_| ()).await.unwrap_err().is_self_wait());
        let made = lock.clone();
        let waits = here.call_soon(async move || made.lock().await.map(|value| *value));
        here.call_soon(async || ()).await.unwrap();
        assert!(!waits.is_done() && *guard == 1);
        drop(guard);
        assert_eq!(waits.await.unwrap().unwrap(), 1, "a call that was made under a guard waits");
        assert!(!lock.is_in_context());
        // A call that was made under the lock, and asks for it when that was given back.
        let late = lock.clone();
        let (resolver, gate) = Resolver::<()>::new();
        let call = lock.with(async |_| {
            here.call_soon(async move || {
                gate.await.unwrap();
                late.with(async |value| *value).await
            })
        });
        let call = call.await.unwrap();
        resolver.resolve(()).unwrap();
        assert_eq!(call.await.unwrap().unwrap(), 1);
    });
}

pub fn lck_03_branches_wait_for_each_other<F: Fixture>() {
    in_a_call::<F>(async |_| {
        let lock = AsyncLock::new(Vec::new());
        let branch = async |name: &'static str| {
            let under = lock.with(async |list| {
                list.push(name);
                yield_now().await;
                list.push(name);
            });
            under.await.unwrap();
        };
        join!(branch("a"), branch("b"), branch("c"));
        assert_eq!(lock.into_inner(), ["a", "a", "b", "b", "c", "c"]);
    });
}

pub fn lck_04_entered_twice<F: Fixture>() {
    in_a_call::<F>(async |here| {
        let lock = Arc::new(ReentrantAsyncLock::new(7));
        assert!(lock.count() == 0 && !lock.is_in_context());
        let again = lock.clone();
        lock.with(async |value| {
            assert!(again.count() == 1 && again.is_in_context() && *value == 7);
            again.with(async |value| assert!(again.count() == 2 && *value == 7)).await.unwrap();
            assert!(again.try_with(|_| again.count()) == Some(2));
            assert_eq!(again.with_blocking(|_| again.count()).unwrap(), 2);
            let guard = again.lock().await.unwrap();
            assert_eq!((*guard, again.count()), (7, 2));
            drop(guard);
            assert_eq!(again.count(), 1);
        })
        .await
        .unwrap();
        // An unrelated task is not in.
        let seen = lock.clone();
        let (resolver, gate) = Resolver::<()>::new();
        let unrelated = here.call_soon(async move || {
            gate.await.unwrap();
            (seen.is_in_context(), seen.try_lock().is_some())
        });
        let unrelated = lock
            .with(async |_| {
                resolver.resolve(()).unwrap();
                unrelated.await.unwrap()
            })
            .await;
        assert_eq!(unrelated.unwrap(), (false, false));
        assert!(lock.count() == 0 && !lock.is_in_context());
        // Branches of one call are not under each other.
        let order = std::cell::RefCell::new(Vec::new());
        let branch = async |name: &'static str| {
            let under = lock.with(async |_| {
                order.borrow_mut().push(name);
                yield_now().await;
                order.borrow_mut().push(name);
            });
            under.await.unwrap();
        };
        join(branch("a"), branch("b")).await;
        assert_eq!(order.into_inner(), ["a", "a", "b", "b"]);
    });
}

pub fn lck_05_entered_by_a_call_made_under_it<F: Fixture>() {
    in_a_call::<F>(async |here| {
        let lock = Arc::new(ReentrantAsyncLock::new(()));
        let (resolver, gate) = Resolver::<()>::new();
        let other = lock.clone();
        let asks = here.new_child().unwrap();
        let (sender, asked) = mpsc::channel();
        let unrelated = asks.call_soon(async move || {
            gate.await.unwrap();
            let take = other.with(async |()| other.count());
            let mut take = pin!(take);
            assert!(once(take.as_mut()).await.is_pending(), "it waits");
            sender.send(()).unwrap();
            (take.await.unwrap(), ())
        });
        let inner = lock.clone();
        lock.with(async |()| {
            resolver.resolve(()).unwrap();
            receive(&asked);
            let (soon, worker) = (inner.clone(), inner.clone());
            let call = here.call_soon(async move || soon.with(async |()| soon.count()).await);
            assert_eq!(call.await.unwrap().unwrap(), 2);
            let there = here.clone();
            let call = here.to_thread(async move || {
                let deeper = worker.clone();
                let under = async |()| {
                    there.call_soon(async move || deeper.with(async |()| deeper.count()).await).await
                };
                worker.with(async |()| under(()).await).await
            });
            assert_eq!(call.await.unwrap().unwrap().unwrap().unwrap(), 3, "through threads");
            assert!(!unrelated.is_done());
        })
        .await
        .unwrap();
        assert_eq!(unrelated.await.unwrap().0, 1, "only after the release");
    });
}

pub fn lck_06_base_inside_itself<F: Fixture>() {
    in_a_call::<F>(async |here| {
        let lock = Arc::new(ReentrantAsyncLock::new(()));
        let inner = lock.clone();
        lock.with(async |()| {
            assert!(inner.base(async |()| ()).await.unwrap_err().is_self_wait());
            let made = inner.clone();
            let call = here.call_soon(async move || made.base(async |()| ()).await.is_err());
            assert!(call.wait().timeout(Duration::from_secs(20)).await.unwrap());
            assert!(inner.is_in_context() && inner.count() == 1, "the outer one keeps it");
        })
        .await
        .unwrap();
        let guard = lock.lock().await.unwrap();
        assert!(lock.base(async |()| ()).await.unwrap_err().is_self_wait());
        drop(guard);
        assert_eq!(lock.base(async |()| lock.count()).await.unwrap(), 1);
    });
}

pub fn lck_07_left_in_any_order<F: Fixture>() {
    in_a_call::<F>(async |here| {
        let lock = Arc::new(ReentrantAsyncLock::new(()));
        let guards = [lock.lock_arc().await.unwrap(), lock.lock_arc().await.unwrap()];
        let third = lock.lock().await.unwrap();
        assert_eq!(lock.count(), 3);
        let seen = lock.clone();
        let free = async move || {
            let seen = seen.clone();
            here.call_soon(async move || seen.try_lock_arc().is_some()).await.unwrap()
        };
        let [first, second] = guards;
        drop(second);
        assert!(lock.count() == 2 && !free().await);
        drop(first);
        assert!(lock.count() == 1 && !free().await);
        // Given away, it is left wherever it is dropped.
        drop(third);
        assert!(lock.count() == 0 && free().await);
        // A call that was made under the lock outlives the scope, and has it until it leaves.
        let (resolver, gate) = Resolver::<()>::new();
        let (made, here) = (lock.clone(), Caller::current().unwrap());
        let (sender, entered) = mpsc::channel();
        let call = lock
            .with(async |()| {
                let call = here.call_soon(async move || {
                    let under = async |()| {
                        sender.send(()).unwrap();
                        gate.await.unwrap();
                    };
                    made.with(async |()| under(()).await).await.unwrap();
                });
                while entered.try_recv().is_err() {
                    yield_now().await;
                }
                call
            })
            .await
            .unwrap();
        assert!(lock.count() == 1 && !lock.is_in_context() && !free().await);
        resolver.resolve(()).unwrap();
        call.await.unwrap();
        assert!(lock.count() == 0 && free().await);
    });
}

pub fn lck_blocking_itself_is_an_error<F: Fixture>() {
    let fixture = F::new();
    let (caller, other) = (fixture.caller(), fixture.caller());
    let lock = Arc::new(AsyncLock::new(0));
    // A call of the same thread has it, and cannot go on while the thread is blocked.
    let (resolver, gate) = Resolver::<()>::new();
    let held = lock.clone();
    let holder = caller.call_soon(async move || held.with(async |_| gate.await.unwrap()).await.unwrap());
    eventually("somebody to have it", || lock.count() == 1);
    let blocks = lock.clone();
    let blocked = caller.call_soon(async move || blocks.lock_blocking().map(|guard| *guard));
    assert!(blocked.wait_blocking().unwrap().unwrap_err().is_self_wait());
    // Another thread's may.
    let blocks = lock.clone();
    let waits = other.call_soon(async move || blocks.with_blocking(|value| std::mem::replace(value, 1)));
    // A call of the same thread stands before it in the queue: blocking would keep it from its turn.
    resolver.resolve(()).unwrap();
    holder.wait_blocking().unwrap();
    assert_eq!(waits.wait_blocking().unwrap().unwrap(), 0);
    let guard = lock.lock_arc_blocking().unwrap();
    let queued = lock.clone();
    let (sender, asked) = mpsc::channel();
    let first = caller.call_soon(async move || {
        let take = queued.lock();
        let mut take = pin!(take);
        assert!(once(take.as_mut()).await.is_pending());
        sender.send(()).unwrap();
        drop(take.await.unwrap());
    });
    receive(&asked);
    let blocks = lock.clone();
    let behind = caller.call_soon(async move || blocks.lock_blocking().map(|guard| *guard));
    assert!(behind.wait_blocking().unwrap().unwrap_err().is_self_wait());
    drop(guard);
    first.wait_blocking().unwrap();
    assert!(lock.try_lock_arc().is_some_and(|value| *value == 1));
}

pub fn lck_inherited_and_given_back<F: Fixture>() {
    in_a_call::<F>(async |here| {
        // A call that was made under the lock, and asks for it when another has it: it waits as others do.
        let lock = Arc::new(AsyncLock::new(0));
        let (resolver, gate) = Resolver::<()>::new();
        let late = lock.clone();
        let make = async |_: &mut i32| {
            here.call_soon(async move || {
                gate.await.unwrap();
                late.with(async |value| *value).await
            })
        };
        let call = lock.with(make).await.unwrap();
        let mut guard = lock.lock().await.unwrap();
        resolver.resolve(()).unwrap();
        here.call_soon(async || ()).await.unwrap();
        *guard = 7;
        drop(guard);
        assert_eq!(call.await.unwrap().unwrap(), 7);
        // So it is with the reentrant one: a call that was made under an earlier hold is not under a later one, be that a
        // scope or a guard.
        let lock = Arc::new(ReentrantAsyncLock::new(()));
        for by_guard in [false, true] {
            let (resolver, gate) = Resolver::<()>::new();
            let late = lock.clone();
            let make = async |()| {
                here.call_soon(async move || {
                    gate.await.unwrap();
                    assert!(!late.is_in_context() && late.try_with(|()| ()).is_none());
                    late.with(async |()| (late.is_in_context(), late.count())).await.unwrap()
                })
            };
            let call = lock.with(async |_| make(()).await).await.unwrap();
            let (release, released) = Resolver::<()>::new();
            let (sender, has) = mpsc::channel();
            let held = lock.clone();
            let holder = here.call_soon(async move || {
                let hold = async || {
                    sender.send(()).unwrap();
                    released.await.unwrap();
                };
                if by_guard {
                    let _guard = held.lock().await.unwrap();
                    hold().await;
                } else {
                    held.with(async |_| hold().await).await.unwrap();
                }
            });
            while has.try_recv().is_err() {
                yield_now().await;
            }
            resolver.resolve(()).unwrap();
            for _ in 0..4 {
                yield_now().await;
            }
            assert!(lock.count() == 1 && !call.is_done(), "it waits, as others do");
            release.resolve(()).unwrap();
            holder.await.unwrap();
            assert_eq!(call.await.unwrap(), (true, 1));
            assert_eq!(lock.count(), 0);
        }
    });
}

pub fn lck_dropped_under_it<F: Fixture>() {
    struct Asks(Arc<AsyncLock<()>>, mpsc::Sender<bool>);
    impl Drop for Asks {
        fn drop(&mut self) {
            self.1.send(self.0.is_in_context()).unwrap();
        }
    }
    let caller = F::new().caller();
    let lock = Arc::new(AsyncLock::new(()));
    let (sender, under) = mpsc::channel();
    let held = lock.clone();
    let call = caller.call_soon(async move || {
        let body = async |()| {
            let _asks = Asks(held.clone(), sender);
            std::future::pending::<()>().await;
        };
        held.with(async |_| body(()).await).await
    });
    eventually("somebody to have it", || lock.count() == 1);
    call.cancel_and_wait("enough").blocking().unwrap();
    assert!(receive(&under), "a destructor runs under the lock");
    assert_eq!(lock.count(), 0);
}

pub fn lck_a_panic_frees_it<F: Fixture>() {
    let caller = F::new().caller();
    let (lock, again) = (Arc::new(AsyncLock::new(1)), Arc::new(ReentrantAsyncLock::new(())));
    let (one, two) = (lock.clone(), again.clone());
    let call = caller.call_soon(async move || {
        let under = two.with(async |()| one.with(async |_| -> () { panic!("on purpose") }).await);
        under.await
    });
    assert!(call.wait_blocking().unwrap_err().is_panic());
    assert_eq!((lock.count(), again.count()), (0, 0));
    assert_eq!(*lock.try_lock().unwrap(), 1);
}

pub fn lck_blocking_on_a_lock_that_was_passed_on_is_an_error<F: Fixture>() {
    let caller = F::new().caller();
    let lock = Arc::new(AsyncLock::new(0));
    let (here, first, second) = (caller.0.clone(), lock.clone(), lock.clone());
    let call = caller.call_soon(async move || {
        let guard = first.lock().await.unwrap();
        let (sender, asked) = mpsc::channel();
        let next = here.call_soon(async move || {
            let mut take = pin!(second.lock());
            assert!(once(take.as_mut()).await.is_pending());
            sender.send(()).unwrap();
            *take.await.unwrap() += 1;
        });
        while asked.try_recv().is_err() {
            yield_now().await;
        }
        // It is the next call's now, which cannot take it up while this thread is blocked.
        drop(guard);
        let blocked = first.lock_blocking().map(|guard| *guard);
        next.await.unwrap();
        blocked
    });
    assert!(call.wait().timeout(LONG).blocking().unwrap().unwrap_err().is_self_wait());
    assert_eq!(*lock.lock_blocking().unwrap(), 1);
}

/// A call of a caller that has a lock until it is told, and who tells it.
fn held_by(caller: &Caller, lock: &Arc<AsyncLock<i32>>) -> Resolver<()> {
    let (resolver, gate) = Resolver::<()>::new();
    let held = lock.clone();
    drop(caller.call_soon(async move || held.with(async |_| gate.await.unwrap()).await.unwrap()));
    eventually("somebody to have it", || lock.count() == 1);
    resolver
}

/// A call that waits for a lock when this returns.
fn waits_for<R: Send + 'static>(
    caller: &Caller,
    lock: &Arc<AsyncLock<i32>>,
    then: impl FnOnce(i32) -> R + Send + 'static,
) -> Pending<R> {
    let lock = lock.clone();
    let (sender, asked) = mpsc::channel();
    let call = caller.call_soon(async move || {
        let mut take = pin!(lock.lock());
        assert!(once(take.as_mut()).await.is_pending());
        sender.send(()).unwrap();
        let guard = take.await.unwrap();
        then(*guard)
    });
    receive(&asked);
    call
}

/// A call whose thread is blocked on a lock when this returns.
fn blocks_on(caller: &Caller, lock: &Arc<AsyncLock<i32>>) -> Pending<crate::Result<i32>> {
    let lock = lock.clone();
    let call = caller.call_soon(async move || lock.lock_blocking().map(|guard| *guard));
    eventually("a blocked thread", || blocked::is_blocked(caller.id()));
    call
}

/// The thread of `a` is blocked on a lock, behind a call of `b` that waits for it. That call, or another of `b`, blocks on a
/// call of `a`.
pub fn lck_a_ring_with_those_who_wait_before_is_an_error<F: Fixture>() {
    for passed_on in [true, false] {
        let fixture = F::new();
        let [a, b, c] = [(); 3].map(|()| fixture.caller());
        let lock = Arc::new(AsyncLock::new(0));
        let release = held_by(&c, &lock);
        let at = a.0.clone();
        let call = move || at.call_soon(async || 1).wait_blocking();
        let then = call.clone();
        let before = waits_for(&b, &lock, move |_| if passed_on { then() } else { Ok(1) });
        let behind = blocks_on(&a, &lock);
        let ring = if passed_on {
            release.resolve(()).unwrap();
            before.wait().timeout(LONG).blocking()
        } else {
            let ring = b.call_soon(async move || call()).wait().timeout(LONG).blocking();
            release.resolve(()).unwrap();
            before.wait().timeout(LONG).blocking().unwrap().unwrap();
            ring
        };
        assert!(ring.unwrap().unwrap_err().is_self_wait());
        assert_eq!(behind.wait().timeout(LONG).blocking().unwrap().unwrap(), 0);
    }
}

/// Who waits behind a blocked thread holds nobody up.
pub fn lck_no_ring_with_those_who_wait_behind<F: Fixture>() {
    let fixture = F::new();
    let [a, b, c] = [(); 3].map(|()| fixture.caller());
    let lock = Arc::new(AsyncLock::new(0));
    let release = held_by(&c, &lock);
    let first = blocks_on(&a, &lock);
    let behind = waits_for(&b, &lock, |value| value);
    let at = a.0.clone();
    let waits = b.call_soon(async move || at.call_soon(async || 1).wait_blocking());
    eventually("two blocked threads", || blocked::is_blocked(b.id()));
    release.resolve(()).unwrap();
    assert_eq!(waits.wait().timeout(LONG).blocking().unwrap().unwrap(), 1);
    assert_eq!(first.wait().timeout(LONG).blocking().unwrap().unwrap(), 0);
    assert_eq!(behind.wait().timeout(LONG).blocking().unwrap(), 0);
}

/// A guard outlives a scope that was entered under it: a call made in the scope waits then, as others do.
pub fn lck_a_scope_that_ended_before_a_guard<F: Fixture>() {
    in_a_call::<F>(async |here| {
        let lock = Arc::new(ReentrantAsyncLock::new(()));
        let guard = lock.lock().await.unwrap();
        let (resolver, gate) = Resolver::<()>::new();
        let (late, made) = (lock.clone(), here.clone());
        let make = async |_: &()| {
            made.call_soon(async move || {
                gate.await.unwrap();
                let under = late.is_in_context();
                (under, late.with(async |_| late.count()).await.unwrap())
            })
        };
        let call = lock.with(make).await.unwrap();
        // Another scope is not the one in which the call was made.
        let again = async |_: &()| {
            resolver.resolve(()).unwrap();
            for _ in 0..4 {
                yield_now().await;
            }
            lock.count()
        };
        assert_eq!(lock.with(again).await.unwrap(), 2);
        assert!(lock.count() == 1 && !call.is_done());
        drop(guard);
        assert_eq!(call.wait().timeout(LONG).await.unwrap(), (false, 1));
    });
}
