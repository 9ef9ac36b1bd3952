//! The long-lived call that serves the queue of a function.

use std::{
    cell::Cell,
    collections::VecDeque,
    future::poll_fn,
    panic::Location,
    pin::Pin,
    sync::{Arc, Weak},
    task::{Context as TaskContext, Poll, Wake, Waker},
};

use pin_project_lite::pin_project;

use crate::{
    call::Unattended,
    caller::{Caller, Inner},
    context::Context,
    error::{Error, Kind, name_of as function_name},
    fn_queue::{FnQueue, QueueItem, Running},
    group::PendingGroup,
    guard::{self, Panic, Place},
    pending::PendingHandle,
    queue::Pressure,
    report,
    tracker::Trackers,
    turn,
    wake::yield_now,
};

/// Starts the call that serves a queue. `serve` gives None when there is nothing to serve with any more. `running` is held
/// until the last item of the queue has been dropped.
pub(super) fn start<F, A, R>(
    caller: &Caller,
    queue: &Arc<FnQueue<A>>,
    running: Arc<Running>,
    location: &'static Location<'static>,
    serve: impl AsyncFn(A) -> Option<R> + Send + 'static,
) -> PendingHandle
where
    F: 'static,
    A: Send + 'static,
    R: Unattended + 'static,
{
    /// However the call ends, the queue takes nothing more and forgets what waits.
    struct EndOnDrop<A: Send + 'static>(Arc<FnQueue<A>>, #[expect(dead_code, reason = "held")] Arc<Running>);
    impl<A: Send + 'static> Drop for EndOnDrop<A> {
        fn drop(&mut self) {
            self.0.end();
        }
    }
    let on_cancel = Arc::downgrade(queue);
    let (queue, owner) = (EndOnDrop(queue.clone(), running), Arc::downgrade(&caller.0));
    let pending = caller.call_soon_as::<F, _>(Context::current_of_queue(), location, async move || {
        let base = Context::current();
        let queue = &*queue.0;
        // The items of one function run one at a time, whichever of its queues they are in.
        for before in &queue.before {
            before.wait().await;
        }
        let mut batch = Batch(VecDeque::new());
        let mut pressure = Pressure::default();
        let share = Share::default();
        loop {
            let some = poll_fn(|cx| share.seen(queue.items.poll_batch(&mut batch.0, Some(cx.waker())))).await;
            if !some {
                return;
            }
            pressure.took(batch.0.len());
            loop {
                share.take_one(|| batch.0.len() + queue.waiting()).await;
                if queue.pending.get().is_some_and(PendingHandle::is_cancelled) {
                    // Cancelling has not reached us yet: the rest never runs.
                    return;
                }
                let Some(item) = batch.0.pop_front() else { break };
                queue.begin(batch.0.len());
                let served = if item.context.is_empty() {
                    // The usual item brings nothing of its own: it runs in the context of this call, and what it sets
                    // there is undone behind it.
                    let served = Serving::new(serve(item.argument), &share).await;
                    guard::quietly(Place::ContextDrop, || base.restore_here());
                    served
                } else {
                    let context = base.for_item(item.context);
                    Serving::new(context.scope(serve(item.argument)), &share).await
                };
                match served {
                    Ok(Some(result)) => report_failure::<F, R>(&owner, result),
                    Ok(None) => return,
                    Err(panic) => report_panic::<F>(&owner, &panic),
                }
                if batch.0.is_empty() {
                    pressure.glance(&queue.items);
                    break;
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

/// Items that the consumer has taken. Those that never run are dropped one by one: the destructor of an argument may panic.
struct Batch<A: 'static>(VecDeque<QueueItem<A>>);

impl<A: 'static> Drop for Batch<A> {
    fn drop(&mut self) {
        for item in self.0.drain(..) {
            guard::discard(Place::ArgumentDrop, item);
        }
    }
}

/// How many items may still be served in this poll of the serving call.
#[derive(Default)]
struct Share(
    /// None in a poll that has served none yet.
    Cell<Option<usize>>,
);

impl Share {
    /// Looks whether the poll of the serving call ends here.
    fn seen<T>(&self, polled: Poll<T>) -> Poll<T> {
        if polled.is_pending() {
            self.0.set(None);
        }
        polled
    }

    /// Takes the place of one item in this turn, or waits for the next turn. The share is one of `backlog` items.
    async fn take_one(&self, backlog: impl Fn() -> usize) {
        if self.0.get() == Some(0) {
            yield_now().await;
            self.0.set(None);
        }
        let left = self.0.get().unwrap_or_else(|| turn::share(backlog()));
        self.0.set(Some(left.saturating_sub(1)));
    }
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

pin_project! {
    /// The future of one item, behind the boundary. Gives its output, or what it panicked with.
    struct Serving<'a, F> {
        // None when it has ended, and was dropped behind the boundary.
        #[pin]
        future: Option<F>,
        share: &'a Share,
    }
}

impl<'a, F: Future> Serving<'a, F> {
    fn new(future: F, share: &'a Share) -> Self {
        Self { future: Some(future), share }
    }
}

impl<F: Future> Future for Serving<'_, F> {
    type Output = Result<F::Output, Panic>;

    fn poll(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let Some(future) = this.future.as_mut().as_pin_mut() else { return Poll::Pending };
        let ended = match guard::run(|| future.poll(cx)) {
            Ok(Poll::Pending) => return this.share.seen(Poll::Pending),
            Ok(Poll::Ready(output)) => Ok(output),
            Err(panic) => Err(panic),
        };
        guard::quietly(Place::QueueItem, || this.future.set(None));
        Poll::Ready(ended)
    }
}

/// Reports the error of an item, if it has one.
fn report_failure<F, R: Unattended>(owner: &Weak<Inner>, result: R) {
    match guard::run(|| result.into_failure()) {
        Ok(None) => {}
        Ok(Some(error)) => {
            let error = Error::new(Kind::Failed(error.into()));
            report::failure(&name_of(owner), function_name::<F>(), &guard::text(&error));
        }
        Err(panic) => report_panic::<F>(owner, &panic),
    }
}

/// Reports a panic of an item, or of the conversion of its error.
fn report_panic<F>(owner: &Weak<Inner>, panic: &Panic) {
    let what = format!("caller {:?}: {}", name_of(owner), function_name::<F>());
    report::panicked(&what, panic.message());
}

fn name_of(owner: &Weak<Inner>) -> String {
    owner.upgrade().map_or_else(|| "unnamed".to_owned(), |owner| owner.name.clone())
}
