//! QUE: the queues of functions.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    task::{Context, Poll},
    thread,
};

use super::{Trouble, calls::Reports, eventually, receive, yield_now};
use crate::{
    ContextVar, Pending, PendingGroup, PendingHandle, PendingSet, Queue, Resolver, Tracker, current_pending,
    private, testing::Fixture,
};

type Seen = mpsc::Sender<usize>;

async fn record((seen, gate, number): (Seen, Option<Pending<()>>, usize)) {
    seen.send(number).unwrap();
    if let Some(gate) = gate {
        gate.await.unwrap();
    }
}

pub fn que_01_one_at_a_time_in_order<F: Fixture>() {
    static ACTIVE: AtomicUsize = AtomicUsize::new(0);
    async fn one((numbers, number): (mpsc::Sender<(usize, usize)>, usize)) {
        let active = ACTIVE.fetch_add(1, Ordering::SeqCst);
        yield_now().await;
        ACTIVE.fetch_sub(1, Ordering::SeqCst);
        numbers.send((number, active)).unwrap();
    }
    let caller = F::new().caller();
    let (sender, numbers) = mpsc::channel();
    for number in 0..10 {
        caller.queue_call(one, (sender.clone(), number)).unwrap();
    }
    for number in 0..10 {
        assert_eq!(receive(&numbers), (number, 0), "in order, with none beside it");
    }
    let this = caller.0.clone();
    let from_inside = sender.clone();
    caller
        .call_soon(async move || (0..10).try_for_each(|n| this.queue_call(one, (from_inside.clone(), n))))
        .wait_blocking()
        .unwrap()
        .unwrap();
    (0..10).for_each(|number| assert_eq!(receive(&numbers), (number, 0)));
    // A plain function is an async closure that never awaits.
    let (sender, numbers) = mpsc::channel();
    for number in 0..200 {
        caller
            .queue_call(
                async |(to, number): (mpsc::Sender<usize>, usize)| to.send(number).unwrap(),
                (sender.clone(), number),
            )
            .unwrap();
    }
    assert_eq!((0..200).map(|_| receive(&numbers)).collect::<Vec<_>>(), (0..200).collect::<Vec<_>>());
}

pub fn que_02_close_while_running<F: Fixture>() {
    let caller = F::new().caller();
    let (sender, seen) = mpsc::channel();
    let (resolver, gate) = Resolver::new();
    let mut gate = Some(gate);
    for number in 0..10 {
        caller.queue_call(record, (sender.clone(), gate.take(), number)).unwrap();
    }
    assert_eq!(receive(&seen), 0);
    let pending = caller.queue_get(record).expect("the queue runs");
    assert_eq!(caller.queue_len(record), Some(9));
    assert!(caller.queue_close(record));
    assert!(caller.queue_get(record).is_none() && !caller.queue_close(record));
    pending.wait().blocking().unwrap();
    assert!(pending.error().unwrap().unwrap().is_cancelled());
    drop(sender);
    assert!(seen.recv().is_err(), "the rest never runs");
    drop(resolver);
    // The next call begins a new queue.
    let (sender, seen) = mpsc::channel();
    caller.queue_call(record, (sender, None, 7)).unwrap();
    assert_eq!(receive(&seen), 7);
    assert_ne!(caller.queue_get(record).unwrap(), pending);
}

pub fn que_02_cancel_its_pending<F: Fixture>() {
    let caller = F::new().caller();
    let (sender, seen) = mpsc::channel();
    let (_resolver, gate) = Resolver::new();
    let mut gate = Some(gate);
    for number in 0..10 {
        caller.queue_call(record, (sender.clone(), gate.take(), number)).unwrap();
    }
    drop(sender);
    assert_eq!(receive(&seen), 0);
    let pending = caller.queue_get(record).unwrap();
    pending.cancel("close it");
    assert!(caller.queue_get(record).is_none());
    pending.wait().blocking().unwrap();
    assert!(seen.recv().is_err(), "the rest never runs");
}

pub fn que_02_a_call_behind_a_cancel_begins_a_new_queue<F: Fixture>() {
    let caller = F::new().caller();
    let (sender, seen) = mpsc::channel();
    caller.queue_call(record, (sender.clone(), None, 0)).unwrap();
    assert_eq!(receive(&seen), 0);
    // While the caller's thread is held up, the old queue cannot end.
    let (go_on, held_up) = mpsc::channel();
    caller.call_direct(move || receive(&held_up));
    caller.queue_get(record).unwrap().cancel("close it");
    caller.queue_call(record, (sender, None, 1)).unwrap();
    go_on.send(()).unwrap();
    assert_eq!(receive(&seen), 1);
}

pub fn que_03_failures_do_not_stop_it<F: Fixture>() {
    async fn picky((seen, number): (mpsc::Sender<u32>, u32)) -> Result<(), Trouble> {
        match number {
            0 | 3 => Err(Trouble),
            1 | 4 => panic!("on purpose, number {number}"),
            good => {
                seen.send(good).unwrap();
                Ok(())
            }
        }
    }
    struct Clerk;
    async fn picky_method(_: Arc<Clerk>, item: (mpsc::Sender<u32>, u32)) -> Result<(), Trouble> {
        picky(item).await
    }
    let caller = F::new().caller();
    let reports = Reports::of(&caller);
    let (sender, seen) = mpsc::channel();
    for number in 0..6 {
        caller.queue_call(picky, (sender.clone(), number)).unwrap();
    }
    assert_eq!((receive(&seen), receive(&seen)), (2, 5));
    assert!(caller.queue_get(picky).is_some());
    // So it is in a queue of a method, and in one of its own.
    let clerk = Arc::new(Clerk);
    for number in 0..3 {
        caller.queue_method(picky_method, &clerk, (sender.clone(), number)).unwrap();
    }
    assert_eq!(receive(&seen), 2);
    assert!(caller.queue_get_method(picky_method, &clerk).is_some());
    let queue = caller.queue(async |item| picky(item).await);
    for number in 0..3 {
        queue.call((sender.clone(), number)).unwrap();
    }
    assert_eq!(receive(&seen), 2);
    assert!(!queue.is_closed());
    // Each failure is reported: where, what, and why.
    let (name, why) = (caller.name(), Trouble.to_string());
    reports.expect(&[
        &[name, "::picky", &why],
        &[name, "::picky", "on purpose, number 1"],
        &[name, "::picky", &why],
        &[name, "::picky", "on purpose, number 4"],
        &[name, "::picky_method", &why],
        &[name, "::picky_method", "on purpose, number 1"],
        &[name, "::que_03_failures_do_not_stop_it", &why],
        &[name, "::que_03_failures_do_not_stop_it", "on purpose, number 1"],
    ]);
}

pub fn que_04_object_dropped<F: Fixture>() {
    struct Account {
        total: Mutex<u32>,
    }
    impl Account {
        async fn add(self: Arc<Self>, (amount, done): (u32, mpsc::Sender<u32>)) {
            let mut total = self.total.lock().unwrap();
            *total += amount;
            done.send(*total).unwrap();
        }
    }
    async fn add(account: Arc<Account>, item: (u32, mpsc::Sender<u32>)) {
        account.add(item).await;
    }
    let caller = F::new().caller();
    let (account, other) =
        (Arc::new(Account { total: Mutex::new(0) }), Arc::new(Account { total: Mutex::new(100) }));
    let (sender, totals) = mpsc::channel();
    caller.queue_method(add, &account, (1, sender.clone())).unwrap();
    assert_eq!(receive(&totals), 1);
    caller.queue_method(add, &other, (1, sender.clone())).unwrap();
    assert_eq!(receive(&totals), 101);
    caller.queue_method(add, &account, (2, sender)).unwrap();
    assert_eq!(receive(&totals), 3);
    let pending = caller.queue_get_method(add, &account).unwrap();
    assert_ne!(caller.queue_get_method(add, &other).unwrap(), pending);
    let weak = Arc::downgrade(&account);
    // The item that ran lets go of the object before the queue goes on.
    caller.call_soon(async || ()).wait_blocking().unwrap();
    drop(account);
    super::eventually("the end of the object", || weak.strong_count() == 0);
    assert_eq!(caller.queues().len(), 1, "noticed at the next look");
    pending.wait().blocking().unwrap();
    assert!(caller.queue_close_method(add, &other));
}

pub fn que_05_context_of_the_first_call<F: Fixture>() {
    static USER: ContextVar<u32> = ContextVar::new();
    async fn who(to: mpsc::Sender<Option<u32>>) {
        to.send(USER.get()).unwrap();
        USER.set(99).unwrap();
    }
    let caller = F::new().caller();
    let (sender, seen) = mpsc::channel();
    for user in [1, 2] {
        USER.sync_scope(user, || caller.queue_call(who, sender.clone())).unwrap();
    }
    assert_eq!((receive(&seen), receive(&seen)), (Some(1), Some(1)));
}

pub fn que_05_no_member_of_a_group<F: Fixture>() {
    async fn show(to: mpsc::Sender<bool>) {
        to.send(PendingGroup::current().is_some()).unwrap();
    }
    let fixture = F::new();
    let caller = fixture.caller();
    let this = caller.0.clone();
    let (sender, seen) = mpsc::channel();
    let outside = sender.clone();
    let ended = fixture.block_on(PendingGroup::builder().run(async move |group| {
        this.queue_call(show, sender).unwrap();
        assert!(group.is_empty(), "the queue outlives the group");
        this.queue_get(show).is_some()
    }));
    assert!(ended.unwrap().unwrap(), "and has not ended with it");
    caller.queue_call(show, outside).unwrap();
    // Where an item was queued, is the item's own.
    assert_eq!((receive(&seen), receive(&seen)), (true, false));
}

pub fn que_06_tracked_by_a_manager<F: Fixture>() {
    #[derive(Default)]
    struct Manager(PendingSet);
    impl Tracker for Manager {
        fn track(&self, pending: &PendingHandle) {
            self.0.add(pending);
        }
    }
    let caller = F::new().caller();
    let (sender, seen) = mpsc::channel();
    let manager = Arc::new(Manager::default());
    manager.sync_scope(|| caller.queue_call(record, (sender.clone(), None, 1)).unwrap());
    assert_eq!(receive(&seen), 1);
    caller.queue_call(record, (sender, None, 2)).unwrap();
    assert_eq!(receive(&seen), 2);
    let queue = caller.queue_get(record).unwrap();
    assert_eq!(manager.0.pendings(), std::slice::from_ref(&queue), "the first call began the queue");
    caller.queue_close(record);
    queue.wait().blocking().unwrap();
    eventually("an empty set", || manager.0.is_empty());
}

pub fn que_bounded<F: Fixture>() {
    let fixture = F::new();
    let caller = fixture.caller();
    assert!(caller.bounded_queue(0, async |(): ()| ()).unwrap_err().is_zero_limit());
    let seen = Arc::new(Mutex::new(Vec::new()));
    let see = seen.clone();
    let (resolver, gate) = Resolver::<()>::new();
    let gate = gate.shared();
    let (begun, begins) = mpsc::channel();
    let queue = caller
        .bounded_queue(2, async move |number: u32| {
            begun.send(()).unwrap();
            gate.wait().await.unwrap();
            see.lock().unwrap().push(number);
        })
        .unwrap();
    queue.call(0).unwrap();
    receive(&begins);
    queue.call(1).unwrap();
    queue.call(2).unwrap();
    let (back, error) = queue.call(3).unwrap_err();
    assert!(back == 3 && error.is_full(), "{error}");
    let waiting: Vec<_> = (3..6)
        .map(|number| {
            let queue = queue.clone();
            caller.to_thread(async move || queue.call_when_room(number).await.is_ok())
        })
        .collect();
    resolver.resolve(()).unwrap();
    for call in waiting {
        assert!(call.wait_blocking().unwrap());
    }
    let pending = queue.pending().unwrap();
    drop(queue);
    pending.wait().blocking().unwrap();
    let mut seen = seen.lock().unwrap().clone();
    assert_eq!(seen[..3], [0, 1, 2], "what was queued runs before the queue ends");
    seen.sort_unstable();
    assert_eq!(seen, [0, 1, 2, 3, 4, 5]);
}

pub fn que_closed_caller<F: Fixture>() {
    let caller = F::new().caller();
    let (sender, seen) = mpsc::channel();
    let (_resolver, gate) = Resolver::new();
    caller.queue_call(record, (sender.clone(), Some(gate), 0)).unwrap();
    caller.queue_call(record, (sender.clone(), None, 1)).unwrap();
    assert_eq!(receive(&seen), 0);
    let pending = caller.queue_get(record).unwrap();
    let queue = caller.queue(async |(): ()| ());
    caller.stop();
    caller.stopped().blocking().unwrap();
    assert!(pending.is_done() && pending.error().unwrap().unwrap().is_closed());
    assert!(caller.queue_call(record, (sender.clone(), None, 2)).unwrap_err().is_closed());
    assert!(queue.call(()).unwrap_err().1.is_closed());
    drop(sender);
    assert!(seen.recv().is_err());
    let racing = F::new().caller();
    let this = racing.0.clone();
    let adding = thread::spawn(move || {
        async fn nothing((): ()) {}
        while this.queue_call(nothing, ()).is_ok() {}
    });
    racing.stop();
    adding.join().unwrap();
}

pub fn que_own_queue_is_an_error<F: Fixture>() {
    async fn own(to: mpsc::Sender<bool>) {
        let error = current_pending().unwrap().wait().await.unwrap_err();
        to.send(error.is_self_wait()).unwrap();
    }
    let caller = F::new().caller();
    let (sender, seen) = mpsc::channel();
    caller.queue_call(own, sender).unwrap();
    assert!(receive(&seen));
    // An item that waits for room in its own queue: nobody could make any before it has ended.
    type Own = Arc<OnceLock<Queue<mpsc::Sender<bool>>>>;
    let own = Own::default();
    let this = own.clone();
    let full = caller
        .bounded_queue(1, async move |to: mpsc::Sender<bool>| {
            let queue = this.get().unwrap();
            queue.call(to.clone()).unwrap();
            let (to, error) = queue.call_when_room(to).await.unwrap_err();
            to.send(error.is_self_wait()).unwrap();
            queue.close();
        })
        .unwrap();
    let (sender, seen) = mpsc::channel();
    assert!(own.set(full.clone()).is_ok());
    full.call(sender).unwrap();
    assert!(receive(&seen));
}

pub fn que_bounded_under_pressure<F: Fixture>() {
    const EACH: usize = 500;
    let caller = F::new().caller();
    let (sender, seen) = mpsc::channel();
    let queue = caller.bounded_queue(1, async move |number: usize| sender.send(number).unwrap()).unwrap();
    let adding: Vec<_> = (0..3)
        .map(|at| {
            let queue = queue.clone();
            caller.to_thread(async move || {
                for number in 0..EACH {
                    queue.call_when_room(at * EACH + number).await.unwrap();
                }
            })
        })
        .collect();
    let mut all: Vec<_> = (0..3 * EACH).map(|_| receive(&seen)).collect();
    for one in adding {
        one.wait_blocking().unwrap();
    }
    all.sort_unstable();
    assert_eq!(all, (0..3 * EACH).collect::<Vec<_>>());
}

/// An error whose conversion, text or destructor panics.
struct Nasty(&'static str);

impl Nasty {
    fn panic_in(&self, place: &str) {
        assert!(self.0 != place || thread::panicking(), "{place}, on purpose");
    }
}

impl fmt::Debug for Nasty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Nasty")
    }
}

impl fmt::Display for Nasty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.panic_in("text");
        f.write_str("nasty")
    }
}

impl std::error::Error for Nasty {}

impl Drop for Nasty {
    fn drop(&mut self) {
        self.panic_in("drop");
    }
}

/// Becomes an error by code that panics.
struct Unfit;

impl From<Unfit> for Box<dyn std::error::Error + Send + Sync> {
    fn from(_: Unfit) -> Self {
        panic!("conversion, on purpose")
    }
}

/// Panics when it is dropped.
#[derive(Debug)]
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        assert!(thread::panicking(), "drop, on purpose");
    }
}

pub fn que_03_the_next_item_runs_whatever_panics<F: Fixture>() {
    let caller = F::new().caller();
    let (sender, seen) = mpsc::channel();
    for place in ["text", "drop"] {
        let to = sender.clone();
        let queue = caller.queue(async move |number: usize| {
            to.send(number).unwrap();
            Err::<(), _>(Nasty(place))
        });
        (0..3).for_each(|number| queue.call(number).unwrap());
        assert_eq!([receive(&seen), receive(&seen), receive(&seen)], [0, 1, 2], "{place} of an error");
    }
    let to = sender.clone();
    let queue = caller.queue(async move |number: usize| {
        to.send(number).unwrap();
        Err::<(), _>(Unfit)
    });
    (0..3).for_each(|number| queue.call(number).unwrap());
    assert_eq!([receive(&seen), receive(&seen), receive(&seen)], [0, 1, 2], "conversion of an error");
    // A value of the result, an argument that the item keeps, and one that a future other than an async block keeps.
    let to = sender.clone();
    let queue = caller.queue(async move |number: usize| {
        to.send(number).unwrap();
        Ok::<_, Trouble>(Bomb)
    });
    (0..3).for_each(|number| queue.call(number).unwrap());
    assert_eq!([receive(&seen), receive(&seen), receive(&seen)], [0, 1, 2], "drop of a value");
    let to = sender.clone();
    let queue = caller.queue(async move |(number, _bomb): (usize, Bomb)| to.send(number).unwrap());
    (0..3).for_each(|number| queue.call((number, Bomb)).unwrap());
    assert_eq!([receive(&seen), receive(&seen), receive(&seen)], [0, 1, 2], "drop of an argument");
    struct Keeps<R>(Option<R>, Bomb);
    impl<R: Unpin> Future for Keeps<R> {
        type Output = R;
        fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<R> {
            self.0.take().map_or(Poll::Pending, Poll::Ready)
        }
    }
    let to = sender.clone();
    let queue = caller.queue(move |number: usize| {
        to.send(number).unwrap();
        Keeps(Some(()), Bomb)
    });
    (0..3).for_each(|number| queue.call(number).unwrap());
    assert_eq!([receive(&seen), receive(&seen), receive(&seen)], [0, 1, 2], "drop of a future");
    // Arguments of a closed queue, some in the hand of the consumer, and the function itself.
    let held = Bomb;
    let (to, (_resolver, gate)) = (sender.clone(), Resolver::<()>::new());
    let gate = gate.shared();
    let queue = caller.queue(async move |number_and_bomb: (usize, Bomb)| {
        let _held = &held;
        to.send(number_and_bomb.0).unwrap();
        let _closed = gate.wait().protect().await;
    });
    (0..5).for_each(|number| queue.call((number, Bomb)).unwrap());
    assert_eq!(receive(&seen), 0);
    let pending = queue.pending().unwrap();
    queue.close();
    pending.wait().timeout(super::LONG).blocking().unwrap();
    assert!(pending.error().unwrap().unwrap().is_cancelled());
    assert_eq!(caller.call_soon(async || 7).wait().timeout(super::LONG).blocking().unwrap(), 7);
}

/// The call that a queue of calls whose results somebody waits for has begun goes on for a while when that is closed.
pub fn que_02_a_call_behind_a_close_waits_for_the_one_that_runs<F: Fixture>() {
    async fn one((inside, begun, gate): (Arc<AtomicUsize>, mpsc::Sender<usize>, Option<Pending<()>>)) {
        let others = inside.fetch_add(1, Ordering::SeqCst);
        begun.send(others).unwrap();
        if let Some(gate) = gate {
            let own = current_pending().unwrap();
            own.grace(super::LONG);
            own.cancel_requested().await;
            gate.await.unwrap();
        }
        inside.fetch_sub(1, Ordering::SeqCst);
    }
    let caller = F::new().caller();
    let inside = Arc::new(AtomicUsize::new(0));
    let (sender, begun) = mpsc::channel();
    let put =
        |gate| private::queue_call_pending(Ok(caller.0.clone()), one, (inside.clone(), sender.clone(), gate));
    let (resolver, gate) = Resolver::new();
    let first = put(Some(gate));
    assert_eq!(receive(&begun), 0);
    assert!(private::queue_of_pending(Ok(caller.0.clone()), one).unwrap().close());
    let second = put(None);
    // Closed while it waits for the first, and there is a third then.
    assert!(private::queue_of_pending(Ok(caller.0.clone()), one).unwrap().close());
    let third = put(None);
    for _ in 0..10 {
        caller.call_soon(async || ()).wait_blocking().unwrap();
    }
    let early = begun.try_recv();
    resolver.resolve(()).unwrap();
    assert!(early.is_err(), "it ran while the one before cleaned up");
    assert!(first.wait().timeout(super::LONG).blocking().unwrap_err().is_cancelled());
    assert!(second.wait().timeout(super::LONG).blocking().unwrap_err().is_cancelled());
    third.wait().timeout(super::LONG).blocking().unwrap();
    assert_eq!(receive(&begun), 0);
}

pub fn que_shares_with_unequal_rounds<F: Fixture>() {
    const ROUNDS: usize = 1000;
    async fn step((done, kind): (Arc<[AtomicUsize; 2]>, usize)) {
        done[kind].fetch_add(1, Ordering::SeqCst);
    }
    let caller = F::new().caller();
    // Direct calls, and twice as many items of a queue.
    let done = Arc::new([const { AtomicUsize::new(0) }; 2]);
    let lead = Arc::new(AtomicUsize::new(0));
    let go_on = super::hold_up(&caller);
    for _ in 0..ROUNDS {
        let (counts, lead) = (done.clone(), lead.clone());
        caller.call_direct(move || {
            let direct = counts[0].fetch_add(1, Ordering::SeqCst) + 1;
            lead.fetch_max(direct.abs_diff(counts[1].load(Ordering::SeqCst) / 2), Ordering::SeqCst);
        });
        caller.queue_call(step, (done.clone(), 1)).unwrap();
        caller.queue_call(step, (done.clone(), 1)).unwrap();
    }
    go_on.send(()).unwrap();
    eventually("the end of the race", || done[0].load(Ordering::SeqCst) == ROUNDS);
    let lead = lead.load(Ordering::SeqCst);
    assert!(lead <= 3 * 64, "one kind was {lead} of {ROUNDS} rounds ahead of the other");
}

pub fn que_bounded_first_come_first_served<F: Fixture>() {
    const WAITS: usize = 4000;
    let caller = F::new().caller();
    let (resolver, gate) = Resolver::<()>::new();
    let gate = gate.shared();
    let (sender, seen) = mpsc::channel();
    let queue = caller
        .bounded_queue(1, async move |number: usize| {
            gate.wait().protect().await.unwrap();
            sender.send(number).unwrap();
        })
        .unwrap();
    let adding: Vec<_> = (0..WAITS)
        .map(|number| {
            let queue = queue.clone();
            caller.call_soon(async move || queue.call_when_room(number).await.map_err(|(_, error)| error))
        })
        .collect();
    caller.call_soon(async || ()).wait_blocking().unwrap();
    resolver.resolve(()).unwrap();
    assert_eq!((0..WAITS).map(|_| receive(&seen)).collect::<Vec<_>>(), (0..WAITS).collect::<Vec<_>>());
    adding.into_iter().for_each(|call| call.wait_blocking().unwrap().unwrap());
}
