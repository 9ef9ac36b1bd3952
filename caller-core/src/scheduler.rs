//! The one who runs a caller's calls, in its thread: takes new work, polls it once, keeps what does not end at
//! once, goes on with what is woken, and at the end stops it all.

mod guests;
mod residents;

mod calls;

mod here;
mod stop;

use std::{
    collections::VecDeque,
    hint,
    marker::PhantomData,
    mem,
    pin::Pin,
    rc::Rc,
    sync::Arc,
    task::{Context as TaskContext, Poll, Waker},
    time::{Duration, Instant},
};

#[cfg(not(all(test, loom)))]
use self::calls::Calls;
#[cfg(all(test, loom))]
pub(crate) use self::calls::Calls;
pub(crate) use self::{
    here::{guest, refuse, residents, with_home},
    residents::Residents,
};
use crate::{
    backend::{LocalFuture, Runtime},
    call::{self, Inbox, Item, UnobservedFailure},
    context::Context,
    guard::{self, Place},
    pending::DirectCall,
    queue::{Pressure, many_cores},
    report,
    timer::{self, Timers},
    turn,
};

/// How many calls are gone on with before the runtime has its turn.
const BATCH: usize = turn::SHARE;

/// For how long an idle thread watches its queue before it sleeps. Waking a thread that sleeps costs about twice
/// as much, for the waker as for the woken.
const WATCH: Duration = Duration::from_micros(20);

/// For how long it watches while calls run in a guest, whose reactor is another thread: each of its events would wake this
/// one. (A ping-pong in a guest of tokio's, which took 5 times the native time, takes 2 to 3 times.)
const GUEST_WATCH: Duration = Duration::from_micros(50);

/// What the scheduler asks of the caller it belongs to.
pub(crate) trait Owner {
    fn name(&self) -> &str;
    /// Whether a stop was asked for.
    fn is_stopping(&self) -> bool;
    /// Begins the stop, if nobody has.
    fn begin_stop(self: Arc<Self>);
    /// Ends what has to end before the calls do: a future that is done when they may be ended.
    fn end_surroundings(self: Arc<Self>) -> LocalFuture<'static>;
}

/// Where a scheduler is on its way to the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// It takes new work.
    Running,
    /// It refuses new work, and waits for children and queues to end. Calls that have begun go on.
    Closing,
    /// Calls that have begun are ended; those that asked for time to clean up have it.
    Ending,
    /// Every future is dropped.
    Ended,
}

/// Runs one caller's calls. It is bound to its thread.
pub(crate) struct Scheduler {
    calls: Rc<Calls>,
    /// New work that was taken from the inbox and not started yet.
    batch: VecDeque<Item>,
    /// The places of what was woken, on their way to the calls.
    woken: VecDeque<u32>,
    /// A direct call that is being awaited, and holds up the new work behind it.
    direct: Option<Direct>,
    sleep: Option<(Instant, LocalFuture<'static>)>,
    /// The time of a call for which it sleeps, if it is not for a wait.
    sleeps_for_call: Option<Instant>,
    /// What ends before the calls do, once a stop has begun.
    surroundings: Option<LocalFuture<'static>>,
    owner: Arc<dyn Owner>,
    phase: Phase,
    /// Whether the thread is ours alone, so that it may watch for work before it sleeps.
    may_watch: bool,
    /// Something was done since the last watch.
    active: bool,
    /// New calls come before those that have begun: the last turn ended when the runtime said so, which may be after the
    /// first call that it went on with, each time.
    new_first: bool,
    /// Something was polled in this turn.
    polled: bool,
    pressure: Pressure,
    not_send: PhantomData<Rc<()>>,
}

/// A direct call that is being awaited.
type Direct = LocalFuture<'static, Option<UnobservedFailure>>;

/// Runs a function that nobody waits for. A panic in it is reported.
fn guarded<R>(caller: &str, function: impl FnOnce() -> R) -> Option<R> {
    let reported = |panic: guard::Panic| {
        report::panicked(&format!("caller {caller:?}: {}", Place::DirectCall.text()), panic.message());
    };
    guard::run(function).map_err(reported).ok()
}

impl Scheduler {
    /// A scheduler for the thread it is made in. With `may_watch` the thread has nothing else to do.
    pub(crate) fn new(
        inbox: Arc<Inbox>,
        timers: Arc<Timers>,
        runtime: Rc<dyn Runtime>,
        owner: Arc<dyn Owner>,
        may_watch: bool,
    ) -> Self {
        let calls = Calls::new(inbox, timers, runtime);
        here::set(&calls);
        Self {
            calls,
            batch: VecDeque::new(),
            woken: VecDeque::new(),
            direct: None,
            sleep: None,
            sleeps_for_call: None,
            surroundings: None,
            owner,
            phase: Phase::Running,
            // On one core, nobody could add what is watched for.
            may_watch: may_watch && many_cores(),
            active: false,
            new_first: false,
            polled: false,
            pressure: Pressure::default(),
            not_send: PhantomData,
        }
    }

    /// One turn: some calls gone on with, some started. Ready once the caller was stopped and everything has
    /// ended.
    pub(crate) fn poll_turn(&mut self, cx: &mut TaskContext<'_>) -> Poll<()> {
        // Not in the context of whoever polls it, which may be that of a scope.
        let _outside = Context::outside();
        loop {
            if self.poll_phase(cx).is_ready() {
                return Poll::Ready(());
            }
            turn::begin_turn();
            self.polled = false;
            self.poll_timers(cx);
            self.take_woken(None);
            let steps =
                if self.new_first { [Self::start_new, Self::go_on] } else { [Self::go_on, Self::start_new] };
            let over = steps.into_iter().any(|step| step(self, cx));
            if over {
                self.new_first = !self.new_first;
            }
            let more = over || self.has_more();
            self.active |= self.calls.guests.drive();
            // A guest that is busy would keep the runtime from its turn.
            if more || self.calls.guests.is_woken() {
                // The runtime has its turn, and then we have ours again.
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            if self.watch() {
                if self.calls.guests.calls() == 0 {
                    continue;
                }
                // The guest may have something to do again and again; the runtime has its turn in between.
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            self.calls.guests.watch(cx.waker());
            let woken = self.take_woken(Some(cx.waker()));
            let new = if self.is_held_up() {
                // New work waits; but a stop has to be heard of.
                self.calls.inbox.items.watch(cx.waker());
                false
            } else {
                self.take_new(Some(cx.waker()))
            };
            // Looked at after the queue, which is closed after this is set: a stop is seen here, or wakes us.
            let stop = self.phase == Phase::Running && self.owner.is_stopping();
            // The last call that had time to clean up may have ended in this turn.
            let over = self.phase == Phase::Ending && self.calls.len() == 0;
            let changed = woken || new || stop || over;
            if !changed && !self.calls.guests.is_woken() && !self.sleeps_wrongly() {
                return Poll::Pending;
            }
        }
    }

    /// Goes on with what was woken. True if the turn is over, because the runtime says so.
    fn go_on(&mut self, cx: &mut TaskContext<'_>) -> bool {
        let some = self.calls.ready().min(BATCH);
        for _ in 0..some {
            if !self.may_poll() {
                return true;
            }
            self.active |= self.calls.go_on_with_next();
        }
        if let Some(direct) = &mut self.direct {
            let name = self.owner.name();
            let polled = {
                let _direct = DirectCall::enter();
                guarded(name, || direct.as_mut().poll(cx))
            };
            match polled {
                Some(Poll::Pending) => {}
                Some(Poll::Ready(failure)) => {
                    if let Some(failure) = failure {
                        failure.report(name);
                    }
                    drop_direct(&mut self.direct);
                }
                None => drop_direct(&mut self.direct),
            }
        }
        false
    }

    /// Starts new calls. True if the turn is over, because the runtime says so.
    fn start_new(&mut self, cx: &mut TaskContext<'_>) -> bool {
        let mut left = None;
        loop {
            if self.direct.is_some() || left == Some(0) {
                break;
            }
            if self.batch.is_empty() {
                let at_once = self.may_watch && self.calls.inbox.items.looks_ready();
                if at_once {
                    self.pressure.looked(true);
                }
                if !self.take_new(None) {
                    break;
                }
            }
            if !self.may_poll() {
                return true;
            }
            let some = left.unwrap_or_else(|| turn::share(self.batch.len() + self.calls.inbox.waiting()));
            left = Some(some - 1);
            let Some(item) = self.batch.pop_front() else { break };
            self.direct = self.start(item);
            self.active = true;
            if self.direct.is_some() && self.go_on(cx) {
                return true;
            }
        }
        false
    }

    fn start(&self, item: Item) -> Option<Direct> {
        let (calls, caller) = (&*self.calls, self.owner.name());
        match item {
            Item::Call(call) => call.start(calls, None),
            Item::Leased(leased) => leased.start(calls),
            // Also what is due already waits for its turn, so that what is due first begins first.
            Item::Later(later) => call::defer(later.1, calls, calls.timers.time_of(&later.0)),
            Item::Local(key) => calls.begin(key),
            Item::Direct(function) => {
                if let Some(failure) = guarded(caller, function).flatten() {
                    failure.report(caller);
                }
            }
            Item::DirectAsync(function) => return guarded(caller, function),
        }
        None
    }

    /// Whether another call may be polled before the runtime has its turn: the first of each turn, whatever the runtime says,
    /// since what shares its task may leave nothing of its budget.
    fn may_poll(&mut self) -> bool {
        if !mem::replace(&mut self.polled, true) {
            return true;
        }
        guard::quietly(Place::Runtime, || self.calls.runtime.may_poll()).unwrap_or(true)
    }

    /// Whether something is left that could be done now.
    fn has_more(&self) -> bool {
        self.calls.ready() > 0 || (!self.batch.is_empty() && !self.is_held_up())
    }

    /// Whether new work has to wait for a direct call.
    fn is_held_up(&self) -> bool {
        self.direct.is_some()
    }

    /// Takes new work from the inbox. Once a stop has begun there is none, and the rest is refused.
    fn take_new(&mut self, waker: Option<&Waker>) -> bool {
        let some = matches!(self.calls.inbox.items.poll_batch(&mut self.batch, waker), Poll::Ready(true));
        self.pressure.took(self.batch.len());
        some
    }

    fn take_woken(&mut self, waker: Option<&Waker>) -> bool {
        if !matches!(self.calls.inbox.woken.poll_batch(&mut self.woken, waker), Poll::Ready(true)) {
            return false;
        }
        self.calls.add_ready(&mut self.woken);
        true
    }

    fn poll_timers(&mut self, cx: &mut TaskContext<'_>) {
        // The runtime's sleep may end a moment before its time by the clock, and is made again then. One that does so
        // again is of no use.
        let mut ended = 0;
        loop {
            let waits = self.calls.timers.fire(cx.waker());
            let calls = self.calls.fire(|| self.calls.timers.now());
            self.sleeps_for_call = calls.filter(|at| waits.is_none_or(|waits| *at < waits));
            let Some(next) = waits.into_iter().chain(calls).min() else {
                guard::discard_now(Place::Runtime, self.sleep.take());
                return;
            };
            if self.sleep.as_ref().is_none_or(|(at, _)| *at != next) {
                let sleep = guard::quietly(Place::Runtime, || self.calls.runtime.sleep_until(next));
                let useless = ended > 1;
                let sleep = sleep.filter(|_| !useless).unwrap_or_else(|| by_our_own_clock(next));
                let old = self.sleep.replace((next, sleep));
                guard::discard_now(Place::Runtime, old);
            }
            let Some((_, sleep)) = &mut self.sleep else { return };
            match guard::quietly(Place::Runtime, || sleep.as_mut().poll(cx)) {
                Some(Poll::Pending) => return,
                Some(Poll::Ready(())) => guard::discard_now(Place::Runtime, self.sleep.take()),
                None => {
                    let old = self.sleep.replace((next, by_our_own_clock(next)));
                    guard::discard_now(Place::Runtime, old);
                }
            }
            ended += 1;
        }
    }

    /// Whether the sleep is not the one that is wanted: a call wants to be looked at before, or none does any more.
    fn sleeps_wrongly(&self) -> bool {
        let (sleeps, wanted) = (self.sleep.as_ref().map(|(at, _)| *at), self.calls.next_time());
        match (sleeps, wanted) {
            (None, None) => false,
            (None, Some(_)) => true,
            (Some(at), Some(next)) if next <= at => next < at,
            (Some(at), _) => self.sleeps_for_call == Some(at),
        }
    }

    /// How long it may watch: while nothing else wants the thread, or nothing but calls in a guest.
    fn watching_time(&self) -> Option<Duration> {
        let (running, guests) = (self.calls.running(), self.calls.guests.calls());
        let others = guard::quietly(Place::Runtime, || self.calls.runtime.other_tasks()).flatten();
        if running == 0 && others == Some(0) {
            Some(WATCH)
        } else if guests > 0 && running == guests && others.is_none_or(|tasks| tasks == 0) {
            Some(GUEST_WATCH)
        } else {
            None
        }
    }

    /// Watches the inbox for a moment after some activity, if nothing else wants the thread.
    fn watch(&mut self) -> bool {
        if !mem::take(&mut self.active) || !self.may_watch || self.direct.is_some() {
            return false;
        }
        let Some(time) = self.watching_time() else { return false };
        let until = Instant::now() + time;
        let mut first = true;
        loop {
            for _ in 0..16 {
                if self.calls.inbox.looks_ready() || self.calls.guests.is_woken() {
                    self.pressure.looked(first);
                    return true;
                }
                hint::spin_loop();
            }
            first = false;
            if Instant::now() >= until {
                return false;
            }
        }
    }
}

/// The sleep of a runtime that has none: by the clock of the machine. The clock of the backend may be another, so it is
/// looked at now and then.
fn by_our_own_clock(at: Instant) -> LocalFuture<'static> {
    const LEAST: Duration = Duration::from_millis(1);
    Box::pin(timer::sleep_until(at.max(Instant::now() + LEAST)))
}

/// Drops a direct call's future, whose destructor may panic.
fn drop_direct(direct: &mut Option<Direct>) {
    guard::discard_now(Place::DirectCall, direct.take());
}

/// The scheduler as a future: what a thread of its own is driven with.
impl Future for Scheduler {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<()> {
        self.poll_turn(cx)
    }
}

impl Unpin for Scheduler {}
