//! Queues of functions and methods, with all arguments as one value.

use std::sync::Arc;

use crate::{caller::Caller, error::Result, queued::QueueHandle, verbs::Unattended};

#[track_caller]
pub fn queue_call<F, A, R>(caller: Result<Caller>, function: F, arguments: A) -> Result<()>
where
    F: AsyncFn(A) -> R + Send + 'static,
    A: Send + 'static,
    R: Unattended + 'static,
{
    caller?.queue_call(function, arguments)
}

#[track_caller]
pub fn queue_method<F, S, A, R>(
    caller: Result<Caller>,
    function: F,
    object: &Arc<S>,
    arguments: A,
) -> Result<()>
where
    F: AsyncFn(Arc<S>, A) -> R + Send + 'static,
    S: Send + Sync + ?Sized + 'static,
    A: Send + 'static,
    R: Unattended + 'static,
{
    caller?.queue_method(function, object, arguments)
}

pub fn queue<F, A, R>(caller: Result<Caller>, function: F) -> Option<QueueHandle>
where
    F: AsyncFn(A) -> R + 'static,
    A: Send + 'static,
{
    caller.ok()?.queue_handle(function)
}

pub fn method_queue<F, S, A, R>(caller: Result<Caller>, function: F, object: &Arc<S>) -> Option<QueueHandle>
where
    F: AsyncFn(Arc<S>, A) -> R + 'static,
    S: ?Sized + 'static,
    A: Send + 'static,
{
    caller.ok()?.queue_handle_method(function, object)
}
