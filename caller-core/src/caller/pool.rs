//! The state of a worker pool: who is idle, who waits, and what happens to a call next. Generic over the worker, since
//! a worker is a caller and a caller has a pool.

use std::{
    collections::BTreeMap,
    fmt, mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use super::options::PoolSettings;
use crate::{call::Run, timer::TimerKey};

/// A call for a worker.
pub(crate) type Call = Arc<dyn Run>;

pub(crate) struct Pool<W> {
    settings: PoolSettings,
    workers: Mutex<Workers<W>>,
}

struct Workers<W> {
    /// Workers without a call, the one that became idle last at the end. It is taken first, so that workers that are
    /// not needed grow old. Empty while calls wait.
    idle: Vec<(W, Instant)>,
    /// The number of workers: busy, idle, and being made.
    total: usize,
    /// Calls that wait for a worker, in order.
    waiting: BTreeMap<u64, Call>,
    next_ticket: u64,
    /// When the idle ones are looked at again.
    sweep: Option<Sweep>,
    /// The reason why there are no workers any more.
    closed: Option<String>,
}

enum Sweep {
    /// A timer is being added.
    Planned,
    At(TimerKey),
}

/// What is to be done with a call.
pub(crate) enum Step<W> {
    Lend(W, Call),
    /// Make a worker for it. `nested` if it was made from one of the pool's own workers.
    Make {
        call: Call,
        nested: bool,
    },
    /// It waits, under this ticket.
    Wait(u64, Call),
    Refuse(Vec<Call>, String),
}

/// What is to be done with a worker that was given back.
pub(crate) enum Returned<W, P> {
    Lend(W, Call, P),
    /// It has stopped, and this call waits for another.
    Replace(Call, P),
    /// It is not needed.
    Stop(W),
    /// It is idle now. If there is a time, the idle workers are to be looked at then: `planned` has to follow.
    Idle(Option<Instant>),
    /// It has stopped, and no call waits.
    Gone(W),
}

/// What a pool leaves when it is closed.
pub(crate) struct Rest<W> {
    pub(crate) waiting: Vec<Call>,
    /// Workers are children of their caller, which stops them.
    pub(crate) idle: Vec<(W, Instant)>,
    pub(crate) sweep: Option<TimerKey>,
}

impl<W> Pool<W> {
    pub(crate) fn new(settings: PoolSettings) -> Self {
        let workers = Workers {
            idle: Vec::new(),
            total: 0,
            waiting: BTreeMap::new(),
            next_ticket: 0,
            sweep: None,
            closed: None,
        };
        Self { settings, workers: Mutex::new(workers) }
    }

    fn workers(&self) -> MutexGuard<'_, Workers<W>> {
        self.workers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many workers there are, and how many of them are idle.
    pub(crate) fn counts(&self) -> (usize, usize) {
        let workers = self.workers();
        (workers.total, workers.idle.len())
    }

    /// How many calls wait.
    #[cfg(feature = "test-util")]
    pub(crate) fn waiting(&self) -> usize {
        self.workers().waiting.len()
    }

    /// Finds a place for a call. `is_nested` tells whether it was made from one of the pool's own workers; it is asked
    /// without the lock, and only if the limit is reached.
    pub(crate) fn place(
        &self,
        call: Call,
        is_nested: impl Fn() -> bool,
        is_running: impl Fn(&W) -> bool,
    ) -> Step<W> {
        let mut nested = None;
        let mut workers = loop {
            let workers = self.workers();
            if workers.total < self.settings.limit || nested.is_some() {
                break workers;
            }
            drop(workers);
            nested = Some(is_nested());
        };
        if let Some(reason) = &workers.closed {
            return Step::Refuse(vec![call], reason.clone());
        }
        // Workers that somebody stopped. They are dropped without the lock.
        let mut gone = Vec::new();
        while let Some((worker, _)) = workers.idle.pop() {
            if is_running(&worker) {
                drop(workers);
                return Step::Lend(worker, call);
            }
            workers.total -= 1;
            gone.push(worker);
        }
        let step = if workers.total < self.settings.limit || nested == Some(true) {
            workers.total += 1;
            Step::Make { call, nested: nested == Some(true) }
        } else {
            workers.wait(call)
        };
        drop(workers);
        step
    }

    /// No thread could be had for a worker. A call waits for the workers that there are. Without any, and if it was made
    /// from one of them, which may be waiting for it, it is refused, and so are all that wait for the same.
    pub(crate) fn not_made(&self, call: Call, nested: bool, reason: &str) -> Step<W> {
        let mut workers = self.workers();
        workers.total -= 1;
        if let Some((worker, _)) = workers.idle.pop() {
            // It became idle meanwhile.
            return Step::Lend(worker, call);
        }
        let reason = workers.closed.clone().unwrap_or_else(|| reason.to_owned());
        if workers.closed.is_some() || nested && workers.total > 0 {
            return Step::Refuse(vec![call], reason);
        }
        if workers.total > 0 {
            return workers.wait(call);
        }
        let waiting = mem::take(&mut workers.waiting);
        Step::Refuse([call].into_iter().chain(waiting.into_values()).collect(), reason)
    }

    /// A call is done that waited: it needs no worker.
    pub(crate) fn leave(&self, ticket: u64) {
        let left = self.workers().waiting.remove(&ticket);
        drop(left);
    }

    /// Takes a worker back. `hold` is called, with the lock, before a call waits no longer.
    pub(crate) fn give_back<P>(
        &self,
        worker: W,
        is_running: bool,
        now: Instant,
        hold: impl FnOnce() -> P,
    ) -> Returned<W, P> {
        let mut workers = self.workers();
        if workers.closed.is_some() || !is_running {
            workers.total -= 1;
            return match workers.next_waiting(hold) {
                Some((call, held)) => Returned::Replace(call, held),
                None => Returned::Gone(worker),
            };
        }
        if let Some((call, held)) = workers.next_waiting(hold) {
            return Returned::Lend(worker, call, held);
        }
        if workers.idle.len() >= self.settings.max_idle || workers.total > self.settings.limit {
            workers.total -= 1;
            return Returned::Stop(worker);
        }
        workers.idle.push((worker, now));
        Returned::Idle(workers.plan_sweep(self.settings.idle_time))
    }

    /// The timer of the planned sweep, or none if no timer could be had. True if the timer is not wanted any more.
    #[must_use]
    pub(crate) fn planned(&self, timer: Option<TimerKey>) -> bool {
        let mut workers = self.workers();
        if !matches!(workers.sweep, Some(Sweep::Planned)) {
            // It has fired already, or the pool was closed.
            return workers.closed.is_some();
        }
        workers.sweep = timer.map(Sweep::At);
        false
    }

    /// Takes the workers that were idle for too long. If there is a time, the others are to be looked at then: `planned` has
    /// to follow.
    pub(crate) fn sweep(&self, now: Instant) -> (Vec<W>, Option<Instant>) {
        let keep = self.settings.idle_time;
        let mut workers = self.workers();
        workers.sweep = None;
        let is_old = |(_, since): &&(W, Instant)| now.saturating_duration_since(*since) >= keep;
        let old = workers.idle.iter().take_while(is_old).count();
        let gone: Vec<_> = workers.idle.drain(..old).map(|(worker, _)| worker).collect();
        workers.total -= gone.len();
        (gone, workers.plan_sweep(keep))
    }

    /// Takes no more calls, for this reason, and gives what is left.
    pub(crate) fn close(&self, reason: &str) -> Rest<W> {
        let mut workers = self.workers();
        workers.closed.get_or_insert_with(|| reason.to_owned());
        let waiting = mem::take(&mut workers.waiting).into_values().collect();
        let idle = mem::take(&mut workers.idle);
        workers.total -= idle.len();
        let sweep = match workers.sweep.take() {
            Some(Sweep::At(timer)) => Some(timer),
            Some(Sweep::Planned) | None => None,
        };
        Rest { waiting, idle, sweep }
    }
}

impl<W> Workers<W> {
    fn wait(&mut self, call: Call) -> Step<W> {
        self.next_ticket += 1;
        self.waiting.insert(self.next_ticket, call.clone());
        Step::Wait(self.next_ticket, call)
    }

    fn next_waiting<P>(&mut self, hold: impl FnOnce() -> P) -> Option<(Call, P)> {
        let first = self.waiting.first_entry()?;
        let held = hold();
        Some((first.remove(), held))
    }

    /// When the idle workers are to be looked at, each being kept for a time, if nobody has planned that yet.
    fn plan_sweep(&mut self, keep: Duration) -> Option<Instant> {
        if keep.is_zero() || self.sweep.is_some() {
            return None;
        }
        let (_, since) = self.idle.first()?;
        // A time that the clock cannot name never comes.
        let at = since.checked_add(keep)?;
        self.sweep = Some(Sweep::Planned);
        Some(at)
    }
}

impl<W> fmt::Debug for Pool<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("settings", &self.settings).finish_non_exhaustive()
    }
}
