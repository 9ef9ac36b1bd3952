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
    sync::AsyncEvent,
};

/// Makes the value anew.
pub(super) type Make<T> = Box<dyn Fn() -> Pin<Box<dyn Future<Output = Result<T, Kind>>>>>;

/// What becomes of the value when a call that reaches it panics.
pub(super) enum Policy<T> {
    Keep,
    Close,
    Remake(Make<T>),
}

/// Where the value lives. It is dropped in the thread in which it was made, for it never leaves it.
pub(super) struct Slot<T: 'static> {
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
    pub(super) fn new(value: T, policy: Policy<T>, gone: AsyncEvent, own: Option<Caller>) -> Self {
        let value = RefCell::new(Some(value));
        Self {
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
        if self.closed.replace(true) {
            return Err(gone());
        }
        Ok(self.value.take())
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
        Ref::filter_map(value, Option::as_ref).map_err(|_| gone())
    }

    /// Looks at the value now, alone.
    pub(super) fn look_alone(&self) -> Result<RefMut<'_, T>, Kind> {
        let value = self.value.try_borrow_mut().map_err(|_| Kind::InUse)?;
        RefMut::filter_map(value, Option::as_mut).map_err(|_| gone())
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
        let is_right = !(mode == Mode::Shared && self.is_spoilt()) && self.is_to_be_made().is_none();
        is_right.then_some(inside)
    }

    async fn enter_later(&self, mode: Mode) -> Result<Entered<'_, T>, Kind> {
        loop {
            let inside = self.enter_as_it_is(mode).await?;
            if mode == Mode::Shared && self.is_spoilt() {
                // The value is dropped when those who share it now have left.
                drop(inside);
                drop(self.enter_as_it_is(Mode::Alone).await?);
                continue;
            }
            let Some(make) = self.is_to_be_made() else { return Ok(inside) };
            if mode == Mode::Alone {
                let value = make().await?;
                self.value.replace(Some(value));
                return Ok(inside);
            }
            // Only who is alone makes it.
            drop(inside);
            drop(Box::pin(self.enter_later(Mode::Alone)).await?);
        }
    }

    /// Whether the value is to be dropped, because a call panicked.
    fn is_spoilt(&self) -> bool {
        self.panicked.get() && !matches!(self.policy, Policy::Keep)
    }

    /// How the value is made anew, if it is to be.
    fn is_to_be_made(&self) -> Option<&Make<T>> {
        match &self.policy {
            Policy::Remake(make) if self.value.borrow().is_none() && !self.closed.get() => Some(make),
            _ => None,
        }
    }

    /// The value is gone, and with it the thread that was its own.
    pub(super) fn end(&self) {
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

/// Inside the gate of a slot. The last to leave after a panic does what the policy says.
pub(super) struct Entered<'a, T: 'static> {
    inside: Option<Inside<'a>>,
    slot: &'a Slot<T>,
}

impl<T> Drop for Entered<'_, T> {
    fn drop(&mut self) {
        let slot = self.slot;
        if slot.is_spoilt() {
            // With others inside, it is for them.
            let taken = slot.value.try_borrow_mut().ok().map(|mut value| value.take());
            if let Some(value) = taken {
                slot.panicked.set(false);
                guard::discard_now(Place::ResidentDrop, value);
                if matches!(slot.policy, Policy::Close) {
                    slot.closed.set(true);
                    slot.end();
                }
            }
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
