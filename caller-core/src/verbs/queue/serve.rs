//! The long-lived call that serves the queue of a function.

use std::{
    collections::VecDeque,
    future::poll_fn,
    panic::Location,
    pin::pin,
    sync::{Arc, Weak},
    task::{Poll, Wake, Waker},
};

use crate::{
    call::Unattended,
    caller::{Caller, Inner},
    context::Context,
    error::{Error, Kind, name_of as function_name},
    fn_queue::{FnQueue, QueueItem},
    group::PendingGroup,
    guard::{self, Panic},
    pending::PendingHandle,
    queue::Pressure,
    report,
    tracker::Trackers,
    wake::yield_now,
};

/// After how many items a queue lets other calls of its caller have their turn.
const BATCH: usize = 64;

/// Starts the call that serves a queue. `serve` gives None when there is nothing to serve with any more.
pub(super) fn start<F, A, R>(
    caller: &Caller,
    queue: &Arc<FnQueue<A>>,
    location: &'static Location<'static>,
    serve: impl AsyncFn(A) -> Option<R> + Send + 'static,
) -> PendingHandle
where
    F: 'static,
    A: Send + 'static,
    R: Unattended + 'static,
{
    /// However the call ends, the queue takes nothing more and forgets what waits.
    struct EndOnDrop<A: Send + 'static>(Arc<FnQueue<A>>);
    impl<A: Send + 'static> Drop for EndOnDrop<A> {
        fn drop(&mut self) {
            self.0.end();
        }
    }
    let on_cancel = Arc::downgrade(queue);
    let (queue, owner) = (EndOnDrop(queue.clone()), Arc::downgrade(&caller.0));
    let pending = caller.call_soon_as::<F, _>(Context::current_of_queue(), location, async move || {
        let base = Context::current();
        let mut batch = VecDeque::new();
        let mut pressure = Pressure::default();
        loop {
            let some = poll_fn(|cx| queue.0.items.poll_batch(&mut batch, Some(cx.waker()))).await;
            if !some {
                return;
            }
            pressure.took(batch.len());
            let mut turn = 0;
            while let Some(item) = batch.pop_front() {
                queue.0.begin(batch.len());
                let served = one(&serve, item, &base).await;
                match served {
                    Ok(Some(result)) => {
                        if let Some(error) = result.into_failure() {
                            let error = Error::new(Kind::Failed(error.into()));
                            report::failure(&name_of(&owner), function_name::<F>(), &guard::text(&error));
                        }
                    }
                    Ok(None) => return,
                    Err(panic) => {
                        let what = format!("caller {:?}: {}", name_of(&owner), function_name::<F>());
                        report::panicked(&what, panic.message());
                    }
                }
                if batch.is_empty() {
                    pressure.glance(&queue.0.items);
                }
                turn += 1;
                if turn % BATCH == 0 {
                    yield_now().await;
                }
                if queue.0.pending.get().is_some_and(PendingHandle::is_cancelled) {
                    // Cancelling has not reached us yet: the rest never runs.
                    return;
                }
            }
        }
    });
    let pending = pending.handle();
    // It outlives every group, so it is a member of none. Managers hear of it.
    pending.track(&Trackers::except::<PendingGroup>());
    // Once cancelling is asked for it takes nothing more, so that no call is lost to a queue that is about to end.
    pending.wake_on_cancel(Waker::from(Arc::new(End(on_cancel))));
    pending
}

/// Ends a queue when it is woken.
struct End<A>(Weak<FnQueue<A>>);

impl<A: Send + 'static> Wake for End<A> {
    fn wake(self: Arc<Self>) {
        if let Some(queue) = self.0.upgrade() {
            queue.end();
        }
    }
}

/// Serves one item, in a context of its own. The error is what it panicked with.
async fn one<A, R>(
    serve: &impl AsyncFn(A) -> Option<R>,
    item: QueueItem<A>,
    base: &Context,
) -> Result<Option<R>, Panic> {
    let future = serve(item.argument);
    if item.context.is_empty() {
        // The usual item brings nothing of its own: it runs in the context of the queue's call, and what it sets there
        // is undone behind it.
        let served = caught(future).await;
        base.restore_here();
        served
    } else {
        caught(base.for_item(item.context).scope(future)).await
    }
}

/// The output of a future, or what it panicked with.
async fn caught<F: Future>(future: F) -> Result<F::Output, Panic> {
    let mut future = pin!(future);
    poll_fn(|cx| match guard::run(|| future.as_mut().poll(cx)) {
        Ok(Poll::Pending) => Poll::Pending,
        Ok(Poll::Ready(output)) => Poll::Ready(Ok(output)),
        Err(payload) => Poll::Ready(Err(payload)),
    })
    .await
}

fn name_of(owner: &Weak<Inner>) -> String {
    owner.upgrade().map_or_else(|| "unnamed".to_owned(), |owner| owner.name.clone())
}
