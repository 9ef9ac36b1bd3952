//! What its scheduler has of a call: the future and all that belongs to it, in one box that never leaves the thread.
//!
//! A scheduler keeps such boxes in a slab. While one is polled, or dropped, it is not in the slab; so nothing that a
//! future does can reach its own box.

use std::{
    mem,
    panic::Location,
    pin::Pin,
    sync::Arc,
    task::{Context as TaskContext, Poll},
    time::Instant,
};

use futures_task::waker_ref;
use pin_project_lite::pin_project;

use super::{
    boxes::Boxes,
    cell::{Cell, Woken},
    job::{Boxed, FnJob, LocalJob, Work},
    outcome::Convert,
};
use crate::{
    caller_id::CallerId,
    context::Context,
    error::{Error, Result},
    guard::{self, Place},
    pending::{Current, Observe, PendingHandle, Take},
    timer,
};

/// A call on its way to its scheduler.
pub(crate) trait Run: Observe {
    /// Polls it for the first time, unless it was cancelled. What it borrowed it has until it has ended.
    fn start(self: Arc<Self>, home: &dyn Home, extra: Option<Box<Extra>>);
    /// The scheduler keeps it at `key` until its time comes. False if it was cancelled before.
    fn defer(&self, home: &dyn Home, key: u32) -> bool;
    /// Gives it to a caller, if it was made before it was known which.
    fn assign(&self, caller: CallerId);
}

/// A call that its scheduler keeps. It puts itself back where it was, or has the scheduler forget its place.
pub(crate) trait Kept {
    /// It is new, and has its turn. `go_on` follows.
    fn begin(self: Pin<&mut Self>);
    /// Goes on with it: it was woken, or `due` was said.
    fn go_on(self: Pin<Box<Self>>, home: &dyn Home, key: u32);
    /// The time has come that it asked for. `go_on` follows.
    fn due(self: Pin<&mut Self>);
    /// Ends it, because the caller stops. Unless `now`, what asked for time to clean up has it.
    fn end(self: Pin<Box<Self>>, home: &dyn Home, key: u32, reason: &str, now: bool);
}

/// What a call needs from its scheduler.
pub(crate) trait Home {
    /// Where the place of a call is put when it is woken.
    fn woken(&self) -> &Arc<Woken>;
    /// Boxes to be used again.
    fn boxes(&self) -> &Boxes;
    /// A place, to be filled by `put`.
    fn reserve(&self) -> u32;
    /// Keeps a call at its place.
    fn put(&self, key: u32, kept: Pin<Box<dyn Kept>>);
    /// Gives a place to others.
    fn forget(&self, key: u32);
    /// Goes on with what is at this place, soon.
    fn again(&self, key: u32);
    /// Says `due` to what is at this place, at a time.
    fn wake_at(&self, key: u32, at: Instant) -> TimeKey;
    /// Undoes `wake_at`.
    fn forget_time(&self, time: TimeKey);
    /// The time of the scheduler's clock.
    fn now(&self) -> Instant;
}

/// Names a time at which a scheduler looks at a call. Entries of one time are in the order they were made.
pub(crate) type TimeKey = (Instant, u64);

/// What lends itself to a call.
pub(crate) trait Lender: Send + Sync {
    /// The call has ended, and its outcome cannot be seen yet.
    fn take_back(self: Arc<Self>);
}

/// Something that a call has borrowed, and gives back by dropping this just before its outcome can be seen.
struct Lease(Option<Arc<dyn Lender>>);

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(lender) = self.0.take() {
            lender.take_back();
        }
    }
}

pin_project! {
    /// A call that has begun.
    struct Running<W: Work> {
        // None when the call has ended.
        call: Option<Arc<Cell<W>>>,
        context: Context,
        extra: Option<Box<Extra>>,
        #[pin]
        future: Option<W::Future>,
    }

    impl<W: Work> PinnedDrop for Running<W> {
        /// Its scheduler is gone, and did not end it.
        fn drop(this: Pin<&mut Self>) {
            this.abandon();
        }
    }
}

/// What most calls do not need.
#[derive(Default)]
pub(crate) struct Extra {
    /// The call itself, on its way to the scheduler.
    call: Option<Arc<dyn Run>>,
    lease: Option<Lease>,
    /// When the time to clean up is over, once cancelling was seen.
    grace: Option<TimeKey>,
}

/// How many bytes a function may capture and lie in its call. (The room is that of the outcome and the context, which is
/// there anyway.)
const SMALL: usize = 48;

/// Makes a call of a function that has not begun. The trackers of its context hear of it before it can.
pub(crate) fn call<J: FnJob>(
    job: J,
    context: Context,
    location: &'static Location<'static>,
    caller: Option<CallerId>,
) -> (Arc<dyn Run>, Arc<dyn Take<J::Value>>) {
    if const { size_of::<J>() > SMALL } {
        make::<Boxed<J>>(Boxed(Box::new(job)), context, location, caller)
    } else {
        make::<J>(job, context, location, caller)
    }
}

fn make<W: Work>(
    start: W::Start,
    context: Context,
    location: &'static Location<'static>,
    caller: Option<CallerId>,
) -> (Arc<dyn Run>, Arc<dyn Take<W::Value>>) {
    let (trackers, given) = (context.if_tracked(), W::given(&start));
    let cell = Cell::<W>::new(Some((start, context)), given, location, caller);
    if let Some(trackers) = trackers {
        trackers.register(|| PendingHandle::new(cell.clone()));
    }
    (cell.clone(), cell)
}

/// Makes a call of a future of this thread, which its scheduler keeps from now on. Gives its place: it is polled when that
/// comes out of the queue.
pub(crate) fn local_call<N, C, F>(
    future: F,
    context: Context,
    location: &'static Location<'static>,
    caller: CallerId,
    home: &dyn Home,
) -> (u32, Arc<dyn Take<C::Value>>)
where
    N: 'static,
    C: Convert<F::Output, Value: Send + 'static> + 'static,
    F: Future + 'static,
{
    let trackers = context.if_tracked();
    let cell = Cell::<LocalJob<N, C, F>>::new(None, (), location, Some(caller));
    let key = home.reserve();
    let mut running = Running::new(home);
    let this = running.as_mut().project();
    *this.call = Some(cell.clone());
    *this.context = context;
    let mut place = this.future;
    place.set(Some(future));
    cell.keep_at(key, home.woken());
    home.put(key, running);
    if let Some(trackers) = trackers {
        trackers.register(|| PendingHandle::new(cell.clone()));
    }
    (key, cell)
}

impl<W: Work> Run for Cell<W> {
    fn start(self: Arc<Self>, home: &dyn Home, extra: Option<Box<Extra>>) {
        let Some((start, context)) = self.core.start() else {
            // Cancelled before, it is done, and what it borrowed goes back.
            return self.core.key().into_iter().for_each(|key| home.forget(key));
        };
        let mut running = Running::<W>::new(home);
        let this = running.as_mut().project();
        *this.call = Some(self);
        *this.context = context;
        *this.extra = extra;
        running.step(home, Some(start));
    }

    fn defer(&self, home: &dyn Home, key: u32) -> bool {
        self.keep_at(key, home.woken());
        self.core.state.defer()
    }

    fn assign(&self, caller: CallerId) {
        self.core.assign(caller);
    }
}

impl<W: Work> Running<W> {
    /// An empty box: one that is used again, if there is one.
    fn new(home: &dyn Home) -> Pin<Box<Self>> {
        home.boxes().take().unwrap_or_else(|| {
            Box::pin(Self { call: None, context: Context::new(), extra: None, future: None })
        })
    }

    /// Polls the future once, in the context of the call, after it was made from `start` if it is the first time. Then the
    /// call has ended, or is back in its place.
    fn step(mut self: Pin<Box<Self>>, home: &dyn Home, start: Option<W::Start>) {
        let mut this = self.as_mut().project();
        let Some(call) = this.call.as_ref() else { return };
        let waker = waker_ref(call);
        let mut cx = TaskContext::from_waker(&waker);
        let polling = timer::polling(waker.data());
        let entered = mem::take(this.context).enter();
        let current = Current::enter(PendingHandle::new(call.clone()));
        let mut future = this.future.as_mut();
        let polled = guard::run(|| {
            if let Some(start) = start {
                future.set(Some(W::begin(start)));
            }
            match future.as_mut().as_pin_mut() {
                Some(future) => future.poll(&mut cx),
                None => Poll::Pending,
            }
        });
        let ended = match polled {
            Ok(Poll::Pending) => None,
            Ok(Poll::Ready(output)) => Some(Ok(output)),
            Err(panic) => Some(Err(panic)),
        };
        let outcome = ended.map(|ended| {
            let dropped = guard::run(|| future.set(None));
            match (ended, dropped) {
                (Ok(output), Ok(())) => guard::run(|| W::convert(output)),
                (Ok(output), Err(panic)) => {
                    guard::discard(Place::ResultDrop, output);
                    Err(panic)
                }
                (Err(panic), _) => Err(panic),
            }
        });
        drop(current);
        let context = entered.leave();
        drop(polling);
        match outcome {
            Some(outcome) => {
                context.discard();
                let outcome = match outcome {
                    Ok(Ok(value)) => Ok(value),
                    Ok(Err(kind)) => Err(Error::at(kind, call.site())),
                    Err(panic) => Err(Error::panicked(panic, call.site())),
                };
                self.finish(home, outcome);
            }
            None => {
                *self.as_mut().project().context = context;
                self.pause(home);
            }
        }
    }

    /// The future was polled and has not ended: keeps it.
    fn pause(mut self: Pin<Box<Self>>, home: &dyn Home) {
        let this = self.as_mut().project();
        let Some(call) = this.call.clone() else { return };
        let key = call.core.key().unwrap_or_else(|| {
            let key = home.reserve();
            call.keep_at(key, home.woken());
            key
        });
        home.put(key, self);
        // From here on whoever wakes it finds it idle.
        if call.core.state.pause() {
            home.again(key);
        }
    }

    /// Drops the future in its context, and ends the call.
    fn abort(mut self: Pin<Box<Self>>, home: &dyn Home, error: Error) {
        self.as_mut().drop_future();
        self.finish(home, Err(error));
    }

    fn drop_future(self: Pin<&mut Self>) {
        let mut this = self.project();
        let Some(call) = this.call.as_ref() else { return };
        let entered = mem::take(this.context).enter();
        let current = Current::enter(PendingHandle::new(call.clone()));
        // Set to none even where the destructor panics.
        guard::quietly(Place::FutureDrop, || this.future.set(None));
        drop(current);
        entered.leave().discard();
    }

    /// Ends the call: first it gives back what it has of others, then its outcome can be seen.
    fn finish(mut self: Pin<Box<Self>>, home: &dyn Home, outcome: Result<W::Value>) {
        let this = self.as_mut().project();
        let (call, extra) = (this.call.take(), this.extra.take());
        if let Some(extra) = extra {
            extra.give_back(home);
        }
        if let Some(key) = call.as_ref().and_then(|call| call.core.key()) {
            home.forget(key);
        }
        home.boxes().give_back(self);
        if let Some(call) = call {
            call.complete(outcome);
        }
    }

    /// The box is dropped with a future in it.
    fn abandon(mut self: Pin<&mut Self>) {
        self.as_mut().drop_future();
        if let Some(call) = self.project().call.take() {
            let error = Error::stopping("its scheduler is gone", true, call.site());
            call.complete(Err(error));
        }
    }

    /// Cancelling was asked for. True while the call has time to clean up.
    fn has_time(mut self: Pin<&mut Self>, home: &dyn Home, key: u32) -> bool {
        let this = self.as_mut().project();
        let Some(call) = this.call.as_ref() else { return false };
        let Some(time) = call.core.waiters(|waiters| waiters.known()?.grace).flatten() else { return false };
        let now = home.now();
        let extra = this.extra.get_or_insert_default();
        let (ends, _) = *extra.grace.get_or_insert_with(|| home.wake_at(key, timer::after(now, time)));
        now < ends
    }
}

impl Extra {
    /// Lends something to a call that has not begun.
    pub(crate) fn lend(lender: Arc<dyn Lender>, call: Arc<dyn Run>) -> Box<Self> {
        Box::new(Self { call: Some(call), lease: Some(Lease(Some(lender))), grace: None })
    }

    /// Begins the call that came with it.
    pub(crate) fn start(mut self: Box<Self>, home: &dyn Home) {
        if let Some(call) = self.call.take() {
            call.start(home, Some(self));
        }
    }

    /// The call that came with it will not begin: what it borrowed goes back, and then it is cancelled.
    pub(super) fn reject(mut self, reason: &str) {
        drop(self.lease.take());
        if let Some(call) = self.call.take() {
            call.cancel(reason, true);
        }
    }

    fn give_back(self, home: &dyn Home) {
        if let Some(grace) = self.grace {
            home.forget_time(grace);
        }
        // The lease goes here: whoever sees the outcome finds it given back.
    }
}

impl<W: Work> Kept for Running<W> {
    fn begin(self: Pin<&mut Self>) {
        self.due();
    }

    fn go_on(mut self: Pin<Box<Self>>, home: &dyn Home, key: u32) {
        let Some(call) = self.call.as_ref() else { return };
        if !call.core.state.resume() {
            return home.put(key, self);
        }
        if call.core.state.is_cancelled() {
            let site = call.site();
            if !self.as_mut().has_time(home, key) {
                // The reasons are those that `cancel` was given.
                return self.abort(home, Error::stopping("", false, site));
            }
        }
        self.step(home, None);
    }

    fn due(self: Pin<&mut Self>) {
        if let Some(call) = &self.call {
            // It goes on the list either way.
            let _first = call.core.state.notify();
        }
    }

    fn end(self: Pin<Box<Self>>, home: &dyn Home, key: u32, reason: &str, now: bool) {
        let Some(call) = self.call.clone() else { return };
        let has_grace = || call.core.waiters(|waiters| waiters.known()?.grace).flatten().is_some();
        if !now && has_grace() {
            home.put(key, self);
            call.cancel(reason, true);
            return;
        }
        let error = Error::stopping(reason, true, call.site());
        self.abort(home, error);
    }
}

/// A call that waits for its time.
struct Deferred {
    call: Arc<dyn Run>,
    time: TimeKey,
    due: bool,
}

/// Keeps a call until `at`, and starts it then.
pub(crate) fn defer(call: Arc<dyn Run>, home: &dyn Home, at: Instant) {
    let key = home.reserve();
    if call.defer(home, key) {
        let time = home.wake_at(key, at);
        home.put(key, Box::pin(Deferred { call, time, due: false }));
    } else {
        home.forget(key);
    }
}

impl Kept for Deferred {
    /// The place was that of another call, which was cancelled before its turn.
    fn begin(self: Pin<&mut Self>) {}

    fn go_on(self: Pin<Box<Self>>, home: &dyn Home, key: u32) {
        if self.call.state().is_done() {
            home.forget_time(self.time);
            home.forget(key);
        } else if self.due {
            // Its place is that of the call that has begun.
            Pin::into_inner(self).call.start(home, None);
        } else {
            home.put(key, self);
        }
    }

    fn due(mut self: Pin<&mut Self>) {
        self.due = true;
    }

    fn end(self: Pin<Box<Self>>, home: &dyn Home, key: u32, reason: &str, _now: bool) {
        home.forget_time(self.time);
        home.forget(key);
        Pin::into_inner(self).call.cancel(reason, true);
    }
}
