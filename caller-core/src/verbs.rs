//! The verbs that hand a function to a caller: `call_soon` and its kin.

use std::{future::Future, panic::Location, sync::Arc, time::Duration};

use crate::{
    backend::Backend,
    call::{Item, Unheard},
    caller::Caller,
    context::Context,
    error::{BoxError, Error, Kind, Result, name_of},
    guest::{Guested, InGuest},
    pending::{Pending, Take},
    task::{self, Convert, Failure, Fallible, Plain, Run},
    tracker::Trackers,
};

/// What a function may give whose result nobody waits for: nothing, or a `Result` whose error is reported.
#[diagnostic::on_unimplemented(
    message = "nobody waits for the result of this function, so it cannot be `{Self}`",
    label = "expected nothing, or a `Result`",
    note = "a verb that gives a `Pending` gives the result, and so does `#[caller::queued(pending)]`"
)]
pub trait Unattended {
    /// The error, if it is one.
    fn into_failure(self) -> Option<BoxError>;
}

impl Unattended for () {
    fn into_failure(self) -> Option<BoxError> {
        None
    }
}

impl<T, E: Failure> Unattended for Result<T, E> {
    fn into_failure(self) -> Option<BoxError> {
        self.err().map(Failure::into_error)
    }
}

impl Caller {
    /// Runs an async function in this caller's thread, and gives a [`Pending`] of what it returns.
    ///
    /// The closure crosses the thread; the future that it makes need not be `Send`. A plain function is an async
    /// closure that never awaits. Calls made by one thread start in the order made. With a caller that has
    /// stopped, the pending comes back cancelled.
    ///
    /// ```
    /// # use caller::{Caller, testing::Manual};
    /// # use std::rc::Rc;
    /// # fn main() -> caller::Result<()> {
    /// # let caller = Caller::builder().backend(Manual::new()).spawn()?;
    /// let sum = caller.call_soon(async || {
    ///     let one = Rc::new(1); // never leaves the caller's thread
    ///     *one + 1
    /// });
    /// assert_eq!(sum.wait_blocking()?, 2);
    /// # caller.stop();
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn call_soon<F, T>(&self, function: F) -> Pending<T>
    where
        F: AsyncFnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.submit::<F, Plain, _, _, _>(move || function(), None, Context::current(), Location::caller())
    }

    /// As [`call_soon`](Self::call_soon), for a function that returns a `Result`: an `Err` makes the call failed.
    #[track_caller]
    pub fn try_call_soon<F, T, E>(&self, function: F) -> Pending<T>
    where
        F: AsyncFnOnce() -> Result<T, E> + Send + 'static,
        E: Into<BoxError> + 'static,
        T: Send + 'static,
    {
        self.submit::<F, Fallible, _, _, _>(move || function(), None, Context::current(), Location::caller())
    }

    /// As [`call_soon`](Self::call_soon), but not before `delay` has gone by since now. Cancelled before it has begun,
    /// the function never runs.
    #[track_caller]
    pub fn call_later<F, T>(&self, delay: Duration, function: F) -> Pending<T>
    where
        F: AsyncFnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let (context, here) = (Context::current(), Location::caller());
        self.submit::<F, Plain, _, _, _>(move || function(), Some(delay), context, here)
    }

    /// As [`call_later`](Self::call_later), for a function that returns a `Result`: an `Err` makes the call failed.
    #[track_caller]
    pub fn try_call_later<F, T, E>(&self, delay: Duration, function: F) -> Pending<T>
    where
        F: AsyncFnOnce() -> Result<T, E> + Send + 'static,
        E: Into<BoxError> + 'static,
        T: Send + 'static,
    {
        let (context, here) = (Context::current(), Location::caller());
        self.submit::<F, Fallible, _, _, _>(move || function(), Some(delay), context, here)
    }

    /// As [`call_soon`](Self::call_soon), in this caller's own thread, where the closure need not be `Send` either.
    ///
    /// # Errors
    ///
    /// [`is_mismatch`](Error::is_mismatch) in any other thread.
    #[track_caller]
    pub fn call_soon_local<F, T>(&self, function: F) -> Result<Pending<T>>
    where
        F: AsyncFnOnce() -> T + 'static,
        T: Send + 'static,
    {
        self.submit_local::<F, Plain, _, _>(move || function(), Location::caller())
    }

    /// As [`call_soon_local`](Self::call_soon_local), for a function that returns a `Result`: an `Err` makes the call
    /// failed.
    ///
    /// # Errors
    ///
    /// [`is_mismatch`](Error::is_mismatch) in any other thread.
    #[track_caller]
    pub fn try_call_soon_local<F, T, E>(&self, function: F) -> Result<Pending<T>>
    where
        F: AsyncFnOnce() -> Result<T, E> + 'static,
        E: Into<BoxError> + 'static,
        T: Send + 'static,
    {
        self.submit_local::<F, Fallible, _, _>(move || function(), Location::caller())
    }

    /// Has the scheduler call a plain function itself, in this caller's thread and in the order made with the calls
    /// around it. There is no pending and no context: a failure or panic is only reported. For short work.
    ///
    /// With a caller that has stopped, the function is dropped.
    pub fn call_direct<F, R>(&self, function: F)
    where
        F: FnOnce() -> R + Send + 'static,
        R: Unattended + 'static,
    {
        self.call_direct_as::<F, _>(function);
    }

    /// The same, with the name of another type.
    pub(crate) fn call_direct_as<N, R: Unattended + 'static>(
        &self,
        function: impl FnOnce() -> R + Send + 'static,
    ) {
        self.enqueue(Item::Direct(Box::new(move || unheard::<N>(function()))));
    }

    /// As [`call_direct`](Self::call_direct), for an async function: the scheduler awaits it before it starts what was
    /// queued behind it. Calls that have begun go on meanwhile.
    pub fn call_direct_async<F, R>(&self, function: F)
    where
        F: AsyncFnOnce() -> R + Send + 'static,
        R: Unattended + 'static,
    {
        self.call_direct_async_as::<F, _>(function);
    }

    /// The same, with the name of another type.
    pub(crate) fn call_direct_async_as<N, R: Unattended + 'static>(
        &self,
        function: impl AsyncFnOnce() -> R + Send + 'static,
    ) {
        self.enqueue(Item::DirectAsync(Box::new(move || {
            Box::pin(async move { unheard::<N>(function().await) })
        })));
    }

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
        }
    }

    /// As [`call_soon`](Self::call_soon), with the name of another type, in this context and from this place.
    pub(crate) fn call_soon_as<N: 'static, T: Send + 'static>(
        &self,
        context: Context,
        location: &'static Location<'static>,
        function: impl AsyncFnOnce() -> T + Send + 'static,
    ) -> Pending<T> {
        self.submit::<N, Plain, _, _, _>(move || function(), None, context, location)
    }

    pub(crate) fn submit<N, C, M, F, T>(
        &self,
        make: M,
        delay: Option<Duration>,
        context: Context,
        location: &'static Location<'static>,
    ) -> Pending<T>
    where
        N: 'static,
        C: Convert<F::Output, Value = T> + 'static,
        M: FnOnce() -> F + Send + 'static,
        F: Future + 'static,
        T: Send + 'static,
    {
        let (run, take) = task::call::<N, C, M, F, T>(make, context, location, Some(self.0.id));
        self.send(run, take, delay)
    }

    fn send<T: Send + 'static>(
        &self,
        run: Arc<dyn Run>,
        take: Arc<dyn Take<T>>,
        delay: Option<Duration>,
    ) -> Pending<T> {
        let item = match delay.filter(|delay| !delay.is_zero()) {
            None => Item::Call(run),
            Some(delay) => match self.0.timers.now().checked_add(delay) {
                Some(at) => Item::Later(Box::new((at, run))),
                // A time that the clock cannot name never comes; a century is as good.
                None => Item::Later(Box::new((self.0.timers.now() + CENTURY, run))),
            },
        };
        self.enqueue(item);
        Pending::new(take)
    }

    pub(crate) fn enqueue(&self, item: Item) {
        if let Err(item) = self.0.inbox.items.push(item) {
            item.reject(&self.0.stop_reason());
        }
    }

    fn submit_local<N, C, F, T>(
        &self,
        make: impl FnOnce() -> F,
        location: &'static Location<'static>,
    ) -> Result<Pending<T>>
    where
        N: 'static,
        C: Convert<F::Output, Value = T> + 'static,
        F: Future + 'static,
        T: Send + 'static,
    {
        if !self.is_here() {
            return Err(Error::new(Kind::OtherThread(self.name().to_owned())));
        }
        if !self.is_running() {
            return Err(self.closed());
        }
        let (run, take) = task::local_call::<N, C, F, T>(make(), Context::current(), location, self.0.id);
        // The stop of a caller is begun by any thread; a local call that comes too late is dropped here, by its own.
        if let Err(Item::Local(run)) = self.0.inbox.items.push(Item::Local(run)) {
            run.end(None, &self.0.stop_reason());
        }
        Ok(Pending::new(take))
    }
}

const CENTURY: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// The failure of a function that nobody waits for, if it is one.
fn unheard<F>(result: impl Unattended) -> Option<Unheard> {
    result.into_failure().map(|error| Unheard { function: name_of::<F>(), error })
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

    /// Puts a label on its pending.
    pub fn metadata(mut self, name: impl Into<String>, value: impl ToString) -> Self {
        self.metadata.push((name.into(), value.to_string()));
        self
    }

    /// Submits it.
    ///
    /// # Errors
    ///
    /// [`is_mismatch`](Error::is_mismatch) if the backend that was named is not the caller's, and cannot be its guest.
    #[track_caller]
    pub fn submit<T>(self) -> Result<Pending<T>>
    where
        F: AsyncFnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let location = Location::caller();
        self.submit_as::<Plain, _, _, _>(|function| move || function(), location)
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
        self.submit_as::<Fallible, _, _, _>(|function| move || function(), location)
    }

    fn submit_as<C, M, Fut, T>(
        self,
        make: impl FnOnce(F) -> M,
        location: &'static Location<'static>,
    ) -> Result<Pending<T>>
    where
        F: 'static,
        C: Convert<Fut::Output, Value = T> + 'static,
        M: FnOnce() -> Fut + Send + 'static,
        Fut: Future + 'static,
        T: Send + 'static,
    {
        let Self { caller, function, delay, context, trackers, backend, metadata } = self;
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
            None => task::call::<F, C, M, Fut, T>(make, context, location, id),
            Some(backend) => {
                let inside = move || InGuest::new(backend, make);
                task::call::<F, Guested<C>, _, _, T>(inside, context, location, id)
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
