//! How a loop goes on with the program of its host.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    task::{Context, Wake, Waker},
    time::{Duration, Instant},
};

use crate::{
    backend::LocalFuture,
    guard::{self, Place},
};

/// How long a turn polls the program again that was woken meanwhile: a part of a frame, and many polls.
const TURN: Duration = Duration::from_millis(2);

/// A program, as the loop of a host sees it: [`turn`](Self::turn) goes on with it, and a function that it was made with says
/// when a turn is wanted. See [`Host::run`](crate::Host::run).
pub struct Pump {
    /// None when it has ended.
    program: Option<LocalFuture<'static>>,
    wakes: Arc<Wakes>,
}

/// The program was woken. Unless a turn goes on, the loop knows.
const WOKEN: u8 = 1;
/// A turn goes on, and will see a wake by itself.
const TURNS: u8 = 2;

struct Wakes {
    state: AtomicU8,
    wake: Box<dyn Fn() + Send + Sync>,
}

impl Pump {
    /// A program that has not begun, and a function that has the loop call [`turn`](Self::turn) soon: an event loop's proxy,
    /// or a request to draw. It is called from any thread, once at most between two turns, however often the program is
    /// woken; it may not block.
    pub fn new(program: LocalFuture<'static>, wake: impl Fn() + Send + Sync + 'static) -> Self {
        let wakes = Wakes { state: AtomicU8::new(WOKEN), wake: Box::new(wake) };
        Self { program: Some(program), wakes: Arc::new(wakes) }
    }

    /// Goes on with the program, if it was woken since the last turn; the first time in any case. False when the program has
    /// ended.
    ///
    /// A program that is woken meanwhile is polled again, for two milliseconds in all: a loop may have few turns a second.
    /// A busy program then ends its turn, and asks for the next: what the loop does in between, such as drawing, has its
    /// time.
    pub fn turn(&mut self) -> bool {
        let Some(program) = &mut self.program else { return false };
        let state = &self.wakes.state;
        // Each of these acquires what a wake released.
        if state.compare_exchange(WOKEN, TURNS, Ordering::AcqRel, Ordering::Relaxed).is_err() {
            return true;
        }
        let waker = Waker::from(self.wakes.clone());
        let until = Instant::now() + TURN;
        loop {
            if program.as_mut().poll(&mut Context::from_waker(&waker)).is_ready() {
                // The state stays: no wake asks for a turn any more.
                self.program = None;
                return false;
            }
            if state.compare_exchange(TURNS, 0, Ordering::AcqRel, Ordering::Relaxed).is_ok() {
                return true;
            }
            if Instant::now() >= until {
                state.swap(WOKEN, Ordering::AcqRel);
                self.wakes.tell();
                return true;
            }
            state.swap(TURNS, Ordering::AcqRel);
        }
    }
}

impl Wakes {
    /// Asks the loop for a turn.
    fn tell(&self) {
        guard::quietly(Place::Host, || (self.wake)());
    }
}

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.state.fetch_or(WOKEN, Ordering::AcqRel) == 0 {
            self.tell();
        }
    }
}

impl fmt::Debug for Pump {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pump")
            .field("ended", &self.program.is_none())
            .field("state", &self.wakes.state)
            .finish_non_exhaustive()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::{future::poll_fn, sync::Mutex, task::Poll};

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
    fn a_turn_goes_on_with_what_is_woken_in_it() {
        let (tell, told) = std::sync::mpsc::channel();
        let slot = Arc::new(Mutex::new(None::<Waker>));
        let kept = slot.clone();
        let mut polls = 0;
        let program = Box::pin(poll_fn(move |cx| {
            *kept.lock().unwrap() = Some(cx.waker().clone());
            polls += 1;
            if polls < 4 {
                cx.waker().wake_by_ref();
            }
            if polls == 5 { Poll::Ready(()) } else { Poll::Pending }
        }));
        let mut pump = Pump::new(program, move || tell.send(()).unwrap());
        // On a machine that stands still for a moment it takes more turns than one, and each is asked for.
        let mut turns = 0;
        while told.try_iter().count() == 1 || turns == 0 {
            assert!(pump.turn());
            turns += 1;
        }
        assert!(turns <= 4);
        slot.lock().unwrap().take().unwrap().wake();
        assert_eq!(told.try_iter().count(), 1);
        assert!(!pump.turn());
    }

    #[test]
    fn a_turn_of_a_busy_program_ends() {
        let (tell, told) = std::sync::mpsc::channel();
        let program = Box::pin(poll_fn(|cx| {
            cx.waker().wake_by_ref();
            Poll::Pending
        }));
        let mut pump = Pump::new(program, move || tell.send(()).unwrap());
        for _ in 0..3 {
            assert!(pump.turn());
            assert_eq!(told.try_iter().count(), 1, "it asks for the next, once");
        }
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
