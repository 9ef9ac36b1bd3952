//! Who may reach the value of a resident now: many together, or one alone; first come, first served.
//!
//! All of it happens in the thread of the value, so the gate is no lock, and nothing of it is shared between threads.

use std::{
    cell::RefCell,
    future::Future,
    mem,
    pin::Pin,
    sync::atomic::{AtomicU64, Ordering},
    task::{Context, Poll, Waker},
};

use pin_project_lite::pin_project;

use crate::{
    error::Kind,
    guard,
    pending::{AtGate, Under},
    wake::{Key, List},
};

/// How a call reaches the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// With others who share it.
    Shared,
    Alone,
}

pub(super) struct Gate {
    /// What others know it by.
    number: u64,
    state: RefCell<State>,
}

#[derive(Default)]
struct State {
    /// How many calls have the value.
    inside: usize,
    /// There is one, who has it alone.
    alone: bool,
    /// Those inside are the last who share the value as it is: who comes later waits until they have left.
    barred: bool,
    queue: List<Waiter>,
}

struct Waiter {
    mode: Mode,
    waker: Waker,
}

impl State {
    fn admits(&self, mode: Mode) -> bool {
        match mode {
            Mode::Shared => !self.alone && !self.barred,
            Mode::Alone => self.inside == 0,
        }
    }

    /// Whether one who comes now need not wait.
    fn admits_at_once(&self, mode: Mode) -> bool {
        self.queue.is_empty() && self.admits(mode)
    }

    fn admit(&mut self, mode: Mode) {
        self.inside += 1;
        self.alone = mode == Mode::Alone;
    }

    fn leave(&mut self) {
        self.inside = self.inside.saturating_sub(1);
        self.alone = false;
        self.barred &= self.inside > 0;
    }

    /// Lets in those who are first in the queue, after others have left it or the gate.
    fn admit_next(&mut self) -> Vec<Waker> {
        let mut admitted = Vec::new();
        while let Some(mode) = self.queue.first().map(|first| first.mode)
            && self.admits(mode)
        {
            self.admit(mode);
            admitted.extend(self.queue.pop().map(|first| first.waker));
        }
        admitted
    }
}

impl Gate {
    pub(super) fn new() -> Self {
        // A counter: nothing else is published through it.
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self { number: NEXT.fetch_add(1, Ordering::Relaxed), state: RefCell::default() }
    }

    /// Waits until the value can be reached.
    pub(super) fn enter(&self, mode: Mode) -> Enter<'_> {
        Enter { gate: self, mode, waits: None }
    }

    /// Goes in, if nobody has to be waited for.
    pub(super) fn enter_now(&self, mode: Mode) -> Option<Inside<'_>> {
        let mut state = self.state.borrow_mut();
        state.admits_at_once(mode).then(|| {
            state.admit(mode);
            Inside { gate: self }
        })
    }

    /// Lets nobody in before all those who are inside have left.
    pub(super) fn bar(&self) {
        let mut state = self.state.borrow_mut();
        state.barred = state.inside > 0;
    }

    /// Polls a future of a call that is inside: what it waits for holds up whoever waits at the gate.
    pub(super) fn within<F: Future>(&self, future: F) -> Within<F> {
        Within { gate: self.number, future }
    }

    fn leave(&self) {
        let mut state = self.state.borrow_mut();
        state.leave();
        let admitted = state.admit_next();
        drop(state);
        admitted.into_iter().for_each(guard::wake);
    }
}

pin_project! {
    /// A future of a call that is inside.
    pub(super) struct Within<F> {
        gate: u64,
        #[pin]
        future: F,
    }
}

impl<F: Future> Future for Within<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let _under = Under::enter(*this.gate);
        this.future.poll(cx)
    }
}

/// Waits for its turn. Dropping it gives up the place in the queue.
pub(super) struct Enter<'a> {
    gate: &'a Gate,
    mode: Mode,
    /// Its place in the queue, once it has one, and that others know of it.
    waits: Option<(Key, AtGate)>,
}

impl<'a> Future for Enter<'a> {
    /// An error if the turn could never come.
    type Output = Result<Inside<'a>, Kind>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let (gate, mode) = (self.gate, self.mode);
        if self.waits.is_none()
            && let Some(inside) = gate.enter_now(mode)
        {
            return Poll::Ready(Ok(inside));
        }
        // A waker is cloned outside of the borrow; then the gate is looked at again.
        let waker = cx.waker().clone();
        let mut state = gate.state.borrow_mut();
        let Some((key, _)) = &self.waits else {
            if state.admits_at_once(mode) {
                state.admit(mode);
                drop(state);
                guard::discard_waker(waker);
                return Poll::Ready(Ok(Inside { gate }));
            }
            let at = match AtGate::begin(gate.number) {
                Ok(at) => at,
                Err(self_wait) => {
                    drop(state);
                    guard::discard_waker(waker);
                    return Poll::Ready(Err(self_wait));
                }
            };
            let key = state.queue.push(Waiter { mode, waker });
            drop(state);
            self.waits = Some((key, at));
            return Poll::Pending;
        };
        let known = *key;
        let Some(waiter) = state.queue.get_mut(known) else {
            // It was let in.
            drop(state);
            self.waits = None;
            guard::discard_waker(waker);
            return Poll::Ready(Ok(Inside { gate }));
        };
        let old = mem::replace(&mut waiter.waker, waker);
        drop(state);
        guard::discard_waker(old);
        Poll::Pending
    }
}

impl Drop for Enter<'_> {
    fn drop(&mut self) {
        let Some((key, at)) = self.waits.take() else { return };
        drop(at);
        let mut state = self.gate.state.borrow_mut();
        let gone = state.queue.remove(key);
        if gone.is_none() {
            // It was let in, and does not come.
            state.leave();
        }
        // Those behind it may fit in now.
        let admitted = state.admit_next();
        drop(state);
        guard::discard_waker(gone.map(|gone| gone.waker));
        admitted.into_iter().for_each(guard::wake);
    }
}

/// Inside the gate, until it is dropped.
pub(super) struct Inside<'a> {
    gate: &'a Gate,
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        self.gate.leave();
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use std::pin::pin;

    fn is_empty(gate: &Gate) -> bool {
        let state = gate.state.borrow();
        !state.alone && state.inside == 0 && state.queue.is_empty()
    }

    fn poll<F: Future>(future: Pin<&mut F>) -> Option<F::Output> {
        match future.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(output) => Some(output),
            Poll::Pending => None,
        }
    }

    #[test]
    fn some_share_it_and_one_has_it_alone() {
        let gate = Gate::new();
        let first = poll(pin!(gate.enter(Mode::Shared))).unwrap().unwrap();
        let second = poll(pin!(gate.enter(Mode::Shared))).unwrap().unwrap();
        let mut alone = pin!(gate.enter(Mode::Alone));
        assert!(poll(alone.as_mut()).is_none());
        // Who comes later does not overtake the one that waits.
        let mut later = pin!(gate.enter(Mode::Shared));
        assert!(poll(later.as_mut()).is_none());
        drop(first);
        assert!(poll(alone.as_mut()).is_none());
        drop(second);
        let inside = poll(alone.as_mut()).unwrap().unwrap();
        assert!(poll(later.as_mut()).is_none());
        drop(inside);
        drop(poll(later.as_mut()).unwrap().unwrap());
        assert!(is_empty(&gate));
    }

    #[test]
    fn who_gives_up_holds_up_nobody() {
        let gate = Gate::new();
        let first = poll(pin!(gate.enter(Mode::Shared))).unwrap().unwrap();
        let mut alone = Box::pin(gate.enter(Mode::Alone));
        let mut later = pin!(gate.enter(Mode::Shared));
        assert!(poll(alone.as_mut()).is_none() && poll(later.as_mut()).is_none());
        drop(alone);
        drop(poll(later.as_mut()).unwrap().unwrap());
        // Nor one that was let in and does not come.
        let mut alone = Box::pin(gate.enter(Mode::Alone));
        let mut last = pin!(gate.enter(Mode::Alone));
        assert!(poll(alone.as_mut()).is_none() && poll(last.as_mut()).is_none());
        drop(first);
        drop(alone);
        drop(poll(last.as_mut()).unwrap().unwrap());
        assert!(is_empty(&gate));
    }
}
