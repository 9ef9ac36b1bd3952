//! The room of a bounded queue: how many items may wait in it, and those who wait to add one.
//!
//! A place that gets free belongs to the first waiter at once, before it is polled: so each place wakes one waiter, and
//! nobody overtakes those who wait. A waiter that is dropped passes its place on.

use std::task::{Context as TaskContext, Poll};

use crate::{
    error::{Error, Kind, Result},
    guard,
    sys::{self, Mutex, MutexGuard},
    wake::{Key, Wakers},
};

pub(crate) struct Room {
    bound: usize,
    state: Mutex<State>,
}

struct State {
    /// Places that have an item, or belong to a waiter that was woken.
    taken: usize,
    closed: bool,
    waiters: Wakers,
}

/// A waiter's entry on the list, if it has one. Who has an entry that is not on the list any more has a place.
pub(crate) type Waiting = Option<Key>;

pub(crate) fn closed() -> Error {
    Error::closed("the queue was closed")
}

impl Room {
    pub(crate) fn new(bound: usize) -> Self {
        Self { bound, state: Mutex::new(State { taken: 0, closed: false, waiters: Wakers::new() }) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        sys::lock(&self.state)
    }

    /// Takes a place, if there is one.
    pub(crate) fn try_take(&self) -> Result<()> {
        let taken = self.look(&mut self.state(), &mut None);
        taken.unwrap_or_else(|| Err(Error::new(Kind::Full(self.bound))))
    }

    /// Takes a place, or waits for one unless `may_wait` gives an error.
    pub(crate) fn poll_take(
        &self,
        waiting: &mut Waiting,
        cx: &TaskContext<'_>,
        may_wait: impl FnOnce() -> Result<()>,
    ) -> Poll<Result<()>> {
        let taken = self.look(&mut self.state(), waiting);
        if let Some(taken) = taken {
            return Poll::Ready(taken);
        }
        may_wait()?;
        // A waker is cloned outside of the lock; then the room is looked at again.
        let waker = cx.waker().clone();
        let mut state = self.state();
        if let Some(taken) = self.look(&mut state, waiting) {
            return Poll::Ready(taken);
        }
        let old = state.waiters.register(waiting, waker);
        drop(state);
        guard::discard_waker(old);
        Poll::Pending
    }

    /// Takes a place, or finds the one that a waiter was given. None if there is no place.
    fn look(&self, state: &mut State, waiting: &mut Waiting) -> Option<Result<()>> {
        if state.closed {
            // Nobody is on the list any more.
            *waiting = None;
            return Some(Err(closed()));
        }
        match *waiting {
            Some(key) if state.waiters.contains(key) => None,
            Some(_) => {
                *waiting = None;
                Some(Ok(()))
            }
            None if state.taken < self.bound => {
                state.taken += 1;
                Some(Ok(()))
            }
            None => None,
        }
    }

    /// Gives a place back: the first waiter has it, if there is one.
    pub(crate) fn free(&self) {
        let mut state = self.state();
        let first = state.waiters.pop();
        if first.is_none() {
            state.taken = state.taken.saturating_sub(1);
        }
        drop(state);
        if let Some(first) = first {
            guard::wake(first);
        }
    }

    /// A waiter waits no longer. If it was given a place, that is passed on.
    pub(crate) fn leave(&self, waiting: &mut Waiting) {
        let Some(key) = waiting.take() else { return };
        let mut state = self.state();
        let old = state.waiters.remove(key);
        let has_place = old.is_none() && !state.closed;
        drop(state);
        guard::discard_waker(old);
        if has_place {
            self.free();
        }
    }

    /// Gives nobody a place any more, and wakes all who wait.
    pub(crate) fn close(&self) {
        let mut state = self.state();
        state.closed = true;
        let all = state.waiters.take();
        drop(state);
        all.wake();
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::task::Waker;

    use super::*;

    fn poll(room: &Room, waiting: &mut Waiting) -> Poll<Result<()>> {
        room.poll_take(waiting, &TaskContext::from_waker(Waker::noop()), || Ok(()))
    }

    #[test]
    fn a_free_place_belongs_to_the_first_waiter() {
        let room = Room::new(1);
        room.try_take().unwrap();
        let (mut first, mut second) = (None, None);
        assert!(poll(&room, &mut first).is_pending() && poll(&room, &mut second).is_pending());
        room.free();
        assert!(room.try_take().unwrap_err().is_full(), "nobody overtakes who waits");
        assert!(poll(&room, &mut second).is_pending());
        assert!(matches!(poll(&room, &mut first), Poll::Ready(Ok(()))));
        assert!(poll(&room, &mut second).is_pending());
    }

    #[test]
    fn a_waiter_that_leaves_passes_its_place_on() {
        let room = Room::new(1);
        room.try_take().unwrap();
        let (mut first, mut second) = (None, None);
        assert!(poll(&room, &mut first).is_pending() && poll(&room, &mut second).is_pending());
        room.free();
        room.leave(&mut first);
        assert!(matches!(poll(&room, &mut second), Poll::Ready(Ok(()))));
        // Where nobody waits, it is free.
        room.free();
        room.try_take().unwrap();
        assert!(poll(&room, &mut second).is_pending());
        room.leave(&mut second);
        assert!(room.try_take().unwrap_err().is_full(), "it had no place to pass on");
    }

    #[test]
    fn a_closed_room_ends_all_waits() {
        let room = Room::new(1);
        room.try_take().unwrap();
        let mut waiting = None;
        assert!(poll(&room, &mut waiting).is_pending());
        room.close();
        assert!(matches!(poll(&room, &mut waiting), Poll::Ready(Err(error)) if error.is_closed()));
        assert!(room.try_take().unwrap_err().is_closed());
        room.free();
        assert!(room.try_take().unwrap_err().is_closed());
    }
}
