//! A handle of a pending without its result: it watches, cancels, and is kept in sets.

use std::{
    any::TypeId,
    borrow::Cow,
    fmt,
    future::Future,
    panic::Location,
    pin::Pin,
    sync::Arc,
    task::{self, Poll, Waker},
    time::Duration,
};

use super::{
    current,
    labels::Shortened,
    observers::{Canceller, DoneCallback, Keeper, Observe, Observer, PendingHandle, Waiters},
    waits::WaitsFor,
};
use crate::{
    context::Context,
    error::{Error, Kind, Result},
    guard::{self, Place},
    timer::{Deadline, timeout_methods},
    wake::{Key, Timeout, timeout_by_wrapping},
};

impl PendingHandle {
    /// Runs `access` with the observers, under the lock. None, without a call, once the pending is done.
    fn waiters<R>(&self, access: impl FnOnce(&mut Waiters) -> R) -> Option<R> {
        let mut access = Some(access);
        let mut given = None;
        self.0.with_waiters(&mut |waiters| given = access.take().map(|access| access(waiters)));
        given
    }

    /// Whether there is an outcome: a value or an error.
    pub fn is_done(&self) -> bool {
        self.0.state().is_done()
    }

    /// Whether cancelling was asked for before it was done. It may be true before [`is_done`](Self::is_done) is.
    ///
    /// Code inside a call that polls for long asks its own pending from time to time, and leaves early.
    pub fn is_cancelled(&self) -> bool {
        self.0.state().is_cancelled()
    }

    /// Asks to cancel it; see [`Pending::cancel`](crate::Pending::cancel). False if it was done already.
    pub fn cancel(&self, reason: impl AsRef<str>) -> bool {
        Arc::clone(&self.0).cancel(reason.as_ref(), false)
    }

    pub(crate) fn close(&self, reason: &str) -> bool {
        Arc::clone(&self.0).cancel(reason, true)
    }

    /// Asks to cancel it, and waits until it is done.
    ///
    /// # Cancel safety
    ///
    /// Cancelling was asked for when this returns; dropping the future only stops waiting.
    pub fn cancel_and_wait(&self, reason: impl AsRef<str>) -> WaitDone {
        self.cancel(reason);
        self.wait()
    }

    /// Waits until it is done, whatever the outcome.
    ///
    /// # Cancel safety
    ///
    /// Watching never cancels: the future can be dropped at any time.
    pub fn wait(&self) -> WaitDone {
        WaitDone { pending: self.clone(), key: None, deadline: Deadline::none(), waits: WaitsFor::default() }
    }

    /// The error that it ended with, if it did.
    ///
    /// # Errors
    ///
    /// [`is_not_done`](Error::is_not_done) if there is no outcome yet.
    pub fn error(&self) -> Result<Option<Error>> {
        self.0.error()
    }

    /// The name of the function that was called; a closure bears the name of what it stands in.
    pub fn function(&self) -> &'static str {
        self.0.site().function()
    }

    /// The name of the call: the one that it was given ([`Schedule::name`](crate::Schedule::name)), or that of its function.
    pub fn name(&self) -> Cow<'static, str> {
        let site = self.0.site();
        match site.given {
            Some(given) => Cow::Owned(given.as_ref().to_owned()),
            None => Cow::Borrowed(site.function()),
        }
    }

    /// Where the call was made.
    pub fn location(&self) -> &'static Location<'static> {
        self.0.site().location
    }

    /// Calls `callback` once it is done: with the pending, in the order added, in the thread that completes it,
    /// in the context that is current here. If it is done already, it is called before this returns, unless more than thirty
    /// such callbacks are inside each other here: then when the outermost ends.
    pub fn add_done_callback(&self, callback: &DoneCallback) {
        let mut observer = Some((callback.clone(), Context::current()));
        self.waiters(|waiters| {
            if let Some((callback, context)) = observer.take() {
                waiters.extra().observe(Observer::Callback(callback, context));
            }
        });
        if let Some((callback, context)) = observer {
            guard::nested((callback, context, self.clone()), |(callback, context, this)| {
                callback.call(context, &this);
            });
        }
    }

    /// Takes a callback off, and says how often it had been added.
    pub fn remove_done_callback(&self, callback: &DoneCallback) -> usize {
        let removed = self.waiters(|waiters| waiters.extra().forget_callback(callback)).unwrap_or_default();
        let number = removed.len();
        // Dropped one by one, without the lock: a context may hold values of the user's.
        removed.into_iter().for_each(|observer| guard::discard(Place::DoneCallback, observer));
        number
    }

    /// Tells `keeper` once it is done. If it is already, before this returns.
    pub(crate) fn keep(&self, keeper: Arc<dyn Keeper>) {
        let mut keeper = Some(keeper);
        self.waiters(|waiters| keeper.take().map(|keeper| waiters.keep(keeper)));
        if let Some(keeper) = keeper {
            keeper.done(self);
        }
    }

    /// Takes a keeper off, so that it does not hear of it.
    pub(crate) fn unkeep<K>(&self, keeper: &Arc<K>) {
        let old = self.waiters(|waiters| waiters.unkeep(Arc::as_ptr(keeper).cast()));
        guard::discard(Place::DoneCallback, old);
    }

    /// Puts a label on it, which stands in its text until it is done. Then the label is freed.
    pub fn set_metadata(&self, name: impl Into<String>, value: impl ToString) {
        let (name, value) = (name.into(), value.to_string());
        self.waiters(|waiters| waiters.extra().metadata.set(name, value));
    }

    /// The value of a label. None without such a label, and once the pending is done.
    pub fn metadata(&self, name: &str) -> Option<String> {
        self.waiters(|waiters| Some(waiters.known()?.metadata.get(name)?.to_owned())).flatten()
    }

    /// Asks for time to clean up: when the call is cancelled, its future is polled on for up to `time` before it
    /// is dropped. The code inside awaits [`cancel_requested`](Self::cancel_requested) beside its work.
    ///
    /// It concerns calls; a pending made by hand has its own canceller.
    pub fn grace(&self, time: Duration) {
        self.waiters(|waiters| waiters.extra().grace = Some(time));
    }

    /// Waits until cancelling is asked for, or the pending is done.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost by dropping the future.
    pub fn cancel_requested(&self) -> CancelRequested {
        CancelRequested { pending: self.clone(), key: None }
    }

    pub(super) fn set_canceller(&self, canceller: Canceller) -> Result<()> {
        let mut canceller = Some(canceller);
        let set = self.waiters(|waiters| {
            if self.is_cancelled() || waiters.known().is_some_and(|extra| extra.canceller.is_some()) {
                return false;
            }
            waiters.extra().canceller = canceller.take();
            self.0.state().own();
            true
        });
        if set == Some(true) { Ok(()) } else { Err(Error::at(Kind::CancellerSet, self.0.site())) }
    }

    /// Has `waker` woken when cancelling is asked for, or it is done: in the thread where that happens, at once.
    pub(crate) fn wake_on_cancel(&self, waker: Waker) {
        let mut waker = Some(waker);
        let _never = self.waiters(|waiters| {
            let waker = if self.is_cancelled() { None } else { waker.take() };
            waiters.extra().observe_cancel(&mut None, waker?)
        });
        waker.into_iter().for_each(guard::wake);
    }

    /// Whether it has not begun, and its scheduler has not come to it yet.
    pub(super) fn is_in_line(&self) -> bool {
        self.0.state().is_in_line()
    }

    /// It runs a group.
    pub(crate) fn lead(&self) {
        self.0.state().lead();
    }

    /// Whether it runs a group, or has.
    pub(crate) fn leads(&self) -> bool {
        self.0.state().leads()
    }

    /// It has its turn in this queue of its caller.
    pub(crate) fn join_queue(&self, queue: (TypeId, usize)) {
        self.serve_queue(queue);
        self.0.state().queue();
    }

    /// It gives each call in this queue of its caller its turn.
    pub(crate) fn serve_queue(&self, queue: (TypeId, usize)) {
        self.waiters(|waiters| waiters.extra().queue = Some(queue));
    }

    /// Whether it has its turn in a queue, and `other` is of that queue: its next calls, and its end, are behind this.
    pub(super) fn holds_up(&self, other: &Self) -> bool {
        let queue = |this: &Self| this.waiters(|waiters| waiters.known()?.queue).flatten();
        self.0.state().is_queued()
            && self.caller_id() == other.caller_id()
            && queue(self).is_some_and(|known| queue(other) == Some(known))
    }

    /// An error if waiting for it here would be waiting for oneself.
    pub(crate) fn check_self_wait(&self) -> Result<()> {
        if current::waits_for_current(self) {
            return Err(Error::at(Kind::SelfWait("the call"), self.0.site()));
        }
        Ok(())
    }

    pub(crate) fn timed_out(&self, after: Duration) -> Error {
        Error::at(Kind::TimedOut(after), self.0.site())
    }

    /// Registers `cx` to be woken when it is done. Ready if it is.
    pub(crate) fn poll_done(&self, key: &mut Option<Key>, cx: &mut task::Context<'_>) -> Poll<()> {
        if self.is_done() {
            return Poll::Ready(());
        }
        let mut waker = Some(cx.waker().clone());
        let old =
            self.waiters(|waiters| waker.take().and_then(|waker| waiters.extra().observe_waker(key, waker)));
        registered(old, waker)
    }

    /// Undoes what `poll_done` registered.
    pub(crate) fn forget(&self, key: &mut Option<Key>) {
        if let Some(key) = key.take() {
            let old = self.waiters(|waiters| waiters.extra().forget(key));
            guard::discard_waker(old.flatten());
        }
    }
}

/// Pending if a waker was registered, in place of `old`, under the lock that is released by now. Ready if it was not.
fn registered(old: Option<Option<Waker>>, unused: Option<Waker>) -> Poll<()> {
    guard::discard_waker(unused);
    match old {
        None => Poll::Ready(()),
        Some(old) => {
            guard::discard_waker(old);
            Poll::Pending
        }
    }
}

impl fmt::Debug for PendingHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        describe(&*self.0, f)
    }
}

impl fmt::Display for PendingHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        describe(&*self.0, f)
    }
}

/// The text of a pending: its state, its function and place, its labels, its error.
pub(super) fn describe(pending: &dyn Observe, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let (state, site) = (pending.state(), pending.site());
    let error = pending.error();
    let word = match &error {
        Ok(None) => "done",
        Ok(Some(error)) if error.is_cancelled() => "cancelled",
        Ok(Some(error)) if error.is_panic() => "panicked",
        Ok(Some(error)) if error.is_abandoned() => "abandoned",
        Ok(Some(_)) => "failed",
        Err(_) if state.is_cancelled() => "cancelling",
        Err(_) if state.is_started() => "running",
        Err(_) => "waiting",
    };
    write!(f, "Pending {word} {site}")?;
    let mut labels = String::new();
    pending.with_waiters(&mut |waiters| {
        labels = waiters.known().map_or_else(String::new, |extra| extra.metadata.to_string());
    });
    f.write_str(&labels)?;
    match error {
        Ok(Some(error)) => match error.failure() {
            Some(failure) => write!(f, " error={}", Shortened(&guard::text(&failure))),
            None => write!(f, " error={}", Shortened(&guard::text(error.kind()))),
        },
        _ => Ok(()),
    }
}

/// Waits until a pending is done; made by [`PendingHandle::wait`].
///
/// Gives an error only if the wait itself could not end: after [`timeout`](Self::timeout), or when the call waits
/// for itself.
#[must_use = "futures do nothing unless awaited"]
#[derive(Debug)]
pub struct WaitDone {
    pending: PendingHandle,
    key: Option<Key>,
    deadline: Deadline,
    waits: WaitsFor,
}

impl WaitDone {
    timeout_methods! {
        deadline;
        /// Ends the wait with [`is_timeout`](Error::is_timeout) after `time`, counted from the first poll. The call runs on.
    }

    /// Blocks this thread until it is done.
    ///
    /// # Errors
    ///
    /// After the timeout, and where the thread would wait for itself.
    pub fn blocking(self) -> Result<()> {
        let on = self.pending.clone();
        super::wait::block_on(self, &on)?
    }
}

impl Future for WaitDone {
    type Output = Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<Result<()>> {
        let Self { pending, key, deadline, waits } = &mut *self;
        if pending.poll_done(key, cx).is_ready() {
            waits.end();
            return Poll::Ready(Ok(()));
        }
        pending.check_self_wait()?;
        waits.begin(pending)?;
        deadline.poll(cx).map(|after| Err(pending.timed_out(after)))
    }
}

impl Drop for WaitDone {
    fn drop(&mut self) {
        self.pending.forget(&mut self.key);
    }
}

/// Waits until cancelling is asked for; made by [`PendingHandle::cancel_requested`].
#[must_use = "futures do nothing unless awaited"]
#[derive(Debug)]
pub struct CancelRequested {
    pending: PendingHandle,
    key: Option<Key>,
}

impl CancelRequested {
    fn bounded(self, deadline: Deadline) -> Timeout<Self> {
        let site = self.pending.0.site();
        Timeout::new(self, deadline, |_| None, Some(site))
    }

    timeout_by_wrapping!();
}

impl Future for CancelRequested {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<()> {
        let Self { pending, key } = &mut *self;
        let mut waker = Some(cx.waker().clone());
        let old = pending.waiters(|waiters| {
            // Under the lock, under which cancelling is asked for too.
            if pending.is_cancelled() {
                return None;
            }
            waker.take().map(|waker| waiters.extra().observe_cancel(key, waker))
        });
        registered(old.flatten(), waker)
    }
}

impl Drop for CancelRequested {
    fn drop(&mut self) {
        if let Some(key) = self.key.take() {
            let old = self.pending.waiters(|waiters| waiters.extra().forget_on_cancel(key));
            guard::discard_waker(old.flatten());
        }
    }
}
