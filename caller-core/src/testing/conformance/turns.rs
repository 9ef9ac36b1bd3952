//! Who has a turn when: queues that are closed while an item runs, that feed themselves, and that run beside other calls.

use std::{
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
};

use super::{hold_up, receive};
use crate::{
    Caller, Pending, Resolver, current_pending,
    testing::{
        Fixture,
        probe::{SOON, soon},
    },
};

/// How many items are inside, and whether there were ever two.
#[derive(Clone, Default)]
struct Inside(Arc<(AtomicUsize, AtomicUsize)>);

struct Entered(Inside);

impl Inside {
    fn enter(&self) -> Entered {
        let others = self.0.0.fetch_add(1, Ordering::SeqCst);
        self.0.1.fetch_max(others + 1, Ordering::SeqCst);
        Entered(self.clone())
    }

    fn most(&self) -> usize {
        self.0.1.load(Ordering::SeqCst)
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        self.0.0.0.fetch_sub(1, Ordering::SeqCst);
    }
}

enum Item {
    Forever(Inside, mpsc::Sender<()>),
    /// Cleans up when it is cancelled, for which it needs the pending.
    Clean(Inside, mpsc::Sender<()>, Pending<()>),
    Once(Inside, mpsc::Sender<()>),
}

async fn one(item: Item) {
    match item {
        Item::Forever(inside, begun) => {
            let _entered = inside.enter();
            begun.send(()).unwrap();
            pending::<()>().await;
        }
        Item::Clean(inside, begun, cleaned) => {
            let _entered = inside.enter();
            let own = current_pending().unwrap();
            own.grace(super::LONG);
            begun.send(()).unwrap();
            own.cancel_requested().await;
            cleaned.await.unwrap();
        }
        Item::Once(inside, done) => {
            let _entered = inside.enter();
            let _nobody = done.send(());
        }
    }
}

async fn one_of(_object: Arc<str>, item: Item) {
    one(item).await;
}

/// Begins an item that never ends, has a call of the same caller end its queue and queue another item, and gives how many
/// there were at once.
fn most_at_once<F: Fixture>(
    end: impl FnOnce(&Caller) + Send + 'static,
    queue: impl Fn(&Caller, Item) + Clone + Send + 'static,
) -> usize {
    let caller = F::new().caller();
    let inside = Inside::default();
    let (begun, begins) = mpsc::channel();
    queue(&caller, Item::Forever(inside.clone(), begun));
    receive(&begins);
    let (done, ends) = mpsc::channel();
    let (here, again) = (caller.0.clone(), inside.clone());
    let call = caller.call_soon(async move || {
        end(&here);
        queue(&here, Item::Once(again, done));
    });
    call.wait().timeout(SOON).blocking().unwrap();
    ends.recv_timeout(SOON).expect("the item behind the end runs");
    inside.most()
}

pub fn an_item_behind_a_close_waits_for_the_one_that_runs<F: Fixture>() {
    let most = most_at_once::<F>(
        |caller| assert!(caller.queue_close(one)),
        |caller, item| caller.queue_call(one, item).unwrap(),
    );
    assert_eq!(most, 1, "items at once");
}

pub fn an_item_behind_a_cancel_waits_for_the_one_that_runs<F: Fixture>() {
    let most = most_at_once::<F>(
        |caller| assert!(caller.queue_get(one).unwrap().cancel("close it")),
        |caller, item| caller.queue_call(one, item).unwrap(),
    );
    assert_eq!(most, 1, "items at once");
}

pub fn an_item_of_a_method_behind_a_close_waits_for_the_one_that_runs<F: Fixture>() {
    let object: Arc<str> = "object".into();
    // Held to the end: the queue of an object that has gone runs nothing.
    let (same, _held) = (object.clone(), object.clone());
    let most = most_at_once::<F>(
        move |caller| assert!(caller.queue_close_method(one_of, &same)),
        move |caller, item| caller.queue_method(one_of, &object, item).unwrap(),
    );
    assert_eq!(most, 1, "items at once");
}

/// The item that was ended asked for time to clean up.
pub fn an_item_behind_a_close_waits_for_one_that_cleans_up<F: Fixture>() {
    let caller = F::new().caller();
    let inside = Inside::default();
    let (begun, begins) = mpsc::channel();
    let (resolver, cleaned) = Resolver::new();
    caller.queue_call(one, Item::Clean(inside.clone(), begun, cleaned)).unwrap();
    receive(&begins);
    assert!(caller.queue_close(one));
    let (done, ends) = mpsc::channel();
    caller.queue_call(one, Item::Once(inside.clone(), done)).unwrap();
    for _ in 0..10 {
        caller.call_soon(async || ()).wait_blocking().unwrap();
    }
    let early = ends.try_recv();
    resolver.resolve(()).unwrap();
    assert!(early.is_err(), "it ran while the one before cleaned up");
    ends.recv_timeout(SOON).expect("the item behind the end runs");
    assert_eq!(inside.most(), 1, "items at once");
}

/// What threads close and queue at random.
pub fn items_run_one_at_a_time_whoever_closes_the_queue<F: Fixture>() {
    let caller = F::new().caller();
    let inside = Inside::default();
    let threads: Vec<_> = (0..3)
        .map(|_| {
            let (caller, inside) = (caller.0.clone(), inside.clone());
            std::thread::spawn(move || {
                let (begun, _begins) = mpsc::channel();
                for round in 0..300 {
                    let inside = inside.clone();
                    caller.queue_call(one, Item::Once(inside.clone(), begun.clone())).unwrap();
                    if round % 3 == 0 {
                        let (begun, begins) = mpsc::channel();
                        caller.queue_call(one, Item::Forever(inside, begun)).unwrap();
                        // Another may have closed the queue before it began.
                        let _begun = begins.recv_timeout(std::time::Duration::from_millis(1));
                    }
                    caller.queue_close(one);
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    caller.stop();
    soon("the end of the caller", || caller.stopped().is_past());
    assert_eq!(inside.most(), 1, "items at once");
}

async fn again((caller, rounds): (Caller, Arc<AtomicUsize>)) {
    rounds.fetch_add(1, Ordering::SeqCst);
    let _stopped = caller.queue_call(again, (caller.clone(), rounds));
}

/// A call beside what was begun has its turn, and a stop ends it.
fn others_have_their_turn(caller: &Caller, rounds: &AtomicUsize) {
    soon("the first rounds", || rounds.load(Ordering::SeqCst) > 100);
    assert_eq!(caller.call_soon(async || 7).wait().timeout(SOON).blocking().unwrap(), 7);
    let (sender, direct) = mpsc::channel();
    caller.call_direct(move || sender.send(()).unwrap());
    direct.recv_timeout(SOON).expect("a direct call has its turn");
    caller.stop();
    soon("the end of the caller", || caller.stopped().is_past());
}

pub fn a_queue_that_feeds_itself_lets_others_have_their_turn<F: Fixture>() {
    let caller = F::new().caller();
    let rounds = Arc::new(AtomicUsize::new(0));
    caller.queue_call(again, (caller.0.clone(), rounds.clone())).unwrap();
    others_have_their_turn(&caller, &rounds);
}

pub fn a_queue_that_feeds_itself_can_be_stopped<F: Fixture>() {
    let caller = F::new().caller();
    let rounds = Arc::new(AtomicUsize::new(0));
    caller.queue_call(again, (caller.0.clone(), rounds.clone())).unwrap();
    soon("the first rounds", || rounds.load(Ordering::SeqCst) > 100);
    caller.stop();
    soon("the end of the caller", || caller.stopped().is_past());
}

pub fn a_queue_that_feeds_itself_can_be_closed<F: Fixture>() {
    let caller = F::new().caller();
    let rounds = Arc::new(AtomicUsize::new(0));
    caller.queue_call(again, (caller.0.clone(), rounds.clone())).unwrap();
    soon("the first rounds", || rounds.load(Ordering::SeqCst) > 100);
    let queue = caller.queue_get(again).unwrap();
    // It may have begun anew by then, which is what `again` asks for.
    caller.queue_close(again);
    soon("the end of the queue", || queue.is_done());
    caller.stop();
    soon("the end of the caller", || caller.stopped().is_past());
}

/// The handle of a queue of its own, inside its function.
pub fn a_bounded_queue_that_feeds_itself_lets_others_have_their_turn<F: Fixture>() {
    type Own = Arc<std::sync::OnceLock<crate::Queue<()>>>;
    let caller = F::new().caller();
    let rounds = Arc::new(AtomicUsize::new(0));
    let (own, counted) = (Own::default(), rounds.clone());
    let this = own.clone();
    let queue = caller
        .bounded_queue(2, async move |()| {
            counted.fetch_add(1, Ordering::SeqCst);
            let _closed = this.get().unwrap().call(());
        })
        .unwrap();
    assert!(own.set(queue.clone()).is_ok());
    queue.call(()).unwrap();
    others_have_their_turn(&caller, &rounds);
}

/// Counts what each kind has done, and how far one was ever before another.
#[derive(Default)]
struct Race {
    done: [AtomicUsize; 3],
    lead: AtomicUsize,
}

const ROUNDS: usize = 1000;

impl Race {
    fn step(&self, kind: usize) {
        self.done[kind].fetch_add(1, Ordering::SeqCst);
        let done = self.done.each_ref().map(|done| done.load(Ordering::SeqCst));
        let (most, least) = (done.iter().max().unwrap(), done.iter().min().unwrap());
        self.lead.fetch_max(most - least, Ordering::SeqCst);
    }

    fn is_over(&self) -> bool {
        self.done.iter().all(|done| done.load(Ordering::SeqCst) == ROUNDS)
    }
}

/// Two batches and what the queue takes at once.
const LEAD: usize = 3 * 64;

async fn step_in_queue((race, kind): (Arc<Race>, usize)) {
    race.step(kind);
}

pub fn no_kind_of_call_runs_far_ahead_of_the_others<F: Fixture>() {
    let caller = F::new().caller();
    let race = Arc::new(Race::default());
    let go_on = hold_up(&caller);
    for _ in 0..ROUNDS {
        let (direct, soon) = (race.clone(), race.clone());
        caller.call_direct(move || direct.step(0));
        caller.queue_call(step_in_queue, (race.clone(), 1)).unwrap();
        drop(caller.call_soon(async move || soon.step(2)));
    }
    go_on.send(()).unwrap();
    soon("the end of the race", || race.is_over());
    let lead = race.lead.load(Ordering::SeqCst);
    assert!(lead <= LEAD, "one kind was {lead} of {ROUNDS} rounds ahead of another");
}

/// Calls that are woken, beside new ones and items of a queue.
pub fn woken_calls_and_new_ones_and_queues_share_the_thread<F: Fixture>() {
    let caller = F::new().caller();
    let race = Arc::new(Race::default());
    // As many calls as there are rounds, which are all woken at once.
    let (resolver, gate) = Resolver::<()>::new();
    let gate = gate.shared();
    for _ in 0..ROUNDS {
        let (race, gate) = (race.clone(), gate.clone());
        drop(caller.call_soon(async move || {
            gate.wait().protect().await.unwrap();
            race.step(0);
        }));
    }
    caller.call_soon(async || ()).wait_blocking().unwrap();
    let go_on = hold_up(&caller);
    resolver.resolve(()).unwrap();
    for _ in 0..ROUNDS {
        caller.queue_call(step_in_queue, (race.clone(), 1)).unwrap();
        let race = race.clone();
        drop(caller.call_soon(async move || race.step(2)));
    }
    go_on.send(()).unwrap();
    soon("the end of the race", || race.is_over());
    let lead = race.lead.load(Ordering::SeqCst);
    assert!(lead <= LEAD, "one kind was {lead} of {ROUNDS} rounds ahead of another");
}

/// Two queues beside each other: neither runs far ahead.
pub fn no_queue_runs_far_ahead_of_another<F: Fixture>() {
    let caller = F::new().caller();
    let race = Arc::new(Race::default());
    let queues: Vec<_> = (0..3)
        .map(|kind| {
            let race = race.clone();
            caller.queue(async move |()| race.step(kind))
        })
        .collect();
    let go_on = hold_up(&caller);
    for _ in 0..ROUNDS {
        queues.iter().for_each(|queue| queue.call(()).unwrap());
    }
    go_on.send(()).unwrap();
    soon("the end of the race", || race.is_over());
    let lead = race.lead.load(Ordering::SeqCst);
    assert!(lead <= LEAD, "one queue was {lead} of {ROUNDS} rounds ahead of another");
}
