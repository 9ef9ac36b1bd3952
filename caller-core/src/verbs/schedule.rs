//! `schedule_call`: a call with everything explicit.

use std::{future::Future, panic::Location, sync::Arc, time::Duration};

use super::guest::InGuest;
use crate::{
    backend::Backend,
    call::{self, Checked, Convert, Fallible, FnJob, Named, Plain, Run, job},
    caller::Caller,
    caller_id::CallerId,
    context::Context,
    error::{BoxError, Result},
    pending::{Pending, Take},
    tracker::Trackers,
};

impl Caller {
    /// The call with everything explicit: delay, context, trackers, backend, labels.
    pub fn schedule_call<F>(&self, function: F) -> Schedule<'_, F> {
        Schedule {
            caller: self,
            function,
            delay: None,
            context: None,
            trackers: Trackers::all(),
            backend: None,
            metadata: Vec::new(),
            name: None,
        }
    }
}

/// A call with everything explicit; made by [`Caller::schedule_call`].
#[derive(Debug)]
#[must_use = "nothing is scheduled until `submit` or `try_submit`"]
pub struct Schedule<'a, F> {
    caller: &'a Caller,
    function: F,
    delay: Option<Duration>,
    context: Option<Context>,
    trackers: Trackers,
    backend: Option<Arc<dyn Backend>>,
    metadata: Vec<(String, String)>,
    name: Option<Arc<str>>,
}

impl<F> Schedule<'_, F> {
    /// Does not start it before `delay` has gone by since it is submitted.
    pub fn delay(mut self, delay: Duration) -> Self {
        self.delay = Some(delay);
        self
    }

    /// Runs it in this context instead of the one that is current where it is submitted.
    pub fn context(mut self, context: Context) -> Self {
        self.context = Some(context);
        self
    }

    /// Registers it only with those trackers of its context. The others are not active inside the call either.
    pub fn trackers(mut self, trackers: Trackers) -> Self {
        self.trackers = trackers;
        self
    }

    /// Runs it on this backend, as a guest if it is not the caller's own; see [`Caller::call_using_backend`].
    pub fn backend(mut self, backend: impl Backend) -> Self {
        self.backend = Some(Arc::new(backend));
        self
    }

    /// Gives the call a name, which errors, traces and tables show instead of the name of its function.
    ///
    /// ```
    /// # use caller::{Caller, testing::Manual};
    /// # fn main() -> caller::Result<()> {
    /// # let caller = Caller::builder().backend(Manual::new()).spawn()?;
    /// let failed = caller.schedule_call(async || Err::<(), _>("no such table")).name("query").try_submit()?;
    /// let error = failed.wait_blocking().unwrap_err();
    /// assert_eq!(error.name(), Some("query"));
    /// assert!(error.to_string().starts_with("`query` ("));
    /// # caller.stop();
    /// # Ok(())
    /// # }
    /// ```
    pub fn name(mut self, name: impl Into<Arc<str>>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Puts a label on its pending.
    pub fn metadata(mut self, name: impl Into<String>, value: impl ToString) -> Self {
        self.metadata.push((name.into(), value.to_string()));
        self
    }

    /// Submits it.
    ///
    /// # Errors
    ///
    /// [`is_mismatch`](crate::Error::is_mismatch) if the backend that was named is not the caller's, and cannot be its guest.
    #[track_caller]
    pub fn submit<T>(self) -> Result<Pending<T>>
    where
        F: AsyncFnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let location = Location::caller();
        self.submit_as::<Plain, _, _>(|function| move || function(), location)
    }

    /// Submits it; an `Err` makes the call failed.
    ///
    /// # Errors
    ///
    /// Those of [`submit`](Self::submit).
    #[track_caller]
    pub fn try_submit<T, E>(self) -> Result<Pending<T>>
    where
        F: AsyncFnOnce() -> Result<T, E> + Send + 'static,
        E: Into<BoxError> + 'static,
        T: Send + 'static,
    {
        let location = Location::caller();
        self.submit_as::<Fallible, _, _>(|function| move || function(), location)
    }

    fn submit_as<C, M, Fut>(
        self,
        make: impl FnOnce(F) -> M,
        location: &'static Location<'static>,
    ) -> Result<Pending<C::Value>>
    where
        F: 'static,
        C: Convert<Fut::Output, Value: Send + 'static> + 'static,
        M: FnOnce() -> Fut + Send + 'static,
        Fut: Future + 'static,
    {
        let Self { caller, function, delay, context, trackers, backend, metadata, name } = self;
        let guest = match backend {
            Some(wanted) if wanted.name() != caller.backend().name() => {
                caller.check_guest(&*wanted)?;
                Some(wanted)
            }
            _ => None,
        };
        let mut context = context.unwrap_or_else(Context::current);
        context.keep_trackers(|of| trackers.has(of));
        let (make, id) = (make(function), Some(caller.id()));
        let (run, take) = match guest {
            None => named(job::<F, C, _>(make), name, context, location, id),
            Some(backend) => {
                let inside = move || InGuest::new(backend, make);
                named(job::<F, Checked<C>, _>(inside), name, context, location, id)
            }
        };
        let pending = Pending::new(take.clone());
        // Before it is sent: it may be done, and its labels freed, a moment later.
        for (name, value) in metadata {
            pending.set_metadata(name, value);
        }
        drop(pending);
        Ok(caller.send(run, take, delay))
    }
}

fn named<J: FnJob>(
    job: J,
    name: Option<Arc<str>>,
    context: Context,
    location: &'static Location<'static>,
    caller: Option<CallerId>,
) -> (Arc<dyn Run>, Arc<dyn Take<J::Value>>) {
    match name {
        None => call::call(job, context, location, caller),
        Some(name) => call::call(Named { job, name }, context, location, caller),
    }
}
