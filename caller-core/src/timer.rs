//! Waking at a time: one list of deadlines for each caller, driven by its scheduler; one for each thread that is blocked in
//! a wait, driven by that thread; and a shared one for all else, driven by a thread of its own.

mod shared;

mod deadline;

use std::{
    collections::BTreeMap,
    fmt, mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::Waker,
    time::{Duration, Instant},
};

use crate::{
    guard::{self, Place},
    kept,
};

pub use self::deadline::sleep_until;
pub(crate) use self::{
    deadline::{Deadline, by_which_clock, timeout_methods},
    shared::{Blocked, polling, set_here},
};

/// Says what time it is. A backend with virtual time brings its own.
pub trait Clock: Send + Sync + 'static {
    /// The time that has come.
    fn now(&self) -> Instant;

    /// Whether each thread has a time of its own. Then a delay that is asked for in another thread than the caller's is
    /// counted by the machine's clock until it gets there.
    fn is_local(&self) -> bool {
        false
    }
}

/// The clock of the machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Instant {
        Instant::now()
    }
}

/// The longest delay, about a thousand years. Every clock can name a time so far ahead, and no program waits for its end.
const LONGEST: Duration = Duration::from_secs(1_000 * 365 * 24 * 60 * 60);

/// The time `delay` after `now`. A delay of more than about a thousand years counts as a thousand, so it never overflows.
pub(crate) fn after(now: Instant, delay: Duration) -> Instant {
    // The second step is for a clock near its own end.
    now.checked_add(delay.min(LONGEST)).or_else(|| now.checked_add(LONGEST / 1000)).unwrap_or(now)
}

/// When something is due.
pub(crate) enum Due {
    /// At a time of the clock of the list.
    At(Instant),
    /// So long after a time of the machine's clock.
    After(Duration, Instant),
}

/// Names an entry of a list. Entries of one time are in the order they were made.
pub(crate) type TimerKey = (Instant, u64);

/// Wakers, each with the time at which it is woken.
pub(crate) struct Timers {
    clock: Arc<dyn Clock>,
    list: Mutex<List>,
    /// Makes sure that somebody drives the list, after an entry was added. False if nobody can.
    ensure_driven: Option<fn() -> bool>,
}

#[derive(Default)]
struct List {
    entries: BTreeMap<TimerKey, Waker>,
    next: u64,
    /// The waker of the driver, to be woken when there is an earlier entry.
    driver: Option<Waker>,
    /// No driver will come any more.
    closed: bool,
}

impl List {
    fn first(&self) -> Option<TimerKey> {
        self.entries.first_key_value().map(|(key, _)| *key)
    }

    /// Removes the entries whose time has come, in their order.
    fn take_due(&mut self, now: Instant) -> Vec<Waker> {
        let mut due = Vec::new();
        while let Some(entry) = self.entries.first_entry()
            && entry.key().0 <= now
        {
            due.push(entry.remove());
        }
        kept::remove(due.len());
        due
    }
}

impl Timers {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, list: Mutex::default(), ensure_driven: None }
    }

    /// A list by the machine's clock that calls `ensure_driven` after each new entry.
    fn new_shared(ensure_driven: fn() -> bool) -> Self {
        Self { clock: Arc::new(SystemClock), list: Mutex::default(), ensure_driven: Some(ensure_driven) }
    }

    /// The time by the clock of the list. It is code of a user's: no lock may be held. While that clock panics, the time
    /// is that of the machine.
    pub(crate) fn now(&self) -> Instant {
        guard::quietly(Place::Clock, || self.clock.now()).unwrap_or_else(Instant::now)
    }

    /// When a delay is over that begins now. `here` tells whether this is the thread in which the list is driven.
    pub(crate) fn due(&self, delay: Duration, here: bool) -> Due {
        if here || !guard::quietly(Place::Clock, || self.clock.is_local()).unwrap_or(false) {
            Due::At(after(self.now(), delay))
        } else {
            Due::After(delay, Instant::now())
        }
    }

    /// The time of something that is due, in the thread in which the list is driven.
    pub(crate) fn time_of(&self, due: &Due) -> Instant {
        match *due {
            Due::At(at) => at,
            Due::After(delay, since) => {
                let now = self.now();
                after(now.checked_sub(since.elapsed()).unwrap_or(now), delay)
            }
        }
    }

    fn list(&self) -> MutexGuard<'_, List> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has `waker` woken at `at`. None if nobody drives this list.
    pub(crate) fn add(&self, at: Instant, waker: Waker) -> Option<TimerKey> {
        let mut list = self.list();
        if list.closed {
            drop(list);
            guard::discard_waker(waker);
            return None;
        }
        list.next += 1;
        let key = (at, list.next);
        list.entries.insert(key, waker);
        kept::add(1);
        let driver = if list.first() == Some(key) { list.driver.take() } else { None };
        drop(list);
        if let Some(driver) = driver {
            guard::wake(driver);
        }
        if self.ensure_driven.is_some_and(|ensure_driven| !ensure_driven()) {
            self.remove(key);
            return None;
        }
        Some(key)
    }

    /// Has another waker woken instead. The waker comes back if the entry is gone.
    fn renew(&self, key: TimerKey, waker: Waker) -> Result<(), Waker> {
        let mut list = self.list();
        let Some(known) = list.entries.get_mut(&key) else {
            drop(list);
            return Err(waker);
        };
        let old = mem::replace(known, waker);
        drop(list);
        guard::discard_waker(old);
        Ok(())
    }

    pub(crate) fn remove(&self, key: TimerKey) {
        let old = self.list().entries.remove(&key);
        kept::remove(usize::from(old.is_some()));
        guard::discard_waker(old);
    }

    /// Wakes the entries whose time has come, and returns the time of the next one. `driver` is woken when there is an
    /// earlier one.
    pub(crate) fn fire(&self, driver: &Waker) -> Option<Instant> {
        let (mut fresh, mut now) = (None, None);
        let next = loop {
            let mut list = self.list();
            let next = list.first().map(|(at, _)| at);
            match (next, now) {
                (Some(_), None) => {
                    // The clock is read without the lock; then the list is looked at again.
                    drop(list);
                    now = Some(self.now());
                    continue;
                }
                (Some(at), Some(read)) if at <= read => {
                    let due = list.take_due(read);
                    drop(list);
                    due.into_iter().for_each(guard::wake);
                    now = None;
                    continue;
                }
                _ => {}
            }
            if list.driver.as_ref().is_some_and(|known| known.will_wake(driver)) {
                break next;
            }
            // So is the waker cloned. It is cloned once, since a clone need not say that it wakes the same task.
            let Some(clone) = fresh.take() else {
                drop(list);
                fresh = Some(driver.clone());
                continue;
            };
            let old = list.driver.replace(clone);
            drop(list);
            guard::discard_waker(old);
            break next;
        };
        guard::discard_waker(fresh);
        next
    }

    /// Nobody will drive the list any more: its entries are woken, to be added to another list.
    pub(crate) fn close(&self) {
        let mut list = self.list();
        list.closed = true;
        let entries = mem::take(&mut list.entries);
        let driver = list.driver.take();
        drop(list);
        kept::remove(entries.len());
        guard::discard_waker(driver);
        entries.into_values().for_each(guard::wake);
    }
}

impl Drop for Timers {
    fn drop(&mut self) {
        let list = mem::take(&mut *self.list());
        kept::remove(list.entries.len());
        guard::discard_waker(list.driver);
        list.entries.into_values().for_each(guard::discard_waker);
    }
}

impl fmt::Debug for Timers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timers").field("entries", &self.list().entries.len()).finish_non_exhaustive()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::{
        sync::{
            OnceLock, Weak,
            atomic::{AtomicUsize, Ordering},
        },
        task::{Context, Poll, Wake},
    };

    use super::*;

    #[test]
    fn a_delay_of_any_length_after_any_time_overflows_nothing() {
        let now = Instant::now();
        assert_eq!(after(now, Duration::from_secs(5)), now + Duration::from_secs(5));
        assert_eq!(after(now, Duration::MAX), now + LONGEST);
        // Near the end of what an instant can name, found by halving.
        let mut end = now;
        let mut step = Duration::MAX / 2;
        while !step.is_zero() {
            end = end.checked_add(step).unwrap_or(end);
            step /= 2;
        }
        for delay in [Duration::ZERO, Duration::from_secs(1), Duration::MAX] {
            assert!(after(end, delay) >= end);
        }
    }

    /// A clock that does what its caller says.
    struct Acts<F>(F);

    impl<F: Fn() -> Instant + Send + Sync + 'static> Clock for Acts<F> {
        fn now(&self) -> Instant {
            (self.0)()
        }
    }

    /// Counts its wakes.
    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    struct Panics;

    impl Wake for Panics {
        fn wake(self: Arc<Self>) {
            panic!("woken, on purpose");
        }
    }

    #[test]
    fn a_waker_that_panics_costs_no_other_its_time() {
        let timers = Timers::new(Arc::new(SystemClock));
        let count = Arc::new(Count::default());
        let now = timers.now();
        timers.add(now, count.clone().into());
        timers.add(now, Arc::new(Panics).into());
        timers.add(now, count.clone().into());
        assert_eq!(timers.fire(Waker::noop()), None);
        assert_eq!(count.0.load(Ordering::SeqCst), 2);
    }

    #[test]
    fn entries_are_woken_in_the_order_of_their_times() {
        struct Says(usize, Arc<Mutex<Vec<usize>>>);
        impl Wake for Says {
            fn wake(self: Arc<Self>) {
                self.1.lock().unwrap().push(self.0);
            }
        }
        let timers = Timers::new(Arc::new(SystemClock));
        let said = Arc::new(Mutex::new(Vec::new()));
        let now = timers.now();
        for (number, before) in [(3, 10), (1, 30), (2, 20), (4, 10)] {
            let waker = Waker::from(Arc::new(Says(number, said.clone())));
            timers.add(now.checked_sub(Duration::from_millis(before)).unwrap(), waker);
        }
        let later = after(now, Duration::from_secs(1_000));
        timers.add(later, Waker::noop().clone());
        assert_eq!(timers.fire(Waker::noop()), Some(later));
        assert_eq!(*said.lock().unwrap(), [1, 2, 3, 4]);
    }

    #[test]
    fn a_clock_that_panics_is_that_of_the_machine() {
        let timers = Timers::new(Arc::new(Acts(|| panic!("the clock stands still, on purpose"))));
        let count = Arc::new(Count::default());
        timers.add(Instant::now(), count.clone().into());
        timers.fire(Waker::noop());
        assert_eq!(count.0.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn a_clock_that_calls_back_finds_no_lock() {
        let (sender, ended) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            static TIMERS: OnceLock<Weak<Timers>> = OnceLock::new();
            let timers = Arc::new(Timers::new(Arc::new(Acts(|| {
                if let Some(timers) = TIMERS.get().and_then(Weak::upgrade) {
                    let key = timers.add(Instant::now() + LONGEST, Waker::noop().clone());
                    timers.remove(key.unwrap());
                }
                Instant::now()
            }))));
            TIMERS.set(Arc::downgrade(&timers)).unwrap();
            timers.add(Instant::now(), Waker::noop().clone());
            sender.send(timers.fire(Waker::noop())).unwrap();
        });
        assert_eq!(ended.recv_timeout(Duration::from_secs(20)), Ok(None));
    }

    #[test]
    fn a_scheduler_that_polls_itself_needs_no_backup() {
        let timers = Arc::new(Timers::new(Arc::new(SystemClock)));
        let count = Arc::new(Count::default());
        let (waker, other) = (Waker::from(count.clone()), Waker::from(Arc::new(Count::default())));
        set_here(Some(timers.clone()));
        let mut deadline = Deadline::after(Duration::from_secs(1_000));
        let mut polls = |waker: &Waker| {
            assert_eq!(deadline.poll(&mut Context::from_waker(waker)), Poll::Pending);
            deadline.is_backed_up()
        };
        {
            let _polling = polling(waker.data());
            assert!(!polls(&waker));
            assert!(polls(&other), "an executor inside the call polls it");
            {
                let _inner = polling(other.data());
                assert!(!polls(&other));
            }
            assert!(!polls(&waker), "and the call itself again");
        }
        assert!(polls(&waker), "outside of the scheduler");
        set_here(None);
        assert!(polls(&waker), "in another thread");
        drop(deadline);
        assert_eq!(timers.list().entries.len(), 0);
        assert_eq!(Arc::strong_count(&count), 2, "neither list keeps its waker");
    }

    #[test]
    fn a_time_is_not_lost_when_the_thread_of_the_shared_list_ends() {
        let seed = fastrand::u64(..);
        let mut random = fastrand::Rng::with_seed(seed);
        for round in 0..1_500 {
            // The thread ends after it has lingered: the next entry comes at about that moment.
            let next = Instant::now() + shared::LINGER + Duration::from_micros(random.u64(..200));
            let began = Instant::now();
            let woken = Arc::new(Count::default());
            let waker = Waker::from(woken.clone());
            let mut deadline = Deadline::after(Duration::from_micros(20));
            loop {
                let seen = woken.0.load(Ordering::SeqCst);
                if deadline.poll(&mut Context::from_waker(&waker)).is_ready() {
                    break;
                }
                while woken.0.load(Ordering::SeqCst) == seen {
                    assert!(
                        began.elapsed() < Duration::from_secs(20),
                        "seed {seed} round {round}: it is never woken"
                    );
                    std::thread::yield_now();
                }
            }
            while Instant::now() < next {
                std::hint::spin_loop();
            }
        }
    }
}
