//! Queued calls whose result somebody waits for.

use std::{
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    sync::Arc,
    task::Poll,
};

use super::failed;
use crate::{
    caller::Caller,
    error::{BoxError, Error, Kind, Result, Site},
    pending::{Pending, Resolver},
};

/// Goes into the queue with the arguments, and takes the result out. Dropped before it has one, it tells that the queue
/// has ended.
#[derive(Debug)]
pub struct Answer<T: Send + 'static>(Resolver<T>, Site);

impl<T: Send + 'static> Answer<T> {
    #[track_caller]
    fn new<F>() -> (Self, Pending<T>) {
        let site = Site { function: std::any::type_name::<F>(), location: std::panic::Location::caller() };
        let (resolver, pending) = Resolver::new();
        (Self(resolver, site), pending)
    }
}

impl<T: Send + 'static> Drop for Answer<T> {
    fn drop(&mut self) {
        if !self.0.is_done() {
            self.0.fail_with(Error::stopping("its queue was closed", true, self.1));
        }
    }
}

/// Runs a call, and gives its result to whoever waits.
pub async fn answer<T: Send + 'static>(answer: Answer<T>, call: impl Future<Output = T>) {
    run(answer, async { Ok(call.await) }).await;
}

/// As [`answer`], for a function that returns a `Result`.
pub async fn try_answer<T, E>(answer: Answer<T>, call: impl Future<Output = Result<T, E>>)
where
    T: Send + 'static,
    E: Into<BoxError>,
{
    run(answer, async { call.await.map_err(Into::into) }).await;
}

/// A call whose pending is cancelled is not begun, or dropped where it stands; then the next in the queue has its turn.
async fn run<T: Send + 'static>(answer: Answer<T>, call: impl Future<Output = Result<T, BoxError>>) {
    let mut cancelled = pin!(answer.0.cancel_requested());
    let mut call = pin!(call);
    let outcome = poll_fn(|cx| {
        if cancelled.as_mut().poll(cx).is_ready() {
            return Poll::Ready(None);
        }
        match catch_unwind(AssertUnwindSafe(|| call.as_mut().poll(cx))) {
            Ok(polled) => polled.map(|output| Some(Ok(output))),
            Err(payload) => Poll::Ready(Some(Err(payload))),
        }
    })
    .await;
    let _cancelled_meanwhile = match outcome {
        None => return,
        Some(Ok(Ok(value))) => answer.0.resolve(value).is_ok(),
        Some(Ok(Err(error))) => answer.0.fail_with(Error::at(Kind::Failed(error), answer.1)),
        Some(Err(payload)) => answer.0.fail_with(Error::panicked(payload, answer.1)),
    };
}

#[track_caller]
pub fn queue_call_pending<F, A, T>(caller: Result<Caller>, function: F, arguments: A) -> Pending<T>
where
    F: AsyncFn((Answer<T>, A)) + Send + 'static,
    A: Send + 'static,
    T: Send + 'static,
{
    let caller = match caller {
        Ok(caller) => caller,
        Err(error) => return failed(error),
    };
    let (answer, pending) = Answer::new::<F>();
    // A queue that takes nothing drops the answer, which tells so.
    let _told = caller.queue_call(function, (answer, arguments));
    pending
}

#[track_caller]
pub fn queue_method_pending<F, S, A, T>(
    caller: Result<Caller>,
    function: F,
    object: &Arc<S>,
    arguments: A,
) -> Pending<T>
where
    F: AsyncFn(Arc<S>, (Answer<T>, A)) + Send + 'static,
    S: Send + Sync + 'static,
    A: Send + 'static,
    T: Send + 'static,
{
    let caller = match caller {
        Ok(caller) => caller,
        Err(error) => return failed(error),
    };
    let (answer, pending) = Answer::new::<F>();
    let _told = caller.queue_method(function, object, (answer, arguments));
    pending
}
