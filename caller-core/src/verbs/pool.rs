//! `to_thread`: a pool of workers for each caller, each of them a child with a thread of its own.

use std::{
    any::Any,
    collections::VecDeque,
    fmt, mem,
    panic::Location,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    task::{Wake, Waker},
    time::Instant,
};

use crate::{
    call::{self, Fallible, FnJob, Item, Plain, Run, job},
    caller::{Attached, Caller, Inner, PoolSettings},
    caller_id,
    context::Context,
    error::{BoxError, Error, Result},
    pending::Pending,
    timer::{TimerKey, Timers},
};

impl Caller {
    /// Runs an async function in a worker: a thread that is not this caller's, with a runtime of the same kind.
    /// Inside, the current caller is the worker.
    ///
    /// An idle worker is taken, or one is made, up to the limit of the pool; calls beyond it wait in order. See
    /// [`PoolSettings`]. The worker serves the next call when the function has returned, whatever it has spawned.
    #[track_caller]
    pub fn to_thread<F, T>(&self, function: F) -> Pending<T>
    where
        F: AsyncFnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.lend_worker(job::<F, Plain, _>(move || function()), Context::current(), Location::caller())
    }

    /// As [`to_thread`](Self::to_thread), for a function that returns a `Result`: an `Err` makes the call failed.
    #[track_caller]
    pub fn try_to_thread<F, T, E>(&self, function: F) -> Pending<T>
    where
        F: AsyncFnOnce() -> Result<T, E> + Send + 'static,
        E: Into<BoxError> + 'static,
        T: Send + 'static,
    {
        self.lend_worker(job::<F, Fallible, _>(move || function()), Context::current(), Location::caller())
    }

    pub(crate) fn lend_worker<J: FnJob>(
        &self,
        job: J,
        context: Context,
        location: &'static Location<'static>,
    ) -> Pending<J::Value> {
        let (run, take) = call::call(job, context, location, None);
        if run.state().is_done() {
            // Whoever tracks it has cancelled it: it needs no worker.
            return Pending::new(take);
        }
        match Pool::of(self) {
            Ok(pool) => pool.serve(run),
            Err(reason) => {
                run.cancel(&reason, true);
            }
        }
        Pending::new(take)
    }

    /// The workers of its pool: how many there are, and how many of them are idle.
    pub fn workers(&self) -> (usize, usize) {
        let pool = self.0.pool.get().cloned().and_then(|pool| {
            let pool: Arc<dyn Any + Send + Sync> = pool;
            pool.downcast::<Pool>().ok()
        });
        pool.map_or((0, 0), |pool| {
            let workers = pool.workers();
            (workers.total, workers.idle.len())
        })
    }
}

struct Pool {
    owner: Weak<Inner>,
    settings: PoolSettings,
    timers: Arc<Timers>,
    workers: Mutex<Workers>,
}

#[derive(Default)]
struct Workers {
    /// Those without a call, the one that became idle last at the end. It is taken first, so that what is not
    /// needed grows old.
    idle: Vec<(Caller, Instant)>,
    /// How many there are, busy and idle.
    total: usize,
    /// Calls that wait for a worker.
    waiting: VecDeque<Arc<dyn Run>>,
    /// When the idle ones are looked at again.
    sweep: Option<TimerKey>,
    /// Why there is none any more.
    stopped: Option<String>,
}

/// A worker lent to a call. Dropping it gives the worker back, just before the outcome of the call can be seen: so
/// whoever saw it finds the worker idle.
struct Lent {
    pool: Arc<Pool>,
    /// None once it was given back.
    worker: Option<Caller>,
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(worker) = self.worker.take() {
            self.pool.take_back(worker);
        }
    }
}

impl Pool {
    /// The pool of a caller, made at the first call. The error is why there is none.
    fn of(caller: &Caller) -> Result<Arc<Self>, String> {
        let inner = &caller.0;
        let pool = inner.pool.get_or_init(|| {
            Arc::new(Self {
                owner: Arc::downgrade(inner),
                settings: inner.options.pool,
                timers: inner.timers.clone(),
                workers: Mutex::default(),
            })
        });
        let pool: Arc<dyn Any + Send + Sync> = pool.clone();
        pool.downcast().map_err(|_| unreachable!("this is the only type that is put there"))
    }

    fn workers(&self) -> MutexGuard<'_, Workers> {
        self.workers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(self: Arc<Self>, call: Arc<dyn Run>) {
        let mut from_worker = None;
        let mut workers = loop {
            let workers = self.workers();
            // Asked without the lock, and only where it matters.
            if workers.total < self.settings.limit || from_worker.is_some() {
                break workers;
            }
            drop(workers);
            from_worker = Some(self.is_from_own_worker());
        };
        if let Some(reason) = workers.stopped.clone() {
            drop(workers);
            call.cancel(&reason, true);
            return;
        }
        while let Some((worker, _)) = workers.idle.pop() {
            if worker.is_running() {
                drop(workers);
                return self.lend(worker, call);
            }
            // Somebody stopped it.
            workers.total -= 1;
        }
        if workers.total >= self.settings.limit && from_worker != Some(true) {
            workers.waiting.push_back(call);
            return;
        }
        workers.total += 1;
        drop(workers);
        let made = match self.owner.upgrade() {
            Some(owner) => Caller(owner).child_builder().spawn(),
            None => Err(Error::closed("its caller is gone")),
        };
        match made {
            Ok(worker) => self.lend(worker, call),
            Err(error) => self.without_worker(call, &error),
        }
    }

    /// There is no thread to be had. A call waits for a worker that there is; without any it ends.
    fn without_worker(self: Arc<Self>, call: Arc<dyn Run>, error: &Error) {
        let mut workers = self.workers();
        workers.total -= 1;
        if let Some((worker, _)) = workers.idle.pop() {
            // It became idle meanwhile. Should it be stopped by now, it gives the place back and the call hears of it.
            drop(workers);
            return self.lend(worker, call);
        }
        if workers.total > 0 && workers.stopped.is_none() {
            workers.waiting.push_back(call);
            return;
        }
        drop(workers);
        let reason = error.reasons().map_or_else(|| error.to_string(), str::to_owned);
        call.cancel(&reason, true);
    }

    fn lend(self: Arc<Self>, worker: Caller, call: Arc<dyn Run>) {
        call.assign(worker.id());
        let lent = Lent { pool: self, worker: Some(worker.clone()) };
        worker.enqueue(Item::Leased(Box::new((call, Box::new(lent)))));
    }

    fn take_back(self: &Arc<Self>, worker: Caller) {
        let mut workers = self.workers();
        if workers.stopped.is_some() || !worker.is_running() {
            workers.total -= 1;
            // Whoever waits for this worker gets another, or hears why not.
            let next = workers.waiting.pop_front();
            drop(workers);
            if let Some(next) = next {
                self.clone().serve(next);
            }
            return;
        }
        // What was cancelled while it waited needs no worker.
        while let Some(next) = workers.waiting.pop_front() {
            if !next.state().is_done() {
                drop(workers);
                return self.clone().lend(worker, next);
            }
        }
        if workers.idle.len() >= self.settings.max_idle || workers.total > self.settings.limit {
            workers.total -= 1;
            drop(workers);
            worker.force_stop();
            return;
        }
        workers.idle.push((worker, self.timers.now()));
        drop(workers);
        self.plan_sweep();
    }

    /// Whether this code runs in one of the pool's workers, whose caller may wait for the call.
    fn is_from_own_worker(&self) -> bool {
        let Some(here) = caller_id::here().and_then(Caller::by_id) else { return false };
        here.0.parent_is(&self.owner)
    }

    /// Has the idle workers looked at when the first of them is old enough to go.
    fn plan_sweep(self: &Arc<Self>) {
        let keep = self.settings.idle_time;
        if keep.is_zero() {
            return;
        }
        let mut workers = self.workers();
        let Some((_, since)) = workers.idle.first() else { return };
        let (None, Some(at)) = (workers.sweep, since.checked_add(keep)) else { return };
        // A mark, so that nobody else plans one meanwhile: the list of timers is not touched under this lock.
        workers.sweep = Some((at, 0));
        drop(workers);
        let key = self.timers.add(at, Waker::from(Arc::new(Sweep(Arc::downgrade(self)))));
        let mut workers = self.workers();
        if workers.sweep == Some((at, 0)) {
            workers.sweep = key;
        }
    }

    fn sweep(self: &Arc<Self>) {
        let now = self.timers.now();
        let keep = self.settings.idle_time;
        let mut workers = self.workers();
        workers.sweep = None;
        let old = workers
            .idle
            .iter()
            .take_while(|(_, since)| now.saturating_duration_since(*since) >= keep)
            .count();
        let gone: Vec<_> = workers.idle.drain(..old).collect();
        workers.total -= gone.len();
        drop(workers);
        for (worker, _) in gone {
            worker.force_stop();
        }
        self.plan_sweep();
    }
}

struct Sweep(Weak<Pool>);

impl Wake for Sweep {
    fn wake(self: Arc<Self>) {
        if let Some(pool) = self.0.upgrade() {
            pool.sweep();
        }
    }
}

impl Attached for Pool {
    fn stop(&self, reason: &str) {
        let mut workers = self.workers();
        if workers.stopped.is_none() {
            workers.stopped = Some(reason.to_owned());
        }
        let waiting = mem::take(&mut workers.waiting);
        let idle = mem::take(&mut workers.idle);
        workers.total -= idle.len();
        let sweep = workers.sweep.take();
        drop(workers);
        if let Some(sweep) = sweep {
            self.timers.remove(sweep);
        }
        // The workers themselves are children, which stop with their parent.
        drop(idle);
        for call in waiting {
            call.cancel(reason, true);
        }
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("settings", &self.settings).finish_non_exhaustive()
    }
}
