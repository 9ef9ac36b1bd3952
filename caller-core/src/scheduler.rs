//! The one who runs a caller's calls, in its thread: takes new work, polls it once, keeps what does not end at
//! once, goes on with what is woken, and at the end stops it all.

mod guests;
mod own;
mod stop;

use std::{
    cell::{Cell, RefCell},
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

use slab::Slab;

pub(crate) use self::guests::guest;
use self::{
    guests::Guests,
    own::{OwnTasks, Slot},
    stop::Phase,
};
use crate::{
    backend::{LocalFuture, Runtime},
    call::{Home, Inbox, Item, Lease, Run, UnobservedFailure, Woken},
    guard::{self, Place},
    queue::{Pressure, many_cores},
    report,
    timer::{TimerKey, Timers},
    turn,
};

/// How many calls are gone on with before the runtime has its turn.
const BATCH: usize = turn::SHARE;

/// How many items' room a queue keeps.
const KEPT_CAPACITY: usize = 1024;

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

/// Runs one caller's calls. It is bound to its thread.
pub(crate) struct Scheduler {
    tasks: Rc<Tasks>,
    /// New work that was taken from the inbox and not started yet.
    batch: VecDeque<Item>,
    /// What was woken, on its way to `Tasks::ready`.
    woken: VecDeque<Arc<dyn Run>>,
    /// A direct call that is being awaited, and holds up the new work behind it.
    direct: Option<Direct>,
    sleep: Option<(Instant, LocalFuture<'static>)>,
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
    pressure: Pressure,
    not_send: PhantomData<Rc<()>>,
}

/// The calls that have begun: what `Home` gives to each of them.
struct Tasks {
    inbox: Arc<Inbox>,
    timers: Arc<Timers>,
    runtime: Rc<dyn Runtime>,
    kept: RefCell<Slab<Kept>>,
    /// Calls to go on with.
    ready: RefCell<VecDeque<Arc<dyn Run>>>,
    /// What the call that is being started gives back when it ends.
    lease: Cell<Option<Lease>>,
    /// Calls are tasks of the runtime's own.
    own: Option<OwnTasks>,
    /// That of them which is being polled.
    polled: RefCell<Option<Rc<Slot>>>,
    guests: Guests,
}

/// A call that has not ended.
struct Kept {
    task: Arc<dyn Run>,
    extra: Option<Box<KeptExtra>>,
}

/// What most calls do not need.
#[derive(Default)]
struct KeptExtra {
    timer: Option<TimerKey>,
    /// Held until the call has ended.
    lease: Option<Lease>,
    /// The task of its own in which it is polled.
    slot: Option<Rc<Slot>>,
}

impl Home for Tasks {
    fn woken(&self) -> &Arc<Woken> {
        &self.inbox.woken
    }

    fn keep(&self, task: Arc<dyn Run>) -> usize {
        let (lease, slot) = (self.lease.take(), self.polled.borrow().clone());
        let some = lease.is_some() || slot.is_some();
        let extra = some.then(|| Box::new(KeptExtra { timer: None, lease, slot }));
        self.kept.borrow_mut().insert(Kept { task, extra })
    }

    fn finishing(&self, kept: Option<usize>) {
        // What is given back may be taken again at once, by whoever sees the outcome; and none of it is dropped
        // under the borrow.
        let lease = self.lease.take();
        let kept = kept.and_then(|key| self.kept.borrow_mut().try_remove(key));
        let Some(Kept { task, extra }) = kept else {
            return drop(lease);
        };
        if let Some(mut extra) = extra {
            if let Some(timer) = extra.timer.take() {
                self.timers.remove(timer);
            }
            drop(extra.lease.take());
        }
        drop((lease, task));
    }

    fn again(&self, task: Arc<dyn Run>) {
        self.ready.borrow_mut().push_back(task);
        if let Some(own) = &self.own {
            // It was polled in a task of its own, and not in our turn.
            own.wake_scheduler();
        }
    }

    fn wake_at(&self, kept: usize, at: Instant, waker: Waker) {
        let timer = self.timers.add(at, waker);
        let old = self
            .kept
            .borrow_mut()
            .get_mut(kept)
            .and_then(|kept| mem::replace(&mut kept.extra.get_or_insert_default().timer, timer));
        if let Some(old) = old {
            self.timers.remove(old);
        }
    }

    fn now(&self) -> Instant {
        self.timers.now()
    }
}

impl Tasks {
    fn slot(&self, kept: usize) -> Option<Rc<Slot>> {
        self.kept.borrow().get(kept)?.extra.as_ref()?.slot.clone()
    }

    fn set_slot(&self, kept: usize, slot: &Rc<Slot>) {
        if let Some(kept) = self.kept.borrow_mut().get_mut(kept) {
            kept.extra.get_or_insert_default().slot = Some(slot.clone());
        }
    }

    /// Whether an item has to wait until the calls before it have started.
    fn holds_up(&self, item: &Item) -> bool {
        let direct = matches!(item, Item::Direct(_) | Item::DirectAsync(_));
        direct && self.own.as_ref().is_some_and(OwnTasks::is_starting)
    }

    /// Polls a call for the first time.
    fn begin(self: &Rc<Self>, call: Arc<dyn Run>, lease: Option<Lease>) {
        match &self.own {
            Some(own) => own.start(self, call, lease),
            None => {
                self.lease.set(lease);
                call.begin(&**self);
            }
        }
    }

    /// Goes on with a call.
    fn resume(self: &Rc<Self>, call: Arc<dyn Run>) {
        match &self.own {
            Some(own) => own.resume(self, call),
            None => call.resume(&**self),
        }
    }

    fn next_ready(&self) -> Option<Arc<dyn Run>> {
        self.ready.borrow_mut().pop_front()
    }

    fn start(self: &Rc<Self>, item: Item, caller: &str) -> Option<Direct> {
        match item {
            Item::Call(call) | Item::Local(call) => self.begin(call, None),
            Item::Leased(leased) => {
                let (call, lease) = *leased;
                self.begin(call, Some(lease));
            }
            Item::Later(later) => {
                let (at, call) = *later;
                if at <= self.now() {
                    self.begin(call, None);
                } else {
                    call.defer(&**self, at);
                }
            }
            Item::Direct(function) => {
                if let Some(failure) = guarded(caller, function).flatten() {
                    failure.report(caller);
                }
            }
            Item::DirectAsync(function) => return guarded(caller, function),
        }
        None
    }
}

/// A direct call that is being awaited.
type Direct = LocalFuture<'static, Option<UnobservedFailure>>;

/// Runs a function that nobody waits for. A panic in it is reported.
fn guarded<R>(caller: &str, function: impl FnOnce() -> R) -> Option<R> {
    guard::run(function)
        .map_err(|panic| report::panicked(&format!("caller {caller:?}: call_direct"), panic.message()))
        .ok()
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
        let own = runtime.spawner().map(OwnTasks::new);
        let tasks = Rc::new(Tasks {
            inbox,
            timers,
            runtime,
            kept: RefCell::default(),
            ready: RefCell::default(),
            lease: Cell::default(),
            own,
            polled: RefCell::default(),
            guests: Guests::new(),
        });
        guests::settle(&tasks);
        Self {
            tasks,
            batch: VecDeque::new(),
            woken: VecDeque::new(),
            direct: None,
            sleep: None,
            surroundings: None,
            owner,
            phase: Phase::Running,
            // On one core, nobody could add what is watched for.
            may_watch: may_watch && many_cores(),
            active: false,
            new_first: false,
            pressure: Pressure::default(),
            not_send: PhantomData,
        }
    }

    /// One turn: some calls gone on with, some started. Ready once the caller was stopped and everything has
    /// ended.
    pub(crate) fn poll_turn(&mut self, cx: &mut TaskContext<'_>) -> Poll<()> {
        if let Some(own) = &self.tasks.own {
            own.tell(cx.waker());
        }
        loop {
            if self.poll_phase(cx).is_ready() {
                return Poll::Ready(());
            }
            turn::begin_turn();
            self.poll_timers(cx);
            self.take_woken(None);
            let steps =
                if self.new_first { [Self::start_new, Self::go_on] } else { [Self::go_on, Self::start_new] };
            let over = steps.into_iter().any(|step| step(self, cx));
            if over {
                self.new_first = !self.new_first;
            }
            let more = over || self.has_more();
            self.active |= self.tasks.guests.drive();
            // A guest that is busy would keep the runtime from its turn.
            if more || self.tasks.guests.is_woken() {
                // The runtime has its turn, and then we have ours again.
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            if self.watch() {
                if self.tasks.guests.calls() == 0 {
                    continue;
                }
                // The guest may have something to do again and again; the runtime has its turn in between.
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            self.tasks.guests.watch(cx.waker());
            let woken = self.take_woken(Some(cx.waker()));
            let new = if self.is_held_up() {
                // New work waits; but a stop has to be heard of.
                self.tasks.inbox.items.watch(cx.waker());
                false
            } else {
                self.take_new(Some(cx.waker()))
            };
            // Looked at after the queue, which is closed after this is set: a stop is seen here, or wakes us.
            let stop = self.phase == Phase::Running && self.owner.is_stopping();
            if !woken && !new && !stop && !self.tasks.guests.is_woken() {
                return Poll::Pending;
            }
        }
    }

    /// Goes on with what was woken. True if the turn is over, because the runtime says so.
    fn go_on(&mut self, cx: &mut TaskContext<'_>) -> bool {
        let some = self.tasks.ready.borrow().len().min(BATCH);
        for _ in 0..some {
            if !self.tasks.runtime.may_poll() {
                return true;
            }
            let Some(task) = self.tasks.next_ready() else { break };
            self.tasks.resume(task);
            self.active = true;
        }
        if let Some(direct) = &mut self.direct {
            let name = self.owner.name();
            match guarded(name, || direct.as_mut().poll(cx)) {
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
                let at_once = self.may_watch && self.tasks.inbox.items.looks_ready();
                if at_once {
                    self.pressure.looked(true);
                }
                if !self.take_new(None) {
                    break;
                }
            }
            if !self.tasks.runtime.may_poll() {
                return true;
            }
            if self.is_held_up() {
                break;
            }
            let some = left.unwrap_or_else(|| turn::share(self.batch.len() + self.tasks.inbox.waiting()));
            left = Some(some - 1);
            let Some(item) = self.batch.pop_front() else { break };
            self.direct = self.tasks.start(item, self.owner.name());
            self.active = true;
            if self.direct.is_some() && self.go_on(cx) {
                return true;
            }
        }
        false
    }

    /// Whether something is left that could be done now.
    fn has_more(&self) -> bool {
        !self.tasks.ready.borrow().is_empty() || (!self.batch.is_empty() && !self.is_held_up())
    }

    /// Whether new work has to wait: for a direct call, or until what was made before one has started.
    fn is_held_up(&self) -> bool {
        self.direct.is_some() || self.batch.front().is_some_and(|item| self.tasks.holds_up(item))
    }

    /// Takes new work from the inbox. Once a stop has begun there is none, and the rest is refused.
    fn take_new(&mut self, waker: Option<&Waker>) -> bool {
        // What a flood has left is given back, down to what serves the usual traffic.
        if self.batch.capacity() > KEPT_CAPACITY {
            self.batch.shrink_to(KEPT_CAPACITY);
        }
        let some = matches!(self.tasks.inbox.items.poll_batch(&mut self.batch, waker), Poll::Ready(true));
        self.pressure.took(self.batch.len());
        some
    }

    fn take_woken(&mut self, waker: Option<&Waker>) -> bool {
        if !matches!(self.tasks.inbox.woken.poll_batch(&mut self.woken, waker), Poll::Ready(true)) {
            return false;
        }
        self.tasks.ready.borrow_mut().append(&mut self.woken);
        if self.woken.capacity() > KEPT_CAPACITY {
            self.woken.shrink_to(KEPT_CAPACITY);
        }
        true
    }

    fn poll_timers(&mut self, cx: &mut TaskContext<'_>) {
        loop {
            let Some(next) = self.tasks.timers.fire(cx.waker()) else {
                self.sleep = None;
                return;
            };
            if self.sleep.as_ref().is_none_or(|(at, _)| *at != next) {
                self.sleep = Some((next, self.tasks.runtime.sleep_until(next)));
            }
            let Some((_, sleep)) = &mut self.sleep else { return };
            if sleep.as_mut().poll(cx).is_pending() {
                return;
            }
            // The sleep may end a moment before its time by the clock; then it is made again.
            self.sleep = None;
        }
    }

    /// How long it may watch: while nothing else wants the thread, or nothing but calls in a guest.
    fn watching_time(&self) -> Option<Duration> {
        let (kept, guests) = (self.tasks.kept.borrow().len(), self.tasks.guests.calls());
        let others = self.tasks.runtime.other_tasks();
        let ordered = self.tasks.own.as_ref().is_some_and(OwnTasks::is_ordered);
        if kept == 0 && others == Some(0) {
            Some(WATCH)
        } else if guests > 0 && kept == guests && others.is_none_or(|tasks| tasks == 0) && !ordered {
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
                if self.tasks.inbox.looks_ready() || self.tasks.guests.is_woken() {
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

/// Drops a direct call's future, whose destructor may panic.
fn drop_direct(direct: &mut Option<Direct>) {
    guard::discard(Place::DirectCall, direct.take());
}

/// The scheduler as a future: what a thread of its own is driven with.
impl Future for Scheduler {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<()> {
        self.poll_turn(cx)
    }
}

impl Unpin for Scheduler {}
