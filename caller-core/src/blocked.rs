//! Which caller's thread is blocked on the work of which other callers.
//!
//! A thread is entered with what it is blocked *on*, which is asked for its callers whenever somebody looks for a ring: a
//! call gets its worker, and a lock its next holder, while threads are blocked on them. So a ring that closes late is seen
//! by whoever blocks last.

use std::{
    collections::{HashMap, HashSet},
    sync::{LazyLock, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use crate::{
    caller_id::{self, CallerId},
    error::{Error, Kind, Result},
    guard,
};

/// The callers whose threads are blocked.
static BLOCKED: LazyLock<Mutex<Blocked>> = LazyLock::new(Mutex::default);

/// What a thread is blocked on.
pub(crate) trait Blocker: Send + Sync + 'static {
    /// Adds the callers that have to go on before the thread can. It is asked under the lock of the list of blocked threads,
    /// so it must not block, and drops nothing of a user's.
    fn callers(&self, found: &mut Vec<CallerId>);
}

impl Blocker for Option<CallerId> {
    fn callers(&self, found: &mut Vec<CallerId>) {
        found.extend(*self);
    }
}

#[derive(Default)]
struct Blocked {
    /// The caller whose thread is blocked, and what it is blocked on.
    on: HashMap<CallerId, Box<dyn Blocker>>,
    /// The schedulers of callers that stop, which are woken when a thread blocks on them.
    watchers: HashMap<CallerId, Waker>,
}

fn blocked() -> MutexGuard<'static, Blocked> {
    BLOCKED.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Blocked {
    /// Whether some of these callers cannot go on before `here` does.
    fn is_ring(&self, here: CallerId, first: &[CallerId]) -> bool {
        let mut seen = HashSet::new();
        let mut next = first.to_vec();
        while let Some(id) = next.pop() {
            if id == here {
                return true;
            }
            if seen.insert(id)
                && let Some(on) = self.on.get(&id)
            {
                on.callers(&mut next);
            }
        }
        false
    }
}

/// While it lives, this thread is known to be blocked.
#[derive(Debug)]
#[must_use]
pub(crate) struct Blocking(Option<CallerId>);

impl Blocking {
    /// Declares that this thread is about to block on something.
    ///
    /// # Errors
    ///
    /// When that could never end: it is the work of this thread's own caller, or of one that is blocked on it in turn.
    pub(crate) fn on(on: impl Blocker) -> Result<Self> {
        let Some(here) = caller_id::here() else { return Ok(Self(None)) };
        let mut blocked = blocked();
        let mut first = Vec::new();
        on.callers(&mut first);
        if blocked.is_ring(here, &first) {
            drop(blocked);
            return Err(Error::new(Kind::SelfWait("blocking this thread")));
        }
        let outer = blocked.on.insert(here, Box::new(on));
        let watchers: Vec<_> = first.iter().filter_map(|on| blocked.watchers.remove(on)).collect();
        drop(blocked);
        drop(outer);
        watchers.into_iter().for_each(guard::wake);
        Ok(Self(Some(here)))
    }
}

impl Drop for Blocking {
    fn drop(&mut self) {
        if let Some(here) = self.0 {
            // It may be the last reference to a result: it is dropped outside of the lock.
            let _on = blocked().on.remove(&here);
        }
    }
}

/// Ready while some caller's thread is blocked on the work of this one; otherwise `cx` is woken when one does.
pub(crate) fn poll_blocked_on(id: CallerId, cx: &mut Context<'_>) -> Poll<()> {
    let waker = cx.waker().clone();
    let mut blocked = blocked();
    let mut found = Vec::new();
    blocked.on.values().for_each(|on| on.callers(&mut found));
    if found.contains(&id) {
        drop(blocked);
        guard::discard_waker(waker);
        return Poll::Ready(());
    }
    let old = blocked.watchers.insert(id, waker);
    drop(blocked);
    guard::discard_waker(old);
    Poll::Pending
}

/// The caller has stopped: nobody will wait for its work any more.
pub(crate) fn forget(id: CallerId) {
    let old = blocked().watchers.remove(&id);
    guard::discard_waker(old);
}

/// Whether a thread of this caller is blocked on the work of another.
#[cfg(feature = "test-util")]
pub(crate) fn is_blocked(id: CallerId) -> bool {
    blocked().on.contains_key(&id)
}
