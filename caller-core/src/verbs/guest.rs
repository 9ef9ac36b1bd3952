//! `call_using_backend`: a call that runs on another runtime, in the caller's own thread.

use std::{
    cell::RefCell,
    fmt::Display,
    future::Future,
    mem,
    panic::resume_unwind,
    pin::Pin,
    rc::Rc,
    sync::Arc,
    task::{Context as TaskContext, Poll},
    thread,
};

use crate::{
    backend::{Backend, Guest, LocalFuture},
    caller::Caller,
    context::Context,
    error::{BoxError, Kind, Result},
    guard::{self, Place},
    pending::{Current, Pending, PendingHandle, current_pending},
    scheduler,
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

/// The call fails, because its guest does.
fn no_guest(why: impl Display) -> Kind {
    Kind::Failed(BoxError::from(format!("its runtime could not be made a guest: {why}")).into())
}

/// A call that is made, polled and dropped inside a guest.
pub(crate) struct InGuest<M, T> {
    backend: Arc<dyn Backend>,
    make: Option<M>,
    guest: Option<Rc<dyn Guest>>,
    /// What the guest gave for it.
    adopted: Option<LocalFuture<'static>>,
    output: Rc<RefCell<Option<thread::Result<T>>>>,
}

impl<M, T> InGuest<M, T> {
    pub(crate) fn new(backend: Arc<dyn Backend>, make: M) -> Self {
        Self { backend, make: Some(make), guest: None, adopted: None, output: Rc::default() }
    }
}

impl<M, T> Unpin for InGuest<M, T> {}

impl<M, F, T> Future for InGuest<M, T>
where
    M: FnOnce() -> F + 'static,
    F: Future<Output = T> + 'static,
    T: 'static,
{
    type Output = Result<T, Kind>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let guest = match &this.guest {
            Some(guest) => guest.clone(),
            None => this.guest.insert(scheduler::guest(&this.backend).map_err(no_guest)?).clone(),
        };
        let mut entered = false;
        guest.enter(&mut || {
            entered = true;
            if let Some(make) = this.make.take() {
                let (output, call) = (this.output.clone(), Inside::new(make));
                this.adopted = Some(guest.adopt(Box::pin(async move {
                    let given = call.await;
                    output.replace(Some(given));
                })));
            }
            if this.adopted.as_mut().is_some_and(|adopted| adopted.as_mut().poll(cx).is_ready()) {
                this.adopted = None;
            }
        });
        if !entered {
            // It would never be polled.
            return Poll::Ready(Err(no_guest("its `enter` did not call the function")));
        }
        match this.output.take() {
            Some(Ok(output)) => Poll::Ready(Ok(output)),
            // On to whoever polls the call, who knows what to do with it.
            Some(Err(payload)) => resume_unwind(payload),
            None if this.adopted.is_some() => Poll::Pending,
            None => Poll::Ready(Err(no_guest("it ended under the call"))),
        }
    }
}

impl<M, T> Drop for InGuest<M, T> {
    fn drop(&mut self) {
        if let (Some(guest), Some(adopted)) = (&self.guest, self.adopted.take()) {
            let mut adopted = Some(adopted);
            // The guest may go on with other tasks of its own meanwhile, which are not this call. What is dropped has its
            // context with it.
            let outside = (Context::outside(), Current::none());
            guest.enter(&mut || guard::discard_now(Place::FutureDrop, adopted.take()));
            // A guest that did not call it leaves it here.
            guard::discard_now(Place::FutureDrop, adopted.take());
            drop(outside);
        }
    }
}

/// A function's future in the context of its call, and with that as the current one, wherever a guest polls it. What it
/// panics with is carried to the call.
struct Inside<M, F> {
    make: Option<M>,
    future: Option<Pin<Box<F>>>,
    context: Context,
    call: Option<PendingHandle>,
}

impl<M, F> Inside<M, F> {
    fn new(make: M) -> Self {
        Self { make: Some(make), future: None, context: Context::current(), call: current_pending() }
    }

    /// Runs something as the call does.
    fn run<R>(&mut self, act: impl FnOnce(&mut Self) -> R) -> R {
        let entered = mem::take(&mut self.context).enter();
        let current = self.call.clone().map(Current::enter);
        let done = act(self);
        drop(current);
        self.context = entered.leave();
        done
    }
}

impl<M, F> Unpin for Inside<M, F> {}

impl<M: FnOnce() -> F, F: Future> Future for Inside<M, F> {
    type Output = thread::Result<F::Output>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Self::Output> {
        self.run(|this| {
            let polled = guard::run(|| {
                if let Some(make) = this.make.take() {
                    this.future = Some(Box::pin(make()));
                }
                match &mut this.future {
                    Some(future) => future.as_mut().poll(cx),
                    None => unreachable!("polled after its end"),
                }
            });
            let ended = match polled {
                Ok(Poll::Pending) => return Poll::Pending,
                Ok(Poll::Ready(output)) => Ok(output),
                Err(panic) => Err(panic.into_payload()),
            };
            guard::discard_now(Place::FutureDrop, this.future.take());
            Poll::Ready(ended)
        })
    }
}

impl<M, F> Drop for Inside<M, F> {
    fn drop(&mut self) {
        if self.future.is_some() || self.make.is_some() {
            self.run(|this| guard::discard_now(Place::FutureDrop, (this.make.take(), this.future.take())));
        }
    }
}
