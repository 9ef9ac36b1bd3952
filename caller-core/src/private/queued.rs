//! Queues of functions and methods, with all arguments as one value; and queued calls whose result somebody waits for. Each of
//! those is a call as any other, which its queue hands to the caller when its turn has come.

use std::{future::pending, panic::Location, sync::Arc};

use crate::{
    call::{self, Convert, Fallible, Outcome, Plain, Unattended, job},
    caller::Caller,
    context::Context,
    error::Result,
    fn_queue::QueueHandle,
    pending::{Pending, current_pending},
    verbs::Turn,
};

/// Makes a call, and puts it into the queue of `F` and the object at this address.
fn put<F, C, M, Fut, T>(
    caller: &Caller,
    here: &'static Location<'static>,
    object: usize,
    gone: impl Fn() -> bool + Clone + Send + Sync + 'static,
    make: M,
) -> Pending<T>
where
    F: 'static,
    C: Convert<Fut::Output, Value = T> + 'static,
    M: FnOnce() -> Fut + Send + 'static,
    Fut: Future + 'static,
    T: Send + 'static,
{
    let (call, take) = call::call(job::<F, C, _>(make), Context::current(), here, Some(caller.id()));
    let turn = Turn::new(call, caller);
    // A queue that takes nothing drops the turn, which tells so.
    let _told = caller.queue_turn::<F>(object, gone, here, turn);
    Pending::new(take)
}

fn put_call<C, F, A, O, T>(
    caller: Result<Caller>,
    here: &'static Location<'static>,
    function: F,
    arguments: A,
) -> Result<Pending<T>>
where
    C: Convert<O, Value = T> + 'static,
    F: AsyncFn(A) -> O + Send + 'static,
    A: Send + 'static,
    O: 'static,
    T: Send + 'static,
{
    let make = move || async move { function(arguments).await };
    Ok(put::<F, C, _, _, _>(&caller?, here, 0, || false, make))
}

fn put_method<C, F, S, A, O, T>(
    caller: Result<Caller>,
    here: &'static Location<'static>,
    function: F,
    object: &Arc<S>,
    arguments: A,
) -> Result<Pending<T>>
where
    C: Convert<O, Value = T> + 'static,
    F: AsyncFn(Arc<S>, A) -> O + Send + 'static,
    S: Send + Sync + ?Sized + 'static,
    A: Send + 'static,
    O: 'static,
    T: Send + 'static,
{
    let (address, object) = (Arc::as_ptr(object).addr(), Arc::downgrade(object));
    let watched = object.clone();
    let make = move || async move {
        match object.upgrade() {
            Some(object) => function(object, arguments).await,
            None => {
                // It has gone since its turn came.
                if let Some(call) = current_pending() {
                    call.close("its object has gone");
                }
                pending().await
            }
        }
    };
    Ok(put::<F, C, _, _, _>(&caller?, here, address, move || watched.strong_count() == 0, make))
}

#[track_caller]
pub fn queue_call_pending<F, A, T>(caller: Result<Caller>, function: F, arguments: A) -> Pending<T>
where
    F: AsyncFn(A) -> T + Send + 'static,
    A: Send + 'static,
    T: Send + 'static,
{
    let here = Location::caller();
    put_call::<Plain, _, _, _, _>(caller, here, function, arguments).unwrap_or_else(Pending::failed)
}

#[track_caller]
pub fn try_queue_call_pending<F, A, R>(caller: Result<Caller>, function: F, arguments: A) -> Pending<R::Value>
where
    F: AsyncFn(A) -> R + Send + 'static,
    A: Send + 'static,
    R: Outcome + 'static,
    R::Value: Send + 'static,
{
    let here = Location::caller();
    put_call::<Fallible, _, _, _, _>(caller, here, function, arguments).unwrap_or_else(Pending::failed)
}

#[track_caller]
pub fn queue_method_pending<F, S, A, T>(
    caller: Result<Caller>,
    function: F,
    object: &Arc<S>,
    arguments: A,
) -> Pending<T>
where
    F: AsyncFn(Arc<S>, A) -> T + Send + 'static,
    S: Send + Sync + ?Sized + 'static,
    A: Send + 'static,
    T: Send + 'static,
{
    let here = Location::caller();
    put_method::<Plain, _, _, _, _, _>(caller, here, function, object, arguments)
        .unwrap_or_else(Pending::failed)
}

#[track_caller]
pub fn try_queue_method_pending<F, S, A, R>(
    caller: Result<Caller>,
    function: F,
    object: &Arc<S>,
    arguments: A,
) -> Pending<R::Value>
where
    F: AsyncFn(Arc<S>, A) -> R + Send + 'static,
    S: Send + Sync + ?Sized + 'static,
    A: Send + 'static,
    R: Outcome + 'static,
    R::Value: Send + 'static,
{
    let here = Location::caller();
    put_method::<Fallible, _, _, _, _, _>(caller, here, function, object, arguments)
        .unwrap_or_else(Pending::failed)
}

/// The queue of a function whose calls are put by `queue_call_pending`.
pub fn queue_of_pending<F: 'static>(caller: Result<Caller>, _function: F) -> Option<QueueHandle> {
    caller.ok()?.turns_handle::<F>(0)
}

/// The queue of a method whose calls are put by `queue_method_pending`.
pub fn method_queue_of_pending<F: 'static, S: ?Sized>(
    caller: Result<Caller>,
    _function: F,
    object: &Arc<S>,
) -> Option<QueueHandle> {
    caller.ok()?.turns_handle::<F>(Arc::as_ptr(object).addr())
}

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
