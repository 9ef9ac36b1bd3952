//! The machine of both locks: one word for the usual way, and a queue under a lock for those who wait.
//!
//! ```text
//!          take                  another asks              release: the first in the queue has it
//!   FREE ────────▶ LOCKED ────────────────▶ LOCKED|QUEUED ───────────────────┐
//!    ▲  ◀──────────   │  ◀──────────────────────   ▲                         │
//!        release           the queue is empty       └─────────────────────────┘
//! ```
//!
//! A lock is never free while somebody is queued, so whoever finds it free overtakes nobody. QUEUED changes under the
//! queue's lock only.

use std::{
    future::Future,
    mem,
    pin::{Pin, pin},
    sync::{Arc, atomic::AtomicU64 as Counter},
    task::{Context, Poll, Waker},
};

use crate::{
    blocked::{Blocker, Blocking},
    caller_id::{self, CallerId},
    context::{self, Hold},
    error::{Error, Kind, Result},
    guard,
    pending::{PendingHandle, current_address},
    sys::{self, AtomicU64, AtomicUsize, Mutex, Ordering},
    wake::{Key, List, block_on},
};

const LOCKED: usize = 1;
const QUEUED: usize = 2;

pub(crate) struct RawLock {
    state: AtomicUsize,
    line: Arc<Line>,
    /// What contexts know it by.
    id: u64,
    /// How often it was taken for a scope, and given back from there: odd while it is. Only who has the lock writes this and
    /// the next.
    time: AtomicU64,
    /// The address of the call that has it, if it was taken for a guard. Zero otherwise.
    owner: AtomicUsize,
}

/// Who has the lock, and who waits for it: what is asked where threads could wait for each other.
struct Line {
    /// The caller in whose thread it was taken, or to one of whose calls it was passed on. Zero if that is none. Written by
    /// who has the lock, and by who passes it on.
    holder: AtomicU64,
    queue: Mutex<List<Waiter>>,
}

struct Waiter {
    waker: Waker,
    /// The caller in whose thread it waits.
    caller: Option<CallerId>,
}

impl RawLock {
    pub(crate) fn new() -> Self {
        // A counter: nothing else is published through it.
        static NEXT: Counter = Counter::new(1);
        Self {
            state: AtomicUsize::new(0),
            line: Arc::new(Line { holder: AtomicU64::new(0), queue: Mutex::new(List::new()) }),
            id: NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed),
            time: AtomicU64::new(0),
            owner: AtomicUsize::new(0),
        }
    }

    /// It is ours, for a scope: what runs under that is known by the hold.
    pub(crate) fn hold(&self) -> Hold {
        let mut time = self.time.load(Ordering::Relaxed);
        // Entered again, the time is the same.
        if time.is_multiple_of(2) {
            time += 1;
            self.time.store(time, Ordering::Release);
        }
        Hold { lock: self.id, time }
    }

    /// Whether somebody has it.
    pub(crate) fn is_locked(&self) -> bool {
        self.state.load(Ordering::Acquire) & LOCKED != 0
    }

    /// Whether it is held by what runs here: by the scope that this is in, or that this was called from, or by a guard of
    /// the running call.
    pub(crate) fn is_in_context(&self) -> bool {
        if !self.is_locked() {
            return false;
        }
        // What another thread writes meanwhile cannot be equal to what is known here: only who has it writes.
        let known = context::held_here(self.id);
        known.is_some_and(|time| time == self.time.load(Ordering::Acquire)) || self.is_owned_here()
    }

    fn is_owned_here(&self) -> bool {
        let owner = self.owner.load(Ordering::Relaxed);
        owner != 0 && owner == current_address()
    }

    /// Takes it, if it is free.
    #[inline]
    pub(crate) fn try_take(&self) -> bool {
        // Acquire pairs with the release of `give_back`.
        let taken = self.state.compare_exchange(0, LOCKED, Ordering::Acquire, Ordering::Relaxed).is_ok();
        if taken {
            self.begin();
        }
        taken
    }

    /// Waits until it is ours.
    ///
    /// # Errors
    ///
    /// If it is held here already.
    #[inline]
    pub(crate) async fn take(&self) -> Result<()> {
        if self.try_take() {
            return Ok(());
        }
        self.check_held_here()?;
        Take { lock: self, key: None }.await;
        Ok(())
    }

    /// Blocks this thread until it is ours.
    ///
    /// # Errors
    ///
    /// If it is held here already, or if who has it, or who stands before us, runs in this thread.
    pub(crate) fn take_blocking(&self) -> Result<()> {
        if self.try_take() {
            return Ok(());
        }
        self.check_held_here()?;
        let mut take = pin!(Take { lock: self, key: None });
        // In the queue first: from there on it is known who stands before us.
        if take.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready() {
            return Ok(());
        }
        let _blocking = take.key.map(|key| Blocking::on(Behind(self.line.clone(), key))).transpose()?;
        block_on(take);
        Ok(())
    }

    pub(crate) fn check_held_here(&self) -> Result<()> {
        if self.is_in_context() { Err(Error::new(Kind::HeldHere)) } else { Ok(()) }
    }

    /// Says that the running call has it, by a guard.
    pub(crate) fn own(&self, call: Option<&PendingHandle>) {
        if let Some(call) = call {
            self.owner.store(call.address(), Ordering::Relaxed);
        }
    }

    /// It is ours from here on.
    fn begin(&self) {
        self.line.set_holder(caller_id::here());
    }

    /// Gives it to the first who waits, or to nobody.
    #[inline]
    pub(crate) fn give_back(&self) {
        self.end();
        self.pass_on();
    }

    /// The scopes have ended: what inherited the hold waits as others do, though a guard may still have the lock.
    pub(crate) fn end_hold(&self) {
        let time = self.time.load(Ordering::Relaxed);
        if !time.is_multiple_of(2) {
            self.time.store(time + 1, Ordering::Release);
        }
    }

    /// From here on nothing is under it, though nobody else has it yet.
    pub(crate) fn end(&self) {
        self.end_hold();
        self.owner.store(0, Ordering::Relaxed);
        self.line.set_holder(None);
    }

    /// Gives it away after `end`.
    #[inline]
    pub(crate) fn pass_on(&self) {
        // Release pairs with the acquire of `try_take`.
        if self.state.compare_exchange(LOCKED, 0, Ordering::Release, Ordering::Relaxed).is_err() {
            self.pass_to_next();
        }
    }

    #[cold]
    fn pass_to_next(&self) {
        let mut queue = sys::lock(&self.line.queue);
        let next = queue.pop();
        // Before it is polled: whoever blocks on the lock meanwhile waits for its caller.
        self.line.set_holder(next.as_ref().and_then(|next| next.caller));
        match (&next, queue.is_empty()) {
            (None, _) => self.state.store(0, Ordering::Release),
            (Some(_), true) => self.state.store(LOCKED, Ordering::Release),
            (Some(_), false) => {}
        }
        drop(queue);
        if let Some(next) = next {
            guard::wake(next.waker);
        }
    }

    fn poll_take(&self, key: &mut Option<Key>, cx: &mut Context<'_>) -> Poll<()> {
        let waker = cx.waker().clone();
        let mut queue = sys::lock(&self.line.queue);
        if let Some(known) = *key {
            let Some(waiter) = queue.get_mut(known) else {
                // It was passed on to this wait.
                *key = None;
                drop(queue);
                self.begin();
                guard::discard_waker(waker);
                return Poll::Ready(());
            };
            let old = mem::replace(waiter, Waiter { waker, caller: caller_id::here() });
            drop(queue);
            guard::discard_waker(old.waker);
            return Poll::Pending;
        }
        // Acquire pairs with the release of `pass_on`.
        if self.state.fetch_or(QUEUED, Ordering::Acquire) & LOCKED == 0 {
            // Given back meanwhile. Nobody is queued, or it would not be free.
            self.state.store(LOCKED, Ordering::Relaxed);
            drop(queue);
            self.begin();
            guard::discard_waker(waker);
            return Poll::Ready(());
        }
        *key = Some(queue.push(Waiter { waker, caller: caller_id::here() }));
        Poll::Pending
    }

    /// Gives up a place in the queue. A lock that was passed on to it already is passed on to the next.
    fn forget(&self, key: Key) {
        let mut queue = sys::lock(&self.line.queue);
        let Some(gone) = queue.remove(key) else {
            drop(queue);
            return self.give_back();
        };
        if queue.is_empty() {
            self.state.fetch_and(!QUEUED, Ordering::Relaxed);
        }
        drop(queue);
        guard::discard_waker(gone.waker);
    }
}

impl Line {
    fn set_holder(&self, caller: Option<CallerId>) {
        self.holder.store(caller.map_or(0, CallerId::get), Ordering::Relaxed);
    }
}

/// A blocked thread in the queue: who has the lock has to go on, and then each who stands before the thread.
struct Behind(Arc<Line>, Key);

impl Blocker for Behind {
    fn callers(&self, found: &mut Vec<CallerId>) {
        let Self(line, key) = self;
        let queue = sys::lock(&line.queue);
        // Once it has left the queue, the lock is its own.
        if queue.contains(*key) {
            found.extend(CallerId::from_number(line.holder.load(Ordering::Relaxed)));
            found.extend(queue.before(*key).filter_map(|waiter| waiter.caller));
        }
    }
}

/// Waits for a lock. Dropping it loses only the place in the queue.
struct Take<'a> {
    lock: &'a RawLock,
    key: Option<Key>,
}

impl Future for Take<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Self { lock, key } = &mut *self;
        lock.poll_take(key, cx)
    }
}

impl Drop for Take<'_> {
    fn drop(&mut self) {
        if let Some(key) = self.key.take() {
            self.lock.forget(key);
        }
    }
}
