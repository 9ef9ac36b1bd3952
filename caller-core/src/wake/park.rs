//! Blocking a thread until a future ends.

use std::{
    pin::pin,
    sync::{Arc, Condvar, Mutex, PoisonError},
    task::{self, Poll, Wake, Waker},
    time::Duration,
};

use crate::{guard, timer::Blocked};

/// The waker of a blocked thread. It does not use `thread::park`, whose token belongs to the program.
#[derive(Default)]
struct Parked {
    woken: Mutex<bool>,
    wake: Condvar,
}

impl Wake for Parked {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        *self.woken.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.wake.notify_one();
    }
}

impl Parked {
    /// Blocks this thread until it is woken. `next` wakes what is due, and gives how long it is to the next.
    fn wait(&self, next: impl Fn() -> Option<Duration>) {
        loop {
            // It may wake, so that it runs without the lock.
            let pause = next();
            let woken = self.woken.lock().unwrap_or_else(PoisonError::into_inner);
            let mut woken = match pause {
                None => self.wake.wait_while(woken, |woken| !*woken).unwrap_or_else(PoisonError::into_inner),
                Some(pause) => {
                    let waited = self.wake.wait_timeout_while(woken, pause, |woken| !*woken);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
            if std::mem::take(&mut *woken) {
                return;
            }
        }
    }
}

/// Blocks this thread, which may belong to a caller, until a wait of this crate ends. Its timeouts go by the machine's clock,
/// since nobody drives the timers of the caller meanwhile, and it wakes itself for them: no other thread is needed.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    let timers = Blocked::enter();
    drive(future, |waker| timers.fire(waker))
}

/// Polls a future in this thread until it ends. It is not a wait: its timeouts go by the lists that they went by before.
#[cfg(feature = "test-util")]
pub(crate) fn park_on<F: Future>(future: F) -> F::Output {
    drive(future, |_| None)
}

/// Polls a future until it ends. `next` wakes what is due, and gives how long it is to the next.
fn drive<F: Future>(future: F, next: impl Fn(&Waker) -> Option<Duration>) -> F::Output {
    let parked = Arc::new(Parked::default());
    let waker = Waker::from(parked.clone());
    let mut cx = task::Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
            return output;
        }
        // Others may wait for what was put off here.
        guard::catch_up();
        parked.wait(|| next(&waker));
    }
}
