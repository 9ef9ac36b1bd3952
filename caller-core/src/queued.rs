//! `queue_call`: the calls of one function, one at a time and in order, in one long-lived call.

mod handle;

use std::{
    any::{Any, TypeId},
    collections::{BTreeMap, VecDeque},
    fmt,
    future::poll_fn,
    mem,
    panic::{AssertUnwindSafe, Location, catch_unwind},
    pin::pin,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Poll, Wake, Waker},
};

pub use self::handle::QueueHandle;
use crate::{
    caller::{Attached, Caller, CallerState, Inner},
    context::Context,
    error::{Error, Kind, Result, name_of as function_name},
    group::PendingGroup,
    pending::PendingHandle,
    private::pended::Turn,
    queue::{Pressure, RawQueue},
    report,
    tracker::Trackers,
    verbs::Unattended,
};

/// After how many items a queue lets other calls of its caller have their turn.
const BATCH: usize = 64;

impl Caller {
    /// Queues a call of `function`: the calls of one function on one caller run one at a time, in the order queued.
    ///
    /// The first call starts the queue, which stays until it is closed or the caller stops. A failure or panic is
    /// reported with the caller's name, and the next item runs. Values of [`ContextVar`](crate::ContextVar)s are
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
            Ok(start::<F, _, _>(self, queue, here, serve))
        })
    }

    /// The pending of the queue of a function, while it runs. Cancelling it closes the queue.
    pub fn queue_get<F, A, R>(&self, _function: F) -> Option<PendingHandle>
    where
        F: AsyncFn(A) -> R + 'static,
        A: 'static,
    {
        Queues::of(self).find(key::<F, A>(0))?.pending()
    }

    /// How many calls of a function wait in its queue. None if there is no queue.
    pub fn queue_len<F, A, R>(&self, _function: F) -> Option<usize>
    where
        F: AsyncFn(A) -> R + 'static,
        A: 'static,
    {
        Some(Queues::of(self).find(key::<F, A>(0))?.len())
    }

    /// Closes the queue of a function: the item that runs is cancelled, the rest never run. False if there is none.
    pub fn queue_close<F, A, R>(&self, _function: F) -> bool
    where
        F: AsyncFn(A) -> R + 'static,
        A: 'static,
    {
        Queues::of(self).close(key::<F, A>(0))
    }

    /// As [`queue_call`](Self::queue_call), for a method: the queue is that of `function` and `object` together.
    ///
    /// The object is held weakly by the queue, and strongly by the item that runs. When it has gone, its queue ends
    /// at the next look: the next item, and whenever queues of this caller are made or asked for.
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
            let serve = async move |argument| Some(function(object.upgrade()?, argument).await);
            Ok(start::<F, _, _>(self, queue, here, serve))
        })
    }

    /// The pending of the queue of a method and its object, while it runs.
    pub fn queue_get_method<F, S, A, R>(&self, _function: F, object: &Arc<S>) -> Option<PendingHandle>
    where
        F: AsyncFn(Arc<S>, A) -> R + 'static,
        S: ?Sized + 'static,
        A: 'static,
    {
        Queues::of(self).find(method_key::<F, S, A>(object))?.pending()
    }

    /// Closes the queue of a method and its object. False if there is none.
    pub fn queue_close_method<F, S, A, R>(&self, _function: F, object: &Arc<S>) -> bool
    where
        F: AsyncFn(Arc<S>, A) -> R + 'static,
        S: ?Sized + 'static,
        A: 'static,
    {
        Queues::of(self).close(method_key::<F, S, A>(object))
    }

    /// The queue of a function, while it runs.
    pub(crate) fn queue_handle<F, A, R>(&self, _function: F) -> Option<QueueHandle>
    where
        F: AsyncFn(A) -> R + 'static,
        A: 'static,
    {
        QueueHandle::new(Queues::of(self).find(key::<F, A>(0))?)
    }

    /// The queue of a method and its object, while it runs.
    pub(crate) fn queue_handle_method<F, S, A, R>(&self, _function: F, object: &Arc<S>) -> Option<QueueHandle>
    where
        F: AsyncFn(Arc<S>, A) -> R + 'static,
        S: ?Sized + 'static,
        A: 'static,
    {
        QueueHandle::new(Queues::of(self).find(method_key::<F, S, A>(object))?)
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
            let gone = gone.clone();
            let serve = async move |turn: Turn| {
                if gone() {
                    return None;
                }
                turn.take().await;
                Some(())
            };
            let pending = start::<F, _, _>(self, queue, location, serve);
            pending.serve_queue(key);
            Ok(pending)
        })
    }

    /// The queue of the calls of a function, while it runs.
    pub(crate) fn turns_handle<F: 'static>(&self, object: usize) -> Option<QueueHandle> {
        QueueHandle::new(Queues::of(self).find(key::<F, Turn>(object))?)
    }

    /// The pendings of all queues of functions and methods that run on this caller.
    pub fn queues(&self) -> Vec<PendingHandle> {
        Queues::of(self).all()
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
        let queue = Arc::new(FnQueue::new(bound));
        let serve = async move |argument| Some(function(argument).await);
        let pending = start::<F, _, _>(self, &queue, Location::caller(), serve);
        let _first = queue.pending.set(pending);
        Queue(Arc::new(Handle(queue)))
    }

    /// Puts an item into the queue with this key, which is started if there is none.
    fn queue_item<A: Send + 'static>(
        &self,
        key: Key,
        item: QueueItem<A>,
        mut start: impl FnMut(&Arc<FnQueue<A>>) -> Result<PendingHandle>,
    ) -> Result<()> {
        let queues = Queues::of(self);
        let Err(mut item) = queues.push(key, item) else { return Ok(()) };
        loop {
            let (queue, new) = queues.find_or_add(key);
            if new {
                let pending = start(&queue)?;
                let _first = queue.pending.set(pending);
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

/// What a queue is found by: the types of its function and argument, and the address of its object.
type Key = (TypeId, usize);

fn key<F: 'static, A: 'static>(object: usize) -> Key {
    (TypeId::of::<(F, A)>(), object)
}

fn method_key<F: 'static, S: ?Sized, A: 'static>(object: &Arc<S>) -> Key {
    key::<F, A>(Arc::as_ptr(object).addr())
}

struct QueueItem<A> {
    argument: A,
    context: Context,
}

impl<A> QueueItem<A> {
    fn new(argument: A) -> Self {
        Self { argument, context: Context::current_of_item() }
    }
}

struct FnQueue<A> {
    items: RawQueue<QueueItem<A>>,
    pending: OnceLock<PendingHandle>,
    bound: usize,
    /// Items that have not begun, of a queue that is bounded. Another is not counted there, since its producers and
    /// its consumer would fight for the count.
    waiting: AtomicUsize,
    /// Items that the consumer has taken and that have not begun.
    in_hand: Apart<AtomicUsize>,
    /// Those who wait for room.
    room: Mutex<Vec<Waker>>,
    /// Whether the object that the function belongs to has gone.
    gone: OnceLock<Box<dyn Fn() -> bool + Send + Sync>>,
}

impl<A: Send + 'static> FnQueue<A> {
    fn new(bound: usize) -> Self {
        Self {
            items: RawQueue::new(),
            pending: OnceLock::new(),
            bound,
            waiting: AtomicUsize::new(0),
            in_hand: Apart(AtomicUsize::new(0)),
            room: Mutex::default(),
            gone: OnceLock::new(),
        }
    }

    /// Puts an item in. It comes back, with the error, if the queue has ended or is full.
    fn push(&self, item: QueueItem<A>) -> Result<(), (QueueItem<A>, Error)> {
        if self.bound == usize::MAX {
            return self.items.push(item).map_err(|item| (item, Error::closed("the queue was closed")));
        }
        // AcqRel pairs with `begin`: whoever sees room sees that the item before has begun. In one step, since a count
        // that is too high for a moment would send others away for whom there is room.
        let more = |count| (count < self.bound).then_some(count + 1);
        if self.waiting.fetch_update(Ordering::AcqRel, Ordering::Acquire, more).is_err() {
            return Err((item, Error::new(Kind::Full(self.bound))));
        }
        self.items.push(item).map_err(|item| {
            self.waiting.fetch_sub(1, Ordering::AcqRel);
            (item, Error::closed("the queue was closed"))
        })
    }

    /// An item begins, and `left` are in the hand of the consumer: there is room for another.
    fn begin(&self, left: usize) {
        // For texts: nothing is published through it.
        self.in_hand.0.store(left, Ordering::Relaxed);
        if self.bound != usize::MAX {
            self.waiting.fetch_sub(1, Ordering::AcqRel);
            self.wake_room();
        }
    }

    fn wake_room(&self) {
        let room = mem::take(&mut *self.room.lock().unwrap_or_else(PoisonError::into_inner));
        room.into_iter().for_each(Waker::wake);
    }

    /// Ends it: what waits never runs.
    fn end(&self) {
        let rest = self.items.close_and_drain();
        self.in_hand.0.store(0, Ordering::Relaxed);
        self.wake_room();
        for item in rest {
            report::drop_quietly("a queued argument", item);
        }
    }
}

/// A value on cache lines of its own.
#[repr(align(128))]
struct Apart<T>(T);

/// A queue of any argument.
trait AnyQueue: Any + Send + Sync {
    /// Its pending, unless it has ended or is about to.
    fn pending(&self) -> Option<PendingHandle>;
    fn len(&self) -> usize;
    fn close(&self, reason: &str, closed: bool);
    /// Whether it takes nothing any more.
    fn is_over(&self) -> bool;
}

impl<A: Send + 'static> AnyQueue for FnQueue<A> {
    fn pending(&self) -> Option<PendingHandle> {
        self.pending.get().filter(|_| !self.is_over()).cloned()
    }

    fn len(&self) -> usize {
        self.items.len() + self.in_hand.0.load(Ordering::Relaxed)
    }

    fn close(&self, reason: &str, closed: bool) {
        self.end();
        if let Some(pending) = self.pending.get() {
            if closed {
                pending.close(reason)
            } else {
                pending.cancel(reason)
            };
        }
    }

    fn is_over(&self) -> bool {
        self.items.is_stopped()
            || self.pending.get().is_some_and(|pending| pending.is_cancelled() || pending.is_done())
            || self.gone.get().is_some_and(|gone| gone())
    }
}

/// Starts the call that serves a queue. `serve` gives None when there is nothing to serve with any more.
fn start<F, A, R>(
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
                            let error = Error::new(Kind::Failed(error));
                            report::failure(&name_of(&owner), function_name::<F>(), &error);
                        }
                    }
                    Ok(None) => return,
                    Err(payload) => {
                        let what = format!("caller {:?}: {}", name_of(&owner), function_name::<F>());
                        report::panicked(&what, payload);
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
) -> std::thread::Result<Option<R>> {
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
async fn caught<F: Future>(future: F) -> std::thread::Result<F::Output> {
    let mut future = pin!(future);
    poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
        Ok(Poll::Pending) => Poll::Pending,
        Ok(Poll::Ready(output)) => Poll::Ready(Ok(output)),
        Err(payload) => Poll::Ready(Err(payload)),
    })
    .await
}

/// Lets everything else in this thread have a turn.
pub(crate) async fn yield_now() {
    let mut yielded = false;
    poll_fn(|cx| {
        if mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

fn name_of(owner: &Weak<Inner>) -> String {
    owner.upgrade().map_or_else(|| "unnamed".to_owned(), |owner| owner.name.clone())
}

/// The queues of functions of one caller.
#[derive(Default)]
struct Queues {
    known: Mutex<BTreeMap<Key, Arc<dyn AnyQueue>>>,
}

impl Queues {
    fn of(caller: &Caller) -> &Self {
        let queues: &dyn Any = &**caller.0.queues.get_or_init(|| Arc::new(Self::default()));
        match queues.downcast_ref() {
            Some(queues) => queues,
            None => unreachable!("this is the only type that is put there"),
        }
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<Key, Arc<dyn AnyQueue>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts an item into the queue with this key: the way of all calls but the first. It comes back if there is no such
    /// queue, or it has ended.
    fn push<A: Send + 'static>(&self, key: Key, item: QueueItem<A>) -> Result<(), QueueItem<A>> {
        let known = self.known();
        let queue: Option<&dyn Any> = known.get(&key).map(|queue| &**queue as _);
        let Some(queue) = queue.and_then(<dyn Any>::downcast_ref::<FnQueue<A>>) else { return Err(item) };
        // The lock of the queue is taken under that of the list of queues, here alone; waking is not.
        let consumer = queue.items.add(item)?;
        drop(known);
        if let Some(consumer) = consumer {
            consumer.wake();
        }
        Ok(())
    }

    fn find_or_add<A: Send + 'static>(&self, key: Key) -> (Arc<FnQueue<A>>, bool) {
        if let Some(known) = self.known().get(&key).cloned() {
            let known: Arc<dyn Any + Send + Sync> = known;
            if let Ok(known) = known.downcast() {
                return (known, false);
            }
        }
        self.sweep();
        let fresh = Arc::new(FnQueue::new(usize::MAX));
        let mut known = self.known();
        if known.contains_key(&key) {
            // Somebody was faster.
            drop(known);
            return self.find_or_add(key);
        }
        known.insert(key, fresh.clone());
        (fresh, true)
    }

    fn find(&self, key: Key) -> Option<Arc<dyn AnyQueue>> {
        self.sweep();
        self.known().get(&key).cloned()
    }

    fn all(&self) -> Vec<PendingHandle> {
        self.sweep();
        let known: Vec<_> = self.known().values().cloned().collect();
        known.iter().filter_map(|queue| queue.pending()).collect()
    }

    fn close(&self, key: Key) -> bool {
        let Some(queue) = self.known().remove(&key) else { return false };
        let open = !queue.is_over();
        queue.close("the queue was closed", false);
        open
    }

    fn remove<A: Send + 'static>(&self, key: Key, queue: &Arc<FnQueue<A>>) {
        let mut known = self.known();
        let same =
            known.get(&key).is_some_and(|known| std::ptr::addr_eq(Arc::as_ptr(known), Arc::as_ptr(queue)));
        let old = if same { known.remove(&key) } else { None };
        drop(known);
        drop(old);
    }

    /// Closes the queues that have ended, and those whose object has gone.
    fn sweep(&self) {
        let all: Vec<_> = self.known().iter().map(|(key, queue)| (*key, queue.clone())).collect();
        for (key, queue) in all {
            if queue.is_over() {
                let mut known = self.known();
                let same = known.get(&key).is_some_and(|known| Arc::ptr_eq(known, &queue));
                let old = if same { known.remove(&key) } else { None };
                drop(known);
                drop(old);
                queue.close("its object has gone", false);
            }
        }
    }
}

impl Attached for Queues {
    fn stop(&self, reason: &str) {
        let all = mem::take(&mut *self.known());
        for queue in all.into_values() {
            queue.close(reason, true);
        }
    }
}

/// A queue of its own for one function; made by [`Caller::queue`]. Clones are handles of the same queue.
pub struct Queue<A: Send + 'static>(Arc<Handle<A>>);

struct Handle<A: Send + 'static>(Arc<FnQueue<A>>);

impl<A: Send + 'static> Drop for Handle<A> {
    fn drop(&mut self) {
        // What was queued still runs.
        self.0.items.close();
    }
}

impl<A: Send + 'static> Queue<A> {
    fn inner(&self) -> &FnQueue<A> {
        &self.0.0
    }

    /// Queues a call.
    ///
    /// # Errors
    ///
    /// [`is_full`](Error::is_full) if the queue is bounded and has no room, [`is_closed`](Error::is_closed) if it was
    /// closed or its caller stopped. The argument is in the error's other half.
    pub fn call(&self, argument: A) -> Result<(), (A, Error)> {
        self.inner().push(QueueItem::new(argument)).map_err(|(item, error)| (item.argument, error))
    }

    /// Queues a call when there is room.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it ended, the call is not queued, and its argument is dropped.
    ///
    /// # Errors
    ///
    /// [`is_closed`](Error::is_closed) if it was closed or its caller stopped, and
    /// [`is_self_wait`](Error::is_self_wait) in an item of this queue when there is no room; with the argument.
    pub async fn call_when_room(&self, argument: A) -> Result<(), (A, Error)> {
        let mut argument = Some(argument);
        poll_fn(|cx| {
            let Some(given) = argument.take() else { return Poll::Ready(Ok(())) };
            let given = match self.call(given) {
                Err((given, error)) if error.is_full() => given,
                other => return Poll::Ready(other),
            };
            if let Some(Err(error)) = self.inner().pending.get().map(PendingHandle::check_self_wait) {
                return Poll::Ready(Err((given, error)));
            }
            // Registered first, tried again then: an item that begins in between wakes us.
            let waker = cx.waker().clone();
            self.inner().room.lock().unwrap_or_else(PoisonError::into_inner).push(waker);
            match self.call(given) {
                Err((given, error)) if error.is_full() => {
                    argument = Some(given);
                    Poll::Pending
                }
                other => Poll::Ready(other),
            }
        })
        .await
    }

    /// How many items wait.
    pub fn len(&self) -> usize {
        self.inner().len()
    }

    /// Whether no item waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Closes it: the item that runs is cancelled, the rest never run.
    pub fn close(&self) {
        self.inner().close("the queue was closed", false);
    }

    /// Whether it takes nothing any more.
    pub fn is_closed(&self) -> bool {
        self.inner().is_over()
    }

    /// The pending of the queue. It is done when the queue has ended; cancelling it closes the queue.
    pub fn pending(&self) -> Option<PendingHandle> {
        self.inner().pending.get().cloned()
    }
}

impl<A: Send + 'static> Clone for Queue<A> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<A: Send + 'static> fmt::Debug for Queue<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue")
            .field("len", &self.len())
            .field("closed", &self.is_closed())
            .finish_non_exhaustive()
    }
}
