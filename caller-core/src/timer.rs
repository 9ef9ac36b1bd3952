//! Waking at a time: one list of deadlines for each caller, driven by its scheduler, and one shared list for the threads
//! without a caller, driven by a thread of its own.

mod deadline;
mod shared;

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
#[allow(unused_imports, reason = "the scheduler sets it around each poll of a call")]
pub(crate) use self::shared::{Polling, polling};
pub(crate) use self::{
    deadline::{Deadline, by_which_clock, timeout_methods},
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

/// The longest delay, about a century. Every clock can name a time so far ahead, and no program waits for its end.
const LONGEST: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// The time `delay` after `now`. A delay of more than about a century counts as a century, so it never overflows.
pub(crate) fn after(now: Instant, delay: Duration) -> Instant {
    // The second step is for a clock near its own end.
    now.checked_add(delay.min(LONGEST)).or_else(|| now.checked_add(LONGEST / 100)).unwrap_or(now)
}

/// Names an entry of a list. Entries of one time are in the order they were made.
pub(crate) type TimerKey = (Instant, u64);

/// Wakers, each with the time at which it is woken.
pub(crate) struct Timers {
    clock: Arc<dyn Clock>,
    list: Mutex<List>,
    /// Makes sure that somebody drives the list, after an entry was added.
    ensure_driven: Option<fn()>,
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
    fn new_shared(ensure_driven: fn()) -> Self {
        Self { clock: Arc::new(SystemClock), list: Mutex::default(), ensure_driven: Some(ensure_driven) }
    }

    /// The time by the clock of the list. It is code of a user's: no lock may be held. While that clock panics, the time
    /// is that of the machine.
    pub(crate) fn now(&self) -> Instant {
        guard::quietly(Place::Clock, || self.clock.now()).unwrap_or_else(Instant::now)
    }

    fn list(&self) -> MutexGuard<'_, List> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has `waker` woken at `at`. None if nobody drives this list any more.
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
        if let Some(ensure_driven) = self.ensure_driven {
            ensure_driven();
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
