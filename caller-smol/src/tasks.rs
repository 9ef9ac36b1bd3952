//! The local tasks of a thread.

use std::{
    cell::RefCell,
    future::{Future, pending},
    mem,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};

use async_executor::{LocalExecutor, Task};
use caller::LocalFuture;

/// An executor, and what runs it.
pub(crate) struct Tasks {
    executor: Rc<LocalExecutor<'static>>,
    /// Never ends. None while it is polled.
    running: RefCell<Option<LocalFuture<'static>>>,
}

thread_local! {
    /// Those of the caller or guest in which code runs in this thread.
    static HERE: RefCell<Option<Rc<Tasks>>> = const { RefCell::new(None) };
}

/// Puts back what was here before.
struct Before(Option<Rc<Tasks>>);

impl Drop for Before {
    fn drop(&mut self) {
        let inner = HERE.try_with(|here| here.replace(self.0.take()));
        drop(inner);
    }
}

impl Tasks {
    pub(crate) fn new() -> Rc<Self> {
        let executor = Rc::new(LocalExecutor::new());
        let runs = executor.clone();
        let running: LocalFuture<'static> = Box::pin(async move { runs.run(pending()).await });
        Rc::new(Self { executor, running: RefCell::new(Some(running)) })
    }

    /// Those in which this code runs.
    pub(crate) fn here() -> Option<Rc<Self>> {
        HERE.try_with(|here| here.borrow().clone()).ok().flatten()
    }

    /// Calls `function` with these as those of the thread.
    pub(crate) fn enter<R>(self: &Rc<Self>, function: impl FnOnce() -> R) -> R {
        // There is no such place any more in the destructors of thread-local values.
        let before = HERE.try_with(|here| here.replace(Some(self.clone()))).map(Before);
        let result = function();
        drop(before);
        result
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.executor.is_empty()
    }

    pub(crate) fn spawn<F: Future + 'static>(&self, future: F) -> Task<F::Output>
    where
        F::Output: 'static,
    {
        self.executor.spawn(Guarded(Some(Box::pin(future))))
    }

    /// Goes on with some of what can go on. `cx` is woken when there is more.
    pub(crate) fn poll(self: &Rc<Self>, cx: &mut Context<'_>) {
        // One of the tasks may drive the thread itself: it does not run the others.
        let Some(mut running) = self.running.take() else { return };
        let _never_ends = self.enter(|| running.as_mut().poll(cx));
        self.running.replace(Some(running));
    }
}

/// A future whose destructor may panic: async-executor would end the process.
struct Guarded<F>(Option<Pin<Box<F>>>);

impl<F: Future> Future for Guarded<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        match &mut self.0 {
            Some(future) => future.as_mut().poll(cx),
            None => Poll::Pending,
        }
    }
}

impl<F> Drop for Guarded<F> {
    fn drop(&mut self) {
        let future = self.0.take();
        // The panic hook tells of it. What it panicked with may panic as well when it is dropped.
        let dropped = catch_unwind(AssertUnwindSafe(|| drop(future)));
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(dropped))) {
            mem::forget(payload);
        }
    }
}
