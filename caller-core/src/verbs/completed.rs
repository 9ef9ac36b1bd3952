//! `as_completed`: pendings in the order in which they are done.

use std::{
    collections::VecDeque,
    fmt,
    future::Future,
    panic::resume_unwind,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context as TaskContext, Poll, Wake, Waker},
    vec,
};

use futures_core::Stream;
use slab::Slab;

use crate::{
    caller::Caller,
    context::Context,
    error::{Error, Kind, Result},
    guard::{self, Panic, Place},
    pending::Pending,
};

/// What [`Caller::as_completed`] and [`Caller::wait`] take: a pending, or a future that the caller is to run.
pub trait IntoPending {
    /// What the pending gives.
    type Output: Send + 'static;

    /// The pending itself, or that of a call that `caller` runs now.
    fn into_pending(self, caller: &Caller) -> Pending<Self::Output>;
}

impl<T: Send + 'static> IntoPending for Pending<T> {
    type Output = T;

    fn into_pending(self, _caller: &Caller) -> Pending<T> {
        self
    }
}

impl<F> IntoPending for F
where
    F: Future<Output: Send + 'static> + Send + 'static,
{
    type Output = F::Output;

    #[track_caller]
    fn into_pending(self, caller: &Caller) -> Pending<F::Output> {
        caller.call_soon_as::<F, _>(Context::current(), std::panic::Location::caller(), async move || {
            self.await
        })
    }
}

/// How many calls of a lazy source are unfinished at once, unless said otherwise.
const LAZY_LIMIT: usize = 10;

impl Caller {
    /// The pendings of a collection, in the order in which they are done; those that are done already come first.
    /// Futures among them are run by this caller. Only asking one of them for its result gives its error.
    ///
    /// ```
    /// # use caller::{Caller, testing::Manual};
    /// # use futures::StreamExt;
    /// # fn main() -> caller::Result<()> {
    /// # let caller = Caller::builder().backend(Manual::new()).spawn()?;
    /// let calls = [1, 2, 3].map(|n| caller.call_soon(async move || n * n));
    /// let squares = caller.as_completed(calls).then(async |pending| pending.await);
    /// # let sum = futures::executor::block_on(squares.fold(0, async |sum, n| sum + n.unwrap()));
    /// assert_eq!(sum, 14);
    /// # caller.stop();
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Cancel safety
    ///
    /// Dropping the stream cancels what is unfinished, unless [`cancel_unfinished`](AsCompleted::cancel_unfinished)
    /// says otherwise.
    ///
    /// # Panics
    ///
    /// If the collection's iterator panics, the stream ends with that panic, behind the pendings that came before it.
    pub fn as_completed<P: IntoPending>(
        &self,
        items: impl IntoIterator<Item = P>,
    ) -> AsCompleted<P::Output, FromVec<P::Output>> {
        let mut pendings = Vec::new();
        let made = guard::run(|| items.into_iter().for_each(|item| pendings.push(item.into_pending(self))));
        let mut completed = AsCompleted::new(self, FromIter(pendings.into_iter()), usize::MAX);
        completed.panic = Mutex::new(made.err());
        completed
    }

    /// As [`as_completed`](Self::as_completed), for an iterator that starts a call when it is asked for its next
    /// item. It is asked when one of at most ten unfinished calls is done; see
    /// [`max_concurrent`](AsCompleted::max_concurrent). An iterator that panics is dropped and asked no more.
    pub fn as_completed_lazy<I, P>(&self, items: I) -> AsCompleted<P::Output, FromIter<I::IntoIter>>
    where
        I: IntoIterator<Item = P>,
        P: IntoPending,
    {
        AsCompleted::new(self, FromIter(items.into_iter()), LAZY_LIMIT)
    }

    /// As [`as_completed_lazy`](Self::as_completed_lazy), for a stream.
    pub fn as_completed_stream<S, P>(&self, items: S) -> AsCompleted<P::Output, FromStream<S>>
    where
        S: Stream<Item = P>,
        P: IntoPending,
    {
        AsCompleted::new(self, FromStream(Box::pin(items)), LAZY_LIMIT)
    }
}

/// Where the items come from.
trait Source {
    type Item;
    fn poll_item(&mut self, cx: &mut TaskContext<'_>) -> Poll<Option<Self::Item>>;
}

/// An iterator as a source.
#[derive(Debug)]
pub struct FromIter<I>(I);

impl<I: Iterator> Source for FromIter<I> {
    type Item = I::Item;

    fn poll_item(&mut self, _cx: &mut TaskContext<'_>) -> Poll<Option<I::Item>> {
        Poll::Ready(self.0.next())
    }
}

/// A collection of pendings as a source.
pub type FromVec<T> = FromIter<vec::IntoIter<Pending<T>>>;

/// A stream as a source.
#[derive(Debug)]
pub struct FromStream<S>(Pin<Box<S>>);

impl<S: Stream> Source for FromStream<S> {
    type Item = S::Item;

    fn poll_item(&mut self, cx: &mut TaskContext<'_>) -> Poll<Option<S::Item>> {
        self.0.as_mut().poll_next(cx)
    }
}

/// A stream of pendings that are done; made by [`Caller::as_completed`] and its kin.
///
/// A call's own pending, which could never be done while the call waits for it, is given back at once as it is.
///
/// # Panics
///
/// If the source of the pendings panics, the source is dropped. The stream gives the pendings that came before, and then
/// goes on with the panic, once.
#[must_use = "streams do nothing unless polled"]
pub struct AsCompleted<T: Send + 'static, S> {
    caller: Caller,
    /// None once it has ended.
    source: Option<S>,
    limit: usize,
    unfinished: Slab<Pending<T>>,
    done: Arc<Done>,
    cancel_unfinished: bool,
    /// What the source panicked with. The stream goes on with it when all that came before was given.
    /// In a lock, so that the stream is `Sync`.
    panic: Mutex<Option<Panic>>,
}

/// Which of the unfinished are done.
#[derive(Default)]
struct Done(Mutex<Ready>);

#[derive(Default)]
struct Ready {
    keys: VecDeque<usize>,
    waker: Option<Waker>,
}

impl Done {
    fn ready(&self) -> MutexGuard<'_, Ready> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The waker of one of the unfinished.
struct One {
    done: Arc<Done>,
    key: usize,
}

impl Wake for One {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let mut ready = self.done.ready();
        ready.keys.push_back(self.key);
        let waker = ready.waker.take();
        drop(ready);
        if let Some(waker) = waker {
            guard::wake(waker);
        }
    }
}

impl<T: Send + 'static, S> AsCompleted<T, S> {
    fn take_panic(&mut self) -> Option<Panic> {
        self.panic.get_mut().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn end_source(&mut self) {
        guard::discard_now(Place::Source, self.source.take());
    }

    fn new(caller: &Caller, source: S, limit: usize) -> Self {
        Self {
            caller: caller.clone(),
            source: Some(source),
            limit,
            unfinished: Slab::new(),
            done: Arc::default(),
            cancel_unfinished: true,
            panic: Mutex::default(),
        }
    }

    /// How many of the items may be unfinished at once, before the source is asked for another.
    ///
    /// # Errors
    ///
    /// [`is_zero_limit`](Error::is_zero_limit) if it is zero.
    pub fn max_concurrent(mut self, limit: usize) -> Result<Self> {
        if limit == 0 {
            return Err(Error::new(Kind::ZeroLimit { what: "`max_concurrent`" }));
        }
        self.limit = limit;
        Ok(self)
    }

    /// Whether dropping the stream cancels what is unfinished. It does unless set.
    pub fn cancel_unfinished(mut self, cancel: bool) -> Self {
        self.cancel_unfinished = cancel;
        self
    }

    /// Ends the stream and gives what it has not given.
    pub(crate) fn into_unfinished(mut self) -> Vec<Pending<T>> {
        let unfinished: Vec<_> = self.unfinished.drain().collect();
        for pending in &unfinished {
            pending.cell().forget_owner();
        }
        unfinished
    }

    fn next_done(&mut self) -> Option<Pending<T>> {
        loop {
            let key = self.done.ready().keys.pop_front()?;
            if self.unfinished.get(key).is_some_and(Pending::is_done) {
                return self.unfinished.try_remove(key);
            }
        }
    }
}

#[expect(private_bounds, reason = "the sources are made by the methods of `Caller` alone")]
impl<T, S> AsCompleted<T, S>
where
    T: Send + 'static,
    S: Source<Item: IntoPending<Output = T>>,
{
    /// Polls the source up to the limit. Returns a pending that is to be given at once.
    fn take_in(&mut self, cx: &mut TaskContext<'_>) -> Option<Pending<T>> {
        while self.unfinished.len() < self.limit {
            let source = self.source.as_mut()?;
            let caller = &self.caller;
            let polled =
                guard::run(|| source.poll_item(cx).map(|item| item.map(|item| item.into_pending(caller))));
            let pending = match polled {
                Ok(Poll::Ready(Some(pending))) => pending,
                Ok(Poll::Pending) => return None,
                Ok(Poll::Ready(None)) => {
                    self.end_source();
                    return None;
                }
                Err(panic) => {
                    self.panic = Mutex::new(Some(panic));
                    self.end_source();
                    return None;
                }
            };
            if pending.handle().check_self_wait().is_err() {
                return Some(pending);
            }
            let entry = self.unfinished.vacant_entry();
            let one = Arc::new(One { done: self.done.clone(), key: entry.key() });
            let is_done = pending.cell().watch(Waker::from(one.clone()));
            entry.insert(pending);
            if is_done {
                one.wake_by_ref();
            }
        }
        None
    }
}

impl<T: Send + 'static, S> Unpin for AsCompleted<T, S> {}

impl<T, S> Stream for AsCompleted<T, S>
where
    T: Send + 'static,
    S: Source<Item: IntoPending<Output = T>>,
{
    type Item = Pending<T>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Option<Pending<T>>> {
        let this = &mut *self;
        if let Some(own) = this.take_in(cx) {
            return Poll::Ready(Some(own));
        }
        if let Some(done) = this.next_done() {
            return Poll::Ready(Some(done));
        }
        if this.unfinished.is_empty() && this.source.is_none() {
            // Once: the stream has ended after it.
            if let Some(panic) = this.take_panic() {
                resume_unwind(panic.into_payload());
            }
            return Poll::Ready(None);
        }
        // Registered first, looked at again then: what is done in between wakes us, or is seen.
        let waker = cx.waker().clone();
        let old = this.done.ready().waker.replace(waker);
        guard::discard_waker(old);
        match this.next_done() {
            Some(done) => Poll::Ready(Some(done)),
            None => Poll::Pending,
        }
    }
}

impl<T: Send + 'static, S> Drop for AsCompleted<T, S> {
    fn drop(&mut self) {
        for pending in self.unfinished.drain() {
            pending.cell().forget_owner();
            if self.cancel_unfinished && !pending.is_done() {
                let cancel = || pending.cancel("`as_completed` was left before it was done");
                guard::quietly(Place::Canceller, cancel);
            }
            guard::discard(Place::ResultDrop, pending);
        }
        self.end_source();
        if let Some(panic) = self.take_panic() {
            guard::report_panic(Place::Source, &panic);
        }
    }
}

impl<T: Send + 'static, S> fmt::Debug for AsCompleted<T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsCompleted")
            .field("limit", &self.limit)
            .field("unfinished", &self.unfinished.len())
            .finish_non_exhaustive()
    }
}
