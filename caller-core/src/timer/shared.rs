//! The list of deadlines for threads without a caller, and which list the waits of a thread use.

use std::{
    cell::{Cell, RefCell},
    sync::{Arc, Condvar, LazyLock, Mutex, PoisonError},
    task::{self, Waker},
    thread,
    time::{Duration, Instant},
};

use super::Timers;

thread_local! {
    static HERE: RefCell<Option<Arc<Timers>>> = const { RefCell::new(None) };
    static BLOCKED: Cell<bool> = const { Cell::new(false) };
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
    own().filter(|_| !BLOCKED.get()).unwrap_or_else(|| shared().clone())
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

/// Whether `timers` is the list of this thread's caller, and nobody drives it because the thread is blocked.
pub(super) fn is_undriven(timers: &Arc<Timers>) -> bool {
    BLOCKED.get() && is_own(timers)
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
/// is about to end looks at the list under the lock, and sees it; or it has ended, and another is started here.
fn ensure_driven() {
    let mut running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
    if !*running {
        // Without a thread, the entry is woken late: the next one tries again.
        *running = thread::Builder::new().name("caller-timer".into()).spawn(drive).is_ok();
    }
}

/// How long the thread of the shared list stays without an entry.
pub(super) const LINGER: Duration =
    if cfg!(test) { Duration::from_millis(1) } else { Duration::from_millis(200) };

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
        let pause = next.map_or(LINGER, |at| at.saturating_duration_since(Instant::now()));
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
