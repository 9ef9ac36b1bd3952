//! Chains of 100,000, of which each ends the next: they end without overflowing the stack.

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Wake, Waker},
    thread,
};

use super::LONG;
use crate::{
    AsyncEvent, AsyncLock, Caller, DoneCallback, Pending, Queue, ReentrantAsyncLock, Resolver,
    SingleConsumerQueue,
    testing::{
        Fixture,
        probe::{poll_with, soon},
    },
};

const LINKS: usize = 100_000;

/// Runs the body in a thread with the stack that threads have.
fn in_thread(body: impl FnOnce() + Send + 'static) {
    let thread = thread::Builder::new().name("chain".into()).stack_size(2 << 20).spawn(body).unwrap();
    thread.join().unwrap();
}

/// Each caller has a call that captured the next.
pub fn callers_that_never_ran_are_dropped<F: Fixture>() {
    in_thread(|| {
        let fixture = F::new();
        let innermost = fixture.builder().build().unwrap();
        let last = innermost.call_soon(async || ());
        let mut outermost = innermost;
        for _ in 0..LINKS {
            let caller = fixture.builder().build().unwrap();
            drop(caller.call_soon(async move || drop(outermost)));
            outermost = caller;
        }
        drop(outermost);
        soon("the end of the last caller's call", || last.is_done());
    });
}

fn nested<F: Fixture>() -> (Caller, Pending<()>) {
    let fixture = F::new();
    let root = fixture.builder().build().unwrap();
    let mut innermost = root.clone();
    for _ in 0..LINKS {
        innermost = innermost.child_builder().build().unwrap();
    }
    (root, innermost.call_soon(async || ()))
}

pub fn children_of_children_that_never_ran_are_dropped<F: Fixture>() {
    in_thread(|| {
        let (root, last) = nested::<F>();
        drop(root);
        soon("the end of the last child's call", || last.is_done());
    });
}

pub fn children_of_children_that_never_ran_are_stopped<F: Fixture>() {
    in_thread(|| {
        let (root, last) = nested::<F>();
        root.stop();
        soon("the end of the root", || root.stopped().is_past());
        assert!(last.is_done());
    });
}

/// A chain of pendings, of which each has a callback with the resolver of the next; its two ends.
fn linked(ended: fn(&Resolver<()>)) -> (Resolver<()>, Pending<()>) {
    let (first, mut last) = Resolver::<()>::new();
    for _ in 0..LINKS {
        let (resolver, next) = Resolver::<()>::new();
        last.add_done_callback(&DoneCallback::new(move |_| ended(&resolver)));
        last = next;
    }
    (first, last)
}

pub fn callbacks_that_resolve_the_next<F: Fixture>() {
    in_thread(|| {
        let (first, last) = linked(|next| next.resolve(()).unwrap());
        first.resolve(()).unwrap();
        soon("the end of the chain", || last.is_done());
        last.wait_blocking().unwrap();
    });
}

pub fn resolvers_that_are_abandoned<F: Fixture>() {
    in_thread(|| {
        let (first, last) = linked(|_| ());
        drop(first);
        soon("the end of the chain", || last.is_done());
        assert!(last.wait_blocking().unwrap_err().is_abandoned());
    });
}

/// As `callbacks_that_resolve_the_next`, in the thread of a caller.
pub fn callbacks_in_the_thread_of_a_caller<F: Fixture>() {
    let caller = F::new().caller();
    let (first, last) = linked(|next| next.resolve(()).unwrap());
    let begins = caller.call_soon(async move || first.resolve(()).unwrap());
    begins.wait().timeout(LONG).blocking().unwrap();
    soon("the end of the chain", || last.is_done());
}

/// The function of each call that has not begun waits for the next.
pub fn calls_that_have_not_begun_are_cancelled<F: Fixture>() {
    in_thread(|| {
        let caller = F::new().builder().build().unwrap();
        let last = caller.call_soon(async || ());
        let end = last.handle();
        let mut first = last;
        for _ in 0..LINKS {
            let wait = first.wait();
            first = caller.call_soon(async move || wait.await.unwrap());
        }
        assert!(first.cancel("enough"));
        soon("the end of the chain", || end.is_done());
        assert!(end.is_cancelled());
    });
}

pub fn cancellers_that_cancel_the_next<F: Fixture>() {
    in_thread(|| {
        let (last, mut first) = Resolver::<()>::new();
        let end = last.handle();
        let mut resolvers = vec![last];
        for _ in 0..LINKS {
            let (resolver, pending) = Resolver::<()>::new();
            let next = first;
            resolver.set_canceller(move |reason| assert!(next.cancel(reason))).unwrap();
            resolvers.push(resolver);
            first = pending;
        }
        assert!(first.cancel("enough"));
        soon("the end of the chain", || end.is_cancelled());
        drop(resolvers);
    });
}

/// A task that runs where it is woken.
struct AtOnce(Mutex<Option<Pin<Box<dyn Future<Output = ()> + Send>>>>);

impl AtOnce {
    /// Polls it for the first time.
    fn begin(future: impl Future<Output = ()> + Send + 'static) {
        Arc::new(Self(Mutex::new(Some(Box::pin(future))))).wake();
    }
}

impl Wake for AtOnce {
    fn wake(self: Arc<Self>) {
        let Some(mut future) = self.0.lock().unwrap().take() else { return };
        let waker = Waker::from(self.clone());
        // Put back while nobody can wake it: each is woken once, later.
        if poll_with(future.as_mut(), &waker).is_pending() {
            *self.0.lock().unwrap() = Some(future);
        }
    }
}

pub fn a_lock_that_is_handed_along<F: Fixture>() {
    in_thread(|| {
        let lock = Arc::new(AsyncLock::new(0));
        let held = lock.try_lock_arc().unwrap();
        for _ in 0..LINKS {
            let lock = lock.clone();
            AtOnce::begin(async move { *lock.lock_arc().await.unwrap() += 1 });
        }
        drop(held);
        soon("the end of the chain", || lock.try_with(|count| *count) == Some(LINKS));
    });
}

pub fn a_scope_of_a_lock_that_is_handed_along<F: Fixture>() {
    in_thread(|| {
        let lock = Arc::new(ReentrantAsyncLock::new(Mutex::new(0)));
        let held = lock.try_lock_arc().unwrap();
        for _ in 0..LINKS {
            let lock = lock.clone();
            AtOnce::begin(async move { lock.with(async |count| *count.lock().unwrap() += 1).await.unwrap() });
        }
        drop(held);
        soon("the end of the chain", || lock.try_with(|count| *count.lock().unwrap()) == Some(LINKS));
    });
}

/// Each wait is given up when it is woken, which passes the lock on.
pub fn waits_for_a_lock_that_are_given_up<F: Fixture>() {
    struct GivesUp(Mutex<Option<Pin<Box<dyn Future<Output = ()> + Send>>>>);
    impl Wake for GivesUp {
        fn wake(self: Arc<Self>) {
            let future = self.0.lock().unwrap().take();
            drop(future);
        }
    }
    in_thread(|| {
        let lock = Arc::new(AsyncLock::new(()));
        let held = lock.try_lock_arc().unwrap();
        for _ in 0..LINKS {
            let lock = lock.clone();
            let waits = Arc::new(GivesUp(Mutex::default()));
            let mut future: Pin<Box<dyn Future<Output = ()> + Send>> =
                Box::pin(async move { drop(lock.lock_arc().await) });
            assert!(poll_with(future.as_mut(), &Waker::from(waits.clone())).is_pending());
            *waits.0.lock().unwrap() = Some(future);
        }
        drop(held);
        soon("the end of the chain", || lock.try_lock().is_some());
    });
}

pub fn events_that_set_the_next<F: Fixture>() {
    in_thread(|| {
        let first = AsyncEvent::new();
        let mut last = first.clone();
        for _ in 0..LINKS {
            let next = AsyncEvent::new();
            let (waits, sets) = (last.wait(), next.clone());
            AtOnce::begin(async move {
                waits.await;
                sets.set();
            });
            last = next;
        }
        first.set();
        soon("the end of the chain", || last.is_set());
    });
}

pub fn waiters_that_resolve_the_next<F: Fixture>() {
    in_thread(|| {
        let (first, mut last) = Resolver::<()>::new();
        for _ in 0..LINKS {
            let (resolver, next) = Resolver::<()>::new();
            AtOnce::begin(async move {
                last.await.unwrap();
                resolver.resolve(()).unwrap();
            });
            last = next;
        }
        first.resolve(()).unwrap();
        soon("the end of the chain", || last.is_done());
    });
}

pub fn consumers_that_add_to_the_next<F: Fixture>() {
    in_thread(|| {
        let first = SingleConsumerQueue::new();
        let mut last = first.clone();
        for _ in 0..LINKS {
            let next = SingleConsumerQueue::new();
            let (mut consumer, adds) = (last.consume(), next.clone());
            AtOnce::begin(async move {
                if let Some(()) = consumer.next().await {
                    adds.push_back(());
                }
            });
            last = next;
        }
        first.push_back(());
        soon("the end of the chain", || !last.is_empty());
    });
}

/// The item of each queue is the last handle of the next.
pub fn queues_that_are_items_of_queues<F: Fixture>() {
    struct Item(#[expect(dead_code, reason = "dropped")] Option<SingleConsumerQueue<Item>>, Arc<AtomicUsize>);
    impl Drop for Item {
        fn drop(&mut self) {
            self.1.fetch_add(1, Ordering::SeqCst);
        }
    }
    in_thread(|| {
        let dropped = Arc::new(AtomicUsize::new(0));
        let mut queue = SingleConsumerQueue::new();
        queue.push_back(Item(None, dropped.clone()));
        for _ in 1..LINKS {
            let outer = SingleConsumerQueue::new();
            outer.push_back(Item(Some(queue), dropped.clone()));
            queue = outer;
        }
        queue.stop();
        soon("the end of the chain", || dropped.load(Ordering::SeqCst) == LINKS);
    });
}

/// Each queue has stopped, and hands what it rejects to the next. Then the last handle of the first is dropped.
pub fn queues_that_reject_into_the_next<F: Fixture>() {
    in_thread(|| {
        let rejected = Arc::new(AtomicUsize::new(0));
        let count = rejected.clone();
        let mut queue = SingleConsumerQueue::with_reject(move |item| {
            count.fetch_add(item, Ordering::SeqCst);
        });
        queue.stop();
        for _ in 0..LINKS {
            let next = queue;
            queue = SingleConsumerQueue::with_reject(move |item| assert!(!next.push_back(item)));
            queue.stop();
        }
        assert!(!queue.push_back(1));
        soon("the end of the chain", || rejected.load(Ordering::SeqCst) == 1);
        drop(queue);
        soon("the last queue to go", || Arc::strong_count(&rejected) == 1);
    });
}

/// The argument in each queue closes the next when it is dropped.
pub fn arguments_that_close_the_next_queue<F: Fixture>() {
    struct Closes(Option<Queue<Closes>>, Arc<AtomicUsize>);
    impl Drop for Closes {
        fn drop(&mut self) {
            self.1.fetch_add(1, Ordering::SeqCst);
            if let Some(next) = self.0.take() {
                next.close();
            }
        }
    }
    in_thread(|| {
        let caller = F::new().builder().build().unwrap();
        let dropped = Arc::new(AtomicUsize::new(0));
        let mut first = None;
        for _ in 0..LINKS {
            let queue = caller.queue(async |_: Closes| ());
            assert!(queue.call(Closes(first.take(), dropped.clone())).is_ok());
            first = Some(queue);
        }
        first.take().unwrap().close();
        soon("the end of the chain", || dropped.load(Ordering::SeqCst) == LINKS);
    });
}
