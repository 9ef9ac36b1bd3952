//! Blocking a thread until a future ends.

use std::{
    pin::pin,
    sync::{Arc, Condvar, Mutex, PoisonError},
    task::{self, Poll, Wake},
};

use crate::timer::Undriven;

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

/// Blocks this thread, which may belong to a caller, until a wait of this crate ends. Its timeouts go by the machine's clock,
/// since nobody drives the timers of the caller meanwhile.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    let _undriven = Undriven::enter();
    park_on(future)
}

/// Polls a future in this thread until it ends.
pub(crate) fn park_on<F: Future>(future: F) -> F::Output {
    let parked = Arc::new(Parked::default());
    let waker = task::Waker::from(parked.clone());
    let mut cx = task::Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
            return output;
        }
        let mut woken = parked.woken.lock().unwrap_or_else(PoisonError::into_inner);
        while !*woken {
            woken = parked.wake.wait(woken).unwrap_or_else(PoisonError::into_inner);
        }
        *woken = false;
    }
}
