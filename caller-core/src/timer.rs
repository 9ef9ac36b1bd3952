//! Waking at a time: one list of deadlines for each caller, driven by its scheduler, and one for the threads
//! that have no caller, driven by a thread of its own.

mod deadline;
mod shared;

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::Waker,
    time::{Duration, Instant},
};

use crate::guard;

pub use self::deadline::sleep_until;
pub(crate) use self::{
    deadline::Deadline,
    shared::{Undriven, set_here},
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

/// How far away a time is that the clock cannot name: it never comes, and a century is as good.
const CENTURY: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// The time that is `delay` after `now`. It never overflows.
pub(crate) fn after(now: Instant, delay: Duration) -> Instant {
    now.checked_add(delay.min(CENTURY)).unwrap_or(now)
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
            guard::wake(driver);
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
        entries.into_values().for_each(guard::wake);
    }
}

impl fmt::Debug for Timers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timers").field("entries", &self.list().entries.len()).finish_non_exhaustive()
    }
}
