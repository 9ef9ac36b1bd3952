//! Growth: the cost of one operation at the large end of a range, beside its cost at the small end.

use std::{
    cell::RefCell,
    future::poll_fn,
    hint, iter,
    sync::{Arc, Barrier, mpsc},
    task::{Poll, Waker},
    thread::{self, Scope},
    time::{Duration, Instant},
};

use caller::{Caller, LocalFuture, Pending};
use caller_tokio::Tokio;

use crate::{
    floors,
    rounds::{Size, for_one, in_turn, timed_in_turn},
    submitter::{REQUEST, pipelined, runtime},
    table::Row,
};

pub(crate) fn growth(size: Size, rows: &mut Vec<Row>) {
    callers(size, rows);
    submitters(size, rows);
    outstanding(size, rows);
    beside_outstanding(size, rows);
    timers(size, rows);
}

fn caller() -> Caller {
    Caller::builder().backend(Tokio::new()).spawn().expect("a caller")
}

const CALLERS: usize = 64;

/// One submitter and many callers, each with a run of calls and then with one call in its turn.
fn callers(size: Size, rows: &mut Vec<Row>) {
    let runtime = runtime();
    let callers: Vec<Caller> = iter::repeat_with(caller).take(CALLERS).collect();
    let count = size.calls;
    let submit = |at: usize, n| callers[at].call_soon(async move || n + 1);
    let run = |callers: usize| {
        let call = |n| submit(n as usize * callers / count, n);
        pipelined(&runtime, count, call, async |p| p.await.unwrap());
    };
    let [one, many] = in_turn(size.rounds, count, [&mut || run(1), &mut || run(CALLERS)]);
    rows.push(Row::times("growth: 1 to 64 callers", "itself at 1", many, one, 1.3));

    // One caller is no measure of calls in turn: each of them wakes a thread, in the least program too.
    let threads: Vec<_> = iter::repeat_with(floors::closures).take(CALLERS).collect();
    let count = size.calls / 4;
    let [in_turn, least] = in_turn(
        size.rounds,
        count,
        [
            &mut || {
                let call = |n| submit(n as usize % CALLERS, n);
                pipelined(&runtime, count, call, async |p| p.await.unwrap());
            },
            &mut || {
                let call = |n| floors::call(&threads[n as usize % CALLERS], n);
                pipelined(&runtime, count, call, async |p| p.await.unwrap());
            },
        ],
    );
    let name = "growth: 64 callers, a call to each in turn";
    rows.push(Row::times(name, "the least: std mpsc + oneshot", in_turn, least, 1.2));
    for caller in &callers {
        caller.force_stop();
    }
}

/// Each of the threads submits its part of the calls to one caller, and waits for its results.
fn submitters(size: Size, rows: &mut Vec<Row>) {
    let caller = caller();
    thread::scope(|scope| {
        let [one, many] =
            [1, 64].map(|threads| Submitters::start(scope, &caller, threads, size.calls / threads));
        let [one, many] = timed_in_turn(size.rounds, [&mut || one.round(), &mut || many.round()]);
        rows.push(Row::times("growth: 1 to 64 submitting threads", "itself at 1", many, one, 2.0));
    });
    caller.force_stop();
}

/// Threads that stay between rounds: to start them, and their first allocations, would be in the time otherwise.
struct Submitters {
    begin: Vec<mpsc::Sender<()>>,
    ended: mpsc::Receiver<(Instant, Instant)>,
    calls: usize,
}

impl Submitters {
    /// Each of the threads makes `count` calls a round, and ends with this value.
    fn start<'scope>(
        scope: &'scope Scope<'scope, '_>,
        caller: &'scope Caller,
        threads: usize,
        count: usize,
    ) -> Self {
        let all_ready = Arc::new(Barrier::new(threads));
        let (sender, ended) = mpsc::channel();
        let start_one = |_| {
            let (all_ready, sender) = (all_ready.clone(), sender.clone());
            let (begin, rounds) = mpsc::channel::<()>();
            scope.spawn(move || {
                let runtime = runtime();
                for () in rounds {
                    all_ready.wait();
                    let begun = Instant::now();
                    let call = |n| caller.call_soon(async move || n + 1);
                    pipelined(&runtime, count, call, async |p| p.await.unwrap());
                    sender.send((begun, Instant::now())).expect("the round is waited for");
                }
            });
            begin
        };
        let begin = (0..threads).map(start_one).collect();
        Self { begin, ended, calls: threads * count }
    }

    /// Nanoseconds for each call, from the first beginning to the last end.
    fn round(&self) -> f64 {
        self.begin.iter().for_each(|begin| begin.send(()).expect("the thread runs"));
        // A thread that panicked ends no round.
        let limit = Duration::from_secs(60);
        let end = |_| self.ended.recv_timeout(limit).expect("each thread ends its round");
        let times: Vec<_> = self.begin.iter().map(end).collect();
        let begun = times.iter().map(|(begun, _)| *begun).min().expect("there are threads");
        let ended = times.iter().map(|(_, ended)| *ended).max().expect("there are threads");
        for_one(ended - begun, self.calls)
    }
}

const FEW_OUTSTANDING: usize = 1_000;
const MANY_OUTSTANDING: usize = 1_000_000;

/// Calls that are all outstanding before the first goes on: submitted, kept, woken and ended.
fn outstanding(size: Size, rows: &mut Vec<Row>) {
    let (runtime, caller) = (runtime(), caller());
    let lives = |at_once: usize| {
        for _ in 0..MANY_OUTSTANDING / at_once {
            let call = |n| {
                caller.call_soon(async move || {
                    parked().await;
                    n + 1
                })
            };
            let sum = runtime.block_on(REQUEST.scope(7, async {
                let calls: Vec<_> = (0..at_once as u64).map(call).collect();
                // It runs when each of the calls has been polled once.
                caller.call_direct(unpark_all);
                let mut sum = 0;
                for call in calls {
                    sum += call.await.unwrap();
                }
                sum
            }));
            assert_eq!(sum, (1..=at_once as u64).sum::<u64>());
        }
    };
    let [few, many] = in_turn(
        size.rounds,
        MANY_OUTSTANDING,
        [&mut || lives(FEW_OUTSTANDING), &mut || lives(MANY_OUTSTANDING)],
    );
    let name = "growth: 10³ to 10⁶ outstanding, each";
    rows.push(Row::times(name, "itself at 10³", many, few, 1.3));
    caller.force_stop();
}

/// Calls that are ready at once, while others stay outstanding.
fn beside_outstanding(size: Size, rows: &mut Vec<Row>) {
    let runtime = runtime();
    let with_outstanding = |count: usize| -> (Caller, Vec<Pending<()>>) {
        let caller = caller();
        let kept = (0..count).map(|_| caller.call_soon(async || parked().await)).collect();
        caller.call_soon(async || ()).wait_blocking().expect("it runs");
        (caller, kept)
    };
    let sides = [FEW_OUTSTANDING, MANY_OUTSTANDING].map(with_outstanding);
    let [(few, _), (many, _)] = &sides;
    let count = size.calls;
    let ready = |caller: &Caller| {
        pipelined(&runtime, count, |n| caller.call_soon(async move || n + 1), async |p| p.await.unwrap());
    };
    let [at_few, at_many] = in_turn(size.rounds, count, [&mut || ready(few), &mut || ready(many)]);
    let name = "growth: 10³ to 10⁶ outstanding, a ready call";
    rows.push(Row::times(name, "itself at 10³", at_many, at_few, 1.3));
    for (caller, kept) in sides {
        caller.call_direct(unpark_all);
        kept.into_iter().for_each(|call| call.wait_blocking().expect("it is woken"));
        caller.force_stop();
    }
}

thread_local! {
    /// The calls of this caller that are parked.
    static PARKED: RefCell<Vec<Waker>> = const { RefCell::new(Vec::new()) };
}

/// Waits until `unpark_all` runs in this thread.
async fn parked() {
    let mut is_parked = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut is_parked, true) {
            return Poll::Ready(());
        }
        PARKED.with_borrow_mut(|parked| parked.push(cx.waker().clone()));
        Poll::Pending
    })
    .await;
}

fn unpark_all() {
    PARKED.take().into_iter().for_each(Waker::wake);
}

const FEW_TIMERS: usize = 100;
const MANY_TIMERS: usize = 100_000;
const HOUR: Duration = Duration::from_secs(3600);

/// Delayed calls, made in the caller's own thread. From another thread, to wake the one and then the other would be most
/// of the time of a hundred timers, and would hide what more timers cost.
fn timers(size: Size, rows: &mut Vec<Row>) {
    let (runtime, caller) = (runtime(), caller());
    /// Takes the number of timers, and returns nanoseconds for each.
    type Work = fn(usize) -> LocalFuture<'static, f64>;
    let run = |function: Work, timers: usize| {
        let call = async || caller.call_soon(async move || function(timers).await).await;
        runtime.block_on(REQUEST.scope(7, call())).expect("it ends")
    };
    let kinds: [(&str, Work); 2] = [
        ("growth: 10² to 10⁵ timers, fired", |timers| Box::pin(fired(timers))),
        ("growth: 10² to 10⁵ timers, cancelled", |timers| Box::pin(cancelled(timers))),
    ];
    for (name, function) in kinds {
        let [few, many] = timed_in_turn(
            size.rounds,
            [&mut || run(function, FEW_TIMERS), &mut || run(function, MANY_TIMERS)],
        );
        rows.push(Row::times(name, "itself at 10²", many, few, 1.3));
    }
    caller.force_stop();
}

/// Makes delayed calls, and waits for their results, a hundred at a time: the runtime's wake is then the same part of both
/// ends. The other timers are there, and stay.
///
/// The time does not contain the delay: the thread is held from when the caller has the hundred until each is due.
async fn fired(timers: usize) -> f64 {
    const REPEATS: usize = 200;
    /// Longer than to make the timers takes.
    const DELAY: Duration = Duration::from_millis(5);
    /// How late a timer of tokio's may be.
    const RESOLUTION: Duration = Duration::from_millis(2);
    let caller = Caller::current().expect("this thread's caller");
    let others = delayed(&caller, timers - FEW_TIMERS, HOUR);
    caller.call_soon(async || ()).await.expect("it runs");
    let mut time = Duration::ZERO;
    for _ in 0..REPEATS {
        let begun = Instant::now();
        let calls = delayed(&caller, FEW_TIMERS, DELAY);
        let (sender, hold) = mpsc::channel();
        caller.call_direct(move || {
            let held = Instant::now();
            // Not asleep: a thread that slept begins with cold caches.
            while held.elapsed() < DELAY + RESOLUTION {
                hint::spin_loop();
            }
            sender.send((held, Instant::now())).expect("it is waited for");
        });
        let mut sum = 0;
        for call in calls {
            sum += call.await.unwrap();
        }
        let ended = Instant::now();
        assert_eq!(sum, (1..=FEW_TIMERS as u64).sum::<u64>());
        let (held, released) = hold.try_recv().expect("the direct call has run");
        time += (held - begun) + (ended - released);
    }
    cancel_all(others).await;
    for_one(time, FEW_TIMERS * REPEATS)
}

/// Makes calls that are delayed for an hour, and cancels them when the caller has all timers.
async fn cancelled(timers: usize) -> f64 {
    let caller = Caller::current().expect("this thread's caller");
    let begun = Instant::now();
    for _ in 0..MANY_TIMERS / timers {
        let calls = delayed(&caller, timers, HOUR);
        caller.call_soon(async || ()).await.expect("it runs");
        cancel_all(calls).await;
        // By now the caller has given up the timers.
        caller.call_soon(async || ()).await.expect("it runs");
    }
    for_one(begun.elapsed(), MANY_TIMERS)
}

fn delayed(caller: &Caller, count: usize, delay: Duration) -> Vec<Pending<u64>> {
    (0..count as u64).map(|n| caller.call_later(delay, async move || n + 1)).collect()
}

async fn cancel_all(calls: Vec<Pending<u64>>) {
    calls.iter().for_each(|call| assert!(call.cancel("nobody needs it")));
    for call in calls {
        assert!(call.await.unwrap_err().is_cancelled());
    }
}
