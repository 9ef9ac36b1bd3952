//! An event that happens once, and that any thread can wait for.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use crate::{
    blocked::Blocking,
    caller_id::CallerId,
    error::Result,
    guard,
    sys::{self, AtomicBool, Mutex, Ordering},
    this_thread,
    timer::Deadline,
    wake::{Key, Timeout, Wakers, block_on, timeout_by_wrapping},
};

/// A flag that is set once.
pub(crate) struct Flag {
    set: AtomicBool,
    waiters: Mutex<Wakers>,
}

impl Flag {
    pub(crate) fn new() -> Self {
        Self { set: AtomicBool::new(false), waiters: Mutex::new(Wakers::new()) }
    }

    pub(crate) fn is_set(&self) -> bool {
        // Acquire pairs with the release of `set`.
        self.set.load(Ordering::Acquire)
    }

    /// Sets it, and wakes all who wait.
    pub(crate) fn set(&self) {
        let mut waiters = sys::lock(&self.waiters);
        // Stored under the lock, so that nobody registers after the list was taken.
        self.set.store(true, Ordering::Release);
        let woken = waiters.take();
        drop(waiters);
        woken.wake();
    }

    fn poll(&self, key: &mut Option<Key>, cx: &mut Context<'_>) -> Poll<()> {
        if self.is_set() {
            return Poll::Ready(());
        }
        // Cloned before the lock and dropped after it, since both run code of the runtime.
        let waker = cx.waker().clone();
        let mut waiters = sys::lock(&self.waiters);
        if self.is_set() {
            drop(waiters);
            guard::discard_waker(waker);
            return Poll::Ready(());
        }
        let old = waiters.register(key, waker);
        drop(waiters);
        guard::discard_waker(old);
        Poll::Pending
    }

    fn forget(&self, key: Key) {
        let old = sys::lock(&self.waiters).remove(key);
        guard::discard_waker(old);
    }
}

impl Default for Flag {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Flag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Flag").field(&self.is_set()).finish()
    }
}

/// Waits for an [`AsyncEvent`]; made by [`AsyncEvent::wait`].
///
/// # Cancel safety
///
/// Dropping it loses nothing, and leaves nothing in the event.
#[must_use = "futures do nothing unless awaited"]
#[derive(Debug)]
pub struct WaitEvent {
    flag: Arc<Flag>,
    key: Option<Key>,
}

impl WaitEvent {
    fn new(flag: Arc<Flag>) -> Self {
        Self { flag, key: None }
    }

    fn bounded(self, deadline: Deadline) -> Timeout<Self> {
        Timeout::new(self, deadline, |_| None, None)
    }

    timeout_by_wrapping!();

    /// Blocks this thread until the event is set.
    ///
    /// # Blocking
    ///
    /// An event does not know its setter: in a caller's own thread, this never ends if a call of the same caller would set
    /// it.
    pub fn blocking(self) {
        block_on(self);
    }
}

impl Future for WaitEvent {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Self { flag, key } = &mut *self;
        flag.poll(key, cx)
    }
}

impl Drop for WaitEvent {
    fn drop(&mut self) {
        if let Some(key) = self.key.take() {
            self.flag.forget(key);
        }
    }
}

/// A flag that any thread sets, once, and that any number of calls and threads wait for.
///
/// Clones are the same event.
///
/// ```
/// # use caller::AsyncEvent;
/// let ready = AsyncEvent::new();
/// let setter = ready.clone();
/// std::thread::spawn(move || setter.set());
/// ready.wait().blocking();
/// assert!(ready.is_set());
/// ```
#[derive(Clone, Debug, Default)]
pub struct AsyncEvent(Arc<Flag>);

impl AsyncEvent {
    /// An event that is not set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets it, and wakes all who wait, in the order in which they came. Setting it again does nothing.
    pub fn set(&self) {
        self.0.set();
    }

    /// Whether it is set.
    pub fn is_set(&self) -> bool {
        self.0.is_set()
    }

    /// Waits until it is set. If it is set already, the wait ends at its first poll.
    pub fn wait(&self) -> WaitEvent {
        WaitEvent::new(self.0.clone())
    }
}

/// Waits for a moment in the life of a caller; made by [`Caller::started`](crate::Caller::started),
/// [`stopping`](crate::Caller::stopping) and [`stopped`](crate::Caller::stopped).
///
/// # Cancel safety
///
/// Nothing is lost, and nothing cancelled, by dropping it.
#[must_use = "futures do nothing unless awaited"]
#[derive(Debug)]
pub struct Moment {
    wait: WaitEvent,
    caller: CallerId,
    /// It is the end of the caller.
    is_end: bool,
}

impl Moment {
    pub(crate) fn new(flag: Arc<Flag>, caller: CallerId) -> Self {
        Self { wait: WaitEvent::new(flag), caller, is_end: false }
    }

    /// The end of a caller. The body of the caller's own scope begins the stop by awaiting it.
    pub(crate) fn of_end(flag: Arc<Flag>, caller: CallerId) -> Self {
        Self { is_end: true, ..Self::new(flag, caller) }
    }

    fn bounded(self, deadline: Deadline) -> Timeout<Self> {
        Timeout::new(self, deadline, |moment| (!moment.is_past()).then_some(moment.caller), None)
    }

    timeout_by_wrapping!();

    /// Whether it has come.
    pub fn is_past(&self) -> bool {
        self.wait.flag.is_set()
    }

    /// Blocks this thread until it comes.
    ///
    /// # Errors
    ///
    /// [`is_self_wait`](crate::Error::is_self_wait) in the caller's own thread, and where threads would wait for each
    /// other in a ring. A child that blocks until its parent has stopped is not detected.
    pub fn blocking(self) -> Result<()> {
        if !self.is_past() {
            let _guard = Blocking::on(Some(self.caller))?;
            self.wait.blocking();
        }
        Ok(())
    }
}

impl Future for Moment {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let polled = Pin::new(&mut self.wait).poll(cx);
        if self.is_end && polled.is_pending() {
            this_thread::awaits_end_of(self.caller);
        }
        polled
    }
}
