//! Who may reach the value of a resident now: many together, or one alone; first come, first served.
//!
//! All of it happens in the thread of the value, so the gate is no lock, and nothing of it is shared between threads.

use std::{
    cell::RefCell,
    future::Future,
    mem,
    pin::Pin,
    task::{Context, Poll, Waker},
};

use crate::{
    guard,
    wake::{Key, List},
};

/// How a call reaches the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// With others who share it.
    Shared,
    Alone,
}

#[derive(Default)]
pub(super) struct Gate(RefCell<State>);

#[derive(Default)]
struct State {
    /// How many share the value.
    sharing: usize,
    alone: bool,
    queue: List<Waiter>,
}

struct Waiter {
    mode: Mode,
    waker: Waker,
}

impl State {
    fn admits(&self, mode: Mode) -> bool {
        match mode {
            Mode::Shared => !self.alone,
            Mode::Alone => !self.alone && self.sharing == 0,
        }
    }

    fn admit(&mut self, mode: Mode) {
        match mode {
            Mode::Shared => self.sharing += 1,
            Mode::Alone => self.alone = true,
        }
    }

    fn leave(&mut self, mode: Mode) {
        match mode {
            Mode::Shared => self.sharing -= 1,
            Mode::Alone => self.alone = false,
        }
    }

    /// Lets in those who are first in the queue.
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
    /// Waits until the value can be reached.
    pub(super) fn enter(&self, mode: Mode) -> Enter<'_> {
        Enter { gate: self, mode, key: None }
    }

    fn leave(&self, mode: Mode) {
        let mut state = self.0.borrow_mut();
        state.leave(mode);
        let admitted = state.admit_next();
        drop(state);
        admitted.into_iter().for_each(guard::wake);
    }
}

/// Waits for its turn. Dropping it gives up the place in the queue.
pub(super) struct Enter<'a> {
    gate: &'a Gate,
    mode: Mode,
    key: Option<Key>,
}

impl<'a> Future for Enter<'a> {
    type Output = Inside<'a>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Inside<'a>> {
        let Self { gate, mode, key } = &mut *self;
        let (gate, mode) = (*gate, *mode);
        let Some(known) = *key else {
            let mut state = gate.0.borrow_mut();
            if state.queue.is_empty() && state.admits(mode) {
                state.admit(mode);
                return Poll::Ready(Inside { gate, mode });
            }
            drop(state);
            let waker = cx.waker().clone();
            *key = Some(gate.0.borrow_mut().queue.push(Waiter { mode, waker }));
            return Poll::Pending;
        };
        let waker = cx.waker().clone();
        let mut state = gate.0.borrow_mut();
        let Some(waiter) = state.queue.get_mut(known) else {
            // It was let in.
            drop(state);
            *key = None;
            guard::discard_waker(waker);
            return Poll::Ready(Inside { gate, mode });
        };
        let old = mem::replace(&mut waiter.waker, waker);
        drop(state);
        guard::discard_waker(old);
        Poll::Pending
    }
}

impl Drop for Enter<'_> {
    fn drop(&mut self) {
        let Some(key) = self.key.take() else { return };
        let mut state = self.gate.0.borrow_mut();
        let gone = state.queue.remove(key);
        if gone.is_none() {
            // It was let in, and does not come.
            state.leave(self.mode);
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
    mode: Mode,
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        self.gate.leave(self.mode);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use std::pin::pin;

    fn is_empty(gate: &Gate) -> bool {
        let state = gate.0.borrow();
        !state.alone && state.sharing == 0 && state.queue.is_empty()
    }

    fn poll<F: Future>(future: Pin<&mut F>) -> Option<F::Output> {
        match future.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(output) => Some(output),
            Poll::Pending => None,
        }
    }

    #[test]
    fn some_share_it_and_one_has_it_alone() {
        let gate = Gate::default();
        let first = poll(pin!(gate.enter(Mode::Shared))).unwrap();
        let second = poll(pin!(gate.enter(Mode::Shared))).unwrap();
        let mut alone = pin!(gate.enter(Mode::Alone));
        assert!(poll(alone.as_mut()).is_none());
        // Who comes later does not overtake the one that waits.
        let mut later = pin!(gate.enter(Mode::Shared));
        assert!(poll(later.as_mut()).is_none());
        drop(first);
        assert!(poll(alone.as_mut()).is_none());
        drop(second);
        let inside = poll(alone.as_mut()).unwrap();
        assert!(poll(later.as_mut()).is_none());
        drop(inside);
        drop(poll(later.as_mut()).unwrap());
        assert!(is_empty(&gate));
    }

    #[test]
    fn who_gives_up_holds_up_nobody() {
        let gate = Gate::default();
        let first = poll(pin!(gate.enter(Mode::Shared))).unwrap();
        let mut alone = Box::pin(gate.enter(Mode::Alone));
        let mut later = pin!(gate.enter(Mode::Shared));
        assert!(poll(alone.as_mut()).is_none() && poll(later.as_mut()).is_none());
        drop(alone);
        drop(poll(later.as_mut()).unwrap());
        // Nor one that was let in and does not come.
        let mut alone = Box::pin(gate.enter(Mode::Alone));
        let mut last = pin!(gate.enter(Mode::Alone));
        assert!(poll(alone.as_mut()).is_none() && poll(last.as_mut()).is_none());
        drop(first);
        drop(alone);
        drop(poll(last.as_mut()).unwrap());
        assert!(is_empty(&gate));
    }
}
