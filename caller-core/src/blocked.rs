//! Which caller's thread is blocked on the work of which other caller.

use std::{
    collections::HashMap,
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

#[derive(Default)]
struct Blocked {
    /// The caller whose thread is blocked, and the caller whose work it waits for.
    on: HashMap<CallerId, CallerId>,
    /// The schedulers of callers that stop, which are woken when a thread blocks on them.
    watchers: HashMap<CallerId, Waker>,
}

fn blocked() -> MutexGuard<'static, Blocked> {
    BLOCKED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// While it lives, this thread is known to be blocked.
#[derive(Debug)]
#[must_use]
pub(crate) struct Blocking(Option<CallerId>);

impl Blocking {
    /// Declares that this thread is about to block until `on` has done some work.
    ///
    /// # Errors
    ///
    /// When that could never end: `on` is this thread's own caller, or is blocked on it in turn.
    pub(crate) fn on(on: Option<CallerId>) -> Result<Self> {
        let (Some(here), Some(on)) = (caller_id::here(), on) else { return Ok(Self(None)) };
        let mut blocked = blocked();
        let mut next = Some(on);
        while let Some(id) = next {
            if id == here {
                return Err(Error::new(Kind::SelfWait("blocking this thread")));
            }
            next = blocked.on.get(&id).copied();
        }
        blocked.on.insert(here, on);
        let watcher = blocked.watchers.remove(&on);
        drop(blocked);
        if let Some(watcher) = watcher {
            guard::wake(watcher);
        }
        Ok(Self(Some(here)))
    }
}

impl Drop for Blocking {
    fn drop(&mut self) {
        if let Some(here) = self.0 {
            blocked().on.remove(&here);
        }
    }
}

/// Ready while some caller's thread is blocked on the work of this one; otherwise `cx` is woken when one does.
pub(crate) fn poll_blocked_on(id: CallerId, cx: &mut Context<'_>) -> Poll<()> {
    let waker = cx.waker().clone();
    let mut blocked = blocked();
    if blocked.on.values().any(|on| *on == id) {
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
