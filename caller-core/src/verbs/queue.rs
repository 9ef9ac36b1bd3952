//! `queue_call`: the calls of one function, one at a time and in order, in one long-lived call.

mod serve;
mod turn;

use std::{panic::Location, sync::Arc};

use self::serve::start;
pub(crate) use self::turn::Turn;
use crate::{
    call::Unattended,
    caller::{Caller, CallerState},
    context::Context,
    error::{Error, Kind, Result},
    fn_queue::{FnQueue, Key, Queue, QueueHandle, QueueItem, key, method_key},
    guard::{self, Guarded, Place},
    pending::PendingHandle,
};

impl Caller {
    /// Queues a call of `function`: the calls of one function on one caller run one at a time, in the order queued.
    ///
    /// The first call starts the queue, which stays until it is closed or the caller stops. A failure or panic is
    /// reported with the caller's name, and the next item runs; so is a panic of a destructor, or of the error's text.
    /// Items share the thread with the other calls of the caller, in proportion to how many wait. Values of [`ContextVar`](crate::ContextVar)s are
    /// those of the call that began the queue.
    ///
    /// The function's type is the key, so it must not capture anything, which is checked when it is compiled. For a
    /// closure with state use [`queue`](Self::queue), for a method [`queue_method`](Self::queue_method).
    ///
    /// ```
    /// # use caller::{Caller, Resolver, testing::Manual};
    /// async fn record(line: String) {
    ///     println!("{line}");
    /// }
    /// # fn main() -> caller::Result<()> {
    /// # let caller = Caller::builder().backend(Manual::new()).spawn()?;
    /// caller.queue_call(record, "first".to_owned())?;
    /// caller.queue_call(record, "second".to_owned())?;
    /// # caller.stop();
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`is_closed`](Error::is_closed) if the caller stops.
    #[track_caller]
    pub fn queue_call<F, A, R>(&self, function: F, argument: A) -> Result<()>
    where
        F: AsyncFn(A) -> R + Send + 'static,
        A: Send + 'static,
        R: Unattended + 'static,
    {
        const { assert!(size_of::<F>() == 0, "the function of a queue must not capture: use `Caller::queue`") };
        let key = key::<F, A>(0);
        let (mut function, here) = (Some(function), Location::caller());
        self.queue_item(key, QueueItem::new(argument), |queue| {
            // A type without a size has one value: the first is as good as any.
            let Some(function) = function.take() else { return Err(self.closed()) };
            let serve = async move |argument| Some(function(argument).await);
            Ok(start::<F, _, _>(self, queue, queue.begin_serving(), here, serve))
        })
    }

    /// The pending of the queue of a function, while it runs. Cancelling it closes the queue.
    pub fn queue_get<F, A, R>(&self, _function: F) -> Option<PendingHandle>
    where
        F: AsyncFn(A) -> R + 'static,
        A: 'static,
    {
        self.0.queues.find(key::<F, A>(0))?.pending()
    }

    /// How many calls of a function wait in its queue. None if there is no queue.
    pub fn queue_len<F, A, R>(&self, _function: F) -> Option<usize>
    where
        F: AsyncFn(A) -> R + 'static,
        A: 'static,
    {
        Some(self.0.queues.find(key::<F, A>(0))?.len())
    }

    /// Closes the queue of a function: the item that runs is cancelled, the rest never run. False if there is none.
    ///
    /// The next call of the function begins a new queue, whose first item runs when the future of the cancelled one has
    /// been dropped.
    pub fn queue_close<F, A, R>(&self, _function: F) -> bool
    where
        F: AsyncFn(A) -> R + 'static,
        A: 'static,
    {
        self.0.queues.close(key::<F, A>(0))
    }

    /// As [`queue_call`](Self::queue_call), for a method: the queue is that of `function` and `object` together.
    ///
    /// The object is held weakly by the queue, and strongly by the item that runs. When it has gone, its queue ends
    /// at the next look: at the next item, and when queues of this caller are asked for. Adding queues looks too, each
    /// time while there are few, and from time to time while there are many.
    ///
    /// # Errors
    ///
    /// [`is_closed`](Error::is_closed) if the caller stops.
    #[track_caller]
    pub fn queue_method<F, S, A, R>(&self, function: F, object: &Arc<S>, argument: A) -> Result<()>
    where
        F: AsyncFn(Arc<S>, A) -> R + Send + 'static,
        S: Send + Sync + ?Sized + 'static,
        A: Send + 'static,
        R: Unattended + 'static,
    {
        const { assert!(size_of::<F>() == 0, "the method of a queue must not capture: use `Caller::queue`") };
        let (mut function, here) = (Some(function), Location::caller());
        self.queue_item(method_key::<F, S, A>(object), QueueItem::new(argument), |queue| {
            let Some(function) = function.take() else { return Err(self.closed()) };
            let object = Arc::downgrade(object);
            let watched = object.clone();
            let _first = queue.gone.set(Box::new(move || watched.strong_count() == 0));
            let serve = async move |argument| match object.upgrade() {
                Some(object) => Some(function(object, argument).await),
                None => {
                    guard::discard(Place::ArgumentDrop, argument);
                    None
                }
            };
            Ok(start::<F, _, _>(self, queue, queue.begin_serving(), here, serve))
        })
    }

    /// The pending of the queue of a method and its object, while it runs.
    pub fn queue_get_method<F, S, A, R>(&self, _function: F, object: &Arc<S>) -> Option<PendingHandle>
    where
        F: AsyncFn(Arc<S>, A) -> R + 'static,
        S: ?Sized + 'static,
        A: 'static,
    {
        self.0.queues.find(method_key::<F, S, A>(object))?.pending()
    }

    /// Closes the queue of a method and its object. False if there is none.
    pub fn queue_close_method<F, S, A, R>(&self, _function: F, object: &Arc<S>) -> bool
    where
        F: AsyncFn(Arc<S>, A) -> R + 'static,
        S: ?Sized + 'static,
        A: 'static,
    {
        self.0.queues.close(method_key::<F, S, A>(object))
    }

    /// The queue of a function, while it runs.
    pub(crate) fn queue_handle<F, A, R>(&self, _function: F) -> Option<QueueHandle>
    where
        F: AsyncFn(A) -> R + 'static,
        A: 'static,
    {
        QueueHandle::new(self.0.queues.find(key::<F, A>(0))?)
    }

    /// The queue of a method and its object, while it runs.
    pub(crate) fn queue_handle_method<F, S, A, R>(&self, _function: F, object: &Arc<S>) -> Option<QueueHandle>
    where
        F: AsyncFn(Arc<S>, A) -> R + 'static,
        S: ?Sized + 'static,
        A: 'static,
    {
        QueueHandle::new(self.0.queues.find(method_key::<F, S, A>(object))?)
    }

    /// Puts a call into the queue of the calls of this function, of this object if there is one.
    pub(crate) fn queue_turn<F: 'static>(
        &self,
        object: usize,
        gone: impl Fn() -> bool + Clone + Send + Sync + 'static,
        location: &'static Location<'static>,
        turn: Turn,
    ) -> Result<()> {
        let key = key::<F, Turn>(object);
        turn.join_queue(key);
        // The call has its own context.
        let item = QueueItem { argument: turn, context: Context::new() };
        self.queue_item(key, item, |queue| {
            let _first = queue.gone.set(Box::new(gone.clone()));
            let (gone, running) = (gone.clone(), queue.begin_serving());
            let hold = running.clone();
            let serve = async move |turn: Turn| {
                if gone() {
                    return None;
                }
                turn.take(hold.clone()).await;
                Some(())
            };
            let pending = start::<F, _, _>(self, queue, running, location, serve);
            pending.serve_queue(key);
            Ok(pending)
        })
    }

    /// The queue of the calls of a function, while it runs.
    pub(crate) fn turns_handle<F: 'static>(&self, object: usize) -> Option<QueueHandle> {
        QueueHandle::new(self.0.queues.find(key::<F, Turn>(object))?)
    }

    /// The pendings of all queues of functions and methods that run on this caller.
    pub fn queues(&self) -> Vec<PendingHandle> {
        self.0.queues.all()
    }

    /// A queue of its own for a function that may have state. It ends when it is closed, or when its last handle is
    /// dropped and what was queued has run.
    #[track_caller]
    pub fn queue<F, A, R>(&self, function: F) -> Queue<A>
    where
        F: AsyncFn(A) -> R + Send + 'static,
        A: Send + 'static,
        R: Unattended + 'static,
    {
        self.start_queue(function, usize::MAX)
    }

    /// As [`queue`](Self::queue), with room for `bound` items that wait.
    ///
    /// # Errors
    ///
    /// [`is_zero_limit`](Error::is_zero_limit) if the bound is zero.
    #[track_caller]
    pub fn bounded_queue<F, A, R>(&self, bound: usize, function: F) -> Result<Queue<A>>
    where
        F: AsyncFn(A) -> R + Send + 'static,
        A: Send + 'static,
        R: Unattended + 'static,
    {
        if bound == 0 {
            return Err(Error::new(Kind::ZeroLimit { what: "the bound of the queue" }));
        }
        Ok(self.start_queue(function, bound))
    }

    #[track_caller]
    fn start_queue<F, A, R>(&self, function: F, bound: usize) -> Queue<A>
    where
        F: AsyncFn(A) -> R + Send + 'static,
        A: Send + 'static,
        R: Unattended + 'static,
    {
        let queue = Arc::new(FnQueue::new(bound, Vec::new()));
        let function = Guarded::new(Place::FunctionDrop, function);
        let serve = async move |argument| Some(function.get()?(argument).await);
        let pending = start::<F, _, _>(self, &queue, queue.begin_serving(), Location::caller(), serve);
        let _first = queue.pending.set(pending);
        Queue::new(queue)
    }

    /// Puts an item into the queue with this key, which is started if there is none.
    fn queue_item<A: Send + 'static>(
        &self,
        key: Key,
        item: QueueItem<A>,
        mut start: impl FnMut(&Arc<FnQueue<A>>) -> Result<PendingHandle>,
    ) -> Result<()> {
        let queues = &self.0.queues;
        let Err(mut item) = queues.push(key, item) else { return Ok(()) };
        loop {
            let (queue, new) = queues.find_or_add(key);
            if new {
                let pending = start(&queue)?;
                let _first = queue.pending.set(pending);
                if queue.items.is_stopped()
                    && let Some(pending) = queue.pending.get()
                {
                    // Closed before its pending was known: what runs of it is cancelled here.
                    pending.cancel("the queue was closed");
                }
            }
            match queue.push(item) {
                Ok(()) => return Ok(()),
                Err((back, _)) => item = back,
            }
            // It ended under our hands.
            queues.remove(key, &queue);
            if !matches!(self.state(), CallerState::Initial | CallerState::Running) {
                return Err(self.closed());
            }
            if new {
                // Closed in the moment after it was started: as if the item had been in it.
                return Ok(());
            }
        }
    }
}
