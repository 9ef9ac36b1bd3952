//! A call as a task of a guest's own.

use std::{
    cell::{Cell, RefCell},
    fmt,
    future::Future,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker},
};

use crate::{
    backend::LocalFuture,
    guard::{self, Place},
};

/// A call as a task of a guest's: for guests in which a task has an identity, or a budget. What
/// [`Guest::adopt`](crate::Guest::adopt) is made of there.
///
/// [`split`](Self::split) makes two futures of the call's one. The guest spawns the task; the caller polls the
/// [`AdoptedCall`], which ends when the task's call has.
#[must_use = "the call runs when this is spawned in the guest"]
pub struct GuestTask(Rc<State>);

/// What a caller polls while the call is a [`GuestTask`]: it ends when the call has. Dropping it drops the call, at once if
/// the call is not being polled, else when that poll has ended.
#[must_use = "dropping it drops the call"]
pub struct AdoptedCall(Rc<State>);

/// What a call shares with its task.
#[derive(Default)]
struct State {
    /// None while it is polled, and when it has ended.
    call: RefCell<Option<LocalFuture<'static>>>,
    /// Whether it has ended.
    ended: Cell<bool>,
    /// Nobody wants it any more.
    given_up: Cell<bool>,
    /// The task's own.
    task: RefCell<Option<Waker>>,
    /// Whoever waits for its end.
    waiter: RefCell<Option<Waker>>,
}

impl State {
    fn end(&self) {
        self.ended.set(true);
        let waiter = self.waiter.take();
        waiter.into_iter().for_each(guard::wake);
    }
}

impl GuestTask {
    /// Makes a task of a call.
    pub fn split(call: LocalFuture<'static>) -> (Self, AdoptedCall) {
        let state = Rc::new(State { call: RefCell::new(Some(call)), ..State::default() });
        (Self(state.clone()), AdoptedCall(state))
    }
}

impl Future for GuestTask {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let state = &*self.0;
        guard::discard_waker(state.task.replace(Some(cx.waker().clone())));
        // Taken out, so that nobody finds it borrowed.
        let Some(mut call) = state.call.take() else { return Poll::Ready(()) };
        if !state.given_up.get() && call.as_mut().poll(cx).is_pending() && !state.given_up.get() {
            state.call.replace(Some(call));
            return Poll::Pending;
        }
        guard::discard_now(Place::FutureDrop, call);
        state.end();
        Poll::Ready(())
    }
}

impl Drop for GuestTask {
    fn drop(&mut self) {
        // The guest ends under it, or the call panicked.
        guard::discard_now(Place::FutureDrop, self.0.call.take());
        guard::discard_waker(self.0.task.take());
        if !self.0.ended.get() {
            self.0.end();
        }
    }
}

impl AdoptedCall {
    /// Has the task drop the call, in its own next poll, for which it is woken: a guest whose tasks have values of their own
    /// lets destructors find them, and polls the task before it returns from the drop of this.
    pub fn give_up(&self) {
        self.0.given_up.set(true);
        // Taken out: its clone would be one more piece of foreign code.
        let task = self.0.task.take();
        task.into_iter().for_each(guard::wake);
    }

    /// Whether the call has ended.
    pub fn is_ended(&self) -> bool {
        self.0.ended.get()
    }
}

impl Future for AdoptedCall {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.is_ended() {
            return Poll::Ready(());
        }
        guard::discard_waker(self.0.waiter.replace(Some(cx.waker().clone())));
        Poll::Pending
    }
}

impl Drop for AdoptedCall {
    fn drop(&mut self) {
        if !self.is_ended() && !self.0.given_up.get() {
            let call = self.0.call.take();
            // The task has nothing left to do, or drops it after its poll.
            self.give_up();
            guard::discard_now(Place::FutureDrop, call);
        }
        guard::discard_waker(self.0.waiter.take());
    }
}

impl fmt::Debug for GuestTask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GuestTask").field("ended", &self.0.ended.get()).finish_non_exhaustive()
    }
}

impl fmt::Debug for AdoptedCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdoptedCall").field("ended", &self.is_ended()).finish_non_exhaustive()
    }
}
