//! `to_thread`: a pool of workers for each caller, each of them a child with a thread of its own.

use std::{
    panic::Location,
    sync::{Arc, Weak},
    task::{Wake, Waker},
    time::Instant,
};

use crate::{
    call::{self, Extra, Fallible, FnJob, Item, Lender, Plain, job},
    caller::{Call, Caller, Inner, Part, Returned, Step},
    caller_id,
    context::Context,
    error::{BoxError, Result},
    guard,
    pending::{Keeper, Pending, PendingHandle},
};

impl Caller {
    /// Runs an async function in a worker: a thread that is not this caller's, with a runtime of the same kind.
    /// Inside, the current caller is the worker.
    ///
    /// An idle worker is taken, or one is made, up to the limit of the pool; calls beyond it wait in order. See
    /// [`PoolSettings`](crate::PoolSettings). The worker serves the next call when the function has returned, whatever it
    /// has spawned.
    ///
    /// If the operating system gives no thread, the call waits for the workers that there are. Without any it ends with an
    /// error ([`is_closed`](crate::Error::is_closed)) that says so, and so does every call that waits for a worker.
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
        self.0.serve(run);
        Pending::new(take)
    }

    /// The workers of its pool: how many there are, and how many of them are idle.
    pub fn workers(&self) -> (usize, usize) {
        self.0.pool.counts()
    }
}

/// A worker lends itself to a call, and goes back just before the outcome of the call can be seen: so whoever saw it
/// finds the worker idle.
impl Lender for Inner {
    fn take_back(self: Arc<Self>) {
        // An owner that is gone was never started, and has stopped its workers.
        if let Some(owner) = self.owner() {
            owner.take_back_worker(Caller(self));
        }
    }
}

impl Inner {
    /// Has a call served by a worker.
    fn serve(self: &Arc<Self>, call: Call) {
        let is_nested =
            || caller_id::here().and_then(Caller::by_id).is_some_and(|here| here.0.is_worker_of(self));
        let step = self.pool.place(call, is_nested, Caller::is_running);
        self.follow(step);
    }

    fn follow(self: &Arc<Self>, step: Step<Caller>) {
        match step {
            Step::Lend(worker, call) => lend(&worker, call),
            Step::Make { call, nested } => match Caller(self.clone()).child_builder().worker().spawn() {
                Ok(worker) => lend(&worker, call),
                Err(error) => {
                    let reason = error.reasons().map_or_else(|| error.to_string(), str::to_owned);
                    // It is followed here: what was not made is made no second time.
                    self.follow(self.pool.not_made(call, nested, &reason));
                }
            },
            Step::Wait(ticket, call) => {
                let owner = Arc::downgrade(self);
                PendingHandle::new(call).keep(Arc::new(Waiting { owner, ticket }));
            }
            Step::Refuse(calls, reason) => {
                for call in calls {
                    call.cancel(&reason, true);
                }
            }
        }
    }

    fn take_back_worker(self: &Arc<Self>, worker: Caller) {
        let is_running = worker.is_running();
        // A call that waited is on its way from then on: the end of the caller waits for it.
        match self.pool.give_back(worker, is_running, self.timers.now(), || self.hold_up_end()) {
            Returned::Lend(worker, call, _part) => lend(&worker, call),
            Returned::Replace(call, part) => {
                // A worker that ends at once brings the next call here, and so on.
                let replace = |(owner, call, _part): (Arc<Self>, Call, Option<Part>)| owner.serve(call);
                guard::nested((self.clone(), call, part), replace);
            }
            Returned::Stop(worker) => {
                worker.force_stop();
            }
            Returned::Idle(sweep) => self.plan_sweep(sweep),
            Returned::Gone(worker) => drop(worker),
        }
    }

    /// Has the idle workers looked at then, when the first of them is old enough to go.
    fn plan_sweep(self: &Arc<Self>, at: Option<Instant>) {
        let Some(at) = at else { return };
        let timer = self.timers.add(at, Waker::from(Arc::new(Sweep(Arc::downgrade(self)))));
        if self.pool.planned(timer)
            && let Some(timer) = timer
        {
            self.timers.remove(timer);
        }
    }

    fn sweep(self: &Arc<Self>) {
        let (gone, next) = self.pool.sweep(self.timers.now());
        for worker in gone {
            worker.force_stop();
        }
        self.plan_sweep(next);
    }
}

fn lend(worker: &Caller, call: Call) {
    call.assign(worker.id());
    worker.enqueue(Item::Leased(Extra::lend(worker.0.clone(), call)));
}

/// A call that waits for a worker, as seen by its pending. Done, it waits no longer: it was cancelled.
struct Waiting {
    owner: Weak<Inner>,
    ticket: u64,
}

impl Keeper for Waiting {
    fn done(&self, _call: &PendingHandle) {
        if let Some(owner) = self.owner.upgrade() {
            owner.pool.leave(self.ticket);
        }
    }
}

struct Sweep(Weak<Inner>);

impl Wake for Sweep {
    fn wake(self: Arc<Self>) {
        if let Some(owner) = self.0.upgrade() {
            owner.sweep();
        }
    }
}
