//! Waking at a time: one list of deadlines for each caller, driven by its scheduler, and one for the threads
//! that have no caller, driven by a thread of its own.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    fmt,
    sync::{Arc, Condvar, LazyLock, Mutex, MutexGuard, PoisonError},
    task::{self, Poll, Waker},
    thread,
    time::{Duration, Instant},
};

/// Says what time it is. A backend with virtual time brings its own.
pub trait Clock: Send + Sync + 'static {
    /// The time that has come.
    fn now(&self) -> Instant;
}

/// The clock of the machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Instant {
        Instant::now()
    }
}

/// Names an entry of a list. Entries of one time are in the order they were made.
pub(crate) type TimerKey = (Instant, u64);

/// Who is to be woken when.
pub(crate) struct Timers {
    clock: Arc<dyn Clock>,
    list: Mutex<List>,
}

#[derive(Default)]
struct List {
    entries: BTreeMap<TimerKey, Waker>,
    next: u64,
    /// Whoever drives the list, to be told of an earlier entry.
    driver: Option<Waker>,
    /// No driver will come any more.
    closed: bool,
}

impl Timers {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, list: Mutex::default() }
    }

    pub(crate) fn now(&self) -> Instant {
        self.clock.now()
    }

    fn list(&self) -> MutexGuard<'_, List> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has `waker` woken at `at`. None if nobody drives this list any more.
    pub(crate) fn add(&self, at: Instant, waker: Waker) -> Option<TimerKey> {
        let mut list = self.list();
        if list.closed {
            return None;
        }
        list.next += 1;
        let key = (at, list.next);
        list.entries.insert(key, waker);
        let earliest = list.entries.first_key_value().is_some_and(|(first, _)| *first == key);
        let driver = if earliest { list.driver.take() } else { None };
        drop(list);
        if let Some(driver) = driver {
            driver.wake();
        }
        Some(key)
    }

    /// Has another waker woken instead. False if the entry is gone.
    fn renew(&self, key: TimerKey, waker: Waker) -> bool {
        let old = match self.list().entries.get_mut(&key) {
            Some(old) => Some(std::mem::replace(old, waker)),
            None => None,
        };
        old.is_some()
    }

    pub(crate) fn remove(&self, key: TimerKey) {
        // Two statements: the waker is dropped after the lock.
        let old = self.list().entries.remove(&key);
        drop(old);
    }

    /// Wakes whoever's time has come, and says when the next one comes. `driver` is woken when that changes.
    pub(crate) fn fire(&self, driver: &Waker) -> Option<Instant> {
        let mut fresh = None;
        loop {
            let mut list = self.list();
            let next = list.entries.first_key_value().map(|((at, _), _)| *at);
            if let Some(at) = next
                && at <= self.now()
            {
                let due = list.entries.pop_first();
                drop(list);
                due.into_iter().for_each(|(_, waker)| waker.wake());
                continue;
            }
            if list.driver.as_ref().is_some_and(|known| known.will_wake(driver)) {
                return next;
            }
            // A waker is cloned and dropped without the lock; then the list is looked at again. Once, since a clone
            // need not say that it wakes the same.
            let Some(clone) = fresh.take() else {
                drop(list);
                fresh = Some(driver.clone());
                continue;
            };
            let old = list.driver.replace(clone);
            drop(list);
            drop(old);
            return next;
        }
    }

    /// Nobody will drive the list any more: those on it are woken to look for another.
    pub(crate) fn close(&self) {
        let mut list = self.list();
        list.closed = true;
        let entries = std::mem::take(&mut list.entries);
        let driver = list.driver.take();
        drop(list);
        drop(driver);
        entries.into_values().for_each(Waker::wake);
    }
}

impl fmt::Debug for Timers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timers").field("entries", &self.list().entries.len()).finish_non_exhaustive()
    }
}

thread_local! {
    static HERE: RefCell<Option<Arc<Timers>>> = const { RefCell::new(None) };
    static BLOCKED: Cell<bool> = const { Cell::new(false) };
}

/// Sets whose list the waits of this thread use.
pub(crate) fn set_here(timers: Option<Arc<Timers>>) {
    let _old = HERE.try_with(|here| here.replace(timers));
}

/// The list of this thread's caller.
fn own() -> Option<Arc<Timers>> {
    HERE.try_with(|here| here.borrow().clone()).ok().flatten()
}

/// The list for a wait that begins in this thread.
fn here() -> Arc<Timers> {
    own().filter(|_| !BLOCKED.get()).unwrap_or_else(global)
}

/// While it lives, this thread is blocked: nobody drives the list of its caller.
#[must_use]
pub(crate) struct Undriven(bool);

impl Undriven {
    pub(crate) fn enter() -> Self {
        Self(BLOCKED.replace(true))
    }
}

impl Drop for Undriven {
    fn drop(&mut self) {
        BLOCKED.set(self.0);
    }
}

/// The list for threads without a caller. Its thread is started with the first wait that needs it and ends when
/// nothing has waited for a while.
fn global() -> Arc<Timers> {
    static GLOBAL: LazyLock<Global> = LazyLock::new(|| Global {
        timers: Arc::new(Timers::new(Arc::new(SystemClock))),
        running: Mutex::new(false),
    });
    let global = &*GLOBAL;
    let mut running = global.running.lock().unwrap_or_else(PoisonError::into_inner);
    if !*running {
        let spawned = thread::Builder::new().name("caller-timer".into()).spawn(|| drive(&GLOBAL));
        // Without a thread, a wait ends late but not never: the next one tries again.
        *running = spawned.is_ok();
    }
    drop(running);
    global.timers.clone()
}

struct Global {
    timers: Arc<Timers>,
    running: Mutex<bool>,
}

/// How long the thread of the global list stays without an entry.
const LINGER: Duration = Duration::from_millis(200);

#[derive(Default)]
struct Driver {
    woken: Mutex<bool>,
    wake: Condvar,
}

impl task::Wake for Driver {
    fn wake(self: Arc<Self>) {
        *self.woken.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.wake.notify_one();
    }
}

fn drive(global: &Global) {
    let driver = Arc::new(Driver::default());
    let waker = Waker::from(driver.clone());
    loop {
        let next = global.timers.fire(&waker);
        let pause = next.map_or(LINGER, |at| at.saturating_duration_since(global.timers.now()));
        let woken = driver.woken.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut woken, waited) = driver
            .wake
            .wait_timeout_while(woken, pause, |woken| !*woken)
            .unwrap_or_else(PoisonError::into_inner);
        let idle = next.is_none() && waited.timed_out();
        *woken = false;
        drop(woken);
        if idle {
            // Whoever adds an entry has looked at `running` under this lock before: either it saw a thread that
            // looks at the list once more, here, or it starts another.
            let mut running = global.running.lock().unwrap_or_else(PoisonError::into_inner);
            if Arc::strong_count(&global.timers) == 1 && global.timers.list().entries.is_empty() {
                *running = false;
                return;
            }
        }
    }
}

/// Ends at a time of the machine's clock, in any thread, with no runtime needed: what a backend whose runtime has
/// no timers sleeps with.
pub async fn sleep_until(at: Instant) {
    let mut deadline = Deadline::none();
    let timers = global();
    let after = at.saturating_duration_since(timers.now());
    deadline.armed = Some(Armed { timers, at, after, key: None });
    std::future::poll_fn(|cx| deadline.poll(cx)).await;
}

/// A time at which a wait gives up.
#[derive(Debug)]
pub(crate) struct Deadline {
    limit: Limit,
    armed: Option<Armed>,
}

#[derive(Clone, Copy, Debug)]
enum Limit {
    Never,
    /// Counted from the first poll.
    After(Duration),
    At(Instant),
}

#[derive(Debug)]
struct Armed {
    timers: Arc<Timers>,
    at: Instant,
    /// How long that is from the first poll.
    after: Duration,
    key: Option<TimerKey>,
}

impl Armed {
    fn is_undriven(&self) -> bool {
        BLOCKED.get() && own().is_some_and(|own| Arc::ptr_eq(&own, &self.timers))
    }
}

impl Deadline {
    /// One that never comes.
    pub(crate) fn none() -> Self {
        Self { limit: Limit::Never, armed: None }
    }

    /// One that comes when `time` has gone by since the first poll.
    pub(crate) fn after(time: Duration) -> Self {
        Self { limit: Limit::After(time), armed: None }
    }

    /// One that comes at a time of the caller's clock.
    pub(crate) fn at(time: Instant) -> Self {
        Self { limit: Limit::At(time), armed: None }
    }

    /// Ready, with the time that was allowed, once it has come.
    pub(crate) fn poll(&mut self, cx: &mut task::Context<'_>) -> Poll<Duration> {
        loop {
            let armed = match &mut self.armed {
                Some(armed) => armed,
                None => {
                    let timers = here();
                    let now = timers.now();
                    let (at, after) = match self.limit {
                        Limit::Never => return Poll::Pending,
                        Limit::After(after) => match now.checked_add(after) {
                            Some(at) => (at, after),
                            // A time that the clock cannot name never comes.
                            None => return Poll::Pending,
                        },
                        Limit::At(at) => (at, at.saturating_duration_since(now)),
                    };
                    self.armed.insert(Armed { timers, at, after, key: None })
                }
            };
            if armed.timers.now() >= armed.at {
                return Poll::Ready(armed.after);
            }
            if !armed.is_undriven() {
                let renewed = armed.key.is_some_and(|key| armed.timers.renew(key, cx.waker().clone()));
                if renewed {
                    return Poll::Pending;
                }
                armed.key = armed.timers.add(armed.at, cx.waker().clone());
                if armed.key.is_some() {
                    return Poll::Pending;
                }
            }
            // The caller whose list this was has stopped, or its thread is blocked, here.
            if let Some(key) = armed.key.take() {
                armed.timers.remove(key);
            }
            let left = armed.at.saturating_duration_since(armed.timers.now());
            let timers = global();
            let Some(at) = timers.now().checked_add(left) else { return Poll::Pending };
            self.armed = Some(Armed { timers, at, after: armed.after, key: None });
        }
    }
}

impl Drop for Deadline {
    fn drop(&mut self) {
        if let Some(Armed { timers, key: Some(key), .. }) = self.armed.take() {
            timers.remove(key);
        }
    }
}
