//! `call_using_backend`: a call that runs on another runtime, in the caller's own thread.

use std::{
    future::Future,
    io,
    marker::PhantomData,
    pin::Pin,
    rc::Rc,
    sync::Arc,
    task::{Context as TaskContext, Poll},
};

use crate::{
    backend::{Backend, Guest},
    caller::Caller,
    error::{BoxError, Result},
    pending::Pending,
    scheduler,
    task::Convert,
};

impl Caller {
    /// Runs an async function in this caller's thread, on another runtime, which is the guest of the one that drives the
    /// thread: its timers, sockets and tasks work inside. With the caller's own backend it is
    /// [`call_soon`](Self::call_soon).
    ///
    /// The guest is started by the first such call, and ends with the caller. What works inside it is said in the docs of
    /// the backend.
    ///
    /// # Errors
    ///
    /// [`is_mismatch`](crate::Error::is_mismatch) if the backend cannot be a guest, or if nothing manages the lifetime of
    /// this caller: it was started implicitly, and could end before its guest. Enter it ([`enter`](Self::enter)), or use
    /// one with a thread of its own.
    #[track_caller]
    pub fn call_using_backend<F, T>(&self, backend: impl Backend, function: F) -> Result<Pending<T>>
    where
        F: AsyncFnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.schedule_call(function).backend(backend).submit()
    }

    /// As [`call_using_backend`](Self::call_using_backend), for a function that returns a `Result`: an `Err` makes the call
    /// failed.
    ///
    /// # Errors
    ///
    /// Those of [`call_using_backend`](Self::call_using_backend).
    #[track_caller]
    pub fn try_call_using_backend<F, T, E>(&self, backend: impl Backend, function: F) -> Result<Pending<T>>
    where
        F: AsyncFnOnce() -> Result<T, E> + Send + 'static,
        E: Into<BoxError> + 'static,
        T: Send + 'static,
    {
        self.schedule_call(function).backend(backend).try_submit()
    }
}

/// A future that is made, polled and dropped inside a guest.
pub(crate) struct InGuest<M, F> {
    backend: Arc<dyn Backend>,
    make: Option<M>,
    guest: Option<Rc<dyn Guest>>,
    future: Option<Pin<Box<F>>>,
}

impl<M, F> InGuest<M, F> {
    pub(crate) fn new(backend: Arc<dyn Backend>, make: M) -> Self {
        Self { backend, make: Some(make), guest: None, future: None }
    }
}

impl<M, F> Unpin for InGuest<M, F> {}

impl<M: FnOnce() -> F, F: Future> Future for InGuest<M, F> {
    type Output = io::Result<F::Output>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let guest = match &this.guest {
            Some(guest) => guest.clone(),
            None => this.guest.insert(scheduler::guest(&this.backend)?).clone(),
        };
        let mut polled = Poll::Pending;
        guest.enter(&mut || {
            if let Some(make) = this.make.take() {
                this.future = Some(Box::pin(make()));
            }
            let Some(future) = &mut this.future else { return };
            polled = future.as_mut().poll(cx).map(Ok);
            if polled.is_ready() {
                this.future = None;
            }
        });
        polled
    }
}

impl<M, F> Drop for InGuest<M, F> {
    fn drop(&mut self) {
        if let (Some(guest), Some(future)) = (&self.guest, self.future.take()) {
            let mut future = Some(future);
            guest.enter(&mut || drop(future.take()));
        }
    }
}

/// What a function gives inside a guest means what it does outside; that there is no guest is a failure of the call.
pub(crate) struct Guested<C>(PhantomData<C>);

impl<C: Convert<O>, O> Convert<io::Result<O>> for Guested<C> {
    type Value = C::Value;

    fn convert(output: io::Result<O>) -> Result<C::Value, BoxError> {
        C::convert(output.map_err(|error| format!("its runtime could not be made a guest: {error}"))?)
    }
}
