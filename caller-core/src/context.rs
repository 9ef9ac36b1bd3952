//! Values that travel with a call: captured where it is made, restored around every poll and drop of it.
//!
//! A [`Context`] is one pointer to immutable lists; setting a value makes a new list. So capturing costs a reference
//! count, and nothing where nothing is set. One list has the values of users' variables. The other has what belongs to
//! the place where a call is made: who tracks it, and which locks are held. Queues tell the two apart.

mod holds;
mod span;

use std::{
    any::{Any, TypeId},
    cell::RefCell,
    fmt,
    future::Future,
    iter,
    marker::PhantomData,
    mem,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task,
};

pub(crate) use self::holds::Hold;
use self::span::Span;
use crate::{
    error::{Error, Kind, Result},
    guard::{self, Guarded},
};

/// It is dropped behind the boundary, wherever the last context that has it is dropped.
pub(crate) type Value = Arc<dyn Any + Send + Sync>;

/// The inherited values of a call, and with the feature `tracing` its span.
///
/// Every verb but `call_direct` captures the context of the place where it is called.
#[derive(Clone, Default)]
pub struct Context(
    /// None where nothing is set.
    Option<Arc<Inherited>>,
);

/// What a context has, if it has anything.
#[derive(Clone, Default)]
struct Inherited {
    values: Option<Arc<Vec<(usize, Value)>>>,
    place: Option<Arc<Place>>,
    span: Option<Span>,
}

/// Where a call is made.
#[derive(Clone, Default)]
struct Place {
    /// One of each type.
    trackers: Vec<(TypeId, Value)>,
    holds: Vec<Hold>,
}

/// What is current in a thread while a call is polled in it.
struct Frame {
    context: Context,
    /// How many locks were held when it was entered. Those above are held by what is being polled within it.
    holds: usize,
    /// The trackers that are being told of a pending within it, and are not active meanwhile.
    telling: Option<Box<Told>>,
    /// Whether a call or the body of a scope is being polled: outside of one, a value that is set would leak
    /// into whatever the thread does next.
    inside: bool,
}

/// A type of tracker, and those that were being told before.
struct Told {
    of: TypeId,
    before: Option<Box<Self>>,
}

thread_local! {
    static FRAME: RefCell<Frame> = const {
        RefCell::new(Frame {
            context: Context(None),
            holds: 0,
            telling: None,
            inside: false,
        })
    };
}

impl Context {
    /// A context without any value.
    pub fn new() -> Self {
        Self::default()
    }

    /// The values that are current here.
    pub fn current() -> Self {
        // In a destructor of a thread-local value there is nothing left to inherit.
        FRAME.try_with(|frame| frame.borrow().current()).unwrap_or_default().with_span(Span::current())
    }

    /// A context of these parts: without an allocation if there are none.
    fn of(inherited: Inherited) -> Self {
        let Inherited { values, place, span } = &inherited;
        if values.is_none() && place.is_none() && span.is_none() {
            Self(None)
        } else {
            Self(Some(Arc::new(inherited)))
        }
    }

    fn inherited(&self) -> Option<&Inherited> {
        self.0.as_deref()
    }

    fn inherited_mut(&mut self) -> &mut Inherited {
        Arc::make_mut(self.0.get_or_insert_default())
    }

    fn values(&self) -> Option<&Arc<Vec<(usize, Value)>>> {
        self.inherited()?.values.as_ref()
    }

    fn place(&self) -> Option<&Arc<Place>> {
        self.inherited()?.place.as_ref()
    }

    fn span(&self) -> Option<&Span> {
        self.inherited()?.span.as_ref()
    }

    fn with_span(mut self, span: Option<Span>) -> Self {
        let is_known = match (self.span(), &span) {
            (Some(known), Some(span)) => known.is(span),
            (known, span) => known.is_none() && span.is_none(),
        };
        if !is_known {
            self = Self::of(Inherited { span, ..self.0.as_deref().cloned().unwrap_or_default() });
        }
        self
    }

    /// This context with one value changed.
    #[must_use]
    pub fn with<T: Send + Sync + 'static>(mut self, var: &ContextVar<T>, value: T) -> Self {
        self.put(var.key(), guarded(value));
        self
    }

    /// Runs a function in this context.
    pub fn run<R>(self, function: impl FnOnce() -> R) -> R {
        let _entered = self.enter();
        function()
    }

    /// A future that is polled and dropped in this context. What it sets stays in it.
    pub fn scope<F: Future>(self, future: F) -> InContext<F> {
        InContext { future: Box::pin(Some(future)), context: self }
    }

    fn put(&mut self, key: usize, value: Value) {
        let mut values = self.values().map_or_else(Vec::new, |values| values.to_vec());
        match values.iter_mut().find(|(known, _)| *known == key) {
            Some((_, old)) => *old = value,
            None => values.push((key, value)),
        }
        self.inherited_mut().values = Some(Arc::new(values));
    }

    fn value(&self, key: usize) -> Option<Value> {
        self.values()?.iter().find(|(known, _)| *known == key).map(|(_, value)| value.clone())
    }

    /// What an item of a queue takes along from where it is queued: all but the values.
    pub(crate) fn current_of_item() -> Self {
        let known = FRAME.try_with(|frame| frame.borrow().current_of_item()).unwrap_or_default();
        known.with_span(Span::current())
    }

    /// What a queue takes along from where it is begun: the values. The rest is each item's own.
    pub(crate) fn current_of_queue() -> Self {
        Self::current().for_item(Self::new())
    }

    fn place_mut(&mut self) -> &mut Place {
        Arc::make_mut(self.inherited_mut().place.get_or_insert_default())
    }

    /// This context without its values.
    pub(crate) fn without_values(&self) -> Self {
        match self.inherited() {
            Some(inherited) if inherited.values.is_some() => {
                Self::of(Inherited { values: None, ..inherited.clone() })
            }
            _ => self.clone(),
        }
    }

    /// The trackers that are active in it, one of each type.
    pub(crate) fn trackers(&self) -> &[(TypeId, Value)] {
        self.place().map_or(&[], |place| &place.trackers)
    }

    /// Makes this the active tracker of its type, or leaves none. The former one is handed back.
    pub(crate) fn set_tracker(&mut self, of: TypeId, tracker: Option<Value>) -> Option<Value> {
        let trackers = &mut self.place_mut().trackers;
        let old = trackers.iter().position(|(known, _)| *known == of).map(|at| trackers.swap_remove(at).1);
        trackers.extend(tracker.map(|tracker| (of, tracker)));
        old
    }

    /// Leaves only those trackers active whose type is wanted.
    pub(crate) fn keep_trackers(&mut self, wanted: impl Fn(TypeId) -> bool) {
        if !self.trackers().is_empty() {
            self.place_mut().trackers.retain(|(of, _)| wanted(*of));
        }
    }

    /// The context of an item of a queue: the values of the call that began the queue, the rest of the item's.
    pub(crate) fn for_item(&self, item: Self) -> Self {
        let Some(values) = self.values() else { return item };
        let Inherited { place, span, .. } = item.0.as_deref().cloned().unwrap_or_default();
        Self::of(Inherited { values: Some(values.clone()), place, span })
    }

    /// Whether an item brought nothing of its own.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Drops it behind the boundary: it may have the last of a user's values. An empty one is dropped at no cost.
    #[inline]
    pub(crate) fn discard(self) {
        if self.0.is_some() {
            guard::discard(guard::Place::ContextDrop, self);
        }
    }

    /// Undoes what was set here since this was the current context.
    pub(crate) fn restore_here(&self) {
        let changed = FRAME.try_with(|frame| {
            let known = &mut frame.borrow_mut().context;
            (!same(&known.0, &self.0)).then(|| mem::replace(known, self.clone()))
        });
        // Outside of the borrow, since a user's value may be in it.
        drop(changed);
    }

    /// Makes this the current context until the guard is dropped, which hands it back with what was set in it.
    pub(crate) fn enter(self) -> Entered {
        let span = self.span().cloned();
        span.iter().for_each(Span::enter);
        let inner = Frame { context: self, holds: holds::depth(), telling: None, inside: true };
        Entered { outer: FRAME.try_with(|frame| frame.replace(inner)).ok(), span, not_send: PhantomData }
    }

    /// Outside of any call, for code that belongs to none.
    pub(crate) fn outside() -> Entered {
        let inner = Frame { context: Self::default(), holds: holds::depth(), telling: None, inside: false };
        Entered {
            outer: FRAME.try_with(|frame| frame.replace(inner)).ok(),
            span: None,
            not_send: PhantomData,
        }
    }
}

impl Frame {
    fn takes_locks(&self) -> bool {
        holds::depth() > self.holds
    }

    fn current_of_item(&self) -> Context {
        // The common case: nothing but values, which an item does not take along.
        if self.context.place().is_none() && !self.takes_locks() {
            return Context::new();
        }
        self.current().without_values()
    }

    fn current(&self) -> Context {
        let mut context = self.context.clone();
        if self.takes_locks() {
            context.place_mut().holds.extend(holds::from(self.holds));
        }
        // What comes out of the context here is still in the frame's own.
        for of in self.told() {
            context.keep_trackers(|known| known != of);
        }
        context
    }

    fn is_telling(&self, of: TypeId) -> bool {
        self.told().any(|told| told == of)
    }

    /// The types of trackers that are being told.
    fn told(&self) -> impl Iterator<Item = TypeId> {
        iter::successors(self.telling.as_deref(), |told| told.before.as_deref()).map(|told| told.of)
    }
}

/// Looks at the innermost hold of a lock here, as it was inherited or taken: the number of the time it was taken.
pub(crate) fn held_here(lock: u64) -> Option<u64> {
    let inherited = |frame: &Frame| {
        let mut holds = frame.context.place()?.holds.iter().rev();
        holds.find(|hold| hold.lock == lock).map(|hold| hold.time)
    };
    let found = FRAME.try_with(|frame| {
        let frame = frame.borrow();
        holds::find(lock, frame.holds).or_else(|| inherited(&frame))
    });
    // In a destructor of a thread-local value there are no frames.
    found.unwrap_or_else(|_| holds::find(lock, 0))
}

/// While it lives, which is for one poll or call, a lock is known to be held here.
#[must_use]
pub(crate) struct Holding(PhantomData<*const ()>);

impl Holding {
    #[inline]
    pub(crate) fn enter(hold: Hold) -> Self {
        holds::push(hold);
        Self(PhantomData)
    }
}

impl Drop for Holding {
    fn drop(&mut self) {
        holds::pop();
    }
}

/// While it lives, the tracker of a type is told of a pending. It is not active, and hears of no call that it makes.
#[must_use]
pub(crate) struct Telling(PhantomData<*const ()>);

impl Telling {
    pub(crate) fn enter(of: TypeId) -> Self {
        // In a destructor of a thread-local value there are no trackers.
        let _known = FRAME.try_with(|frame| {
            let telling = &mut frame.borrow_mut().telling;
            let before = telling.take();
            *telling = Some(Box::new(Told { of, before }));
        });
        Self(PhantomData)
    }
}

impl Drop for Telling {
    fn drop(&mut self) {
        let _known = FRAME.try_with(|frame| {
            let telling = &mut frame.borrow_mut().telling;
            *telling = telling.take().and_then(|told| told.before);
        });
    }
}

/// The tracker of a type that is active here.
pub(crate) fn tracker_here(of: TypeId) -> Option<Value> {
    let find = |frame: &Frame| {
        let mut known = frame.context.trackers().iter();
        known.find(|(known, _)| *known == of && !frame.is_telling(of)).map(|(_, tracker)| tracker.clone())
    };
    FRAME.try_with(|frame| find(&frame.borrow())).ok().flatten()
}

/// Makes this the active tracker of its type for the rest of the running call, or leaves none. The former one is handed
/// back.
///
/// # Errors
///
/// Outside of a call, where it would leak into unrelated tasks.
pub(crate) fn set_tracker_here(of: TypeId, tracker: Option<Value>) -> Result<Option<Value>> {
    let set = FRAME.try_with(|frame| {
        let mut frame = frame.borrow_mut();
        // The old list is handed out, to be dropped outside of the borrow, since a user's value may be in it.
        frame.inside.then(|| {
            let list = frame.context.clone();
            (frame.context.set_tracker(of, tracker), list)
        })
    });
    set.ok().flatten().map(|(old, _list)| old).ok_or_else(|| Error::new(Kind::OutsideCall))
}

/// Whether two lists are one.
fn same<T>(one: &Option<Arc<T>>, other: &Option<Arc<T>>) -> bool {
    one.as_ref().map(Arc::as_ptr) == other.as_ref().map(Arc::as_ptr)
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").field("values", &self.values().map_or(0, |values| values.len())).finish()
    }
}

/// A value as contexts have it.
pub(crate) fn guarded<T: Send + Sync + 'static>(value: T) -> Value {
    Arc::new(Guarded::new(guard::Place::ContextDrop, value))
}

/// While it lives, a context is current in this thread.
#[must_use]
pub(crate) struct Entered {
    outer: Option<Frame>,
    span: Option<Span>,
    not_send: PhantomData<*const ()>,
}

impl Entered {
    /// Ends it, and gives the context with what was set while it was current.
    pub(crate) fn leave(mut self) -> Context {
        let context = self.restore();
        // Nothing is left in it.
        mem::forget(self);
        context
    }

    fn restore(&mut self) -> Context {
        self.span.take().iter().for_each(Span::exit);
        match self.outer.take() {
            Some(outer) => {
                FRAME.try_with(|frame| frame.replace(outer)).map(|inner| inner.context).unwrap_or_default()
            }
            None => Context::default(),
        }
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        // The values may be the last of their kind, and dropping them runs code of a user: not under the borrow.
        drop(self.restore());
    }
}

/// A future in a context of its own, made by [`Context::scope`] and [`ContextVar::scope`].
#[must_use = "futures do nothing unless awaited"]
pub struct InContext<F> {
    future: Pin<Box<Option<F>>>,
    context: Context,
}

impl<F: Future> Future for InContext<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> task::Poll<F::Output> {
        let entered = mem::take(&mut self.context).enter();
        let polled = match self.future.as_mut().as_pin_mut() {
            Some(future) => future.poll(cx),
            None => panic!("a future was polled after it had ended"),
        };
        if polled.is_ready() {
            self.future.set(None);
        }
        self.context = entered.leave();
        polled
    }
}

impl<F> Drop for InContext<F> {
    fn drop(&mut self) {
        let entered = mem::take(&mut self.context).enter();
        self.future.set(None);
        drop(entered);
    }
}

impl<F> fmt::Debug for InContext<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InContext").field("context", &self.context).finish_non_exhaustive()
    }
}

/// A value that calls inherit from the place where they are made, through threads and backends.
///
/// ```
/// # use caller::ContextVar;
/// static REQUEST: ContextVar<u32> = ContextVar::new();
///
/// assert_eq!(REQUEST.get(), None);
/// REQUEST.sync_scope(7, || assert_eq!(REQUEST.get(), Some(7)));
/// assert!(REQUEST.set(8).is_err(), "outside of a call it would leak");
/// ```
pub struct ContextVar<T> {
    /// Given at the first use; zero until then.
    key: AtomicUsize,
    value: PhantomData<fn() -> T>,
}

static NEXT_KEY: AtomicUsize = AtomicUsize::new(1);

impl<T: Send + Sync + 'static> ContextVar<T> {
    /// A variable without a value.
    pub const fn new() -> Self {
        Self { key: AtomicUsize::new(0), value: PhantomData }
    }

    fn key(&self) -> usize {
        // A counter: nothing else is published through it.
        let key = self.key.load(Ordering::Relaxed);
        if key != 0 {
            return key;
        }
        let fresh = NEXT_KEY.fetch_add(1, Ordering::Relaxed);
        match self.key.compare_exchange(0, fresh, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => fresh,
            Err(other) => other,
        }
    }

    fn shared(&self) -> Option<Arc<Guarded<T>>> {
        let key = self.key();
        let value = FRAME.try_with(|frame| frame.borrow().context.value(key)).ok()??;
        value.downcast().ok()
    }

    /// The value that is current here, if one is set.
    pub fn get(&self) -> Option<T>
    where
        T: Clone,
    {
        self.shared().and_then(|value| value.get().cloned())
    }

    /// Looks at the value that is current here without cloning it.
    pub fn with<R>(&self, look: impl FnOnce(Option<&T>) -> R) -> R {
        look(self.shared().as_deref().and_then(Guarded::get))
    }

    /// Sets the value for the rest of the running call and for the calls that it makes from now on.
    ///
    /// The place that made this call never sees it.
    ///
    /// # Errors
    ///
    /// Outside of a call, where the value would leak into unrelated tasks of the runtime: use
    /// [`scope`](Self::scope) or [`sync_scope`](Self::sync_scope) there.
    pub fn set(&self, value: T) -> Result<()> {
        let key = self.key();
        let value = guarded(value);
        let old = FRAME.try_with(|frame| {
            let mut frame = frame.borrow_mut();
            if !frame.inside {
                return None;
            }
            let old = frame.context.clone();
            frame.context.put(key, value);
            Some(old)
        });
        // The old list is dropped here, outside of the borrow, since a user's value may be in it.
        old.ok().flatten().map(drop).ok_or_else(|| Error::new(Kind::OutsideCall))
    }

    /// Runs a function in which the value is set.
    pub fn sync_scope<R>(&self, value: T, function: impl FnOnce() -> R) -> R {
        Context::current().with(self, value).run(function)
    }

    /// A future in which the value is set, also for the calls that it makes.
    pub fn scope<F: Future>(&self, value: T, future: F) -> InContext<F> {
        Context::current().with(self, value).scope(future)
    }
}

impl<T: Send + Sync + 'static> Default for ContextVar<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Send + Sync + fmt::Debug + 'static> fmt::Debug for ContextVar<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.with(|value| f.debug_tuple("ContextVar").field(&value).finish())
    }
}
