//! The verbs, for a function that captures nothing and its arguments as one value.

use std::{panic::Location, time::Duration};

use crate::{
    call::{Fallible, Outcome, Plain, Unattended, job},
    caller::Caller,
    context::Context,
    error::{BoxError, Error, Kind, Result, name_of},
    guard,
    pending::Pending,
    report,
};

/// What a verb does with its caller, in the context and for the place of the call; without a caller it has failed.
#[track_caller]
fn tracked<T: Send + 'static>(
    caller: Result<Caller>,
    call: impl FnOnce(Caller, Context, &'static Location<'static>) -> Pending<T>,
) -> Pending<T> {
    match caller {
        Ok(caller) => call(caller, Context::current(), Location::caller()),
        Err(error) => Pending::failed(error),
    }
}

#[track_caller]
pub fn call_soon<F, A, T>(caller: Result<Caller>, function: F, arguments: A) -> Pending<T>
where
    F: AsyncFnOnce(A) -> T + Send + 'static,
    A: Send + 'static,
    T: Send + 'static,
{
    tracked(caller, |caller, context, here| {
        caller.submit(job::<F, Plain, _>(move || function(arguments)), None, context, here)
    })
}

#[track_caller]
pub fn try_call_soon<F, A, R>(caller: Result<Caller>, function: F, arguments: A) -> Pending<R::Value>
where
    F: AsyncFnOnce(A) -> R + Send + 'static,
    A: Send + 'static,
    R: Outcome + 'static,
    R::Value: Send + 'static,
{
    tracked(caller, |caller, context, here| {
        caller.submit(job::<F, Fallible, _>(move || function(arguments)), None, context, here)
    })
}

#[track_caller]
pub fn call_later<F, A, T>(caller: Result<Caller>, delay: Duration, function: F, arguments: A) -> Pending<T>
where
    F: AsyncFnOnce(A) -> T + Send + 'static,
    A: Send + 'static,
    T: Send + 'static,
{
    tracked(caller, |caller, context, here| {
        caller.submit(job::<F, Plain, _>(move || function(arguments)), Some(delay), context, here)
    })
}

#[track_caller]
pub fn try_call_later<F, A, R>(
    caller: Result<Caller>,
    delay: Duration,
    function: F,
    arguments: A,
) -> Pending<R::Value>
where
    F: AsyncFnOnce(A) -> R + Send + 'static,
    A: Send + 'static,
    R: Outcome + 'static,
    R::Value: Send + 'static,
{
    tracked(caller, |caller, context, here| {
        caller.submit(job::<F, Fallible, _>(move || function(arguments)), Some(delay), context, here)
    })
}

#[track_caller]
pub fn to_thread<F, A, T>(caller: Result<Caller>, function: F, arguments: A) -> Pending<T>
where
    F: AsyncFnOnce(A) -> T + Send + 'static,
    A: Send + 'static,
    T: Send + 'static,
{
    tracked(caller, |caller, context, here| {
        caller.lend_worker(job::<F, Plain, _>(move || function(arguments)), context, here)
    })
}

#[track_caller]
pub fn try_to_thread<F, A, R>(caller: Result<Caller>, function: F, arguments: A) -> Pending<R::Value>
where
    F: AsyncFnOnce(A) -> R + Send + 'static,
    A: Send + 'static,
    R: Outcome + 'static,
    R::Value: Send + 'static,
{
    tracked(caller, |caller, context, here| {
        caller.lend_worker(job::<F, Fallible, _>(move || function(arguments)), context, here)
    })
}

pub fn call_direct<F, A, R>(caller: Result<Caller>, function: F, arguments: A)
where
    F: FnOnce(A) -> R + Send + 'static,
    A: Send + 'static,
    R: Unattended + 'static,
{
    match caller {
        Ok(caller) => caller.call_direct_as::<F, _>(move || function(arguments)),
        Err(error) => unobserved::<F>(error),
    }
}

pub fn call_direct_async<F, A, R>(caller: Result<Caller>, function: F, arguments: A)
where
    F: AsyncFnOnce(A) -> R + Send + 'static,
    A: Send + 'static,
    R: Unattended + 'static,
{
    match caller {
        Ok(caller) => caller.call_direct_async_as::<F, _>(async move || function(arguments).await),
        Err(error) => unobserved::<F>(error),
    }
}

/// A direct call gives nothing, so that it was not made can only be reported, as its failure would be.
fn unobserved<F>(error: Error) {
    let error = Error::new(Kind::Failed(BoxError::from(error).into()));
    report::failure("none", name_of::<F>(), &guard::text(&error));
}
