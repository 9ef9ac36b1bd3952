//! The plain lock: one at a time, who may change the value.
//!
//! `unsafe` is here because whoever has the lock gets `&mut T`, which is what a lock is for; `raw` says who has it, and
//! its loom models show that it is one at a time.

#![allow(
    unsafe_code,
    reason = "who has the lock gets a reference that is not shared: see the head of the file"
)]

use std::{
    cell::UnsafeCell,
    fmt,
    marker::PhantomData,
    ops::{Deref, DerefMut},
    sync::Arc,
};

use super::{held::held, raw::RawLock};
use crate::{
    context::Holding,
    error::Result,
    pending::{PendingHandle, current_pending},
};

/// A value that one call at a time may change, for async code: first come, first served, wherever the calls run.
///
/// The scope form, [`with`](Self::with), is owned by *context*: it knows what runs under it, so that branches of one
/// `join!` wait for each other, while taking the lock again under itself, also in a call that was made there, is an error
/// at once and not a deadlock. The guard form, [`lock`](Self::lock), is owned by the *running call*: it goes on while the
/// guard lives, calls that are made meanwhile know nothing of it and wait, and a second branch of the same call gets the
/// error. Outside of any call a guard has no owner: taking the lock again waits for ever. Prefer `with`.
///
/// Two locks that are taken in opposite order wait for each other, and so does who awaits, under the lock, a call that was
/// made *before* and wants it. A panic under the lock does not poison it.
///
/// ```
/// # use caller::AsyncLock;
/// # fn main() -> caller::Result<()> {
/// # futures::executor::block_on(async {
/// let total = AsyncLock::new(0);
/// let seven = total
///     .with(async |total| {
///         *total += 7;
///         *total
///     })
///     .await?;
/// assert_eq!(seven, 7);
/// *total.lock().await? += 1;
/// let again = total.with(async |_| total.with(async |_| ()).await.is_err()).await?;
/// assert!(again, "under itself");
/// assert_eq!(total.into_inner(), 8);
/// # Ok(())
/// # })
/// # }
/// ```
pub struct AsyncLock<T: ?Sized> {
    raw: RawLock,
    value: UnsafeCell<T>,
}

// SAFETY: the value is reached through the lock by one thread at a time, which is sending it to and fro.
unsafe impl<T: ?Sized + Send> Sync for AsyncLock<T> {}
// SAFETY: with it goes the value, and nothing else that is bound to a thread.
unsafe impl<T: ?Sized + Send> Send for AsyncLock<T> {}

impl<T> AsyncLock<T> {
    /// A lock that is free.
    pub fn new(value: T) -> Self {
        Self { raw: RawLock::new(), value: UnsafeCell::new(value) }
    }

    /// The value, since nobody else has the lock.
    pub fn into_inner(self) -> T {
        self.value.into_inner()
    }
}

impl<T: ?Sized> AsyncLock<T> {
    /// Waits for the lock, and runs `body` with the value, under it.
    ///
    /// # Cancel safety
    ///
    /// Dropped while it waits, it loses its place in the queue. Dropped later, it drops the body, and then the lock is
    /// free.
    ///
    /// # Errors
    ///
    /// [`is_self_wait`](crate::Error::is_self_wait) under the lock itself, also in calls that were made there.
    pub async fn with<R>(&self, body: impl AsyncFnOnce(&mut T) -> R) -> Result<R> {
        self.raw.take().await?;
        let taken = Taken(&self.raw);
        // SAFETY: the lock is ours, until `taken` is dropped, which is after the body.
        let value = unsafe { self.value() };
        Ok(held(taken.0.hold(), || body(value)).await)
    }

    /// Runs `body` with the value, under the lock, if that is free.
    pub fn try_with<R>(&self, body: impl FnOnce(&mut T) -> R) -> Option<R> {
        self.raw.try_take().then(|| self.run(body))
    }

    /// Blocks this thread until the lock is free, and runs `body` with the value, under it.
    ///
    /// # Errors
    ///
    /// [`is_self_wait`](crate::Error::is_self_wait) under the lock itself, and in a caller's thread where a call of the same
    /// caller has the lock, or stands before this in the queue, and could not go on; or where threads would wait for each
    /// other in a ring. A guard counts for the caller in whose thread it was taken, also after it was moved to another.
    pub fn with_blocking<R>(&self, body: impl FnOnce(&mut T) -> R) -> Result<R> {
        self.raw.take_blocking()?;
        Ok(self.run(body))
    }

    /// Runs a function with the lock, which is ours.
    fn run<R>(&self, body: impl FnOnce(&mut T) -> R) -> R {
        let taken = Taken(&self.raw);
        let _holding = Holding::enter(taken.0.hold());
        // SAFETY: the lock is ours until `taken` is dropped.
        body(unsafe { self.value() })
    }

    /// Waits for the lock, and gives a guard that has it while it lives. See the type for how it differs from
    /// [`with`](Self::with).
    ///
    /// # Cancel safety
    ///
    /// Dropped while it waits, it loses its place in the queue.
    ///
    /// # Errors
    ///
    /// [`is_self_wait`](crate::Error::is_self_wait) if the running call has a guard of it, and under
    /// [`with`](Self::with).
    pub async fn lock(&self) -> Result<AsyncLockGuard<'_, T>> {
        self.raw.take().await?;
        Ok(AsyncLockGuard::new(self))
    }

    /// A guard, if the lock is free.
    pub fn try_lock(&self) -> Option<AsyncLockGuard<'_, T>> {
        self.raw.try_take().then(|| AsyncLockGuard::new(self))
    }

    /// Blocks this thread until the lock is free.
    ///
    /// # Errors
    ///
    /// Those of [`with_blocking`](Self::with_blocking).
    pub fn lock_blocking(&self) -> Result<AsyncLockGuard<'_, T>> {
        self.raw.take_blocking()?;
        Ok(AsyncLockGuard::new(self))
    }

    /// As [`lock`](Self::lock), with a guard that keeps the lock itself alive.
    ///
    /// Wherever the guard is moved, it counts for the call and for the caller's thread in which it was taken, until it is
    /// dropped: that call gets the error if it takes the lock again, and so does a call that blocks that thread.
    ///
    /// # Errors
    ///
    /// Those of [`lock`](Self::lock).
    pub async fn lock_arc(self: &Arc<Self>) -> Result<AsyncLockGuardArc<T>> {
        self.raw.take().await?;
        Ok(AsyncLockGuardArc::new(self))
    }

    /// As [`try_lock`](Self::try_lock), with a guard that keeps the lock itself alive.
    pub fn try_lock_arc(self: &Arc<Self>) -> Option<AsyncLockGuardArc<T>> {
        self.raw.try_take().then(|| AsyncLockGuardArc::new(self))
    }

    /// As [`lock_blocking`](Self::lock_blocking), with a guard that keeps the lock itself alive.
    ///
    /// # Errors
    ///
    /// Those of [`with_blocking`](Self::with_blocking).
    pub fn lock_arc_blocking(self: &Arc<Self>) -> Result<AsyncLockGuardArc<T>> {
        self.raw.take_blocking()?;
        Ok(AsyncLockGuardArc::new(self))
    }

    /// The value, without waiting, since nobody else has a reference.
    pub fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }

    /// How often it is held: 1 while somebody has it.
    pub fn count(&self) -> usize {
        usize::from(self.raw.is_locked())
    }

    /// Whether it is held by what runs here: taking it would be an error.
    pub fn is_in_context(&self) -> bool {
        self.raw.is_in_context()
    }

    /// # Safety
    ///
    /// The lock is ours, and stays it for as long as the reference lives.
    #[expect(clippy::mut_from_ref, reason = "that is what the lock is for")]
    unsafe fn value(&self) -> &mut T {
        // SAFETY: the lock is ours, so there is no other reference.
        unsafe { &mut *self.value.get() }
    }
}

impl<T: Default> Default for AsyncLock<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for AsyncLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.try_lock() {
            Some(value) => f.debug_tuple("AsyncLock").field(&&*value).finish(),
            None => f.write_str("AsyncLock(<locked>)"),
        }
    }
}

/// The lock is ours. Dropping it gives it back.
struct Taken<'a>(&'a RawLock);

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        self.0.give_back();
    }
}

/// Has an [`AsyncLock`] while it lives; made by [`AsyncLock::lock`] and its kin.
///
/// It is as thread-safe as a reference to the value:
///
/// ```compile_fail,E0277
/// fn shared_between_threads<T: Sync>() {}
/// shared_between_threads::<caller::AsyncLockGuard<'static, std::cell::Cell<u8>>>();
/// ```
#[must_use = "the lock is free again when the guard is dropped"]
#[clippy::has_significant_drop]
pub struct AsyncLockGuard<'a, T: ?Sized> {
    lock: &'a AsyncLock<T>,
    /// The call that has it. Kept, so that no other call comes to stand at its address.
    _owner: Option<PendingHandle>,
    /// A guard is as thread-safe as the reference that it stands for.
    value: PhantomData<&'a mut T>,
}

impl<'a, T: ?Sized> AsyncLockGuard<'a, T> {
    /// The lock is ours, and from here on the guard's.
    fn new(lock: &'a AsyncLock<T>) -> Self {
        let owner = current_pending();
        lock.raw.own(owner.as_ref());
        Self { lock, _owner: owner, value: PhantomData }
    }
}

impl<T: ?Sized> Deref for AsyncLockGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: the guard has the lock, and lends no other reference than through itself.
        unsafe { self.lock.value() }
    }
}

impl<T: ?Sized> DerefMut for AsyncLockGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as above.
        unsafe { self.lock.value() }
    }
}

impl<T: ?Sized> Drop for AsyncLockGuard<'_, T> {
    fn drop(&mut self) {
        self.lock.raw.give_back();
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for AsyncLockGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

/// As [`AsyncLockGuard`], and keeps the lock itself alive; made by [`AsyncLock::lock_arc`] and its kin.
#[must_use = "the lock is free again when the guard is dropped"]
#[clippy::has_significant_drop]
pub struct AsyncLockGuardArc<T: ?Sized> {
    lock: Arc<AsyncLock<T>>,
    _owner: Option<PendingHandle>,
    value: PhantomData<Box<T>>,
}

impl<T: ?Sized> AsyncLockGuardArc<T> {
    fn new(lock: &Arc<AsyncLock<T>>) -> Self {
        let owner = current_pending();
        lock.raw.own(owner.as_ref());
        Self { lock: lock.clone(), _owner: owner, value: PhantomData }
    }
}

impl<T: ?Sized> Deref for AsyncLockGuardArc<T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: the guard has the lock, and lends no other reference than through itself.
        unsafe { self.lock.value() }
    }
}

impl<T: ?Sized> DerefMut for AsyncLockGuardArc<T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as above.
        unsafe { self.lock.value() }
    }
}

impl<T: ?Sized> Drop for AsyncLockGuardArc<T> {
    fn drop(&mut self) {
        self.lock.raw.give_back();
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for AsyncLockGuardArc<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
