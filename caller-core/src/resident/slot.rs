//! The value of a resident, in its thread.

use std::{
    cell::{Cell, Ref, RefCell, RefMut},
    future::Future,
    pin::Pin,
    thread,
};

use super::gate::{Gate, Inside, Mode};
use crate::{
    caller::Caller,
    error::Kind,
    guard::{self, Place},
    pending::Lives,
    scheduler,
    sync::AsyncEvent,
};

/// Makes the value anew.
pub(super) type Make<T> = Box<dyn Fn() -> Pin<Box<dyn Future<Output = Result<T, Kind>>>>>;

/// What becomes of the value when a call that reaches it panics.
pub(super) enum Policy<T> {
    Keep,
    Close,
    /// It is made anew, by one call at a time.
    Remake(Make<T>, Gate),
}

impl<T> Policy<T> {
    pub(super) fn remake(make: Make<T>) -> Self {
        Self::Remake(make, Gate::new())
    }
}

/// Where the value lives. It is dropped in the thread in which it was made, for it never leaves it.
pub(super) struct Slot<T: 'static> {
    /// Its number among the residents of its thread.
    number: u64,
    gate: Gate,
    value: RefCell<Option<T>>,
    policy: Policy<T>,
    /// A call panicked since the value was made.
    panicked: Cell<bool>,
    /// It was closed: the value is not made anew.
    closed: Cell<bool>,
    gone: AsyncEvent,
    /// The caller that ends with it.
    own: Option<Caller>,
    _lives: Lives,
}

impl<T: 'static> Slot<T> {
    pub(super) fn new(
        number: u64,
        value: T,
        policy: Policy<T>,
        gone: AsyncEvent,
        own: Option<Caller>,
    ) -> Self {
        let value = RefCell::new(Some(value));
        Self {
            number,
            gate: Gate::new(),
            value,
            policy,
            panicked: Cell::new(false),
            closed: Cell::new(false),
            gone,
            own,
            _lives: Lives::new(),
        }
    }

    /// Closes it, when nobody reaches the value any more, and takes that out: none if a panic cost it, and it was not made
    /// anew yet.
    pub(super) async fn close(&self) -> Result<Option<T>, Kind> {
        let _inside = self.enter_as_it_is(Mode::Alone).await?;
        let mut value = self.value.try_borrow_mut().map_err(|_| Kind::InUse)?;
        if self.closed.replace(true) {
            return Err(gone());
        }
        Ok(value.take())
    }

    /// Polls a function that has the value.
    pub(super) fn within<F: Future>(&self, future: F) -> impl Future<Output = F::Output> {
        self.gate.within(future)
    }

    /// Notes a panic, until the guard is dropped.
    pub(super) fn noting(&self) -> Noted<'_> {
        Noted(&self.panicked)
    }

    /// Looks at the value now.
    pub(super) fn look(&self) -> Result<Ref<'_, T>, Kind> {
        let value = self.value.try_borrow().map_err(|_| Kind::InUse)?;
        Ref::filter_map(value, Option::as_ref).map_err(|_| self.missing())
    }

    /// Looks at the value now, alone.
    pub(super) fn look_alone(&self) -> Result<RefMut<'_, T>, Kind> {
        let value = self.value.try_borrow_mut().map_err(|_| Kind::InUse)?;
        RefMut::filter_map(value, Option::as_mut).map_err(|_| self.missing())
    }

    /// Waits for its turn. The value is there then, unless it is gone for good.
    pub(super) async fn enter(&self, mode: Mode) -> Result<Entered<'_, T>, Kind> {
        // Most calls need not wait, so the future that waits is in a box: an outstanding call has no room for it.
        match self.enter_now(mode) {
            Some(inside) => Ok(inside),
            None => Box::pin(self.enter_later(mode)).await,
        }
    }

    fn enter_now(&self, mode: Mode) -> Option<Entered<'_, T>> {
        let inside = Entered { inside: Some(self.gate.enter_now(mode)?), slot: self };
        let is_right = !self.is_spoilt() && self.is_to_be_made().is_none();
        is_right.then_some(inside)
    }

    async fn enter_later(&self, mode: Mode) -> Result<Entered<'_, T>, Kind> {
        let inside = self.enter_as_it_is(mode).await?;
        self.drop_spoilt();
        if let Some((_, turn)) = self.is_to_be_made() {
            // It keeps its place inside, and so its order among the calls. Of those who share, one makes the value.
            self.gate.within(self.make_anew(turn)).await?;
        }
        Ok(inside)
    }

    async fn make_anew(&self, turn: &Gate) -> Result<(), Kind> {
        let _turn = turn.enter(Mode::Alone).await?;
        let Some((make, _)) = self.is_to_be_made() else { return Ok(()) };
        let made = turn.within(make()).await?;
        match self.value.try_borrow_mut() {
            Ok(mut value) => *value = Some(made),
            Err(_) => return Err(Kind::InUse),
        }
        Ok(())
    }

    /// Whether the value is to be dropped, because a call panicked.
    fn is_spoilt(&self) -> bool {
        self.panicked.get() && !matches!(self.policy, Policy::Keep)
    }

    /// Drops a value that a panic has spoilt, if nobody reaches it. False if somebody does.
    fn drop_spoilt(&self) -> bool {
        if !self.is_spoilt() {
            return true;
        }
        let Some(value) = self.value.try_borrow_mut().ok().map(|mut value| value.take()) else {
            return false;
        };
        self.panicked.set(false);
        guard::discard_now(Place::ResidentDrop, value);
        if matches!(self.policy, Policy::Close) {
            self.closed.set(true);
            self.end();
        }
        true
    }

    /// How the value is made anew, if it is to be.
    fn is_to_be_made(&self) -> Option<(&Make<T>, &Gate)> {
        match &self.policy {
            Policy::Remake(make, turn) if self.is_lost() => Some((make, turn)),
            _ => None,
        }
    }

    /// Whether a panic cost the value, which was not made anew yet.
    fn is_lost(&self) -> bool {
        !self.closed.get() && self.value.try_borrow().is_ok_and(|value| value.is_none())
    }

    /// Why there is no value.
    fn missing(&self) -> Kind {
        if self.closed.get() { gone() } else { Kind::Lost }
    }

    /// The value is gone, and with it its place and the thread that was its own.
    pub(super) fn end(&self) {
        let _thread_has_ended = scheduler::residents(|residents| residents.remove(self.number));
        self.gone.set();
        if let Some(own) = &self.own {
            own.force_stop();
        }
    }

    async fn enter_as_it_is(&self, mode: Mode) -> Result<Entered<'_, T>, Kind> {
        Ok(Entered { inside: Some(self.gate.enter(mode).await?), slot: self })
    }
}

pub(super) fn gone() -> Kind {
    Kind::Closed { reason: "the resident has ended".to_owned() }
}

/// The value was to be taken out, and a panic had cost it before.
pub(super) fn lost() -> Kind {
    Kind::Closed {
        reason: "the resident has ended; a panic had cost its value, which was not made anew".to_owned(),
    }
}

/// Inside the gate of a slot. The last to leave after a panic does what the policy says.
pub(super) struct Entered<'a, T: 'static> {
    inside: Option<Inside<'a>>,
    slot: &'a Slot<T>,
}

impl<T> Drop for Entered<'_, T> {
    fn drop(&mut self) {
        // With others inside, dropping the value is for the last of them.
        if !self.slot.drop_spoilt() {
            self.slot.gate.bar();
        }
        self.inside = None;
    }
}

/// Notes that what it stands around panicked.
pub(super) struct Noted<'a>(&'a Cell<bool>);

impl Drop for Noted<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.set(true);
        }
    }
}

impl<T> Drop for Slot<T> {
    fn drop(&mut self) {
        guard::discard_now(Place::ResidentDrop, self.value.get_mut().take());
        self.end();
    }
}
