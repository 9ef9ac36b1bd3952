//! User code that calls back into the object that it is called by: no deadlock.

use std::{
    fmt,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    task::{Wake, Waker},
    time::Duration,
};

use super::{LONG, trying};
use crate::{
    AsyncEvent, AsyncLock, Caller, CountdownEvent, DoneCallback, PendingGroup, PendingHandle, PendingSet,
    Resolver, SingleConsumerQueue,
    backend::LocalFuture,
    testing::{
        Fixture,
        probe::{ends_soon, hear_reports, poll_with},
    },
};

/// A function that is called from wherever user code runs: when a waker is woken or dropped, when a value is dropped, when
/// an error is shown.
#[derive(Clone)]
struct Back(Arc<dyn Fn() + Send + Sync>);

impl Back {
    fn new(call: impl Fn() + Send + Sync + 'static) -> Self {
        Self(Arc::new(call))
    }
}

impl Wake for Back {
    fn wake(self: Arc<Self>) {
        (self.0)();
    }
}

impl Drop for Back {
    fn drop(&mut self) {
        // The last clone alone: what it holds is dropped behind it.
        if Arc::strong_count(&self.0) == 1 {
            (self.0)();
        }
    }
}

impl fmt::Debug for Back {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (self.0)();
        f.write_str("Back")
    }
}

impl fmt::Display for Back {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl std::error::Error for Back {}

/// Has wakers, callbacks, destructors and the texts of errors call back into the object that they are called by. Each case
/// ends.
///
/// # Panics
///
/// If one does not.
pub fn calls_back_from_everywhere<F: Fixture>() {
    hear_reports();
    let fixture = F::new();
    let caller = fixture.caller();
    for (name, case) in CASES {
        trying(name);
        let case: fn(&Caller) = *case;
        let caller = caller.0.clone();
        ends_soon(name, move || case(&caller));
    }
    let one = caller.call_soon(async || 1).wait().timeout(LONG).blocking();
    assert!(matches!(one, Ok(1)), "{one:?}");
}

/// Polls a wait with a waker that calls back, renews it, and lets the thing happen.
fn woken(mut wait: LocalFuture<'static>, back: &Back, happen: impl FnOnce()) {
    for _ in 0..2 {
        let waker = Waker::from(Arc::new(back.clone()));
        assert!(poll_with(wait.as_mut(), &waker).is_pending());
    }
    happen();
    assert!(poll_with(wait.as_mut(), Waker::noop()).is_ready());
}

/// Polls a wait with a waker that calls back, and drops the wait.
fn dropped(mut wait: LocalFuture<'static>, back: &Back) {
    let waker = Waker::from(Arc::new(back.clone()));
    assert!(poll_with(wait.as_mut(), &waker).is_pending());
    drop(waker);
    drop(wait);
}

/// The answer does not matter, only that there is one.
fn ignore<T>(_answer: T) {}

/// Everything that can be asked of a pending.
fn ask(handle: &PendingHandle) {
    let _answers = (handle.is_done(), handle.is_cancelled(), handle.error().is_ok(), handle.to_string());
    handle.set_metadata("asked", true);
    handle.add_done_callback(&DoneCallback::new(|_| {}));
    drop(handle.metadata("asked"));
    handle.cancel("called back");
}

/// What is tried, and how.
type Case = (&'static str, fn(&Caller));

const CASES: &[Case] = &[
    ("a pending, from the waker of its wait", |_| {
        let (resolver, pending) = Resolver::<u8>::new();
        let handle = pending.handle();
        let (asked, done) = (handle.clone(), handle.wait());
        let back = Back::new(move || ask(&asked));
        woken(Box::pin(async move { drop(done.await) }), &back, || ignore(resolver.resolve(1)));
    }),
    ("a pending, from the waker of a wait that is dropped", |_| {
        let (_resolver, pending) = Resolver::<u8>::new();
        let handle = pending.handle();
        let (asked, done) = (handle.clone(), handle.wait());
        dropped(Box::pin(async move { drop(done.await) }), &Back::new(move || ask(&asked)));
    }),
    ("a pending, from its done callback, its canceller and their destructors", |_| {
        let (resolver, pending) = Resolver::<u8>::new();
        let handle = pending.handle();
        let asked = handle.clone();
        let first = std::sync::atomic::AtomicBool::new(true);
        // A canceller that cancels is called again: once is enough.
        let back = Back::new(move || {
            if first.swap(false, std::sync::atomic::Ordering::SeqCst) {
                ask(&asked);
            }
        });
        let (inside, held) = (back.clone(), back.clone());
        handle.add_done_callback(&DoneCallback::new(move |_| (held.0)()));
        resolver.set_canceller(move |_| (inside.0)()).expect("it has none");
        drop(back);
        handle.cancel("enough");
        drop(resolver);
        assert!(handle.is_done());
    }),
    ("a call, from the destructor of its future", |caller| {
        let handle = Arc::new(OnceLock::<PendingHandle>::new());
        let asked = handle.clone();
        let back = Back::new(move || asked.get().into_iter().for_each(ask));
        let begun = AsyncEvent::new();
        let tell = begun.clone();
        let call = caller.call_soon(async move || {
            let _back = back;
            tell.set();
            std::future::pending::<()>().await;
        });
        let _first = handle.set(call.handle());
        begun.wait().blocking();
        call.cancel("enough");
        assert!(call.handle().wait().timeout(LONG).blocking().is_ok());
    }),
    ("a call, from the destructor of a function that never ran", |caller| {
        let handle = Arc::new(OnceLock::<PendingHandle>::new());
        let asked = handle.clone();
        let back = Back::new(move || asked.get().into_iter().for_each(ask));
        let call = caller.call_later(Duration::from_secs(3600), async move || drop(back));
        let _first = handle.set(call.handle());
        assert!(call.cancel("enough") && call.is_done());
    }),
    ("an event, from the waker of its wait", |_| {
        let event = AsyncEvent::new();
        let inside = event.clone();
        let back = Back::new(move || {
            inside.set();
            ignore((inside.is_set(), inside.clone().wait()));
        });
        woken(Box::pin(event.wait()), &back, || event.set());
        let other = AsyncEvent::new();
        let inside = other.clone();
        dropped(Box::pin(other.wait()), &Back::new(move || inside.set()));
    }),
    ("a countdown, from the waker of its wait", |_| {
        let count = CountdownEvent::new(1);
        let inside = count.clone();
        let back =
            Back::new(move || ignore((inside.up(), inside.down(), inside.waiting(), inside.to_string_of())));
        woken(Box::pin(count.wait()), &back, || ignore(count.down()));
    }),
    ("a lock, from the waker of its wait", |_| {
        let lock = Arc::new(AsyncLock::new(0_u8));
        let guard = lock.try_lock_arc().expect("it is free");
        let (inside, waits) = (lock.clone(), lock.clone());
        let back = Back::new(move || ignore((inside.count(), inside.try_lock().is_some())));
        let wait: LocalFuture<'static> = Box::pin(async move { drop(waits.lock().await) });
        woken(wait, &back, || drop(guard));
        let guard = lock.try_lock_arc().expect("it is free again");
        let (inside, waits) = (lock.clone(), lock.clone());
        let back = Back::new(move || ignore((inside.count(), inside.try_lock().is_some())));
        dropped(Box::pin(async move { drop(waits.lock().await) }), &back);
        drop(guard);
        assert!(lock.try_lock().is_some());
    }),
    ("a single-consumer queue, from its waker and its reject function", |_| {
        let queue: Arc<OnceLock<SingleConsumerQueue<u8>>> = Arc::default();
        let inside = queue.clone();
        let reject = move |_| {
            if let Some(queue) = inside.get() {
                ignore((queue.len(), queue.is_stopped(), queue.push_front(9)));
                queue.stop();
            }
        };
        // It rejects itself for as long as it is asked to, and not under a lock.
        let depth = Arc::new(Mutex::new(0));
        let counted = move |item| {
            let deep = {
                let mut depth = depth.lock().unwrap_or_else(PoisonError::into_inner);
                *depth += 1;
                *depth
            };
            if deep < 10 {
                reject(item);
            }
        };
        let this = queue.get_or_init(|| SingleConsumerQueue::with_reject(counted));
        let mut consumer = this.consume();
        let asked = queue.clone();
        let back = Back::new(move || ignore(asked.get().map(SingleConsumerQueue::len)));
        let waker = Waker::from(Arc::new(back));
        assert!(poll_with(std::pin::Pin::new(&mut consumer.next()), &waker).is_pending());
        assert!(this.push_back(1));
        this.stop();
    }),
    ("a bounded queue, from the waker of who waits for room", |caller| {
        let go = AsyncEvent::new();
        let wait = go.clone();
        let begins = AsyncEvent::new();
        let tell = begins.clone();
        let queue = caller.bounded_queue(1, async move |_: u8| {
            tell.set();
            wait.wait().await;
        });
        let queue = queue.expect("one is enough");
        queue.call(0).map_err(|(_, error)| error).expect("there is room");
        begins.wait().timeout(LONG).blocking().expect("it begins");
        while queue.call(0).is_ok() {}
        let (inside, waits) = (queue.clone(), queue.clone());
        let back = Back::new(move || ignore((inside.len(), inside.is_closed(), inside.call(3).is_ok())));
        let mut call: LocalFuture<'static> = Box::pin(async move { drop(waits.call_when_room(1).await) });
        let waker = Waker::from(Arc::new(back));
        assert!(poll_with(call.as_mut(), &waker).is_pending());
        go.set();
        crate::testing::probe::soon("room", || poll_with(call.as_mut(), &waker).is_ready());
        queue.close();
    }),
    ("a group, from the text of a member's error and the callbacks of its members", |caller| {
        let group = PendingGroup::builder().build();
        let (inside, run, this) = (Arc::downgrade(&group), group.clone(), caller.clone());
        let back = Back::new(move || {
            if let Some(group) = inside.upgrade() {
                ignore((
                    group.pendings().len(),
                    group.is_cancelled(),
                    group.to_string(),
                    group.cancel("back"),
                ));
            }
        });
        let ran = caller.call_soon(async move || {
            let run = run.run(async |_| {
                let failing = this.try_call_soon(async move || Err::<(), _>(back));
                failing.handle().add_done_callback(&DoneCallback::new(ask));
                drop(failing);
            });
            run.await.is_err()
        });
        assert!(ran.wait().timeout(LONG).blocking().expect("the group ends"));
        drop(group);
    }),
    ("a set, from the destructor of what it holds", |_| {
        let set = PendingSet::new();
        let (resolver, pending) = Resolver::<Back>::new();
        let inside = set.clone();
        let back = Back::new(move || ignore((inside.len(), inside.pendings())));
        assert!(set.add(&pending.handle()));
        assert!(resolver.resolve(back).is_ok());
        drop((resolver, pending));
        assert!(set.is_empty());
    }),
    ("a caller, from the waker of its end and from a direct call", |caller| {
        let child = caller.new_child().expect("a child");
        let inside = child.clone();
        let back = Back::new(move || {
            ignore((inside.to_string(), inside.force_stop(), inside.children(), crate::callers_table()));
            drop(inside.call_soon(async || ()));
        });
        let direct = back.clone();
        child.call_direct(move || (direct.0)());
        let mut end = child.stopped();
        let waker = Waker::from(Arc::new(back));
        let _maybe = poll_with(std::pin::Pin::new(&mut end), &waker);
        assert!(child.stopped().timeout(LONG).blocking().is_ok());
    }),
];

impl CountdownEvent {
    fn to_string_of(&self) -> String {
        format!("{self:?}")
    }
}
