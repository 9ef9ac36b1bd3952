//! The interleavings of the state machines, explored by loom.
//!
//! A model lets threads race, joins them, goes through what is left on the scheduler's lists, and then looks: what was
//! not done by then would never be. Run it with `RUSTFLAGS="--cfg loom" cargo test -p caller-core --release --lib loom`.

use std::{
    collections::VecDeque,
    future::{Future, poll_fn},
    panic::Location,
    pin::{Pin, pin},
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Context as TaskContext, Poll, Wake, Waker},
    time::{Duration, Instant},
};

use loom::thread;

use crate::{
    backend::{LocalFuture, Runtime},
    call::{self, Inbox, Plain, Run, job},
    caller::{CallerState, Ending},
    context::{Context, Holding},
    error::Error,
    group::PendingGroup,
    pending::{DoneCallback, Pending, PendingHandle, Resolver},
    queue::RawQueue,
    scheduler::Calls,
    sync::{AsyncEvent, CountdownEvent, RawLock, ReentrantAsyncLock, SingleConsumerQueue},
    timer::{SystemClock, Timers},
    tracker::PendingSet,
};

fn explore(model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    // Two threads of a few steps need no more switches than this to show what can go wrong, and end in seconds.
    builder.preemption_bound = Some(3);
    builder.check(model);
}

/// What a scheduler keeps, without a scheduler.
struct Lists(Rc<Calls>);

/// A runtime that is not needed.
struct NoRuntime;

impl Runtime for NoRuntime {
    fn enter(&self, function: &mut dyn FnMut()) {
        function();
    }

    fn sleep_until(&self, _at: Instant) -> LocalFuture<'static> {
        Box::pin(std::future::pending())
    }
}

impl Lists {
    fn new() -> Self {
        let timers = Arc::new(Timers::new(Arc::new(SystemClock)));
        Self(Calls::new(Arc::new(Inbox::new()), timers, Rc::new(NoRuntime)))
    }

    /// Starts a call.
    fn start(&self, run: Arc<dyn Run>) {
        run.start(&*self.0, None);
    }

    /// Goes on with what is on the lists, until there is nothing. How often that was.
    fn go_on(&self) -> usize {
        let mut looks = 0;
        loop {
            let mut batch = VecDeque::new();
            let _nothing = self.0.inbox.woken.poll_batch(&mut batch, None);
            self.0.add_ready(&mut batch);
            if !self.0.go_on_with_next() {
                return looks;
            }
            looks += 1;
        }
    }

    /// Lets all times come.
    fn fire(&self) {
        let far = Instant::now() + Duration::from_secs(3600);
        self.0.fire(|| far);
    }
}

fn call<F, T>(function: F) -> (Arc<dyn Run>, Pending<T>)
where
    F: AsyncFnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    let job = job::<F, Plain, _>(move || function());
    let (run, take) = call::call(job, Context::new(), Location::caller(), None);
    (run, Pending::new(take))
}

#[derive(Clone, Default)]
struct Count(Arc<AtomicUsize>);

impl Count {
    fn get(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// Counts its drop.
struct Counted(Count);

/// A waker that remembers whether it was woken.
#[derive(Default)]
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Where a future waits for another thread: a flag, and the waker of whoever looked before it was set.
#[derive(Default)]
struct Gate(loom::sync::Mutex<(bool, Option<Waker>)>);

impl Gate {
    fn open(&self) {
        let waker = {
            let mut gate = self.0.lock().unwrap();
            gate.0 = true;
            gate.1.take()
        };
        waker.into_iter().for_each(Waker::wake);
    }

    fn poll(&self, cx: &mut TaskContext<'_>) -> Poll<()> {
        let mut gate = self.0.lock().unwrap();
        if gate.0 {
            return Poll::Ready(());
        }
        gate.1 = Some(cx.waker().clone());
        Poll::Pending
    }
}

fn is_cancelled<T>(result: &Result<T, Error>) -> bool {
    matches!(result, Err(error) if error.is_cancelled())
}

#[test]
fn loom_start_and_cancel_race_for_the_work() {
    explore(|| {
        let (ran, drops) = (Count::default(), Count::default());
        let (run, mut pending) = call({
            let (ran, held) = (ran.clone(), Counted(drops.clone()));
            async move || {
                let _held = held;
                ran.0.fetch_add(1, Ordering::SeqCst);
            }
        });
        let handle = pending.handle();
        let cancelling = thread::spawn(move || handle.cancel("enough"));
        let lists = Lists::new();
        lists.start(run);
        let asked = cancelling.join().unwrap();
        lists.go_on();
        let result = pending.try_result();
        assert_eq!(is_cancelled(&result), asked, "{result:?} {pending} ran {}", ran.get());
        assert_eq!(drops.get(), 1, "the function is dropped once, whoever owned it");
        assert!(ran.get() <= 1 && (ran.get() == 1 || asked));
    });
}

#[test]
fn loom_two_cancels_and_a_start() {
    explore(|| {
        let drops = Count::default();
        let (run, mut pending) = call({
            let held = Counted(drops.clone());
            async move || drop(held)
        });
        let (one, two) = (pending.handle(), pending.handle());
        let first = thread::spawn(move || one.cancel("one"));
        let second = thread::spawn(move || two.cancel("two"));
        let lists = Lists::new();
        lists.start(run);
        let asked = first.join().unwrap() | second.join().unwrap();
        lists.go_on();
        assert_eq!(is_cancelled(&pending.try_result()), asked);
        assert_eq!(drops.get(), 1);
    });
}

#[test]
fn loom_a_wake_during_a_poll_is_not_lost() {
    explore(|| {
        let gate = Arc::new(Gate::default());
        let opening = gate.clone();
        let (run, mut pending) = call(async move || poll_fn(|cx| gate.poll(cx)).await);
        let other = thread::spawn(move || opening.open());
        let lists = Lists::new();
        lists.start(run);
        lists.go_on();
        other.join().unwrap();
        lists.go_on();
        pending.try_result().expect("it was woken, and polled again");
    });
}

#[test]
fn loom_two_wakes_put_it_on_the_list_once() {
    explore(|| {
        let wakers = Arc::new(std::sync::Mutex::new(Vec::new()));
        let keep = wakers.clone();
        let (run, pending) = call(async move || {
            poll_fn(|cx| {
                let mut wakers = keep.lock().unwrap();
                if wakers.is_empty() {
                    wakers.extend([cx.waker().clone(), cx.waker().clone()]);
                }
                Poll::<()>::Pending
            })
            .await;
        });
        let lists = Lists::new();
        lists.start(run);
        let mut wakers = std::mem::take(&mut *wakers.lock().unwrap());
        let (one, two) = (wakers.pop().unwrap(), wakers.pop().unwrap());
        let one = thread::spawn(move || one.wake());
        let two = thread::spawn(move || two.wake());
        let during = lists.go_on();
        one.join().unwrap();
        two.join().unwrap();
        let after = lists.go_on();
        assert!((1..=2).contains(&(during + after)), "{during} and {after} polls for two wakes");
        assert!(during > 0 || after == 1, "two wakes before a poll are one");
        pending.cancel("the model ends");
        lists.go_on();
        assert!(pending.is_done());
    });
}

#[test]
fn loom_cancel_of_a_running_call_drops_its_future() {
    explore(|| {
        let drops = Count::default();
        let held = Counted(drops.clone());
        let (run, mut pending) = call(async move || {
            let _held = held;
            std::future::pending::<()>().await;
        });
        let handle = pending.handle();
        let cancelling = thread::spawn(move || handle.cancel("enough"));
        let lists = Lists::new();
        lists.start(run);
        lists.go_on();
        assert!(cancelling.join().unwrap());
        lists.go_on();
        assert!(is_cancelled(&pending.try_result()));
        assert_eq!(drops.get(), 1);
    });
}

#[test]
fn loom_a_deferred_call_is_cancelled_or_started() {
    explore(|| {
        let (ran, drops) = (Count::default(), Count::default());
        let (run, mut pending) = call({
            let (ran, held) = (ran.clone(), Counted(drops.clone()));
            async move || {
                let _held = held;
                ran.0.fetch_add(1, Ordering::SeqCst);
            }
        });
        let handle = pending.handle();
        let cancelling = thread::spawn(move || handle.cancel("enough"));
        let lists = Lists::new();
        call::defer(run, &*lists.0, Instant::now() + Duration::from_secs(60));
        lists.go_on();
        lists.fire();
        lists.go_on();
        let asked = cancelling.join().unwrap();
        lists.go_on();
        assert_eq!(is_cancelled(&pending.try_result()), asked);
        assert_eq!(drops.get(), 1, "the function is dropped once, whoever took it");
        // Cancelled while it ran, it has run all the same.
        assert!(ran.get() == 1 || asked);
        assert_eq!(lists.0.len(), 0, "nothing is kept");
    });
}

#[test]
fn loom_a_deferred_call_that_is_cancelled_is_forgotten() {
    explore(|| {
        let drops = Count::default();
        let held = Counted(drops.clone());
        let (run, pending) = call(async move || drop(held));
        let (one, two) = (pending.handle(), pending.handle());
        let cancelling = thread::spawn(move || one.cancel("one"));
        let lists = Lists::new();
        call::defer(run, &*lists.0, Instant::now() + Duration::from_secs(60));
        let again = two.cancel("two");
        let first = cancelling.join().unwrap();
        assert!(pending.is_done(), "it had not begun, so it is done at once");
        assert!(first != again, "one of them cancelled it");
        lists.go_on();
        assert_eq!((drops.get(), lists.0.len()), (1, 0), "long before its time");
        assert!(lists.0.next_time().is_none());
    });
}

#[test]
fn loom_a_deferred_call_ends_at_a_stop() {
    explore(|| {
        let drops = Count::default();
        let held = Counted(drops.clone());
        let (run, mut pending) = call(async move || drop(held));
        let handle = pending.handle();
        let cancelling = thread::spawn(move || handle.cancel("enough"));
        let lists = Lists::new();
        call::defer(run, &*lists.0, Instant::now() + Duration::from_secs(60));
        lists.fire();
        lists.0.end_all("the caller has stopped", true);
        cancelling.join().unwrap();
        lists.go_on();
        assert!(is_cancelled(&pending.try_result()));
        assert_eq!((drops.get(), lists.0.len()), (1, 0));
    });
}

#[test]
fn loom_cancel_and_completion() {
    explore(|| {
        let (resolver, mut pending) = Resolver::new();
        let handle = pending.handle();
        let cancelling = thread::spawn(move || handle.cancel("enough"));
        let resolved = resolver.resolve(1).is_ok();
        let asked = cancelling.join().unwrap();
        assert!(resolved || asked, "one of them makes the outcome");
        assert_eq!(is_cancelled(&pending.try_result()), asked, "asked for before it was done, or not at all");
    });
}

#[test]
fn loom_canceller_and_resolve() {
    explore(|| {
        let (resolver, mut pending) = Resolver::new();
        let told = Count::default();
        let tell = told.clone();
        resolver.set_canceller(move |_| drop(Counted(tell.clone()))).unwrap();
        let handle = pending.handle();
        let cancelling = thread::spawn(move || handle.cancel("enough"));
        resolver.resolve(1).unwrap();
        let asked = cancelling.join().unwrap();
        assert_eq!(told.get(), usize::from(asked));
        assert_eq!(is_cancelled(&pending.try_result()), asked, "the value is not visible after a cancel");
    });
}

#[test]
fn loom_a_waiter_is_woken() {
    explore(|| {
        let (resolver, pending) = Resolver::new();
        let resolving = thread::spawn(move || resolver.resolve(1).unwrap());
        let flag = Arc::new(Flag::default());
        let waker = Waker::from(flag.clone());
        let mut cx = TaskContext::from_waker(&waker);
        let mut wait = Box::pin(pending.wait());
        let first = wait.as_mut().poll(&mut cx);
        resolving.join().unwrap();
        if first.is_pending() {
            assert!(flag.0.load(Ordering::SeqCst), "who waits is woken");
            assert!(matches!(wait.as_mut().poll(&mut cx), Poll::Ready(Ok(1))));
        }
    });
}

#[test]
fn loom_an_observer_is_woken_or_forgotten() {
    explore(|| {
        let (resolver, pending) = Resolver::new();
        let handle = pending.handle();
        let resolving = thread::spawn(move || resolver.resolve(1).unwrap());
        let flag = Arc::new(Flag::default());
        let waker = Waker::from(flag.clone());
        let mut cx = TaskContext::from_waker(&waker);
        let mut one = Box::pin(handle.wait());
        let mut two = Box::pin(handle.wait());
        let first = one.as_mut().poll(&mut cx).is_pending();
        let _either = two.as_mut().poll(&mut TaskContext::from_waker(Waker::noop()));
        drop(two);
        resolving.join().unwrap();
        assert!(!first || flag.0.load(Ordering::SeqCst), "another that leaves takes no wake away");
    });
}

#[test]
fn loom_a_callback_is_called_once() {
    explore(|| {
        let (resolver, pending) = Resolver::new();
        let called = Count::default();
        let call = called.clone();
        let callback = DoneCallback::new(move |done: &PendingHandle| {
            assert!(done.is_done());
            call.0.fetch_add(1, Ordering::SeqCst);
        });
        let resolving = thread::spawn(move || resolver.resolve(1).unwrap());
        pending.add_done_callback(&callback);
        resolving.join().unwrap();
        assert_eq!(called.get(), 1);
    });
}

#[test]
fn loom_a_callback_is_removed_or_called() {
    explore(|| {
        let (resolver, pending) = Resolver::new();
        let called = Count::default();
        let call = called.clone();
        let callback = DoneCallback::new(move |_: &PendingHandle| {
            call.0.fetch_add(1, Ordering::SeqCst);
        });
        pending.add_done_callback(&callback);
        let resolving = thread::spawn(move || resolver.resolve(1).unwrap());
        let removed = pending.remove_done_callback(&callback);
        resolving.join().unwrap();
        assert_eq!(removed + called.get(), 1);
    });
}

#[test]
fn loom_no_item_of_two_producers_is_lost() {
    explore(|| {
        let queue = Arc::new(RawQueue::new());
        let producers = [10, 20].map(|base| {
            let queue = queue.clone();
            thread::spawn(move || (1..3).for_each(|number| queue.push(base + number).unwrap()))
        });
        let flag = Arc::new(Flag::default());
        let waker = Waker::from(flag.clone());
        let mut got = Vec::new();
        let mut batch = VecDeque::new();
        let slept = queue.poll_batch(&mut batch, Some(&waker)).is_pending();
        got.extend(batch.drain(..));
        producers.into_iter().for_each(|producer| producer.join().unwrap());
        assert!(!slept || flag.0.load(Ordering::SeqCst), "a consumer that sleeps is woken");
        let _nothing = queue.poll_batch(&mut batch, None);
        got.extend(batch);
        for base in [10, 20] {
            let own: Vec<_> = got.iter().copied().filter(|item| item / 10 == base / 10).collect();
            assert_eq!(own, [base + 1, base + 2], "in order");
        }
        assert_eq!(got.len(), 4);
    });
}

#[test]
fn loom_a_closing_queue_hands_every_item_to_one() {
    explore(|| {
        let queue = Arc::new(RawQueue::new());
        let adding = queue.clone();
        let producer = thread::spawn(move || (1..3).filter(|number| adding.push(*number).is_err()).count());
        let popped = usize::from(matches!(queue.poll_pop(Waker::noop()), Poll::Ready(Some(_))));
        let drained = queue.close_and_drain().len();
        let handed_back = producer.join().unwrap();
        assert_eq!(popped + drained + handed_back, 2);
        assert!(queue.is_stopped() && queue.len() == 0);
    });
}

#[test]
fn loom_a_sleeping_consumer_hears_of_the_end() {
    explore(|| {
        let queue = Arc::new(RawQueue::<u32>::new());
        let closing = queue.clone();
        let other = thread::spawn(move || closing.close());
        let flag = Arc::new(Flag::default());
        let slept = queue.poll_pop(&Waker::from(flag.clone())).is_pending();
        other.join().unwrap();
        assert!(!slept || flag.0.load(Ordering::SeqCst));
    });
}

#[test]
fn loom_an_item_is_taken_or_rejected_when_handle_and_consumer_leave() {
    explore(|| {
        let rejected = Count::default();
        let reject = rejected.clone();
        let queue = SingleConsumerQueue::with_reject(move |_: u32| {
            reject.0.fetch_add(1, Ordering::SeqCst);
        });
        let mut consumer = queue.consume();
        let other = thread::spawn(move || {
            queue.push_back(1);
        });
        let flag = Arc::new(Flag::default());
        let mut next = Box::pin(consumer.next());
        let at_once = poll_once(next.as_mut(), &flag);
        drop(next);
        drop(consumer);
        other.join().unwrap();
        assert_eq!(rejected.get() + usize::from(at_once), 1);
    });
}

#[test]
fn loom_a_sleeping_consumer_hears_of_the_last_handle() {
    explore(|| {
        let queue = SingleConsumerQueue::<u32>::new();
        let mut consumer = queue.consume();
        let other = thread::spawn(move || drop(queue));
        let flag = Arc::new(Flag::default());
        let mut next = Box::pin(consumer.next());
        let at_once = poll_once(next.as_mut(), &flag);
        other.join().unwrap();
        assert!(at_once || flag.0.load(Ordering::SeqCst));
        assert!(at_once || poll_once(next.as_mut(), &flag));
    });
}

#[test]
fn loom_waiters_of_one_event_leave_and_are_woken() {
    explore(|| {
        let event = AsyncEvent::new();
        let waiting = event.clone();
        let stays = Arc::new(Flag::default());
        let mut first = Box::pin(event.wait());
        let mut second = Box::pin(event.wait());
        let left = poll_once(first.as_mut(), &Arc::default());
        let at_once = poll_once(second.as_mut(), &stays);
        assert!(!left && !at_once);
        let leaving = thread::spawn(move || drop(first));
        let other = thread::spawn(move || waiting.set());
        // Renewed, set and left in any order, each keeps its own entry.
        let renewed = Arc::new(Flag::default());
        let ended = poll_once(second.as_mut(), &renewed);
        leaving.join().unwrap();
        other.join().unwrap();
        assert!(ended || renewed.0.load(Ordering::SeqCst), "the waker of the last poll is woken");
        assert!(ended || poll_once(second.as_mut(), &renewed));
    });
}

/// Polls a future once, and says whether it ended, with the flag of its waker.
fn poll_once(future: Pin<&mut impl Future>, flag: &Arc<Flag>) -> bool {
    let waker = Waker::from(flag.clone());
    future.poll(&mut TaskContext::from_waker(&waker)).is_ready()
}

/// What a lock guards: loom fails a model in which two reach it and neither is known to come first.
fn touch(cell: &loom::cell::UnsafeCell<()>) {
    cell.with_mut(|_pointer| ());
}

#[test]
fn loom_a_lock_is_had_by_one() {
    explore(|| {
        let lock = Arc::new((RawLock::new(), loom::cell::UnsafeCell::new(())));
        let threads = [(); 2].map(|()| {
            let lock = lock.clone();
            thread::spawn(move || {
                let (raw, value) = &*lock;
                let mut take = pin!(raw.take());
                // Whoever does not get it at once gives up, perhaps in the moment in which it is passed on.
                if poll_once(take.as_mut(), &Arc::default()) {
                    touch(value);
                    raw.give_back();
                }
            })
        });
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert!(lock.0.try_take(), "it is free again");
        touch(&lock.1);
    });
}

#[test]
fn loom_a_lock_is_passed_on() {
    explore(|| {
        let lock = Arc::new((RawLock::new(), loom::cell::UnsafeCell::new(())));
        assert!(lock.0.try_take());
        let holder = lock.clone();
        let other = thread::spawn(move || {
            touch(&holder.1);
            holder.0.give_back();
        });
        let flag = Arc::new(Flag::default());
        let mut take = pin!(lock.0.take());
        let at_once = poll_once(take.as_mut(), &flag);
        other.join().unwrap();
        if !at_once {
            assert!(flag.0.load(Ordering::SeqCst), "whoever waits is woken");
            assert!(poll_once(take.as_mut(), &flag), "and has it");
        }
        touch(&lock.1);
        lock.0.give_back();
        assert!(lock.0.try_take());
    });
}

#[test]
fn loom_a_lock_passes_over_those_who_gave_up() {
    explore(|| {
        let lock = Arc::new(RawLock::new());
        assert!(lock.try_take());
        let flags = [(); 2].map(|()| Arc::new(Flag::default()));
        let mut first = Box::pin({
            let lock = lock.clone();
            async move { lock.take().await }
        });
        let mut second = Box::pin({
            let lock = lock.clone();
            async move { lock.take().await }
        });
        assert!(!poll_once(first.as_mut(), &flags[0]) && !poll_once(second.as_mut(), &flags[1]));
        let holder = lock.clone();
        let giving_back = thread::spawn(move || holder.give_back());
        drop(first);
        giving_back.join().unwrap();
        assert!(flags[1].0.load(Ordering::SeqCst), "it is passed on to the second");
        assert!(poll_once(second.as_mut(), &flags[1]));
        lock.give_back();
        assert!(lock.try_take());
    });
}

#[test]
fn loom_a_reentrant_lock_is_entered_or_free() {
    explore(|| {
        let lock = Arc::new(ReentrantAsyncLock::new(()));
        let (hold, under) = lock.try_hold().unwrap();
        let inside = lock.clone();
        let other = thread::spawn(move || {
            // A call that was made under the lock.
            let mut enter = Box::pin(inside.lock_arc());
            let holding = Holding::enter(hold);
            let polled = enter.as_mut().poll(&mut TaskContext::from_waker(Waker::noop()));
            drop(holding);
            assert!(!matches!(polled, Poll::Ready(Err(_))), "it enters, or waits as others do");
        });
        drop(under);
        other.join().unwrap();
        assert_eq!(lock.count(), 0);
        assert!(lock.try_lock().is_some(), "free when the last has left");
    });
}

#[test]
fn loom_an_event_wakes_who_waits() {
    explore(|| {
        let event = AsyncEvent::new();
        let setter = event.clone();
        let other = thread::spawn(move || setter.set());
        let flag = Arc::new(Flag::default());
        let mut wait = pin!(event.wait());
        let at_once = poll_once(wait.as_mut(), &flag);
        other.join().unwrap();
        assert!(at_once || flag.0.load(Ordering::SeqCst));
        assert!(at_once || poll_once(wait.as_mut(), &flag));
    });
}

#[test]
fn loom_a_countdown_wakes_who_waits() {
    explore(|| {
        let count = CountdownEvent::new(2);
        let threads = [(); 2].map(|()| {
            let count = count.clone();
            thread::spawn(move || count.down().unwrap())
        });
        let flag = Arc::new(Flag::default());
        let mut wait = pin!(count.wait());
        let at_once = poll_once(wait.as_mut(), &flag);
        let left: usize = threads.into_iter().map(|thread| thread.join().unwrap()).sum();
        assert_eq!(left, 1, "one found one left, and one found none");
        assert!(at_once || flag.0.load(Ordering::SeqCst));
        assert!(at_once || poll_once(wait.as_mut(), &flag));
    });
}

#[test]
fn loom_a_group_hears_of_its_last_member() {
    explore(|| {
        let group = PendingGroup::builder().build();
        let (resolver, member) = Resolver::<u32>::new();
        group.add(&member.handle()).unwrap();
        let other = thread::spawn(move || resolver.resolve(1).unwrap());
        let flag = Arc::new(Flag::default());
        let mut run = pin!(group.run(async |_| ()));
        let at_once = poll_once(run.as_mut(), &flag);
        other.join().unwrap();
        assert!(at_once || flag.0.load(Ordering::SeqCst));
        assert!(at_once || poll_once(run.as_mut(), &flag));
        assert!(group.is_empty());
    });
}

#[test]
fn loom_a_cancelled_group_misses_no_member() {
    explore(|| {
        let group = PendingGroup::builder().build();
        let (_resolver, member) = Resolver::<u32>::new();
        let canceller = group.clone();
        let other = thread::spawn(move || canceller.cancel("enough"));
        group.add(&member.handle()).unwrap();
        assert!(other.join().unwrap());
        assert!(member.is_cancelled() && group.is_empty());
    });
}

#[test]
fn loom_what_is_done_has_left_the_set() {
    explore(|| {
        let set = PendingSet::new();
        let (resolver, member) = Resolver::<u32>::new();
        let other = thread::spawn(move || resolver.resolve(1).unwrap());
        set.add(&member.handle());
        other.join().unwrap();
        assert!(set.is_empty());
    });
}

/// The end of a caller: the count of what it waits for, what its owner does alone, and how often it was told.
struct Life {
    ending: Ending,
    /// What only the holder of the caller's own part touches, and then whoever tells the end.
    own: loom::cell::UnsafeCell<()>,
    told: AtomicUsize,
}

impl Life {
    fn new() -> Self {
        Self { ending: Ending::new(), own: loom::cell::UnsafeCell::new(()), told: AtomicUsize::new(0) }
    }

    fn let_go(&self) {
        if self.ending.let_go() {
            touch(&self.own);
            self.ending.end();
            self.told.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// Ends the caller's own part: refuses what is queued.
    fn finish(&self) {
        touch(&self.own);
        self.let_go();
    }

    fn stop(&self) {
        let Some(unclaimed) = self.ending.stop() else { return };
        if unclaimed {
            self.finish();
        }
        self.let_go();
    }

    /// The life of a thread that may have come too late.
    fn run(&self) {
        if self.ending.claim().is_ok() {
            if self.ending.run() {
                touch(&self.own);
            }
            self.stop();
            self.finish();
        }
    }

    fn check(&self) {
        assert_eq!(self.told.load(Ordering::SeqCst), 1, "the end is told once");
        assert_eq!(self.ending.state(), CallerState::Stopped);
        assert!(!self.ending.add(), "nothing is added after the end");
    }
}

#[test]
fn loom_a_stop_and_the_start_end_a_caller_once() {
    explore(|| {
        let life = Arc::new(Life::new());
        let others = [Life::run as fn(&Life), Life::stop].map(|act| {
            let life = life.clone();
            thread::spawn(move || act(&life))
        });
        life.stop();
        others.into_iter().for_each(|other| other.join().unwrap());
        life.check();
    });
}

#[test]
fn loom_the_last_child_and_its_parent_end_it_once() {
    explore(|| {
        let life = Arc::new(Life::new());
        assert!(life.ending.add_child() && life.ending.add_child());
        let children = [(); 2].map(|()| {
            let life = life.clone();
            thread::spawn(move || life.let_go())
        });
        life.run();
        children.into_iter().for_each(|child| child.join().unwrap());
        life.check();
    });
}

#[test]
fn loom_a_child_and_a_call_that_come_late() {
    explore(|| {
        let life = Arc::new(Life::new());
        let adopts = life.clone();
        let adopt = thread::spawn(move || {
            if adopts.ending.add_child() {
                adopts.let_go();
            }
        });
        let lends = life.clone();
        let lend = thread::spawn(move || {
            if lends.ending.add() {
                lends.let_go();
            }
        });
        life.stop();
        adopt.join().unwrap();
        lend.join().unwrap();
        life.check();
    });
}
