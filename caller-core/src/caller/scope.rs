//! A caller inside a runtime that runs already: it lives as long as a body of code.

use std::{
    future::poll_fn,
    mem,
    panic::resume_unwind,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context as TaskContext, Poll, Waker},
    thread,
};

use super::{builder::Builder, inner::Caller, registry::here};
use crate::{
    backend::{Backend, LocalFuture},
    context::Context,
    error::{Error, Kind, Result},
    guard, timer,
    wake::Flagged,
};

impl Caller {
    /// Runs `body` with a caller in this thread, inside the runtime that surrounds it, and stops the caller when
    /// the body ends. It is protected meanwhile.
    ///
    /// The future is not `Send`, so it is awaited where the thread stays the same: in the root future of any
    /// runtime (that of `#[tokio::main]`, whatever the flavor), or in a local task.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future stops the caller at once: every call is cancelled, and its future dropped.
    ///
    /// # Errors
    ///
    /// [`is_no_caller`](crate::Error::is_no_caller) if no runtime of this kind surrounds it;
    /// [`is_mismatch`](crate::Error::is_mismatch) if this thread has a caller.
    pub async fn scope<R>(backend: impl Backend, body: impl AsyncFnOnce(Self) -> R) -> Result<R> {
        Self::builder().backend(backend).scope(body).await
    }

    /// Runs a caller that was built but not started, as [`scope`](Self::scope) does; calls that were made before run
    /// now. A caller that was started implicitly in this thread can be entered too, and stops when the body ends.
    ///
    /// # Errors
    ///
    /// Those of [`scope`](Self::scope); [`is_mismatch`](crate::Error::is_mismatch) if it was started before, and
    /// [`is_closed`](crate::Error::is_closed) if it was stopped before.
    pub async fn enter<R>(&self, body: impl AsyncFnOnce(Self) -> R) -> Result<R> {
        if self.is_here() && self.0.is_unmanaged() {
            // Started implicitly: its scheduler runs in a task beside us.
            self.0.protect();
            self.0.set_unmanaged(false);
            let stop = StopOnDrop(self);
            let result = Body::new(body(self.clone())).await;
            drop(stop);
            self.stopped().await;
            return Ok(result.unwrap_or_else(|payload| resume_unwind(payload)));
        }
        if let Some(host) = &self.0.host {
            let (caller, host) = (self.name().to_owned(), host.name().to_owned());
            return Err(Error::new(Kind::Hosted { caller, host }));
        }
        let runtime = self.0.backend.runtime()?;
        let settled = self.0.settle(runtime)?;
        let ended = self.beside(settled, Body::new(body(self.clone()))).await?;
        self.stopped().await;
        Ok(ended.unwrap_or_else(|payload| resume_unwind(payload)))
    }

    /// Runs the body beside the scheduler, until both have ended. A panic of the body is its result.
    pub(super) async fn beside<F: Future>(
        &self,
        mut scheduler: impl Future<Output = ()> + Unpin,
        body: Body<F>,
    ) -> Result<thread::Result<F::Output>> {
        self.0.protect();
        let mut body = pin!(body);
        let mut result = None;
        poll_fn(|cx| {
            if result.is_none()
                && let Poll::Ready(value) = body.as_mut().poll(cx)
            {
                result = Some(value);
                self.force_stop();
            }
            let ended = Pin::new(&mut scheduler).poll(cx).is_ready();
            if ended && result.is_some() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        drop(scheduler);
        match result {
            Some(ended) => Ok(ended),
            None => Err(self.closed()),
        }
    }

    /// Starts a caller in this thread, in a task of the runtime that surrounds it: what a backend that can spawn
    /// futures that are not `Send` offers as `current`. If this thread has a caller, that is the one.
    ///
    /// The task ends with the runtime, and the caller with it.
    ///
    /// # Errors
    ///
    /// [`is_no_caller`](crate::Error::is_no_caller) if no runtime of this kind surrounds this code, and what `spawn`
    /// gives; [`is_mismatch`](crate::Error::is_mismatch) if this thread's caller runs another backend.
    pub fn start_here(
        backend: impl Backend,
        spawn: impl FnOnce(LocalFuture<'static>) -> Result<()>,
    ) -> Result<Self> {
        if let Some(here) = here() {
            let (wanted, has) = (backend.name().to_owned(), here.backend().name().to_owned());
            if wanted == has {
                return Ok(here);
            }
            return Err(Error::new(Kind::BackendMismatch { caller: here.name().to_owned(), wanted, has }));
        }
        let caller = Self::builder().backend(backend).build()?;
        let runtime = caller.0.backend.runtime()?;
        caller.0.set_unmanaged(true);
        spawn(Box::pin(caller.0.settle(runtime)?))?;
        Ok(caller)
    }
}

impl Builder {
    /// Makes it and runs `body` with it in this thread; see [`Caller::scope`].
    ///
    /// # Errors
    ///
    /// Those of [`build`](Self::build) and of [`Caller::scope`].
    pub async fn scope<R>(self, body: impl AsyncFnOnce(Caller) -> R) -> Result<R> {
        self.build()?.enter(body).await
    }
}

pub(super) struct StopOnDrop<'a>(pub(super) &'a Caller);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.force_stop();
    }
}

/// The body of a scope: polled when it was woken, and not whenever the scheduler is; in a context of its own, as a
/// call is. A panic in it is its result.
pub(super) struct Body<F> {
    future: Pin<Box<F>>,
    context: Context,
    wake: Arc<Flagged>,
}

impl<F> Body<F> {
    pub(super) fn new(future: F) -> Self {
        Self { future: Box::pin(future), context: Context::current(), wake: Flagged::new() }
    }
}

impl<F: Future> Future for Body<F> {
    type Output = thread::Result<F::Output>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        this.wake.renew(cx.waker());
        if !this.wake.take() {
            return Poll::Pending;
        }
        let waker = Waker::from(this.wake.clone());
        let _polling = timer::polling(waker.data());
        let entered = mem::take(&mut this.context).enter();
        let polled = guard::run(|| this.future.as_mut().poll(&mut TaskContext::from_waker(&waker)));
        this.context = entered.leave();
        match polled {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(output)) => Poll::Ready(Ok(output)),
            Err(panic) => Poll::Ready(Err(panic.into_payload())),
        }
    }
}
