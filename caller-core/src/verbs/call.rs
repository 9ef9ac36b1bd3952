//! `call_soon` and its kin: the verbs that hand a function to a caller.

use std::{panic::Location, sync::Arc, time::Duration};

use crate::{
    call::{Fallible, Item, Named, Plain, Unattended, UnobservedFailure, job},
    caller::Caller,
    context::Context,
    error::{BoxError, Result, name_of},
    pending::Pending,
};

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
        self.submit(job::<F, Plain, _>(move || function()), None, Context::current(), Location::caller())
    }

    /// As [`call_soon`](Self::call_soon), for a function that returns a `Result`: an `Err` makes the call failed.
    #[track_caller]
    pub fn try_call_soon<F, T, E>(&self, function: F) -> Pending<T>
    where
        F: AsyncFnOnce() -> Result<T, E> + Send + 'static,
        E: Into<BoxError> + 'static,
        T: Send + 'static,
    {
        self.submit(job::<F, Fallible, _>(move || function()), None, Context::current(), Location::caller())
    }

    /// As [`call_soon`](Self::call_soon), under a name, which errors, traces and tables show instead of the name of the
    /// function. For other verbs see [`schedule_call`](Self::schedule_call).
    #[track_caller]
    pub fn call_soon_named<F, T>(&self, name: impl Into<Arc<str>>, function: F) -> Pending<T>
    where
        F: AsyncFnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let job = Named { job: job::<F, Plain, _>(move || function()), name: name.into() };
        self.submit(job, None, Context::current(), Location::caller())
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
        self.submit(job::<F, Plain, _>(move || function()), Some(delay), context, here)
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
        self.submit(job::<F, Fallible, _>(move || function()), Some(delay), context, here)
    }

    /// As [`call_soon`](Self::call_soon), in this caller's own thread, where the closure need not be `Send` either.
    ///
    /// # Errors
    ///
    /// [`is_mismatch`](crate::Error::is_mismatch) in any other thread.
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
    /// [`is_mismatch`](crate::Error::is_mismatch) in any other thread.
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
        self.enqueue(Item::Direct(Box::new(move || unobserved::<N>(function()))));
    }

    /// As [`call_direct`](Self::call_direct), for an async function: the scheduler awaits it before it starts what was
    /// queued behind it. Calls that have begun go on meanwhile.
    ///
    /// So what it waits for must not be behind it: awaiting a call of this caller that has not begun is an error
    /// ([`is_self_wait`](crate::Error::is_self_wait)). Where that cannot be seen, it hangs with all that is behind it: waiting
    /// for a local call that was made in it, for a group or a queue whose calls are behind it, and for any of them by way of
    /// another call.
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
            Box::pin(async move { unobserved::<N>(function().await) })
        })));
    }
}

/// The failure of a function that nobody waits for, if it is one.
fn unobserved<F>(result: impl Unattended) -> Option<UnobservedFailure> {
    result.into_failure().map(|error| UnobservedFailure { function: name_of::<F>(), error })
}
