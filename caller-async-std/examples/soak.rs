//! Random work from many threads on callers of both backends, after which everything has to be accounted for.
//!
//! `cargo xtask soak --minutes N --seed S` runs it. The seed decides what each thread asks for; when the threads do it is up
//! to the machine. At the end every pending is done, and the threads, the kept wakers and the live heap of the process are
//! back where they began.

use std::{
    alloc::System,
    any::Any,
    cell::Cell,
    future::pending,
    io,
    process::ExitCode,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use caller::{
    AsyncLock, Backend, Caller, Clock, LocalFuture, PendingGroup, PendingHandle, PoolSettings, Queue,
    ReentrantAsyncLock, Resident, Resolver, Runtime,
    testing::{kept_wakers, probe::yield_now},
};
use caller_async_std::AsyncStd;
use caller_tokio::Tokio;
use fastrand::Rng;
use stats_alloc::StatsAlloc;

#[global_allocator]
static ALLOCATOR: StatsAlloc<System> = StatsAlloc::system();

/// How many threads make work at once.
const THREADS: u64 = 4;
/// How many pendings a thread keeps before it looks at the oldest.
const KEPT: usize = 500;
/// How long something may take at the end.
const PATIENCE: Duration = Duration::from_secs(60);

/// How many bytes of heap may be left beyond those of the beginning: what runtimes and the system's libraries keep for
/// themselves. A call is some hundred bytes, and there are a million of them.
const SLACK: usize = 64 * 1024;

/// A runtime that has one thread for its caller, and none for workers and children.
#[derive(Debug, Default)]
struct OneThread {
    tokio: Tokio,
    had: AtomicBool,
}

impl Backend for OneThread {
    fn name(&self) -> &'static str {
        "one thread"
    }

    fn is_same(&self, other: &dyn Backend) -> bool {
        (other as &dyn Any).is::<Self>()
    }

    fn run(&self, root: LocalFuture<'_>) -> io::Result<()> {
        self.tokio.run(root)
    }

    fn runtime(&self) -> caller::Result<Rc<dyn Runtime>> {
        self.tokio.runtime()
    }

    fn clock(&self) -> Arc<dyn Clock> {
        self.tokio.clock()
    }

    fn stack_size(&self) -> Option<usize> {
        // More than any machine has.
        self.had.swap(true, Ordering::Relaxed).then_some(1 << 60)
    }
}

/// The callers of one round, and what they share.
struct World {
    callers: Vec<Caller>,
    lock: Arc<AsyncLock<u64>>,
    reentrant: Arc<ReentrantAsyncLock<u64>>,
    bounded: Vec<Queue<u64>>,
    residents: Vec<Resident<Rc<Cell<u64>>>>,
    made: AtomicUsize,
}

impl World {
    fn new() -> caller::Result<Self> {
        let pool = PoolSettings::default().limit(4).max_idle(2);
        let start = |name: &str, backend: Arc<dyn Backend>| {
            Caller::builder().name(name).shared_backend(backend).pool(pool).spawn()
        };
        let callers = vec![
            start("tokio", Arc::new(Tokio::new()))?,
            start("async-std", Arc::new(AsyncStd::new()))?,
            start("tokio too", Arc::new(Tokio::new()))?,
            start("one thread", Arc::new(OneThread::default()))?,
        ];
        let bounded = callers.iter().map(|caller| {
            caller.bounded_queue(8, async |number: u64| {
                if number.is_multiple_of(7) {
                    panic!("an item, on purpose");
                }
                yield_now().await;
            })
        });
        let bounded = bounded.collect::<caller::Result<_>>()?;
        let residents = callers.iter().map(|caller| caller.resident(async || Rc::default()).wait_blocking());
        let residents = residents.collect::<caller::Result<_>>()?;
        let (lock, reentrant) = (Arc::new(AsyncLock::new(0)), Arc::new(ReentrantAsyncLock::new(0)));
        Ok(Self { callers, lock, reentrant, bounded, residents, made: AtomicUsize::new(0) })
    }

    fn any(&self, random: &mut Rng) -> &Caller {
        &self.callers[random.usize(..self.callers.len())]
    }
}

async fn queued(number: u64) -> Result<(), std::num::TryFromIntError> {
    yield_now().await;
    u8::try_from(number).map(drop)
}

/// One piece of work. Gives the pending by which it is accounted for, if it has one.
fn act(world: &Arc<World>, random: &mut Rng) -> Option<PendingHandle> {
    let caller = world.any(random).clone();
    let other = world.any(random).clone();
    let number = random.u64(..1000);
    let soon = Duration::from_micros(random.u64(..3000));
    let handle = match random.u32(..22) {
        0 => caller.call_soon(async move || number).handle(),
        1 => caller
            .call_soon(async move || {
                for _ in 0..number % 5 {
                    yield_now().await;
                }
            })
            .handle(),
        2 => caller.call_soon(async || pending::<()>().await).handle(),
        3 => caller.call_soon(async || panic!("a call, on purpose")).handle(),
        4 => caller.try_call_soon(async move || u8::try_from(number)).handle(),
        5 => caller.call_later(soon, async move || number).handle(),
        6 => {
            let call = caller.call_later(soon, async move || number);
            call.cancel("debounced");
            call.handle()
        }
        7 => caller.to_thread(async move || number).handle(),
        8 => {
            // Refused by a caller that stops: that is an answer.
            let _stops = caller.queue_call(queued, number);
            if number == 0 {
                caller.queue_close(queued);
            }
            return None;
        }
        9 => {
            caller.call_direct(move || u8::try_from(number).map(drop));
            caller.call_direct_async(async || yield_now().await);
            return None;
        }
        10 => {
            let lock = world.lock.clone();
            caller
                .call_soon(async move || {
                    let add = async |sum: &mut u64| {
                        yield_now().await;
                        *sum += number;
                    };
                    drop(lock.with(add).await);
                })
                .handle()
        }
        11 => {
            let lock = world.reentrant.clone();
            let again = lock.clone();
            caller
                .call_soon(async move || {
                    let inner = async |_: &u64| {
                        let enter = other
                            .call_soon(async move || drop(again.with(async |_| yield_now().await).await));
                        drop(enter.wait().timeout(Duration::from_secs(5)).await);
                    };
                    drop(lock.with(inner).await);
                })
                .handle()
        }
        12 => {
            let handle = caller.call_soon(async move || {
                let group = PendingGroup::builder().timeout(Duration::from_secs(5)).build();
                let body = async |group: Arc<PendingGroup>| {
                    for n in 0..number % 6 {
                        drop(other.try_call_soon(async move || u8::try_from(n * 100)));
                        drop(group.call_soon(async || yield_now().await));
                    }
                };
                drop(group.run(body).await);
            });
            handle.handle()
        }
        13 => {
            let queue = world.bounded[random.usize(..world.bounded.len())].clone();
            caller
                .call_soon(async move || {
                    let room = queue.call_when_room(number);
                    let (_resolver, never) = Resolver::<()>::new();
                    let impatient = never.wait().timeout(soon);
                    drop(either(room, impatient).await);
                })
                .handle()
        }
        14 => {
            let call = caller.call_soon(async || pending::<()>().await);
            let handle = call.handle();
            // Giving up cancels.
            drop(call.wait());
            handle
        }
        15 => {
            let call = caller.call_soon(async move || number).shared();
            let waits = [call.wait(), call.wait()];
            drop(waits);
            call.handle()
        }
        16 => {
            let here = caller.clone();
            caller
                .call_soon(async move || here.call_soon_local(async || yield_now().await).map(drop))
                .handle()
        }
        17 => {
            let guest = match caller.backend().name() {
                "tokio" => {
                    caller.call_using_backend(AsyncStd::new(), async || async_std::task::yield_now().await)
                }
                _ => caller.call_using_backend(Tokio::new(), async || tokio::task::yield_now().await),
            };
            guest.ok()?.handle()
        }
        19 => {
            let value = &world.residents[random.usize(..world.residents.len())];
            match number % 4 {
                0 => value.call(async |value| value.set(value.get() + 1)).handle(),
                1 => value
                    .call(async |value| {
                        yield_now().await;
                        value.get()
                    })
                    .handle(),
                2 => value
                    .call_mut(async move |value| {
                        yield_now().await;
                        value.set(number);
                    })
                    .handle(),
                _ => value.call_mut(async |_| panic!("a resident, on purpose")).handle(),
            }
        }
        20 => {
            // One that comes and goes, with calls outstanding.
            let make = async move || {
                if number.is_multiple_of(5) {
                    Err("nothing to be had")
                } else {
                    Ok(Rc::new(Cell::new(number)))
                }
            };
            let made = caller.try_resident(make);
            let uses = caller.call_soon(async move || {
                let Ok(value) = made.await else { return };
                let waits = value.call_mut(async |value| {
                    yield_now().await;
                    value.get()
                });
                drop(value.call(async |value| value.get()));
                if number.is_multiple_of(2) {
                    drop(value.close());
                }
                drop(waits.await);
            });
            uses.handle()
        }
        18 => {
            // A queue that is closed, left, or ended with items in it.
            let bound = usize::try_from(number % 4 + 1).unwrap_or(1);
            let Ok(queue) = caller.bounded_queue(bound, async |_: u64| yield_now().await) else {
                return None;
            };
            for item in 0..number % 9 {
                let _full = queue.call(item);
            }
            match number % 3 {
                0 => queue.close(),
                1 => {
                    queue.pending()?.cancel("queues come and go");
                }
                _ => {}
            }
            // Its consumer ends, since no handle is left.
            queue.pending()?
        }
        _ => {
            // A caller that comes and goes, with work outstanding.
            let Ok(child) = caller.new_child() else { return None };
            let call = child.call_soon(async || pending::<()>().await);
            drop(child.call_later(soon, async || ()));
            child.force_stop();
            call.handle()
        }
    };
    Some(handle)
}

/// Ends with the first of two futures.
async fn either<A, B>(one: impl Future<Output = A>, other: impl Future<Output = B>) -> Option<A> {
    let (mut one, mut other) = (std::pin::pin!(one), std::pin::pin!(other));
    std::future::poll_fn(|cx| {
        if let std::task::Poll::Ready(output) = one.as_mut().poll(cx) {
            return std::task::Poll::Ready(Some(output));
        }
        other.as_mut().poll(cx).map(|_| None)
    })
    .await
}

/// Makes work until `until`, and gives what was not seen to be done.
fn work(world: &Arc<World>, mut random: Rng, until: Instant) -> Vec<PendingHandle> {
    let mut kept = std::collections::VecDeque::with_capacity(KEPT);
    while Instant::now() < until {
        kept.extend(act(world, &mut random));
        world.made.fetch_add(1, Ordering::Relaxed);
        if kept.len() >= KEPT {
            // Half of them are asked to end, the rest end when the callers do.
            let Some(oldest) = kept.pop_front() else { continue };
            if random.bool() {
                oldest.cancel("enough");
            }
            if !oldest.is_done() && kept.len() < 20 * KEPT {
                kept.push_back(oldest);
            }
        }
    }
    kept.into()
}

/// Work from all threads on fresh callers, and their end.
fn round(seed: u64, until: Instant) -> Result<usize, String> {
    let world = Arc::new(World::new().map_err(|error| error.to_string())?);
    let workers: Vec<_> = (0..THREADS)
        .map(|number| {
            let (world, random) = (world.clone(), Rng::with_seed(seed.wrapping_add(number)));
            thread::spawn(move || work(&world, random, until))
        })
        .collect();
    let mut left = Vec::new();
    for worker in workers {
        left.extend(worker.join().map_err(|_| "a thread that makes work panicked")?);
    }
    for caller in &world.callers {
        caller.force_stop();
    }
    for caller in &world.callers {
        let stopped = caller.stopped().timeout(PATIENCE).blocking();
        stopped.map_err(|error| format!("{caller} does not stop: {error}"))?;
    }
    match left.iter().find(|pending| !pending.is_done()) {
        Some(pending) => Err(format!("not done after the end of all callers: {pending}")),
        None => Ok(world.made.load(Ordering::Relaxed)),
    }
}

/// The names of the threads of this process, where they can be seen, but for those that async-std starts when it first needs
/// them, and keeps.
fn names() -> Vec<String> {
    let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let names = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("comm")).ok());
    let names = names.map(|name| name.trim().to_owned());
    names.filter(|name| !["async-std/runti", "async-io"].contains(&name.as_str())).collect()
}

fn threads() -> usize {
    names().len()
}

/// The bytes of heap that this process has not given back.
fn heap() -> usize {
    let stats = ALLOCATOR.stats();
    stats.bytes_allocated.saturating_sub(stats.bytes_deallocated)
}

fn wait_for(what: &str, most: usize, look: impl Fn() -> usize) -> Result<(), String> {
    let until = Instant::now() + PATIENCE;
    while look() > most {
        if Instant::now() > until {
            return Err(format!("{what}: {} are left, where {most} were before", look()));
        }
        thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

/// No waker is kept, and no thread is left but this one.
fn nothing_is_left() -> Result<(), String> {
    wait_for("wakers", 0, kept_wakers)?;
    wait_for("threads", 1, threads).map_err(|error| format!("{error}: {}", names().join(", ")))
}

fn soak(minutes: f64, seed: u64) -> Result<(), String> {
    // Lists grow to the room that they need.
    round(seed, Instant::now() + Duration::from_secs(1))?;
    nothing_is_left()?;
    let heap_before = heap();
    let end = Instant::now() + Duration::from_secs_f64(minutes * 60.0);
    let (mut rounds, mut made) = (0_u64, 0);
    while Instant::now() < end {
        let until = end.min(Instant::now() + Duration::from_secs(2));
        made += round(seed.wrapping_add(1000 * rounds), until)?;
        rounds += 1;
        wait_for("wakers", 0, kept_wakers)?;
    }
    nothing_is_left()?;
    wait_for("bytes of heap", heap_before + SLACK, heap)?;
    println!("soak: {made} pieces of work in {rounds} rounds, all accounted for, with seed {seed}");
    println!("soak: {} KiB of heap before, {} KiB after", heap_before / 1024, heap() / 1024);
    Ok(())
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (mut minutes, mut seed) = (2.0, fastrand::u64(..));
    for pair in arguments.chunks(2) {
        let parsed = match pair {
            [name, value] if name == "--minutes" => value.parse().map(|value| minutes = value).is_ok(),
            [name, value] if name == "--seed" => value.parse().map(|value| seed = value).is_ok(),
            _ => false,
        };
        if !parsed {
            eprintln!("usage: soak [--minutes N] [--seed S], with numbers");
            return ExitCode::from(2);
        }
    }
    // Panics on purpose are part of the work.
    std::panic::set_hook(Box::new(|panic| {
        let text = panic.to_string();
        if !text.contains("on purpose") {
            eprintln!("{text}");
        }
    }));
    println!("soak: seed {seed}, {minutes} minutes");
    if !cfg!(debug_assertions) {
        println!("soak: kept wakers are not counted in a build without debug assertions");
    }
    match soak(minutes, seed) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("soak: {why} (seed {seed})");
            ExitCode::FAILURE
        }
    }
}
