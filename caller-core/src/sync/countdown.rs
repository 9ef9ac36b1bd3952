//! A count that any thread takes down, and that any thread waits for to be zero.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use crate::{
    error::{Error, Kind, Result},
    sys::{self, Mutex},
    wake::{self, Wakers, block_on},
};

/// A count of what is still to happen. Any thread takes it down or up; whoever waits goes on when it is zero.
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
    /// A count that begins at `count`. At zero, nobody waits.
    pub fn new(count: usize) -> Self {
        let state = Mutex::new(State { count, waiters: Wakers::new() });
        Self(Arc::new(Inner { initial: count, state }))
    }

    /// Takes it down by one, and gives what is left. At zero everybody who waits goes on.
    ///
    /// # Errors
    ///
    /// [`is_mismatch`](Error::is_mismatch) if it is zero already: somebody counts what was not counted in.
    pub fn down(&self) -> Result<usize> {
        let mut state = sys::lock(&self.0.state);
        let Some(left) = state.count.checked_sub(1) else {
            return Err(Error::new(Kind::CountedDown));
        };
        state.count = left;
        let woken = if left == 0 { state.waiters.take() } else { Vec::new() };
        drop(state);
        wake::wake(woken);
        Ok(left)
    }

    /// Counts one more in, and gives what is left. Those who were woken already go on.
    pub fn up(&self) -> usize {
        let mut state = sys::lock(&self.0.state);
        state.count += 1;
        state.count
    }

    /// What is left.
    pub fn count(&self) -> usize {
        sys::lock(&self.0.state).count
    }

    /// How many wait.
    pub fn waiting(&self) -> usize {
        sys::lock(&self.0.state).waiters.len()
    }

    /// Waits until it is zero; if it is, not at all.
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
/// Nothing is lost by dropping it.
#[must_use = "futures do nothing unless awaited"]
#[derive(Debug)]
pub struct WaitCountdown {
    event: CountdownEvent,
    /// Where it stands among those who wait. Once it is off their list, the count was zero.
    key: Option<u64>,
}

impl WaitCountdown {
    /// Blocks this thread until it is zero.
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
        let was_woken = key.is_some_and(|key| !state.waiters.has(key));
        if state.count == 0 || was_woken {
            let old = key.take().and_then(|key| state.waiters.forget(key));
            drop(state);
            drop(old);
            return Poll::Ready(());
        }
        let old = state.waiters.register(key, waker);
        drop(state);
        drop(old);
        Poll::Pending
    }
}

impl Drop for WaitCountdown {
    fn drop(&mut self) {
        if let Some(key) = self.key.take() {
            let old = sys::lock(&self.event.0.state).waiters.forget(key);
            drop(old);
        }
    }
}
