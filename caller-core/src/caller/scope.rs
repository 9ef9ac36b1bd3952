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

use super::{builder::Builder, inner::Caller, lifecycle::StopOnDrop, registry::here};
use crate::{
    backend::{Backend, LocalFuture},
    context::Context,
    error::{Error, Kind, Result},
    guard::{self, Place},
    this_thread, timer,
    wake::Flagged,
};

impl Caller {
    /// Runs `body` with a caller in this thread, inside the runtime that surrounds it, and stops the caller when
    /// the body ends. It is protected meanwhile.
    ///
    /// The future is not `Send`, so it is awaited where the thread stays the same: in the root future of any
    /// runtime (that of `#[tokio::main]`, whatever the flavor), or in a local task.
    ///
    /// The body itself is not a call. A forced stop ends the caller and its calls under the body, which goes on: its
    /// later calls are errors. [`stopped`](Self::stopped) does not wait for the body. Where the body awaits `stopped` of
    /// this very caller, the stop begins there, as if the body had ended.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future stops the caller at once: every call is cancelled, and its future dropped.
    ///
    /// # Errors
    ///
    /// [`is_no_caller`](crate::Error::is_no_caller) if no runtime of this kind surrounds it;
    /// [`is_mismatch`](crate::Error::is_mismatch) if this thread has a caller; [`is_start`](crate::Error::is_start) in the
    /// destructor of a thread-local, once the thread has let go of what this needs.
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
            let stop = StopOnDrop::new(self);
            let result = Body::new(self, body(self.clone())).await;
            drop(stop);
            self.stopped().await;
            return Ok(result.unwrap_or_else(|payload| resume_unwind(payload)));
        }
        if let Some(host) = &self.0.host {
            let (caller, host) = (self.name().to_owned(), host.name().to_owned());
            return Err(Error::new(Kind::Hosted { caller, host }));
        }
        let runtime = self.0.runtime()?;
        let settled = self.0.settle(runtime)?;
        let ended = self.beside(settled, Body::new(self, body(self.clone())), || ()).await;
        self.stopped().await;
        Ok(ended.unwrap_or_else(|payload| resume_unwind(payload)))
    }

    /// Runs the body beside the scheduler, until both have ended. A panic of the body is its result. If the scheduler
    /// ends first, `ended_first` is called once.
    pub(super) async fn beside<F: Future>(
        &self,
        scheduler: impl Future<Output = ()> + Unpin,
        body: Body<F>,
        ended_first: impl FnOnce(),
    ) -> thread::Result<F::Output> {
        self.0.protect();
        let mut body = pin!(body);
        let (mut scheduler, mut ended_first) = (Some(scheduler), Some(ended_first));
        let mut result = None;
        let mut poll_body = |result: &mut Option<_>, cx: &mut TaskContext<'_>| {
            if result.is_none()
                && let Poll::Ready(value) = body.as_mut().poll(cx)
            {
                *result = Some(value);
                self.force_stop();
            }
        };
        // Who is second may find the budget of the task used up, so they take turns.
        let mut body_first = false;
        poll_fn(|cx| {
            body_first = !body_first;
            if body_first {
                poll_body(&mut result, cx);
            }
            let polled = match &mut scheduler {
                Some(scheduler) => guard::run(|| Pin::new(scheduler).poll(cx)),
                None => Ok(Poll::Ready(())),
            };
            if !body_first {
                poll_body(&mut result, cx);
            }
            if matches!(polled, Ok(Poll::Pending)) {
                return Poll::Pending;
            }
            if let Err(panic) = polled {
                // Calls do not panic here: this was the runtime.
                guard::report_panic(Place::Runtime, &panic);
                self.0.fail(format!("its runtime panicked: {}", panic.message()));
            }
            guard::discard_now(Place::Runtime, scheduler.take());
            match result.take() {
                Some(result) => Poll::Ready(result),
                None => {
                    ended_first.take().into_iter().for_each(|ended_first| ended_first());
                    Poll::Pending
                }
            }
        })
        .await
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
        let runtime = caller.0.runtime()?;
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
    /// Those of [`build`](Self::build) and of [`Caller::scope`]; [`is_mismatch`](crate::Error::is_mismatch) if its parent
    /// has a child of this name that runs. One that was only built is entered.
    pub async fn scope<R>(self, body: impl AsyncFnOnce(Caller) -> R) -> Result<R> {
        let (caller, new) = self.find_or_make()?;
        // A child that could not run would be found by its name, and its calls would wait for ever.
        let _stop = new.then(|| StopOnDrop::new(&caller));
        caller.enter(body).await
    }
}

/// The body of a scope: polled when it was woken, and not whenever the scheduler is; in a context of its own, as a
/// call is. A panic in it is its result.
pub(super) struct Body<F> {
    caller: Caller,
    /// None once it has ended.
    future: Option<Pin<Box<F>>>,
    context: Context,
    wake: Arc<Flagged>,
}

impl<F> Body<F> {
    pub(super) fn new(caller: &Caller, future: F) -> Self {
        Self {
            caller: caller.clone(),
            future: Some(Box::pin(future)),
            context: Context::current(),
            wake: Flagged::new(),
        }
    }

    /// Runs `act` in the context of the body.
    fn run<R>(&mut self, act: impl FnOnce(&mut Self) -> R) -> R {
        let entered = mem::take(&mut self.context).enter();
        let done = act(self);
        self.context = entered.leave();
        done
    }
}

impl<F> Unpin for Body<F> {}

impl<F: Future> Future for Body<F> {
    type Output = thread::Result<F::Output>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Self::Output> {
        self.wake.renew(cx.waker());
        if !self.wake.take() {
            return Poll::Pending;
        }
        let waker = Waker::from(self.wake.clone());
        let id = self.caller.id();
        let (polled, awaits_end) = self.run(|this| {
            let Some(future) = &mut this.future else { return (Ok(Poll::Pending), false) };
            let _polling = timer::polling(waker.data());
            let mut cx = TaskContext::from_waker(&waker);
            this_thread::as_body_of(id, || guard::run(|| future.as_mut().poll(&mut cx)))
        });
        if awaits_end {
            // The end would wait for the body's.
            self.caller.0.begin_stop();
        }
        let ended = match polled {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(output)) => Ok(output),
            Err(panic) => Err(panic.into_payload()),
        };
        self.run(|this| guard::discard_now(Place::FutureDrop, this.future.take()));
        Poll::Ready(ended)
    }
}

impl<F> Drop for Body<F> {
    fn drop(&mut self) {
        if self.future.is_some() {
            self.run(|this| guard::discard_now(Place::FutureDrop, this.future.take()));
        }
    }
}
