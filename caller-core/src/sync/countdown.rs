//! A count that any thread takes down, and any thread waits for until it is zero.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use crate::{
    error::{Error, Kind, Result},
    guard,
    sys::{self, Mutex},
    timer::Deadline,
    wake::{Key, Timeout, Wakers, block_on, timeout_by_wrapping},
};

/// A count of events that have not happened yet. Any thread takes it down or up; those who wait go on when it is zero.
///
/// Clones are the same count.
///
/// ```
/// # use caller::CountdownEvent;
/// # fn main() -> caller::Result<()> {
/// let three = CountdownEvent::new(3);
/// for _ in 0..3 {
///     let three = three.clone();
///     std::thread::spawn(move || three.down());
/// }
/// three.wait().blocking();
/// assert_eq!(three.count(), 0);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct CountdownEvent(Arc<Inner>);

struct Inner {
    initial: usize,
    state: Mutex<State>,
}

struct State {
    count: usize,
    waiters: Wakers,
}

impl CountdownEvent {
    /// A count that begins at `count`. At zero, a wait ends at once.
    pub fn new(count: usize) -> Self {
        let state = Mutex::new(State { count, waiters: Wakers::new() });
        Self(Arc::new(Inner { initial: count, state }))
    }

    /// Takes the count down by one, and returns what is left. At zero, all who wait go on.
    ///
    /// # Errors
    ///
    /// [`is_mismatch`](Error::is_mismatch) if it is zero already: more was counted down than was counted in.
    pub fn down(&self) -> Result<usize> {
        let mut state = sys::lock(&self.0.state);
        let Some(left) = state.count.checked_sub(1) else {
            return Err(Error::new(Kind::CountedDown));
        };
        state.count = left;
        let woken = if left == 0 { state.waiters.take() } else { Wakers::new() };
        drop(state);
        woken.wake();
        Ok(left)
    }

    /// Takes the count up by one, and returns what is left. Those who were woken already go on. A count of `usize::MAX` stays.
    pub fn up(&self) -> usize {
        let mut state = sys::lock(&self.0.state);
        state.count = state.count.saturating_add(1);
        state.count
    }

    /// The count.
    pub fn count(&self) -> usize {
        sys::lock(&self.0.state).count
    }

    /// How many wait.
    pub fn waiting(&self) -> usize {
        sys::lock(&self.0.state).waiters.len()
    }

    /// Waits until the count is zero. If it is zero already, the wait ends at its first poll.
    pub fn wait(&self) -> WaitCountdown {
        WaitCountdown { event: self.clone(), key: None }
    }
}

impl fmt::Debug for CountdownEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (count, waiting) = (self.count(), self.waiting());
        write!(f, "CountdownEvent({}) count={count} waiting={waiting}", self.0.initial)
    }
}

/// Waits until a [`CountdownEvent`] is zero; made by [`CountdownEvent::wait`].
///
/// # Cancel safety
///
/// Dropping it loses nothing, and leaves nothing in the event.
#[must_use = "futures do nothing unless awaited"]
#[derive(Debug)]
pub struct WaitCountdown {
    event: CountdownEvent,
    /// The entry in the list of waiters. Once it has left the list, the count was zero.
    key: Option<Key>,
}

impl WaitCountdown {
    fn bounded(self, deadline: Deadline) -> Timeout<Self> {
        Timeout::new(self, deadline, |_| None, None)
    }

    timeout_by_wrapping!();

    /// Blocks this thread until the count is zero.
    ///
    /// # Blocking
    ///
    /// In a caller's own thread, this never ends if a call of the same caller would count down.
    pub fn blocking(self) {
        block_on(self);
    }
}

impl Future for WaitCountdown {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Self { event, key } = &mut *self;
        let waker = cx.waker().clone();
        let mut state = sys::lock(&event.0.state);
        let was_woken = key.is_some_and(|key| !state.waiters.contains(key));
        if state.count == 0 || was_woken {
            let old = key.take().and_then(|key| state.waiters.remove(key));
            drop(state);
            guard::discard_waker(old);
            guard::discard_waker(waker);
            return Poll::Ready(());
        }
        let old = state.waiters.register(key, waker);
        drop(state);
        guard::discard_waker(old);
        Poll::Pending
    }
}

impl Drop for WaitCountdown {
    fn drop(&mut self) {
        if let Some(key) = self.key.take() {
            let old = sys::lock(&self.event.0.state).waiters.remove(key);
            guard::discard_waker(old);
        }
    }
}
