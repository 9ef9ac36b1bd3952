//! Every public future, dropped after its k-th poll for every k.

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use futures::StreamExt;

use super::{LONG, is_done_soon, nothing_is_kept, trying};
use crate::{
    AsyncEvent, AsyncLock, Caller, ContextVar, CountdownEvent, PendingGroup, PendingHandle,
    ReentrantAsyncLock, Resolver, ReturnWhen, SingleConsumerQueue,
    backend::LocalFuture,
    sleep_until,
    testing::{Fixture, kept_wakers},
    wake::yield_now,
};

/// A future that is tried, and what has to hold once it is gone.
struct Case {
    future: LocalFuture<'static>,
    afterwards: Box<dyn FnOnce(&str) + Send>,
}

impl Case {
    fn new(
        future: impl Future<Output: 'static> + 'static,
        afterwards: impl FnOnce(&str) + Send + 'static,
    ) -> Self {
        let future = Box::pin(async move {
            let _output = future.await;
        });
        Self { future, afterwards: Box::new(afterwards) }
    }
}

/// What a case is made of: the caller in whose call it runs, and another in another thread.
struct Parts {
    here: Caller,
    other: Caller,
}

impl Parts {
    /// A call in the other thread, that needs more than one poll.
    fn call(&self) -> crate::Pending<u8> {
        self.other.call_soon(async || {
            yield_now().await;
            yield_now().await;
            7
        })
    }

    /// Does something in the other thread, a little later.
    fn soon(&self, act: impl FnOnce() + Send + 'static) {
        drop(self.other.call_soon(async move || {
            yield_now().await;
            act();
        }));
    }
}

type Make = fn(&Parts) -> Case;

/// Every public future. Each ends by itself after a few polls.
const CASES: &[(&str, Make)] = &[
    ("Wait", |parts| {
        let call = parts.call();
        let handle = call.handle();
        Case::new(call.wait(), move |what| is_done_soon(what, &handle))
    }),
    ("Wait, protected", |parts| {
        let call = parts.call();
        let handle = call.handle();
        Case::new(call.wait().protect(), move |what| {
            is_done_soon(what, &handle);
            assert!(!handle.is_cancelled(), "{what}: a protected wait cancelled the call");
        })
    }),
    ("Wait with a timeout", |parts| {
        let call = parts.call();
        let handle = call.handle();
        Case::new(call.wait().timeout(LONG), move |what| is_done_soon(what, &handle))
    }),
    ("WaitMut", |parts| {
        let mut call = parts.call();
        let handle = call.handle();
        Case::new(async move { drop((&mut call).await) }, move |what| {
            is_done_soon(what, &handle);
            assert!(!handle.is_cancelled(), "{what}: a borrowed wait cancelled the call");
        })
    }),
    ("WaitIgnored", |parts| {
        let call = parts.call();
        let handle = call.handle();
        Case::new(call.wait().ignore_result(), move |what| is_done_soon(what, &handle))
    }),
    ("WaitDone", |parts| {
        let handle = parts.call().handle();
        Case::new(handle.wait(), move |what| {
            is_done_soon(what, &handle);
            assert!(!handle.is_cancelled(), "{what}: watching cancelled the call");
        })
    }),
    ("cancel_and_wait", |parts| {
        let call = parts.other.call_soon(async || std::future::pending::<()>().await);
        let handle = call.handle();
        Case::new(call.cancel_and_wait("enough"), move |what| is_done_soon(what, &handle))
    }),
    ("WaitShared", |parts| {
        let shared = parts.call().shared();
        let (handle, other) = (shared.handle(), shared.clone());
        Case::new(async move { drop(futures::join!(other.wait(), shared.wait())) }, move |what| {
            is_done_soon(what, &handle);
        })
    }),
    ("CancelRequested", |parts| {
        let (resolver, pending) = Resolver::<u8>::new();
        parts.soon(move || {
            pending.cancel("enough");
        });
        let handle = resolver.handle();
        Case::new(async move { resolver.cancel_requested().await }, move |what| is_done_soon(what, &handle))
    }),
    ("a function that is bound to a resident", |parts| {
        let value = parts.here.resident_local(std::rc::Rc::new(0)).expect("this is its thread");
        let before = value.call_mut(async |_| {
            yield_now().await;
            yield_now().await;
        });
        let bound = value.bind_mut(async |_| yield_now().await);
        Case::new(async move { drop(bound().await) }, move |what| {
            is_done_soon(what, &before.handle());
            let next = value.call_mut(async |_| 7).wait().timeout(LONG).blocking();
            assert!(matches!(next, Ok(7)), "{what}: the next call of the resident: {next:?}");
        })
    }),
    ("WaitEvent", |parts| {
        let event = AsyncEvent::new();
        let set = event.clone();
        parts.soon(move || set.set());
        Case::new(event.wait(), move |what| {
            assert!(event.wait().timeout(LONG).blocking().is_ok(), "{what}: the event is not set");
        })
    }),
    ("WaitCountdown", |parts| {
        let count = CountdownEvent::new(1);
        let down = count.clone();
        parts.soon(move || assert_eq!(down.down().expect("one is left"), 0));
        Case::new(count.wait(), move |what| {
            assert!(count.wait().timeout(LONG).blocking().is_ok(), "{what}: the count is {}", count.count());
            assert_eq!(count.waiting(), 0, "{what}: a waiter stayed behind");
        })
    }),
    ("Moment", |parts| {
        let child = parts.other.new_child().expect("a child");
        let stop = child.clone();
        parts.soon(move || {
            stop.stop();
        });
        Case::new(child.stopped(), move |what| {
            assert!(child.stopped().timeout(LONG).blocking().is_ok(), "{what}: {child}");
        })
    }),
    ("AsyncLock::with", |parts| {
        lock_case(parts, async |lock| drop(lock.with(async |_| yield_now().await).await))
    }),
    ("AsyncLock::lock", |parts| {
        lock_case(parts, async |lock| {
            let guard = lock.lock().await;
            yield_now().await;
            drop(guard);
        })
    }),
    ("AsyncLock::lock_arc", |parts| {
        lock_case(parts, async |lock| {
            let guard = lock.lock_arc().await;
            yield_now().await;
            drop(guard);
        })
    }),
    ("ReentrantAsyncLock::with", |parts| {
        reentrant_case(parts, async |lock| {
            let inner = async |_: &u8| drop(lock.with(async |_| yield_now().await).await);
            drop(lock.with(inner).await);
        })
    }),
    ("ReentrantAsyncLock::base", |parts| {
        reentrant_case(parts, async |lock| drop(lock.base(async |_| yield_now().await).await))
    }),
    ("ReentrantAsyncLock::lock", |parts| {
        reentrant_case(parts, async |lock| {
            let guards = (lock.lock().await, lock.lock_arc().await);
            yield_now().await;
            drop(guards);
        })
    }),
    ("Consumer::next", |parts| {
        let (count, pushed) = (Arc::new(AtomicUsize::new(0)), AsyncEvent::new());
        let (rejected, consumed) = (count.clone(), count.clone());
        let queue = SingleConsumerQueue::with_reject(move |_: u8| {
            rejected.fetch_add(1, Ordering::SeqCst);
        });
        let (push, left, tell) = (queue.clone(), queue.clone(), pushed.clone());
        parts.soon(move || {
            push.push_back(1);
            tell.set();
        });
        let mut consumer = queue.consume();
        let future = async move {
            if consumer.next().await.is_some() {
                consumed.fetch_add(1, Ordering::SeqCst);
            }
        };
        Case::new(future, move |what| {
            assert!(pushed.wait().timeout(LONG).blocking().is_ok(), "{what}");
            left.stop();
            assert_eq!(count.load(Ordering::SeqCst), 1, "{what}: it was consumed or rejected, once");
        })
    }),
    ("Queue::call_when_room", |parts| {
        let served = AsyncEvent::new();
        let wait = served.clone();
        let serve = async move |_: u8| wait.wait().await;
        let queue = parts.other.bounded_queue(1, serve).expect("one is enough");
        while queue.call(0).is_ok() {}
        parts.soon(move || served.set());
        let call = queue.clone();
        Case::new(async move { call.call_when_room(1).await.expect("there is room at last") }, move |what| {
            let room = async { queue.call_when_room(2).await.map_err(|(_, error)| error) };
            let (sender, given) = std::sync::mpsc::channel();
            std::thread::scope(|scope| {
                scope.spawn(|| sender.send(futures::executor::block_on(room)).expect("the test waits"));
                let given = given.recv_timeout(LONG).expect("a place is lost");
                assert!(given.is_ok(), "{what}: {given:?}");
            });
        })
    }),
    ("AsCompleted", |parts| {
        let calls = [parts.call(), parts.call(), parts.call()];
        let handles = calls.each_ref().map(PendingHandle::from);
        let completed = parts.here.as_completed(calls);
        Case::new(completed.collect::<Vec<_>>(), move |what| {
            handles.iter().for_each(|handle| is_done_soon(what, handle));
        })
    }),
    ("AsCompleted, lazy", |parts| {
        let other = parts.other.clone();
        let lazy = (0..20).map(move |n| other.call_soon(async move || n));
        let completed = parts.here.as_completed_lazy(lazy).max_concurrent(2).expect("two are enough");
        Case::new(completed.collect::<Vec<_>>(), |_| {})
    }),
    ("WaitMany", |parts| {
        let calls = [parts.call(), parts.call()];
        let handles = calls.each_ref().map(PendingHandle::from);
        let wait = parts.here.wait(calls).return_when(ReturnWhen::AllCompleted).timeout(LONG);
        Case::new(wait, move |what| {
            for handle in &handles {
                is_done_soon(what, handle);
                assert!(!handle.is_cancelled(), "{what}: it never cancels");
            }
        })
    }),
    ("PendingGroup::run", |parts| {
        let (group, other) = (PendingGroup::builder().build(), parts.other.clone());
        let run = group.clone();
        let future = async move {
            run.run(async |group| {
                let calls = [
                    other.call_soon(async || yield_now().await),
                    group.to_thread(async || yield_now().await),
                ];
                let inner = PendingGroup::builder().build();
                let inside = inner.run(async |_| drop(other.call_soon(async || yield_now().await))).await;
                drop((calls, inside));
            })
            .await
        };
        Case::new(future, move |what| {
            crate::testing::probe::soon(what, || group.pendings().iter().all(PendingHandle::is_done));
        })
    }),
    ("to_thread", |parts| {
        let call = parts.here.to_thread(async || yield_now().await);
        let handle = call.handle();
        let caller = parts.here.clone();
        Case::new(call.wait(), move |what| {
            is_done_soon(what, &handle);
            let again = caller.to_thread(async || 1).wait().timeout(LONG).blocking();
            assert!(matches!(again, Ok(1)), "{what}: {again:?}");
        })
    }),
    ("call_later", |parts| {
        let call = parts.other.call_later(Duration::from_millis(1), async || ());
        let handle = call.handle();
        // The time of the caller may stand still, so that it has to end without it.
        let cancel = handle.clone();
        parts.soon(move || {
            cancel.cancel("enough");
        });
        Case::new(call.wait(), move |what| is_done_soon(what, &handle))
    }),
    ("InContext", |parts| {
        static NUMBER: ContextVar<u8> = ContextVar::new();
        let call = parts.call();
        let handle = call.handle();
        let future = NUMBER.scope(7, async move {
            assert_eq!(NUMBER.get(), Some(7));
            drop(call.await);
        });
        Case::new(future, move |what| {
            is_done_soon(what, &handle);
            assert_eq!(NUMBER.get(), None, "{what}: the context leaks");
        })
    }),
    ("sleep_until", |_| Case::new(sleep_until(std::time::Instant::now() + Duration::from_millis(2)), |_| {})),
    ("queued calls", |parts| {
        async fn serve(event: AsyncEvent) {
            yield_now().await;
            event.set();
        }
        let event = AsyncEvent::new();
        let queued = parts.other.queue_call(serve, event.clone());
        let other = parts.other.clone();
        Case::new(event.wait(), move |what| {
            assert!(queued.is_ok(), "{what}: {queued:?}");
            assert!(event.wait().timeout(LONG).blocking().is_ok(), "{what}: the item is lost");
            assert!(other.queue_close(serve), "{what}: the queue has gone");
        })
    }),
];

/// A lock that another call has at first, and that has to be free afterwards.
fn lock_case(parts: &Parts, take: impl AsyncFnOnce(Arc<AsyncLock<u8>>) + 'static) -> Case {
    let lock = Arc::new(AsyncLock::new(0));
    let (held, begun) = (lock.clone(), AsyncEvent::new());
    let tell = begun.clone();
    let holder = parts.other.call_soon(async move || {
        let under = held.with(async |_| {
            tell.set();
            yield_now().await;
        });
        drop(under.await);
    });
    let (taken, behind) = (lock.clone(), lock.clone());
    let holder = holder.handle();
    let future = async move {
        begun.wait().await;
        take(taken).await;
    };
    Case::new(future, move |what| {
        is_done_soon(what, &holder);
        let next = std::thread::spawn(move || behind.with_blocking(|value| *value += 1).is_ok());
        crate::testing::probe::soon(&format!("{what}: the lock"), || next.is_finished());
        assert!(next.join().expect("no panic"), "{what}");
        assert_eq!(lock.count(), 0, "{what}: the lock is still held");
    })
}

fn reentrant_case(parts: &Parts, take: impl AsyncFnOnce(Arc<ReentrantAsyncLock<u8>>) + 'static) -> Case {
    let lock = Arc::new(ReentrantAsyncLock::new(0));
    let (held, begun) = (lock.clone(), AsyncEvent::new());
    let tell = begun.clone();
    let holder = parts.other.call_soon(async move || {
        let under = held.with(async |_| {
            tell.set();
            yield_now().await;
        });
        drop(under.await);
    });
    let (taken, holder) = (lock.clone(), holder.handle());
    let future = async move {
        begun.wait().await;
        take(taken).await;
    };
    Case::new(future, move |what| {
        is_done_soon(what, &holder);
        crate::testing::probe::soon(&format!("{what}: the lock"), || lock.count() == 0);
        assert!(lock.try_lock().is_some(), "{what}: the lock is not free");
    })
}

/// Polls a future so often, and then drops it. Ready with whether it ended by itself.
struct Until {
    future: Option<LocalFuture<'static>>,
    polls: usize,
}

impl Future for Until {
    type Output = bool;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<bool> {
        let this = &mut *self;
        let Some(future) = &mut this.future else { return Poll::Ready(false) };
        if this.polls == 0 {
            this.future = None;
            return Poll::Ready(false);
        }
        this.polls -= 1;
        if future.as_mut().poll(cx).is_ready() {
            this.future = None;
            return Poll::Ready(true);
        }
        if this.polls == 0 {
            // Dropped where it was polled.
            this.future = None;
            return Poll::Ready(false);
        }
        Poll::Pending
    }
}

/// Drops every public future of the library after its k-th poll, for every k until it ends by itself. Nothing is lost,
/// nothing hangs, and no waiter stays behind.
///
/// It counts the wakers of the process, so it wants one of its own: see [`Process`](crate::testing::Process).
///
/// # Panics
///
/// Where one of these does not hold, with the name of the future and the number of the poll.
pub fn drops_at_every_poll<F: Fixture>() {
    /// No future of these cases needs so many polls.
    const MOST: usize = 200;
    let fixture = F::new();
    let (caller, other) = (fixture.caller(), fixture.caller());
    // What comes a little later than the callers and stays with them: the look at idle workers, planned when the first of
    // them has come back; the sleep until then, where the time of the runtime is virtual; and the thread that drives a
    // runtime which is a guest, of each of the two callers. What a case leaves behind adds up over all cases and polls, so
    // that it cannot hide here.
    let most = kept_wakers() + 4;
    for (name, make) in CASES {
        let mut ended = false;
        for polls in 0..MOST {
            let what = format!("{name}, dropped after poll {polls}");
            trying(&what);
            let parts = Parts { here: caller.0.clone(), other: other.0.clone() };
            let tried = caller.call_soon(async move || {
                let case = make(&parts);
                let ended = Until { future: Some(case.future), polls }.await;
                (ended, case.afterwards)
            });
            let tried = tried.wait().timeout(LONG).blocking();
            let Ok((by_itself, afterwards)) = tried else {
                panic!("{what}: {:?}", tried.map(|_| ()).unwrap_err())
            };
            afterwards(&what);
            nothing_is_kept(&what, most);
            ended = by_itself;
            if ended {
                break;
            }
        }
        assert!(ended, "{name} did not end in {MOST} polls");
    }
}
