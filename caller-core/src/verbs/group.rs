//! The verbs of a group: those of its caller, whose calls are members.

use std::{panic::Location, sync::Arc};

use crate::{
    call::{Fallible, FnJob, Plain, job},
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
        self.submit(job::<F, Plain, _>(move || function()), false, Location::caller())
    }

    /// As [`call_soon`](Self::call_soon), for a function that returns a `Result`: an `Err` makes the call failed.
    #[track_caller]
    pub fn try_call_soon<F, T, E>(self: &Arc<Self>, function: F) -> Pending<T>
    where
        F: AsyncFnOnce() -> Result<T, E> + Send + 'static,
        E: Into<BoxError> + 'static,
        T: Send + 'static,
    {
        self.submit(job::<F, Fallible, _>(move || function()), false, Location::caller())
    }

    /// Runs an async function in a worker of the group's caller, as [`Caller::to_thread`] does.
    #[track_caller]
    pub fn to_thread<F, T>(self: &Arc<Self>, function: F) -> Pending<T>
    where
        F: AsyncFnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.submit(job::<F, Plain, _>(move || function()), true, Location::caller())
    }

    /// As [`to_thread`](Self::to_thread), for a function that returns a `Result`: an `Err` makes the call failed.
    #[track_caller]
    pub fn try_to_thread<F, T, E>(self: &Arc<Self>, function: F) -> Pending<T>
    where
        F: AsyncFnOnce() -> Result<T, E> + Send + 'static,
        E: Into<BoxError> + 'static,
        T: Send + 'static,
    {
        self.submit(job::<F, Fallible, _>(move || function()), true, Location::caller())
    }

    fn submit<J: FnJob>(
        self: &Arc<Self>,
        job: J,
        in_worker: bool,
        location: &'static Location<'static>,
    ) -> Pending<J::Value> {
        let context = Context::current().with_tracker(self);
        let caller = self.caller().cloned().map_or_else(Caller::current, Ok);
        match caller {
            Ok(caller) if in_worker => caller.lend_worker(job, context, location),
            Ok(caller) => caller.submit(job, None, context, location),
            Err(error) => {
                let (resolver, pending) = Resolver::new();
                resolver.fail_with(error);
                pending
            }
        }
    }
}
