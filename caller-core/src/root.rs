//! The future that a runtime or the loop of a host drives to its end.
//!
//! The driver is code of a user's: it may panic, return early, or forget what it was given. So it gets a future that
//! only borrows the real one. When the driver has returned, the real one is dropped in its thread, whatever happened.

use std::{
    cell::RefCell,
    future::Future,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};

use crate::{
    backend::LocalFuture,
    guard::{self, Panic, Place},
};

/// A future that is driven by somebody else and dropped by its owner.
pub(crate) struct Root<T>(Rc<RefCell<State<T>>>);

enum State<T> {
    Waiting(LocalFuture<'static, T>),
    /// It is being polled, or was dropped before it ended.
    Absent,
    Ended(Result<T, Panic>),
}

impl<T: 'static> Root<T> {
    pub(crate) fn new(future: LocalFuture<'static, T>) -> Self {
        Self(Rc::new(RefCell::new(State::Waiting(future))))
    }

    /// A future that ends when this one has. Dropping it drops this one.
    pub(crate) fn driven(&self) -> LocalFuture<'static> {
        Box::pin(Driven(self.0.clone()))
    }

    /// Drops the future if it has not ended. Gives its output, or what it panicked with; nothing if it was cut off.
    pub(crate) fn end(&self) -> Option<Result<T, Panic>> {
        match self.0.replace(State::Absent) {
            State::Waiting(future) => {
                guard::discard_now(Place::Runtime, future);
                None
            }
            State::Absent => None,
            State::Ended(ended) => Some(ended),
        }
    }
}

struct Driven<T>(Rc<RefCell<State<T>>>);

impl<T> Driven<T> {
    /// Takes the future out, so that no borrow is held while code of a user runs.
    fn take(&self) -> Option<LocalFuture<'static, T>> {
        let mut state = self.0.borrow_mut();
        if !matches!(*state, State::Waiting(_)) {
            return None;
        }
        match std::mem::replace(&mut *state, State::Absent) {
            State::Waiting(future) => Some(future),
            State::Absent | State::Ended(_) => None,
        }
    }
}

impl<T> Future for Driven<T> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Some(mut future) = self.take() else { return Poll::Ready(()) };
        let ended = match guard::run(|| future.as_mut().poll(cx)) {
            Ok(Poll::Pending) => {
                self.0.replace(State::Waiting(future));
                return Poll::Pending;
            }
            Ok(Poll::Ready(output)) => Ok(output),
            Err(panic) => Err(panic),
        };
        guard::discard_now(Place::Runtime, future);
        self.0.replace(State::Ended(ended));
        Poll::Ready(())
    }
}

impl<T> Drop for Driven<T> {
    fn drop(&mut self) {
        if let Some(future) = self.take() {
            guard::discard_now(Place::Runtime, future);
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use std::{cell::Cell, future::pending, task::Waker};

    fn poll(driven: &mut LocalFuture<'static>) -> Poll<()> {
        driven.as_mut().poll(&mut Context::from_waker(Waker::noop()))
    }

    struct Dropped(Rc<Cell<bool>>);

    impl Drop for Dropped {
        fn drop(&mut self) {
            self.0.set(true);
        }
    }

    #[test]
    fn the_output_is_kept_for_the_owner() {
        let root = Root::new(Box::pin(async { 5 }));
        let mut driven = root.driven();
        assert!(poll(&mut driven).is_ready());
        assert!(poll(&mut driven).is_ready(), "a driver may poll once too often");
        drop(driven);
        assert_eq!(root.end().and_then(Result::ok), Some(5));
    }

    #[test]
    fn a_panic_ends_it() {
        let root = Root::<()>::new(Box::pin(async { panic!("no") }));
        assert!(poll(&mut root.driven()).is_ready());
        assert_eq!(root.end().map(|ended| ended.unwrap_err().message().to_owned()).as_deref(), Some("no"));
    }

    #[test]
    fn a_driver_that_forgets_it_leaves_it_to_its_owner() {
        let dropped = Rc::new(Cell::new(false));
        let held = Dropped(dropped.clone());
        let root = Root::<()>::new(Box::pin(async move {
            let _held = held;
            pending().await
        }));
        let mut driven = root.driven();
        assert!(poll(&mut driven).is_pending());
        std::mem::forget(driven);
        assert!(root.end().is_none());
        assert!(dropped.get());
    }
}
