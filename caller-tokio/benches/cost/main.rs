//! What a call costs, beside the peers: in one process, in one run, in turn.
//!
//! Ratios count, not times. Each row is the median of several rounds of ours and of the peer's, one after the other, so
//! that a noisy moment hits both. Both sides do the same work under the same submitter, a tokio `current_thread`
//! runtime, and every result is looked at. Context is on (a value is set in the submitter), and so are the `tracing`
//! feature, cancelling and callbacks, which cannot be switched off.
//!
//! `cargo xtask bench` runs it. It prints a table and writes `target/bench.json`.

mod table;

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    future::{Future, poll_fn},
    hint::black_box,
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    task::Poll,
    thread,
};

use caller::{AsyncLock, Caller, ContextVar, PendingGroup};
use caller_tokio::Tokio;
use futures::{StreamExt, stream::FuturesUnordered};
use kameo::{
    actor::{ActorRef, Spawn},
    mailbox,
    message::{Context, Message},
};
use nix::{
    sched::{CpuSet, sched_setaffinity},
    unistd::Pid,
};
use tokio::{
    runtime::{Builder, Runtime},
    sync::oneshot,
    task::JoinSet,
};
use tokio_util::task::LocalPoolHandle;

use self::table::{Row, Size, in_turn};

/// Counts what is allocated and not freed, and how often.
struct Counting;

static BYTES: AtomicUsize = AtomicUsize::new(0);
static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

// SAFETY: it does what the system's allocator does, and counts.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        BYTES.fetch_add(layout.size(), Ordering::Relaxed);
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: as the caller's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        BYTES.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: as the caller's.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

static REQUEST: ContextVar<u64> = ContextVar::new();

/// Ends after it was polled twice.
async fn yield_once() {
    let mut yielded = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Submits all, then waits for all, in a submitter that has a context.
fn pipelined<P, F>(runtime: &Runtime, count: usize, submit: impl Fn(u64) -> P, wait: impl Fn(P) -> F)
where
    F: Future<Output = u64>,
{
    let sum = runtime.block_on(REQUEST.scope(7, async {
        let calls: Vec<P> = (0..count as u64).map(&submit).collect();
        let mut sum = 0;
        for call in calls {
            sum += wait(call).await;
        }
        sum
    }));
    assert_eq!(sum, (1..=count as u64).sum::<u64>());
}

/// One call after the other.
fn one_at_a_time<F: Future<Output = u64>>(runtime: &Runtime, count: usize, call: impl Fn(u64) -> F) {
    let sum = runtime.block_on(REQUEST.scope(7, async {
        let mut sum = 0;
        for number in 0..count as u64 {
            sum += call(number).await;
        }
        sum
    }));
    assert_eq!(sum, (1..=count as u64).sum::<u64>());
}

/// A thread that runs boxed closures from a channel of std's.
fn closures() -> std::sync::mpsc::Sender<Box<dyn FnOnce() + Send>> {
    let (sender, receiver) = std::sync::mpsc::channel::<Box<dyn FnOnce() + Send>>();
    thread::spawn(move || receiver.into_iter().for_each(|closure| closure()));
    sender
}

/// The least that closures in a thread need: a list of boxes under a lock, taken whole, and a thread that is woken when
/// it sleeps. It cannot stop, has no runtime, and a closure that panics ends it.
#[derive(Clone, Default)]
struct Minimal(Arc<(Mutex<Waiting>, Condvar)>);

#[derive(Default)]
struct Waiting {
    closures: Vec<Box<dyn FnOnce() + Send>>,
    /// The thread sleeps.
    asleep: bool,
}

impl Minimal {
    fn start() -> Self {
        let minimal = Self::default();
        let inner = minimal.clone();
        thread::spawn(move || inner.run());
        minimal
    }

    fn send(&self, closure: Box<dyn FnOnce() + Send>) {
        let (list, wake) = &*self.0;
        let mut list = list.lock().unwrap();
        list.closures.push(closure);
        if std::mem::take(&mut list.asleep) {
            drop(list);
            wake.notify_one();
        }
    }

    fn run(&self) {
        let (list, wake) = &*self.0;
        let mut taken = Vec::new();
        loop {
            let mut list = list.lock().unwrap();
            while list.closures.is_empty() {
                list.asleep = true;
                list = wake.wait(list).unwrap();
            }
            std::mem::swap(&mut list.closures, &mut taken);
            drop(list);
            taken.drain(..).for_each(|closure| closure());
        }
    }
}

/// Binds this thread to a core.
fn pin(core: usize) {
    let mut cores = CpuSet::new();
    if cores.set(core).is_ok() {
        // Where it is not allowed, the row is measured all the same.
        let _unpinned = sched_setaffinity(Pid::from_raw(0), &cores);
    }
}

fn unpin() {
    let mut cores = CpuSet::new();
    let many = thread::available_parallelism().map_or(1, usize::from);
    if (0..many.max(2)).all(|core| cores.set(core).is_ok()) {
        let _unpinned = sched_setaffinity(Pid::from_raw(0), &cores);
    }
}

fn calls(size: Size, rows: &mut Vec<Row>) {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let caller = Caller::builder().backend(Tokio::new()).spawn().expect("a caller");
    let pinned = LocalPoolHandle::new(1);
    let spawner = Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    let floor = closures();
    let count = size.calls;

    let [ours, spawn_pinned, spawn, channel] = in_turn(
        size.rounds,
        count,
        [
            &mut || {
                pipelined(
                    &runtime,
                    count,
                    |n| caller.call_soon(async move || n + 1),
                    async |p| p.await.unwrap(),
                )
            },
            &mut || {
                pipelined(
                    &runtime,
                    count,
                    |n| pinned.spawn_pinned(move || async move { n + 1 }),
                    async |p| p.await.unwrap(),
                )
            },
            &mut || {
                pipelined(
                    &runtime,
                    count,
                    |n| spawner.spawn(async move { n + 1 }),
                    async |p| p.await.unwrap(),
                )
            },
            &mut || {
                let submit = |n| {
                    let (sender, receiver) = oneshot::channel();
                    floor
                        .send(Box::new(move || sender.send(n + 1).expect("it is waited for")))
                        .expect("the thread runs");
                    receiver
                };
                pipelined(&runtime, count, submit, async |p| p.await.unwrap());
            },
        ],
    );
    let name = "call_soon, ready, pipelined";
    rows.push(Row {
        name,
        peer: "tokio-util spawn_pinned",
        ours,
        theirs: spawn_pinned,
        goal: 1.0 / 6.0,
        unit: "ns",
    });
    rows.push(Row { name, peer: "tokio spawn, one worker", ours, theirs: spawn, goal: 0.5, unit: "ns" });
    rows.push(Row { name, peer: "std mpsc + oneshot", ours, theirs: channel, goal: 1.0, unit: "ns" });
    rows.push(Row {
        name,
        peer: "the seeds' library (quoted)",
        ours,
        theirs: 13_000.0,
        goal: 1.0 / 60.0,
        unit: "ns",
    });

    let [ours, theirs] = in_turn(
        size.rounds,
        count,
        [
            &mut || {
                let call = |n| {
                    caller.call_soon(async move || {
                        yield_once().await;
                        n + 1
                    })
                };
                pipelined(&runtime, count, call, async |p| p.await.unwrap());
            },
            &mut || {
                let call = |n| {
                    pinned.spawn_pinned(move || async move {
                        yield_once().await;
                        n + 1
                    })
                };
                pipelined(&runtime, count, call, async |p| p.await.unwrap());
            },
        ],
    );
    let name = "call_soon, yields once, pipelined";
    rows.push(Row { name, peer: "tokio-util spawn_pinned", ours, theirs, goal: 0.4, unit: "ns" });

    // Both sides on cores of their own.
    pin(0);
    caller.call_soon(async || pin(1)).wait_blocking().expect("it runs");
    runtime.block_on(pinned.spawn_pinned(|| async { pin(1) })).expect("it runs");
    let [ours, theirs] = in_turn(
        size.rounds,
        size.trips(),
        [
            &mut || {
                one_at_a_time(&runtime, size.trips(), async |n| {
                    caller.call_soon(async move || n + 1).await.unwrap()
                })
            },
            &mut || {
                let call = async |n| pinned.spawn_pinned(move || async move { n + 1 }).await.unwrap();
                one_at_a_time(&runtime, size.trips(), call);
            },
        ],
    );
    let name = "call_soon, round trip, pinned";
    rows.push(Row { name, peer: "tokio-util spawn_pinned", ours, theirs, goal: 0.8, unit: "ns" });
    unpin();
    caller.call_soon(async || unpin()).wait_blocking().expect("it runs");

    let [ours, theirs] = in_turn(
        size.rounds,
        size.trips(),
        [
            &mut || {
                one_at_a_time(&runtime, size.trips(), async |n| {
                    caller.to_thread(async move || n + 1).await.unwrap()
                })
            },
            &mut || {
                one_at_a_time(&runtime, size.trips(), async |n| {
                    spawner.spawn_blocking(move || n + 1).await.unwrap()
                });
            },
        ],
    );
    let name = "to_thread, warm, round trip";
    rows.push(Row { name, peer: "tokio spawn_blocking", ours, theirs, goal: 1.0, unit: "ns" });
    caller.force_stop();
}

/// Submits all, and waits until the last has run.
fn until_the_last(runtime: &Runtime, count: usize, submit: impl Fn(Count)) {
    runtime.block_on(REQUEST.scope(7, async {
        let (sender, done) = oneshot::channel();
        let mut sender = Some(sender);
        for number in 1..=count as u64 {
            let last = if number == count as u64 { sender.take() } else { None };
            submit(Count { number, last });
        }
        assert_eq!(done.await.expect("the last tells"), (1..=count as u64).sum::<u64>());
    }));
}

/// A piece of work that captures something. What it counts in is the consumer's alone: a count that both threads
/// touched would cost more than what is measured.
struct Count {
    number: u64,
    last: Option<oneshot::Sender<u64>>,
}

thread_local! {
    static SUM: Cell<u64> = const { Cell::new(0) };
}

impl Count {
    fn run(self) {
        SUM.set(SUM.get() + self.number);
        if let Some(last) = self.last {
            let _gone = last.send(SUM.take());
        }
    }
}

async fn count(item: Count) {
    item.run();
}

/// An actor that does the same.
struct Counter;

impl kameo::Actor for Counter {
    type Args = ();
    type Error = kameo::error::Infallible;

    async fn on_start((): (), _actor: ActorRef<Self>) -> Result<Self, Self::Error> {
        Ok(Self)
    }
}

impl Message<Count> for Counter {
    type Reply = ();

    async fn handle(&mut self, item: Count, _context: &mut Context<Self, ()>) {
        item.run();
    }
}

fn without_results(size: Size, rows: &mut Vec<Row>) {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let caller = Caller::builder().backend(Tokio::new()).spawn().expect("a caller");
    let (closures, minimal) = (closures(), Minimal::start());
    let [direct, direct_async, channel, least] = in_turn(
        size.rounds,
        size.calls,
        [
            &mut || until_the_last(&runtime, size.calls, |item| caller.call_direct(move || item.run())),
            &mut || {
                until_the_last(&runtime, size.calls, |item| {
                    caller.call_direct_async(async move || item.run())
                })
            },
            &mut || {
                until_the_last(&runtime, size.calls, |item| {
                    closures.send(Box::new(move || item.run())).expect("the thread runs");
                });
            },
            &mut || until_the_last(&runtime, size.calls, |item| minimal.send(Box::new(move || item.run()))),
        ],
    );
    let peer = "std mpsc of boxed closures";
    rows.push(Row { name: "call_direct", peer, ours: direct, theirs: channel, goal: 1.0, unit: "ns" });
    // std's channel is twice as fast in some runs, for the whole run, when its two sides happen not to meet.
    let peer = "the least: a locked list";
    rows.push(Row { name: "call_direct", peer, ours: direct, theirs: least, goal: 1.2, unit: "ns" });
    let peer = "std mpsc of boxed closures";
    rows.push(Row {
        name: "call_direct_async",
        peer,
        ours: direct_async,
        theirs: channel,
        goal: 2.0,
        unit: "ns",
    });

    let actors = Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    let actor = {
        let _entered = actors.enter();
        Counter::spawn_with_mailbox((), mailbox::unbounded())
    };
    let _system = actix_rt::System::new();
    let arbiter = actix_rt::Arbiter::new();
    let [ours, kameo, actix] = in_turn(
        size.rounds,
        size.calls,
        [
            &mut || {
                until_the_last(&runtime, size.calls, |item| caller.queue_call(count, item).expect("it runs"))
            },
            &mut || {
                until_the_last(&runtime, size.calls, |item| {
                    actor.tell(item).try_send().map_err(|_| ()).expect("it runs");
                });
            },
            &mut || until_the_last(&runtime, size.calls, |item| assert!(arbiter.spawn(count(item)))),
        ],
    );
    let name = "queue_call";
    rows.push(Row { name, peer: "kameo tell, unbounded", ours, theirs: kameo, goal: 1.0 / 3.0, unit: "ns" });
    rows.push(Row { name, peer: "actix Arbiter spawn", ours, theirs: actix, goal: 1.0 / 3.0, unit: "ns" });
    rows.push(Row {
        name,
        peer: "the seeds' library (quoted)",
        ours,
        theirs: 3_400.0,
        goal: 1.0 / 30.0,
        unit: "ns",
    });
    arbiter.stop();
    caller.force_stop();
}

/// Takes a lock `count` times, in one task.
fn alone(runtime: &Runtime, count: usize, take: impl AsyncFn()) {
    runtime.block_on(async {
        for _ in 0..count {
            take().await;
        }
    });
}

/// How many tasks want the lock.
const CONTENDING: usize = 8;

/// Takes a lock `count` times, in eight tasks of which each awaits under it.
fn contended<F>(runtime: &Runtime, count: usize, take: impl Fn() -> F + Clone + Send + 'static)
where
    F: Future<Output = ()> + Send + 'static,
{
    runtime.block_on(async {
        let mut tasks = JoinSet::new();
        for _ in 0..CONTENDING {
            let take = take.clone();
            tasks.spawn(async move {
                for _ in 0..count / CONTENDING {
                    take().await;
                }
            });
        }
        tasks.join_all().await;
    });
}

fn locks(size: Size, rows: &mut Vec<Row>) {
    let runtime = Builder::new_current_thread().build().expect("a runtime");
    let two = Builder::new_multi_thread().worker_threads(2).build().expect("a runtime");
    let (ours, tokio, smol) = (
        Arc::new(AsyncLock::new(0_u64)),
        Arc::new(tokio::sync::Mutex::new(0_u64)),
        Arc::new(async_lock::Mutex::new(0_u64)),
    );
    let count = size.calls;
    let [guard, scope, theirs_tokio, theirs_smol] = in_turn(
        size.rounds,
        count,
        [
            &mut || alone(&runtime, count, async || *ours.lock().await.unwrap() += 1),
            &mut || alone(&runtime, count, async || ours.with(async |value| *value += 1).await.unwrap()),
            &mut || alone(&runtime, count, async || *tokio.lock().await += 1),
            &mut || alone(&runtime, count, async || *smol.lock().await += 1),
        ],
    );
    for (name, ours, goal) in [("lock, alone", guard, 1.0), ("lock as a scope, alone", scope, 2.0)] {
        let unit = "ns";
        rows.push(Row { name, peer: "tokio Mutex", ours, theirs: theirs_tokio, goal, unit });
        rows.push(Row { name, peer: "async-lock Mutex", ours, theirs: theirs_smol, goal, unit });
    }
    let count = size.calls / 4;
    let [guard, scope, theirs_tokio, theirs_smol] = in_turn(
        size.rounds,
        count,
        [
            &mut || {
                let lock = ours.clone();
                contended(&two, count, move || {
                    let lock = lock.clone();
                    async move {
                        let mut value = lock.lock().await.unwrap();
                        yield_once().await;
                        *value += 1;
                    }
                });
            },
            &mut || {
                let lock = ours.clone();
                contended(&two, count, move || {
                    let lock = lock.clone();
                    async move {
                        let under = lock.with(async |value| {
                            yield_once().await;
                            *value += 1;
                        });
                        under.await.unwrap();
                    }
                });
            },
            &mut || {
                let lock = tokio.clone();
                contended(&two, count, move || {
                    let lock = lock.clone();
                    async move {
                        let mut value = lock.lock().await;
                        yield_once().await;
                        *value += 1;
                    }
                });
            },
            &mut || {
                let lock = smol.clone();
                contended(&two, count, move || {
                    let lock = lock.clone();
                    async move {
                        let mut value = lock.lock().await;
                        yield_once().await;
                        *value += 1;
                    }
                });
            },
        ],
    );
    for (name, ours, goal) in
        [("lock, 8 tasks contending", guard, 1.0), ("lock as a scope, 8 tasks", scope, 2.0)]
    {
        let unit = "ns";
        rows.push(Row { name, peer: "tokio Mutex", ours, theirs: theirs_tokio, goal, unit });
        rows.push(Row { name, peer: "async-lock Mutex", ours, theirs: theirs_smol, goal, unit });
    }
}

/// Many calls that are waited for together.
fn together(size: Size, rows: &mut Vec<Row>) {
    const CALLS: usize = 10_000;
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let spawner = Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    let caller = Caller::builder().backend(Tokio::new()).spawn().expect("a caller");
    let expected: u64 = (1..=CALLS as u64).sum();
    let [group, completed, joined, unordered] = in_turn(
        size.rounds,
        CALLS,
        [
            &mut || {
                let all = PendingGroup::builder().run(async |_| {
                    for number in 0..CALLS as u64 {
                        drop(caller.call_soon(async move || number + 1));
                    }
                });
                runtime.block_on(REQUEST.scope(7, all)).expect("no call fails");
            },
            &mut || {
                let calls = (0..CALLS as u64).map(|number| caller.call_soon(async move || number + 1));
                let sum = runtime.block_on(REQUEST.scope(7, async {
                    caller.as_completed(calls).fold(0, async |sum, call| sum + call.await.unwrap()).await
                }));
                assert_eq!(sum, expected);
            },
            &mut || {
                let sum = runtime.block_on(async {
                    let mut set = JoinSet::new();
                    for number in 0..CALLS as u64 {
                        set.spawn_on(async move { number + 1 }, spawner.handle());
                    }
                    let mut sum = 0;
                    while let Some(joined) = set.join_next().await {
                        sum += joined.unwrap();
                    }
                    sum
                });
                assert_eq!(sum, expected);
            },
            &mut || {
                let spawn = |number| spawner.spawn(async move { number + 1 });
                let set: FuturesUnordered<_> = (0..CALLS as u64).map(spawn).collect();
                let sum = runtime.block_on(set.fold(0, async |sum, joined| sum + joined.unwrap()));
                assert_eq!(sum, expected);
            },
        ],
    );
    for (name, ours) in [("group of 10,000", group), ("as_completed of 10,000", completed)] {
        let (goal, unit) = (1.0, "ns");
        rows.push(Row { name, peer: "tokio JoinSet", ours, theirs: joined, goal, unit });
        rows.push(Row { name, peer: "FuturesUnordered of spawn", ours, theirs: unordered, goal, unit });
    }
    caller.force_stop();
}

/// What a call that waits for ever holds, and how often a call that is ready allocates.
fn memory(rows: &mut Vec<Row>) {
    const CALLS: usize = 10_000;
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let caller = Caller::builder().backend(Tokio::new()).spawn().expect("a caller");
    let pinned = LocalPoolHandle::new(1);
    let held = |submit: &mut dyn FnMut()| {
        let before = BYTES.load(Ordering::SeqCst);
        submit();
        (BYTES.load(Ordering::SeqCst) - before) as f64 / CALLS as f64
    };
    let mut kept = Vec::with_capacity(CALLS);
    let ours = held(&mut || {
        kept.extend((0..CALLS).map(|_| caller.call_soon(async || std::future::pending::<u64>().await)));
        caller.call_soon(async || ()).wait_blocking().expect("it runs");
    });
    let mut kept_theirs = Vec::with_capacity(CALLS);
    let theirs = held(&mut || {
        kept_theirs.extend((0..CALLS).map(|_| pinned.spawn_pinned(std::future::pending::<u64>)));
        runtime.block_on(pinned.spawn_pinned(|| async {})).expect("it runs");
    });
    black_box((&kept, &kept_theirs));
    let name = "bytes of an outstanding call";
    rows.push(Row { name, peer: "tokio-util spawn_pinned", ours, theirs, goal: 0.5, unit: "bytes" });
    let before = ALLOCATIONS.load(Ordering::SeqCst);
    for _ in 0..1000 {
        caller.call_soon(async || 1).wait_blocking().expect("it runs");
    }
    let each = (ALLOCATIONS.load(Ordering::SeqCst) - before) as f64 / 1000.0;
    println!(
        "allocations of a ready call, with a thread that blocks for it: {each:.1} (one is the waiter's)"
    );
    caller.force_stop();
    kept_theirs.iter().for_each(|handle| handle.abort());
}

fn main() {
    let size = Size::of_this_run();
    let mut rows = Vec::new();
    // Memory first: what other rows leave behind is freed whenever their threads get to it.
    memory(&mut rows);
    calls(size, &mut rows);
    without_results(size, &mut rows);
    locks(size, &mut rows);
    together(size, &mut rows);

    table::show(&rows);
}
