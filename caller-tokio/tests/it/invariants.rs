//! What holds whatever happens.

use std::{
    cell::RefCell,
    collections::HashSet,
    fs,
    rc::Rc,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    task::Poll,
    thread::{self, ThreadId},
    time::{Duration, Instant},
};

use caller::{Caller, ContextVar, DoneCallback, Pending, Resolver, testing::Process};
use caller_tokio::Tokio;

fn caller() -> Caller {
    Caller::builder().backend(Tokio::new()).spawn().unwrap()
}

/// Numbers that look random, from a seed that a failing test prints.
struct Random(u64);

impl Random {
    fn seeded(test: &str) -> Self {
        let seed = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(|| {
            u64::try_from(std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos() & u128::from(u32::MAX)).unwrap()
        });
        println!("{test}: SEED={seed}");
        Self(seed | 1)
    }

    fn below(&mut self, limit: u64) -> u64 {
        // xorshift64
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

#[test]
fn i1_every_pending_is_done_once_and_every_waiter_wakes() {
    let mut random = Random::seeded("i1");
    let caller = caller();
    let done = Arc::new(AtomicUsize::new(0));
    let rounds = 3000;
    let mut blocked = Vec::new();
    for _ in 0..rounds {
        let yields = random.below(3);
        let pending: Pending<u64> = caller.call_soon(async move || {
            for _ in 0..yields {
                tokio::task::yield_now().await;
            }
            yields
        });
        let count = done.clone();
        pending.add_done_callback(&DoneCallback::new(move |_| {
            count.fetch_add(1, Ordering::SeqCst);
        }));
        let handle = pending.handle();
        match random.below(4) {
            0 => drop(caller.to_thread(async move || handle.cancel("a race"))),
            1 => drop(handle.cancel("at once")),
            2 => drop(pending.wait()),
            _ => {
                if blocked.len() < 40 {
                    blocked.push(thread::spawn(move || pending.wait_blocking().unwrap()));
                }
            }
        }
    }
    for thread in blocked {
        thread.join().unwrap();
    }
    let until = Instant::now() + Duration::from_secs(20);
    while done.load(Ordering::SeqCst) < rounds && Instant::now() < until {
        thread::yield_now();
    }
    assert_eq!(done.load(Ordering::SeqCst), rounds);
    caller.stop();
    caller.stopped().blocking().unwrap();
    assert_eq!(done.load(Ordering::SeqCst), rounds, "never twice");
}

/// Records the thread of every poll, and of the drop.
struct Recorder {
    seen: Arc<Mutex<HashSet<ThreadId>>>,
    drops: Arc<AtomicUsize>,
    /// What may not leave the thread.
    kept: Rc<RefCell<u32>>,
}

impl Recorder {
    fn new(seen: &Arc<Mutex<HashSet<ThreadId>>>, drops: &Arc<AtomicUsize>) -> Self {
        Self { seen: seen.clone(), drops: drops.clone(), kept: Rc::default() }
    }

    fn record(&self) {
        *self.kept.borrow_mut() += 1;
        self.seen.lock().unwrap().insert(thread::current().id());
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.record();
        self.drops.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn i2_polls_and_drops_stay_in_the_thread() {
    let seen = Arc::new(Mutex::new(HashSet::new()));
    let drops = Arc::new(AtomicUsize::new(0));
    let caller = caller();
    let (sender, began) = mpsc::channel();
    let calls: Vec<Pending<()>> = (0..4)
        .map(|number| {
            let (seen, drops, sender) = (seen.clone(), drops.clone(), sender.clone());
            caller.call_soon(async move || {
                let recorder = Recorder::new(&seen, &drops);
                sender.send(()).unwrap();
                let mut polls = 0;
                std::future::poll_fn(|cx| {
                    recorder.record();
                    polls += 1;
                    if polls < 10 {
                        cx.waker().wake_by_ref();
                    } else if number == 1 {
                        panic!("on purpose");
                    } else if number == 2 {
                        return Poll::Ready(());
                    }
                    Poll::Pending
                })
                .await;
            })
        })
        .collect();
    (0..4).for_each(|_| began.recv().unwrap());
    let own = caller.thread().unwrap().0;
    // One is cancelled from here, one panics, one ends, and one is stopped with its caller; the handles go here.
    calls[0].handle().cancel_and_wait("from elsewhere").blocking().unwrap();
    for call in &calls[1..3] {
        call.handle().wait().blocking().unwrap();
    }
    assert_eq!(drops.load(Ordering::SeqCst), 3);
    caller.stop();
    drop(calls);
    caller.stopped().blocking().unwrap();
    assert_eq!(drops.load(Ordering::SeqCst), 4);
    assert_eq!(*seen.lock().unwrap(), HashSet::from([own]));
}

#[test]
fn i3_calls_of_one_thread_start_in_order() {
    let mut random = Random::seeded("i3");
    let caller = caller();
    let order = Arc::new(Mutex::new(Vec::new()));
    for number in 0..5000 {
        let order = order.clone();
        if random.below(2) == 0 {
            caller.call_direct(move || order.lock().unwrap().push(number));
        } else {
            let yields = random.below(2);
            drop(caller.call_soon(async move || {
                order.lock().unwrap().push(number);
                for _ in 0..yields {
                    tokio::task::yield_now().await;
                }
            }));
        }
    }
    caller.call_soon(async || ()).wait_blocking().unwrap();
    assert_eq!(*order.lock().unwrap(), (0..5000).collect::<Vec<_>>());
    caller.stop();
}

#[test]
fn i5_a_stop_under_load_leaves_nothing() {
    // It looks at all threads of its process.
    Process::of(concat!(module_path!(), "::i5_a_stop_under_load_leaves_nothing"))
        .limit(Duration::from_secs(60))
        .run(|| {
            let caller = caller();
            let drops = Arc::new(AtomicUsize::new(0));
            let mut calls = Vec::new();
            let (sender, began) = mpsc::channel();
            for number in 0..10_000 {
                let held = Held(drops.clone());
                calls.push(caller.call_soon(async move || {
                    let _held = held;
                    if number % 2 == 0 {
                        tokio::time::sleep(Duration::from_secs(3600)).await
                    } else {
                        tokio::task::yield_now().await
                    }
                }));
            }
            let worker = caller.to_thread(async move || {
                sender.send(()).unwrap();
                std::future::pending::<()>().await;
            });
            let late = caller.call_later(Duration::from_secs(3600), async || ());
            began.recv().unwrap();
            let adding = {
                let (caller, drops) = (caller.clone(), drops.clone());
                thread::spawn(move || {
                    let mut added = Vec::new();
                    while caller.is_running() {
                        let held = Held(drops.clone());
                        added.push(caller.call_soon(async move || drop(held)));
                    }
                    added
                })
            };
            let stopping = Instant::now();
            caller.stop();
            caller.stopped().blocking().unwrap();
            assert!(stopping.elapsed() < Duration::from_secs(5), "{:?}", stopping.elapsed());
            let added = adding.join().unwrap();
            let all = calls.len() + added.len();
            assert!(calls.iter().chain(&added).all(Pending::is_done) && worker.is_done() && late.is_done());
            assert_eq!(drops.load(Ordering::SeqCst), all);
            let weak = Arc::downgrade(&drops);
            drop((calls, added, drops));
            assert_eq!(weak.strong_count(), 0, "no call is left that holds something");
            // The threads end a moment after they have said so.
            let until = Instant::now() + Duration::from_secs(10);
            let threads = || {
                let names = fs::read_dir("/proc/self/task").unwrap();
                let names = names.filter_map(|task| fs::read_to_string(task.ok()?.path().join("comm")).ok());
                names.filter(|name| name.starts_with("caller-") && !name.starts_with("caller-timer")).count()
            };
            while cfg!(target_os = "linux") && threads() > 0 && Instant::now() < until {
                thread::yield_now();
            }
            if cfg!(target_os = "linux") {
                assert_eq!(threads(), 0);
            }
        });
}

struct Held(Arc<AtomicUsize>);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn i6_everything_can_be_dropped_anywhere() {
    thread_local! {
        static LAST: RefCell<Vec<Box<dyn std::any::Any>>> = RefCell::default();
    }
    let caller = caller();
    let (resolver, pending) = Resolver::<u32>::new();
    let shared = pending.shared();
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    let mut kept = Box::pin(shared.wait());
    assert!(kept.as_mut().poll(&mut cx).is_pending());
    let (caller2, shared2) = (caller.clone(), shared.clone());
    // In the destructor of a thread-local value, after much else of the thread has gone.
    thread::spawn(move || {
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        let never = caller2.call_soon(async || std::future::pending::<()>().await);
        let mut wait = Box::pin(never.wait());
        assert!(wait.as_mut().poll(&mut cx).is_pending());
        let mut other = Box::pin(shared2.wait());
        assert!(other.as_mut().poll(&mut cx).is_pending());
        let mut moment = Box::pin(caller2.stopped());
        assert!(moment.as_mut().poll(&mut cx).is_pending());
        let (unresolved, abandoned) = Resolver::<u32>::new();
        LAST.with_borrow_mut(|last| {
            last.push(Box::new(wait));
            last.push(Box::new(other));
            last.push(Box::new(moment));
            last.push(Box::new(unresolved));
            last.push(Box::new(abandoned));
            last.push(Box::new(caller2));
        });
    })
    .join()
    .unwrap();
    assert!(!shared.is_cancelled(), "another waiter is left");
    resolver.resolve(1).unwrap();
    assert!(matches!(kept.as_mut().poll(&mut cx), Poll::Ready(Ok(1))));
    // A callback that drops what it belongs to, and one that adds another.
    let (resolver, pending) = Resolver::<u32>::new();
    let (sender, called) = mpsc::channel();
    let slot = Arc::new(Mutex::new(None));
    let own = slot.clone();
    pending.add_done_callback(&DoneCallback::new(move |done| {
        own.lock().unwrap().take();
        let sender = sender.clone();
        done.add_done_callback(&DoneCallback::new(move |_| sender.send(()).unwrap()));
    }));
    *slot.lock().unwrap() = Some(pending);
    resolver.resolve(1).unwrap();
    called.recv().unwrap();
    caller.stop();
    caller.stopped().blocking().unwrap();
}

#[cfg(target_os = "linux")]
#[test]
fn i7_an_idle_caller_uses_no_cpu() {
    let caller = Caller::builder().name("i7-idle").backend(Tokio::new()).spawn().unwrap();
    let never = caller.call_soon(async || std::future::pending::<()>().await);
    caller.call_soon(async || ()).wait_blocking().unwrap();
    caller::testing::assert_idle(&["i7-idle"]);
    drop(never);
    caller.stop();
}

#[test]
fn i8_context_does_not_leak() {
    static NAME: ContextVar<u32> = ContextVar::new();
    let caller = caller();
    let calls: Vec<_> = (0..2000)
        .map(|number| {
            let call = || {
                caller.call_soon(async move || {
                    assert_eq!(NAME.get(), if number % 3 == 0 { None } else { Some(number) });
                    NAME.set(number + 1_000_000).unwrap();
                    tokio::task::yield_now().await;
                    assert_eq!(NAME.get(), Some(number + 1_000_000));
                    assert!(number % 7 != 0, "on purpose");
                    if number % 5 == 0 {
                        std::future::pending::<()>().await;
                    }
                })
            };
            let call = if number % 3 == 0 { call() } else { NAME.sync_scope(number, call) };
            if number % 5 == 0 && number % 7 != 0 {
                call.cancel("enough");
            }
            (number, call)
        })
        .collect();
    for (number, call) in calls {
        let result = call.wait_blocking();
        let panicked = result.as_ref().err().is_some_and(|error| error.is_panic());
        let message = result.err().map(|error| error.to_string()).unwrap_or_default();
        assert_eq!(panicked, number % 7 == 0, "{number}: {message}");
        assert!(!panicked || message.contains("on purpose"), "{message}");
    }
    let (sender, direct) = mpsc::channel();
    caller.call_direct(move || sender.send(NAME.get()).unwrap());
    assert_eq!(direct.recv().unwrap(), None);
    caller.stop();
}
