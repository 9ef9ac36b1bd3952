//! Locks for async code: first come, first served, cancel-safe, wakeable from any thread, owned by context.
//!
//! `raw` is the machine: who has the lock, who waits. `held` makes a lock known to be held while a future is polled.
//! `exclusive` and `reentrant` are the two locks that users see.

mod raw;

mod held;

mod exclusive;
mod reentrant;

#[cfg(all(test, loom))]
pub(crate) use self::raw::RawLock;
pub use self::{
    exclusive::{AsyncLock, AsyncLockGuard, AsyncLockGuardArc},
    reentrant::{ReentrantAsyncLock, ReentrantGuard, ReentrantGuardArc},
};
