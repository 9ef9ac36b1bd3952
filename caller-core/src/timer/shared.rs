//! The list of deadlines for threads without a caller, and which list the waits of a thread use.

use std::{
    cell::{Cell, RefCell},
    sync::{Arc, Condvar, LazyLock, Mutex, PoisonError},
    task::{self, Waker},
    thread,
    time::Duration,
};

use super::{SystemClock, Timers};

thread_local! {
    static HERE: RefCell<Option<Arc<Timers>>> = const { RefCell::new(None) };
    static BLOCKED: Cell<bool> = const { Cell::new(false) };
}

/// Sets whose list the waits of this thread use.
pub(crate) fn set_here(timers: Option<Arc<Timers>>) {
    let _old = HERE.try_with(|here| here.replace(timers));
}

/// The list of this thread's caller.
pub(super) fn own() -> Option<Arc<Timers>> {
    HERE.try_with(|here| here.borrow().clone()).ok().flatten()
}

/// The list for a wait that begins in this thread.
pub(super) fn here() -> Arc<Timers> {
    own().filter(|_| !BLOCKED.get()).unwrap_or_else(global)
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

/// The list for threads without a caller. Its thread is started with the first wait that needs it and ends when
/// nothing has waited for a while.
pub(super) fn global() -> Arc<Timers> {
    static GLOBAL: LazyLock<Global> = LazyLock::new(|| Global {
        timers: Arc::new(Timers::new(Arc::new(SystemClock))),
        running: Mutex::new(false),
    });
    let global = &*GLOBAL;
    let mut running = global.running.lock().unwrap_or_else(PoisonError::into_inner);
    if !*running {
        let spawned = thread::Builder::new().name("caller-timer".into()).spawn(|| drive(&GLOBAL));
        // Without a thread, a wait ends late but not never: the next one tries again.
        *running = spawned.is_ok();
    }
    drop(running);
    global.timers.clone()
}

struct Global {
    timers: Arc<Timers>,
    running: Mutex<bool>,
}

/// How long the thread of the global list stays without an entry.
const LINGER: Duration = Duration::from_millis(200);

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

fn drive(global: &Global) {
    let driver = Arc::new(Driver::default());
    let waker = Waker::from(driver.clone());
    loop {
        let next = global.timers.fire(&waker);
        let pause = next.map_or(LINGER, |at| at.saturating_duration_since(global.timers.now()));
        let woken = driver.woken.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut woken, waited) = driver
            .wake
            .wait_timeout_while(woken, pause, |woken| !*woken)
            .unwrap_or_else(PoisonError::into_inner);
        let idle = next.is_none() && waited.timed_out();
        *woken = false;
        drop(woken);
        if idle {
            // Whoever adds an entry has looked at `running` under this lock before: either it saw a thread that
            // looks at the list once more, here, or it starts another.
            let mut running = global.running.lock().unwrap_or_else(PoisonError::into_inner);
            if Arc::strong_count(&global.timers) == 1 && global.timers.list().entries.is_empty() {
                *running = false;
                return;
            }
        }
    }
}

/// Whether `timers` is the list of this thread's caller, and nobody drives it because the thread is blocked.
pub(super) fn is_undriven(timers: &Arc<Timers>) -> bool {
    BLOCKED.get() && own().is_some_and(|own| Arc::ptr_eq(&own, timers))
}
