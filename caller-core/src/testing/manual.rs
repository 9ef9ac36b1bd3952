//! A backend without a runtime, whose time stands still until a test moves it.

use std::{
    cell::Cell,
    fmt,
    future::Future,
    io,
    pin::Pin,
    rc::Rc,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use crate::{
    backend::{Backend, LocalFuture, Runtime},
    error::{Error, Result},
    timer::{self, Clock, TimerKey, Timers},
    wake::park_on,
};

/// A backend for deterministic tests. It has no sockets and no tasks; its timers go by a virtual clock that all
/// clones share and that only [`advance`](Self::advance) moves.
///
/// ```
/// # use caller::{Caller, testing::Manual};
/// # use std::time::Duration;
/// # fn main() -> caller::Result<()> {
/// let manual = Manual::new();
/// let caller = Caller::builder().backend(manual.clone()).spawn()?;
/// let later = caller.call_later(Duration::from_secs(3600), async || "an hour has gone by");
/// manual.advance(Duration::from_secs(3600));
/// assert_eq!(later.wait_blocking()?, "an hour has gone by");
/// # caller.stop();
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Manual(Arc<Time>);

struct Time {
    clock: Arc<VirtualClock>,
    timers: Timers,
}

struct VirtualClock(Mutex<Instant>);

impl Clock for VirtualClock {
    fn now(&self) -> Instant {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

thread_local! {
    /// Whether this thread is being driven by this backend.
    static DRIVEN: Cell<bool> = const { Cell::new(false) };
}

impl Manual {
    /// A backend with a clock of its own.
    pub fn new() -> Self {
        let clock = Arc::new(VirtualClock(Mutex::new(Instant::now())));
        Self(Arc::new(Time { timers: Timers::new(clock.clone()), clock }))
    }

    /// Moves the clock on by `time`, but by no more than about a thousand years, and wakes what is due by then.
    pub fn advance(&self, time: Duration) {
        let mut now = self.0.clock.0.lock().unwrap_or_else(PoisonError::into_inner);
        *now = timer::after(*now, time);
        drop(now);
        self.0.timers.fire(Waker::noop());
    }

    /// The virtual time.
    pub fn now(&self) -> Instant {
        self.0.clock.now()
    }

    /// Ends when `time` has gone by on the virtual clock.
    pub fn sleep(&self, time: Duration) -> impl Future<Output = ()> + Send + use<> {
        self.sleep_until(timer::after(self.now(), time))
    }

    fn sleep_until(&self, at: Instant) -> impl Future<Output = ()> + Send + use<> {
        Sleep { time: self.0.clone(), at, key: None }
    }

    /// Whether this thread is driven by this kind of runtime.
    pub fn is_current() -> bool {
        DRIVEN.get()
    }

    /// Drives a future to its end in this thread, as the root of a runtime of this kind.
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        let _driven = Driven::enter();
        park_on(future)
    }
}

/// While it lives, this thread is driven. What it holds is whether it was before.
struct Driven(bool);

impl Driven {
    fn enter() -> Self {
        Self(DRIVEN.replace(true))
    }
}

impl Drop for Driven {
    fn drop(&mut self) {
        DRIVEN.set(self.0);
    }
}

/// Ends at a time of the virtual clock.
struct Sleep {
    time: Arc<Time>,
    at: Instant,
    key: Option<TimerKey>,
}

impl Sleep {
    fn forget(&mut self) {
        if let Some(key) = self.key.take() {
            self.time.timers.remove(key);
        }
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.forget();
        // Added first, looked at then: a move of the clock in between wakes us.
        self.key = self.time.timers.add(self.at, cx.waker().clone());
        if self.time.clock.now() < self.at {
            return Poll::Pending;
        }
        self.forget();
        Poll::Ready(())
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        self.forget();
    }
}

impl Default for Manual {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Manual {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Manual")
    }
}

impl Backend for Manual {
    fn name(&self) -> &'static str {
        "manual"
    }

    fn is_same(&self, other: &dyn Backend) -> bool {
        let other: &dyn std::any::Any = other;
        other.downcast_ref::<Self>().is_some_and(|other| Arc::ptr_eq(&self.0, &other.0))
    }

    fn run(&self, root: LocalFuture<'_>) -> io::Result<()> {
        self.block_on(root);
        Ok(())
    }

    fn runtime(&self) -> Result<Rc<dyn Runtime>> {
        if !DRIVEN.get() {
            return Err(Error::no_runtime(
                "no manual runtime drives this thread; run the code inside `Manual::block_on`",
            ));
        }
        Ok(Rc::new(self.clone()))
    }

    fn clock(&self) -> Arc<dyn Clock> {
        self.0.clock.clone()
    }
}

impl Runtime for Manual {
    fn enter(&self, function: &mut dyn FnMut()) {
        let _driven = Driven::enter();
        function();
    }

    fn sleep_until(&self, at: Instant) -> LocalFuture<'static> {
        Box::pin(Self::sleep_until(self, at))
    }
}
