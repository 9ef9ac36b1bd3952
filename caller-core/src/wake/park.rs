//! Polling a future in a thread that has nothing else to do.

use std::{
    pin::pin,
    sync::{Arc, Condvar, Mutex, PoisonError},
    task::{self, Poll, Wake},
};

use crate::timer::Undriven;

/// A blocked thread, as a waker. Not `thread::park`: its token is the program's.
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

/// Blocks this thread, which may belong to a caller, until a future of ours ends. Timeouts go by the machine's clock then,
/// since the timers of that caller stand still.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    let _undriven = Undriven::enter();
    park_on(future)
}

/// Drives a future in this thread until it ends.
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
