//! A caller that has this thread while a body of code runs: with a runtime of its own, or under a host.

use std::{panic::resume_unwind, thread};

use super::{Builder, Caller, scope::Body};
use crate::{
    backend::{Backend, LocalFuture},
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
    /// runtime already, or if the host needs the main thread and this is another; [`is_host`](Error::is_host) if the host's
    /// loop failed, or ended before the body did; [`is_start`](Error::is_start) if the runtime cannot be made.
    ///
    /// # Panics
    ///
    /// Goes on with a panic of the body, when everything has ended.
    pub fn run<R: 'static>(self, body: impl AsyncFnOnce(Caller) -> R + 'static) -> Result<R> {
        let caller = self.build()?;
        let ran = caller.run(body);
        // If it could not run, nobody else will.
        caller.force_stop();
        ran
    }
}

impl Caller {
    fn run<R: 'static>(&self, body: impl AsyncFnOnce(Self) -> R + 'static) -> Result<R> {
        if let Some(other) = super::here() {
            return Err(Error::new(Kind::ThreadTaken(other.name().to_owned())));
        }
        let backend = &self.0.backend;
        if backend.runtime().is_ok() {
            return Err(Error::new(Kind::RuntimeRuns(backend.name().to_owned())));
        }
        match &self.0.host {
            Some(host) => {
                let caller = self.clone();
                let program = |runtime| -> LocalFuture<'static, Result<thread::Result<R>>> {
                    Box::pin(
                        async move { caller.settle_with(runtime, Body::new(body(caller.clone()))).await },
                    )
                };
                let ended = host::run_under(host, backend, program)??;
                Ok(ended.unwrap_or_else(|payload| resume_unwind(payload)))
            }
            None => {
                let mut result = None;
                let ran = backend.run(Box::pin(async { result = Some(self.enter(body).await) }));
                match (result, ran) {
                    (Some(result), _) => result,
                    (None, Err(source)) => {
                        Err(Error::new(Kind::Start { name: self.name().to_owned(), source }))
                    }
                    (None, Ok(())) => Err(self.closed()),
                }
            }
        }
    }
}
