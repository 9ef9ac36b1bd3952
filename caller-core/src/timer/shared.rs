//! The list of deadlines for what waits outside of callers, and which list the waits of a thread use.

use std::{
    cell::{Cell, RefCell},
    sync::{Arc, Condvar, LazyLock, Mutex, PoisonError},
    task::{self, Waker},
    thread,
    time::{Duration, Instant},
};

use super::{SystemClock, Timers};

thread_local! {
    static HERE: RefCell<Option<Arc<Timers>>> = const { RefCell::new(None) };
    /// Set while this thread is blocked in a wait: nobody drives the list of its caller then, and it drives its own.
    static BLOCKED: RefCell<Option<Arc<Timers>>> = const { RefCell::new(None) };
    /// The address of the waker with which the scheduler of this thread polls now. Zero outside of its polls.
    static POLLED_WITH: Cell<usize> = const { Cell::new(0) };
}

/// Sets whose list the waits of this thread use.
pub(crate) fn set_here(timers: Option<Arc<Timers>>) {
    let _old = HERE.try_with(|here| here.replace(timers));
}

/// The list of this thread's caller.
fn own() -> Option<Arc<Timers>> {
    HERE.try_with(|here| here.borrow().clone()).ok().flatten()
}

fn is_own(timers: &Arc<Timers>) -> bool {
    let is = |own: &Option<Arc<Timers>>| own.as_ref().is_some_and(|own| Arc::ptr_eq(own, timers));
    HERE.try_with(|here| is(&here.borrow())).unwrap_or(false)
}

/// The list for a wait that begins in this thread.
pub(super) fn here() -> Arc<Timers> {
    blocked().or_else(own).unwrap_or_else(|| shared().clone())
}

fn blocked() -> Option<Arc<Timers>> {
    BLOCKED.try_with(|blocked| blocked.borrow().clone()).ok().flatten()
}

/// Whether a wait of this thread has to leave this list: the thread is blocked, and this is not the list that it drives.
pub(super) fn is_undriven(timers: &Arc<Timers>) -> bool {
    blocked().is_some_and(|blocked| !Arc::ptr_eq(&blocked, timers))
}

/// The deadlines of a thread that is blocked in a wait: by the machine's clock, and driven by the thread itself.
#[must_use]
pub(crate) struct Blocked {
    timers: Arc<Timers>,
    outer: Option<Arc<Timers>>,
}

impl Blocked {
    /// From here on, the waits of this thread use this list.
    pub(crate) fn enter() -> Self {
        let timers = Arc::new(Timers::new(Arc::new(SystemClock)));
        let outer = BLOCKED.try_with(|blocked| blocked.replace(Some(timers.clone()))).ok().flatten();
        Self { timers, outer }
    }

    /// Wakes what is due. Gives how long it is to the next deadline.
    pub(crate) fn fire(&self, waker: &Waker) -> Option<Duration> {
        let next = self.timers.fire(waker)?;
        Some(next.saturating_duration_since(Instant::now()))
    }
}

impl Drop for Blocked {
    fn drop(&mut self) {
        let _own = BLOCKED.try_with(|blocked| blocked.replace(self.outer.take()));
        // A wait that is polled again elsewhere finds another list.
        self.timers.close();
    }
}

/// While it lives, the caller of this thread polls with a waker of this address.
#[must_use]
pub(crate) struct Polling(usize);

/// Declares that the caller of this thread polls a call, or the body of a scope, with a waker whose data is at `data`.
/// A wait that is polled with another waker belongs to an executor inside that call, which may block the thread.
pub(crate) fn polling(data: *const ()) -> Polling {
    Polling(POLLED_WITH.replace(data.addr()))
}

impl Drop for Polling {
    fn drop(&mut self) {
        POLLED_WITH.set(self.0);
    }
}

/// Whether the caller of this thread, whose list is `timers`, polls with this waker itself: then it drives the list before
/// it polls again.
pub(super) fn is_driven_by(timers: &Arc<Timers>, waker: &Waker) -> bool {
    waker.data().addr() == POLLED_WITH.get() && is_own(timers)
}

/// The list for threads without a caller, by the machine's clock. Its thread is started with an entry, and ends when the
/// list has been empty for a while.
pub(super) fn shared() -> &'static Arc<Timers> {
    static SHARED: LazyLock<Arc<Timers>> = LazyLock::new(|| Arc::new(Timers::new_shared(ensure_driven)));
    &SHARED
}

/// Whether the thread of the shared list runs. Locked before the list where both are.
static RUNNING: Mutex<bool> = Mutex::new(false);

/// Starts the thread of the shared list if it does not run. The entry that wants it is on the list already: a thread that
/// is about to end looks at the list under the lock, and sees it; or it has ended, and another is started here. False if
/// no thread is to be had.
fn ensure_driven() -> bool {
    let mut running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
    if !*running {
        *running = thread::Builder::new().name("caller-timer".into()).spawn(drive).is_ok();
    }
    *running
}

/// How long the thread of the shared list stays without an entry.
pub(super) const LINGER: Duration =
    if cfg!(test) { Duration::from_millis(1) } else { Duration::from_millis(200) };

/// How long the thread of the shared list sleeps at most. An entry that is removed wakes nobody, so without a limit the
/// thread would stay for an hour after a wait that had an hour, and took a moment.
const NAP: Duration = Duration::from_secs(1);

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

fn drive() {
    let driver = Arc::new(Driver::default());
    let waker = Waker::from(driver.clone());
    loop {
        let next = shared().fire(&waker);
        let pause = next.map_or(LINGER, |at| at.saturating_duration_since(Instant::now()).min(NAP));
        let woken = driver.woken.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut woken, waited) = driver
            .wake
            .wait_timeout_while(woken, pause, |woken| !*woken)
            .unwrap_or_else(PoisonError::into_inner);
        let idle = next.is_none() && waited.timed_out();
        *woken = false;
        drop(woken);
        if idle {
            let mut running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
            if shared().list().entries.is_empty() {
                *running = false;
                return;
            }
        }
    }
}
