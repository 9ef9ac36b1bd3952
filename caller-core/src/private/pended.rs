//! Queued calls whose result somebody waits for. Each is a call as any other, which its queue hands to the caller when its
//! turn has come.

use std::{
    any::TypeId,
    future::pending,
    panic::Location,
    sync::{Arc, Weak},
};

use super::failed;
use crate::{
    call::Item,
    caller::{Caller, CallerState, Inner},
    context::Context,
    error::Result,
    pending::{Observe, Pending, PendingHandle, current_pending},
    queued::QueueHandle,
    task::{self, Convert, Fallible, Outcome, Plain, Run},
};

/// A call in a queue. Dropped before it has ended, it is cancelled.
pub(crate) struct Turn {
    call: Arc<dyn Run>,
    caller: Weak<Inner>,
}

impl Turn {
    /// It is put into this queue.
    pub(crate) fn join_queue(&self, queue: (TypeId, usize)) {
        PendingHandle::new(self.call.clone()).join_queue(queue);
    }

    /// Has the caller run it, and waits for its end. One that was cancelled meanwhile has no turn.
    pub(crate) async fn take(self) {
        let call: Arc<dyn Observe> = self.call.clone();
        if call.state().is_done() {
            return;
        }
        let Some(caller) = self.caller.upgrade() else { return };
        Caller(caller).enqueue(Item::Call(self.call.clone()));
        let _ended = PendingHandle::new(call).wait().await;
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if self.call.state().is_done() {
            return;
        }
        let reason = match self.caller.upgrade().map(Caller) {
            Some(caller) if matches!(caller.state(), CallerState::Initial | CallerState::Running) => {
                "its queue was closed".to_owned()
            }
            Some(caller) => caller.0.stop_reason(),
            None => "its caller is gone".to_owned(),
        };
        self.call.clone().cancel(&reason, true);
    }
}

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
    let (call, take) = task::call::<F, C, M, Fut, T>(make, Context::current(), here, Some(caller.id()));
    let turn = Turn { call, caller: Arc::downgrade(&caller.0) };
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
    put_call::<Plain, _, _, _, _>(caller, here, function, arguments).unwrap_or_else(failed)
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
    put_call::<Fallible, _, _, _, _>(caller, here, function, arguments).unwrap_or_else(failed)
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
    put_method::<Plain, _, _, _, _, _>(caller, here, function, object, arguments).unwrap_or_else(failed)
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
    put_method::<Fallible, _, _, _, _, _>(caller, here, function, object, arguments).unwrap_or_else(failed)
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
