//! A caller that has this thread while a body of code runs: with a runtime of its own, or under a host.

use std::{cell::Cell, panic::resume_unwind, rc::Rc, thread};

use super::{
    builder::Builder,
    inner::Caller,
    lifecycle::{Finish, StopOnDrop},
    registry::here,
    scope::Body,
};
use crate::{
    backend::{Backend, LocalFuture, Runtime},
    error::{Error, Kind, Result},
    host::{self, Host},
};

/// Runs `body` with a caller in this thread, under a host: the loop of the host runs here, the backend's runtime is its
/// guest, and what the body gives ends both. From any thread, `caller.call_soon(async || …)` then runs in the thread of the
/// loop. Without a host, use [`Builder::run`].
///
/// # Blocking
///
/// Until the body has ended.
///
/// # Errors
///
/// Those of [`Builder::run`].
///
/// # Panics
///
/// Goes on with a panic of the body, when the loop has ended.
pub fn run<R: 'static>(
    host: impl Host,
    backend: impl Backend,
    body: impl AsyncFnOnce(Caller) -> R + 'static,
) -> Result<R> {
    Caller::builder().host(host).backend(backend).run(body)
}

impl Builder {
    /// Makes it and runs `body` with it in this thread, in a runtime that is made for it; with a [`host`](Self::host), in
    /// the loop of that, whose guest the runtime is. The caller is stopped when the body ends, and is protected meanwhile.
    ///
    /// # Blocking
    ///
    /// Until the body has ended and the caller has stopped.
    ///
    /// # Errors
    ///
    /// Those of [`build`](Self::build). [`is_mismatch`](Error::is_mismatch) if this thread has a caller, a host or a
    /// runtime already, if the host needs the main thread and this is another, or if the parent has a child of this name
    /// that runs (one that was only built is run); [`is_host`](Error::is_host) if the host's loop failed, or ended before
    /// the body did; [`is_start`](Error::is_start) if the runtime cannot be made, panics, or returns before the body has
    /// ended, and in the destructor of a thread-local, once the thread has let go of what this needs.
    ///
    /// # Panics
    ///
    /// Goes on with a panic of the body, when everything has ended.
    pub fn run<R: 'static>(self, body: impl AsyncFnOnce(Caller) -> R + 'static) -> Result<R> {
        let (caller, new) = self.find_or_make()?;
        // One that could not run would be found by its name, and its calls would wait for ever.
        let _stop = new.then(|| StopOnDrop::new(&caller));
        caller.run(body)
    }
}

impl Caller {
    fn run<R: 'static>(&self, body: impl AsyncFnOnce(Self) -> R + 'static) -> Result<R> {
        let backend = &self.0.backend;
        if here().is_none() && self.0.is_in_runtime() {
            return Err(Error::new(Kind::RuntimeRuns(backend.name().to_owned())));
        }
        if let Some(host) = &self.0.host {
            host::check_here(&**host)?;
        }
        let finish = Rc::new(Cell::new(Some(self.0.take_thread()?)));
        let (caller, inside) = (self.clone(), finish.clone());
        let ended = match &self.0.host {
            Some(host) => {
                let tells = host.clone();
                let body = async move |caller| host::telling(tells, body(caller)).await;
                let program = |runtime| -> LocalFuture<'static, _> {
                    Box::pin(async move { caller.run_body(runtime, body, inside).await })
                };
                host::run_under(host, backend, program).flatten()
            }
            None => {
                let root: LocalFuture<'static, _> = Box::pin(async move {
                    let runtime = caller.0.runtime()?;
                    caller.run_body(runtime, body, inside).await
                });
                self.0.in_runtime(root).map_err(|source| self.0.not_started(source)).flatten()
            }
        };
        if let Err(error) = &ended {
            self.0.fail(error.to_string());
        }
        // The runtime is gone; and then it has stopped, once its children have.
        drop(finish.take());
        let stopped = self.stopped();
        if !stopped.is_past() {
            stopped.blocking()?;
        }
        ended.map(|ended| ended.unwrap_or_else(|payload| resume_unwind(payload)))
    }

    /// Runs the body beside the scheduler. If the scheduler ends first, the caller has ended under the body.
    async fn run_body<R>(
        &self,
        runtime: Rc<dyn Runtime>,
        body: impl AsyncFnOnce(Self) -> R,
        finish: Rc<Cell<Option<Finish>>>,
    ) -> Result<thread::Result<R>> {
        let scheduler = self.0.run_here(runtime, false)?;
        let body = Body::new(self, body(self.clone()));
        Ok(self.beside(scheduler, body, || drop(finish.take())).await)
    }
}
