//! How a loop goes on with the program of its host.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use crate::{
    backend::LocalFuture,
    guard::{self, Place},
};

/// A program, as the loop of a host sees it: [`turn`](Self::turn) goes on with it, and a function that it was made with says
/// when a turn is wanted. See [`Host::run`](crate::Host::run).
pub struct Pump {
    /// None when it has ended.
    program: Option<LocalFuture<'static>>,
    wakes: Arc<Wakes>,
}

struct Wakes {
    /// A turn is wanted, and the loop knows.
    wanted: AtomicBool,
    wake: Box<dyn Fn() + Send + Sync>,
}

impl Pump {
    /// A program that has not begun, and a function that has the loop call [`turn`](Self::turn) soon: an event loop's proxy,
    /// or a request to draw. It is called from any thread, once at most between two turns, however often the program is
    /// woken; it may not block.
    pub fn new(program: LocalFuture<'static>, wake: impl Fn() + Send + Sync + 'static) -> Self {
        let wakes = Wakes { wanted: AtomicBool::new(true), wake: Box::new(wake) };
        Self { program: Some(program), wakes: Arc::new(wakes) }
    }

    /// Goes on with the program, if it was woken since the last turn; the first time in any case. False when the program has
    /// ended.
    ///
    /// A busy program ends its turn now and then, and asks for the next: what the loop does in between, such as drawing, has
    /// its time.
    pub fn turn(&mut self) -> bool {
        let Some(program) = &mut self.program else { return false };
        // Acquires what the store of a wake released.
        if self.wakes.wanted.swap(false, Ordering::AcqRel) {
            let waker = Waker::from(self.wakes.clone());
            if let Poll::Ready(()) = program.as_mut().poll(&mut Context::from_waker(&waker)) {
                self.program = None;
            }
        }
        self.program.is_some()
    }
}

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.wanted.swap(true, Ordering::AcqRel) {
            guard::quietly(Place::Host, || (self.wake)());
        }
    }
}

impl fmt::Debug for Pump {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pump")
            .field("ended", &self.program.is_none())
            .field("wanted", &self.wakes.wanted)
            .finish_non_exhaustive()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::{future::poll_fn, sync::Mutex};

    use super::*;

    #[test]
    fn the_loop_is_told_once_a_turn() {
        let (tell, told) = std::sync::mpsc::channel();
        let slot = Arc::new(Mutex::new(None::<Waker>));
        let kept = slot.clone();
        let mut turns = 0;
        let program = Box::pin(poll_fn(move |cx| {
            *kept.lock().unwrap() = Some(cx.waker().clone());
            turns += 1;
            if turns == 3 { Poll::Ready(()) } else { Poll::Pending }
        }));
        let mut pump = Pump::new(program, move || tell.send(()).unwrap());
        assert!(pump.turn(), "it begins without a wake");
        let waker = slot.lock().unwrap().clone().unwrap();
        assert_eq!(told.try_iter().count(), 0);
        assert!(pump.turn() && pump.turn(), "nothing woke it");
        (0..3).for_each(|_| waker.wake_by_ref());
        assert_eq!(told.try_iter().count(), 1);
        assert!(pump.turn());
        waker.wake_by_ref();
        assert_eq!(told.try_iter().count(), 1);
        assert!(!pump.turn() && !pump.turn(), "it has ended");
    }

    #[test]
    fn a_panic_in_the_wake_is_nobody_elses() {
        let slot = Arc::new(Mutex::new(None::<Waker>));
        let kept = slot.clone();
        let program = Box::pin(poll_fn(move |cx| {
            *kept.lock().unwrap() = Some(cx.waker().clone());
            Poll::Pending
        }));
        let mut pump = Pump::new(program, || panic!("on purpose"));
        assert!(pump.turn());
        slot.lock().unwrap().take().unwrap().wake();
        assert!(pump.turn());
    }
}
