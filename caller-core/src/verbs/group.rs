//! The verbs of a group: those of its caller, whose calls are members.

use std::{future::Future, panic::Location, sync::Arc};

use crate::{
    call::{Convert, Fallible, Plain},
    caller::Caller,
    context::Context,
    error::{BoxError, Result},
    group::PendingGroup,
    pending::{Pending, Resolver},
};

impl PendingGroup {
    /// Runs an async function in the group's caller, as [`Caller::call_soon`] does; it is a member wherever this is
    /// called. A group without a caller uses that of this thread; where there is none, the pending has the error.
    #[track_caller]
    pub fn call_soon<F, T>(self: &Arc<Self>, function: F) -> Pending<T>
    where
        F: AsyncFnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.submit::<F, Plain, _, _, _>(move || function(), false, Location::caller())
    }

    /// As [`call_soon`](Self::call_soon), for a function that returns a `Result`: an `Err` makes the call failed.
    #[track_caller]
    pub fn try_call_soon<F, T, E>(self: &Arc<Self>, function: F) -> Pending<T>
    where
        F: AsyncFnOnce() -> Result<T, E> + Send + 'static,
        E: Into<BoxError> + 'static,
        T: Send + 'static,
    {
        self.submit::<F, Fallible, _, _, _>(move || function(), false, Location::caller())
    }

    /// Runs an async function in a worker of the group's caller, as [`Caller::to_thread`] does.
    #[track_caller]
    pub fn to_thread<F, T>(self: &Arc<Self>, function: F) -> Pending<T>
    where
        F: AsyncFnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.submit::<F, Plain, _, _, _>(move || function(), true, Location::caller())
    }

    /// As [`to_thread`](Self::to_thread), for a function that returns a `Result`: an `Err` makes the call failed.
    #[track_caller]
    pub fn try_to_thread<F, T, E>(self: &Arc<Self>, function: F) -> Pending<T>
    where
        F: AsyncFnOnce() -> Result<T, E> + Send + 'static,
        E: Into<BoxError> + 'static,
        T: Send + 'static,
    {
        self.submit::<F, Fallible, _, _, _>(move || function(), true, Location::caller())
    }

    fn submit<N, C, M, F, T>(
        self: &Arc<Self>,
        make: M,
        in_worker: bool,
        location: &'static Location<'static>,
    ) -> Pending<T>
    where
        N: 'static,
        C: Convert<F::Output, Value = T> + 'static,
        M: FnOnce() -> F + Send + 'static,
        F: Future + 'static,
        T: Send + 'static,
    {
        let context = Context::current().with_tracker(self);
        let caller = self.caller().cloned().map_or_else(Caller::current, Ok);
        match caller {
            Ok(caller) if in_worker => caller.lend_worker::<N, C, M, F, T>(make, context, location),
            Ok(caller) => caller.submit::<N, C, M, F, T>(make, None, context, location),
            Err(error) => {
                let (resolver, pending) = Resolver::new();
                resolver.fail_with(error);
                pending
            }
        }
    }
}
