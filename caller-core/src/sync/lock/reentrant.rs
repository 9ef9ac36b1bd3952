//! The reentrant lock: whoever has it may enter it again, in any thread; all who are in share the value.

use std::{fmt, ops::Deref, sync::Arc};

use super::{held::held, raw::RawLock};
use crate::{
    context::{Hold, Holding},
    error::{Error, Kind, Result},
    pending::{PendingHandle, current_address, current_pending},
    sys::{self, Mutex},
};

/// A value that one context at a time may use, and enter again: by nesting, and in any call that is made under the lock,
/// in any thread. First come, first served, between those that are unrelated.
///
/// Since several may be in at once, in several threads, they share the value: `&T`, and `T: Sync` to do so from other
/// threads. The lock is free when the last of them has left, whatever the order.
///
/// The scope form, [`with`](Self::with), is owned by *context*: calls made under it may enter. The guard form,
/// [`lock`](Self::lock), is owned by the *running call*, which may enter again; calls made meanwhile wait. Outside of any
/// call a guard has no owner, and a second one waits for the first.
///
/// ```
/// # use caller::{Caller, ReentrantAsyncLock, testing::Manual};
/// # use std::sync::Arc;
/// # fn main() -> caller::Result<()> {
/// # let caller = Caller::builder().backend(Manual::new()).spawn()?;
/// # let here = caller.clone();
/// # let entered = caller.call_soon(async move || {
/// let lock = Arc::new(ReentrantAsyncLock::new("the catalogue"));
/// let entered = lock
///     .with(async |_| {
///         // A worker, in another thread, enters the lock that is held here.
///         let again = lock.clone();
///         here.to_thread(async move || again.with(async |_| again.count()).await).await
///     })
///     .await???;
/// assert_eq!(entered, 2);
/// assert_eq!(lock.count(), 0);
/// # caller::Result::Ok(())
/// # });
/// # entered.wait_blocking()??;
/// # caller.stop();
/// # Ok(())
/// # }
/// ```
pub struct ReentrantAsyncLock<T: ?Sized> {
    raw: RawLock,
    entries: Mutex<Entries>,
    value: T,
}

/// Who is in.
struct Entries {
    count: usize,
    /// How many of them are in by a scope. The hold ends with the last.
    scopes: usize,
    /// The addresses of the calls that are in by a guard, which keeps them.
    owners: Vec<usize>,
}

impl<T> ReentrantAsyncLock<T> {
    /// A lock that is free.
    pub fn new(value: T) -> Self {
        let entries = Entries { count: 0, scopes: 0, owners: Vec::new() };
        Self { raw: RawLock::new(), entries: Mutex::new(entries), value }
    }

    /// The value, since nobody else has the lock.
    pub fn into_inner(self) -> T {
        self.value
    }
}

impl<T: ?Sized> ReentrantAsyncLock<T> {
    /// Waits for the lock, unless it is held here, and runs `body` with the value, under it.
    ///
    /// # Cancel safety
    ///
    /// Dropped while it waits, it loses its place in the queue. Dropped later, it drops the body, and then leaves.
    pub async fn with<R>(&self, body: impl AsyncFnOnce(&T) -> R) -> Result<R> {
        let scope = self.enter().await?.into_scope();
        Ok(held(scope.hold, || body(&self.value)).await)
    }

    /// As [`with`](Self::with), but never enters what is held already: whoever is in is in alone, but for what is called
    /// from there.
    ///
    /// # Errors
    ///
    /// [`is_self_wait`](crate::Error::is_self_wait) where the lock is held, where it would wait for ever.
    pub async fn base<R>(&self, body: impl AsyncFnOnce(&T) -> R) -> Result<R> {
        if self.is_in_context() {
            return Err(Error::new(Kind::HeldHere));
        }
        self.with(body).await
    }

    /// Runs `body` with the value, under the lock, if that is free or held here.
    pub fn try_with<R>(&self, body: impl FnOnce(&T) -> R) -> Option<R> {
        self.try_enter().map(|inside| inside.into_scope().run(body))
    }

    /// Blocks this thread until the lock is free, unless it is held here, and runs `body` with the value, under it.
    ///
    /// # Errors
    ///
    /// [`is_self_wait`](crate::Error::is_self_wait) in a caller's thread where an unrelated call of the same caller has the
    /// lock, or stands before this in the queue, and could not go on; or where threads would wait for each other in a ring.
    /// A guard counts for the caller in whose thread it was taken, also after it was moved to another.
    pub fn with_blocking<R>(&self, body: impl FnOnce(&T) -> R) -> Result<R> {
        Ok(self.enter_blocking()?.into_scope().run(body))
    }

    /// Waits for the lock, unless it is held here, and gives a guard that is in while it lives. See the type for how it
    /// differs from [`with`](Self::with).
    ///
    /// # Cancel safety
    ///
    /// Dropped while it waits, it loses its place in the queue.
    pub async fn lock(&self) -> Result<ReentrantGuard<'_, T>> {
        Ok(ReentrantGuard::new(self.enter().await?))
    }

    /// A guard, if the lock is free or held here.
    pub fn try_lock(&self) -> Option<ReentrantGuard<'_, T>> {
        self.try_enter().map(ReentrantGuard::new)
    }

    /// Blocks this thread until the lock is free, unless it is held here.
    ///
    /// # Errors
    ///
    /// Those of [`with_blocking`](Self::with_blocking).
    pub fn lock_blocking(&self) -> Result<ReentrantGuard<'_, T>> {
        self.enter_blocking().map(ReentrantGuard::new)
    }

    /// As [`lock`](Self::lock), with a guard that keeps the lock itself alive. Wherever that is moved, it counts for the call
    /// and for the caller's thread in which it was taken.
    pub async fn lock_arc(self: &Arc<Self>) -> Result<ReentrantGuardArc<T>> {
        Ok(ReentrantGuardArc::new(self, self.enter().await?))
    }

    /// As [`try_lock`](Self::try_lock), with a guard that keeps the lock itself alive.
    pub fn try_lock_arc(self: &Arc<Self>) -> Option<ReentrantGuardArc<T>> {
        self.try_enter().map(|inside| ReentrantGuardArc::new(self, inside))
    }

    /// As [`lock_blocking`](Self::lock_blocking), with a guard that keeps the lock itself alive.
    ///
    /// # Errors
    ///
    /// Those of [`with_blocking`](Self::with_blocking).
    pub fn lock_arc_blocking(self: &Arc<Self>) -> Result<ReentrantGuardArc<T>> {
        Ok(ReentrantGuardArc::new(self, self.enter_blocking()?))
    }

    /// How often it is entered.
    pub fn count(&self) -> usize {
        sys::lock(&self.entries).count
    }

    /// Whether it is held by what runs here, so that entering it does not wait.
    pub fn is_in_context(&self) -> bool {
        self.is_held_here(&sys::lock(&self.entries))
    }

    fn is_held_here(&self, entries: &Entries) -> bool {
        let here = current_address();
        entries.count > 0 && (self.raw.is_in_context() || (here != 0 && entries.owners.contains(&here)))
    }

    /// The hold of a scope that ends when what comes with it is dropped.
    #[cfg(all(test, loom))]
    pub(crate) fn try_hold(&self) -> Option<(Hold, impl Sized)> {
        self.try_enter().map(|inside| inside.into_scope()).map(|scope| (scope.hold, scope))
    }

    async fn enter(&self) -> Result<Inside<'_, T>> {
        if let Some(inside) = self.enter_again() {
            return Ok(inside);
        }
        self.raw.take().await?;
        Ok(self.entered())
    }

    fn try_enter(&self) -> Option<Inside<'_, T>> {
        self.enter_again().or_else(|| self.raw.try_take().then(|| self.entered()))
    }

    fn enter_blocking(&self) -> Result<Inside<'_, T>> {
        if let Some(inside) = self.enter_again() {
            return Ok(inside);
        }
        self.raw.take_blocking()?;
        Ok(self.entered())
    }

    /// Enters what is held here.
    fn enter_again(&self) -> Option<Inside<'_, T>> {
        let mut entries = sys::lock(&self.entries);
        // In one step under the lock, so that the last to leave does not leave in between.
        let again = self.is_held_here(&entries);
        again.then(|| {
            entries.count += 1;
            Inside(self)
        })
    }

    /// The lock is ours.
    fn entered(&self) -> Inside<'_, T> {
        sys::lock(&self.entries).count = 1;
        Inside(self)
    }

    /// Leaves, after `change` has taken what it was besides.
    fn leave(&self, change: impl FnOnce(&mut Entries)) {
        let mut entries = sys::lock(&self.entries);
        change(&mut entries);
        entries.count -= 1;
        if entries.scopes == 0 {
            self.raw.end_hold();
        }
        let last = entries.count == 0;
        if last {
            // In one step with the count: whoever comes from under the lock now enters, or waits as others do.
            self.raw.end();
        }
        drop(entries);
        if last {
            self.raw.pass_on();
        }
    }
}

impl<T: Default> Default for ReentrantAsyncLock<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for ReentrantAsyncLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ReentrantAsyncLock(count={}, value={:?})", self.count(), &&self.value)
    }
}

/// We are in. Dropping it leaves.
struct Inside<'a, T: ?Sized>(&'a ReentrantAsyncLock<T>);

/// We are in by a scope. Dropping it leaves.
struct Scope<'a, T: ?Sized> {
    lock: &'a ReentrantAsyncLock<T>,
    hold: Hold,
}

/// The call that is in by a guard, if it is one. The handle is kept so that no other call comes to stand at its address.
struct Owner(Option<(PendingHandle, usize)>);

impl Owner {
    /// Leaves a lock in which it was by a guard.
    fn leave<T: ?Sized>(&self, lock: &ReentrantAsyncLock<T>) {
        lock.leave(|entries| {
            let owner = self.0.as_ref().map(|(_, address)| *address);
            let guard = owner.and_then(|owner| entries.owners.iter().position(|known| *known == owner));
            guard.map(|at| entries.owners.swap_remove(at));
        });
    }
}

impl<'a, T: ?Sized> Inside<'a, T> {
    /// Hands over to a scope, which leaves from here on.
    fn into_scope(self) -> Scope<'a, T> {
        let lock = self.0;
        std::mem::forget(self);
        let mut entries = sys::lock(&lock.entries);
        entries.scopes += 1;
        // In one step with the count, so that a scope that is the last does not end this hold.
        let hold = lock.raw.hold();
        drop(entries);
        Scope { lock, hold }
    }

    /// Hands over to a guard, which leaves from here on.
    fn into_owner(self) -> Owner {
        let owner = current_pending().map(|call| (call, current_address()));
        if let Some((_, address)) = owner {
            sys::lock(&self.0.entries).owners.push(address);
        }
        std::mem::forget(self);
        Owner(owner)
    }
}

impl<T: ?Sized> Drop for Inside<'_, T> {
    fn drop(&mut self) {
        self.0.leave(|_| ());
    }
}

impl<T: ?Sized> Scope<'_, T> {
    fn run<R>(self, body: impl FnOnce(&T) -> R) -> R {
        let _holding = Holding::enter(self.hold);
        body(&self.lock.value)
    }
}

impl<T: ?Sized> Drop for Scope<'_, T> {
    fn drop(&mut self) {
        self.lock.leave(|entries| entries.scopes -= 1);
    }
}

/// Is in a [`ReentrantAsyncLock`] while it lives; made by [`ReentrantAsyncLock::lock`] and its kin.
#[must_use = "the lock is left when the guard is dropped"]
#[clippy::has_significant_drop]
pub struct ReentrantGuard<'a, T: ?Sized> {
    lock: &'a ReentrantAsyncLock<T>,
    owner: Owner,
}

impl<'a, T: ?Sized> ReentrantGuard<'a, T> {
    fn new(inside: Inside<'a, T>) -> Self {
        Self { lock: inside.0, owner: inside.into_owner() }
    }
}

impl<T: ?Sized> Drop for ReentrantGuard<'_, T> {
    fn drop(&mut self) {
        self.owner.leave(self.lock);
    }
}

impl<T: ?Sized> Deref for ReentrantGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.lock.value
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for ReentrantGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

/// As [`ReentrantGuard`], and keeps the lock itself alive; made by [`ReentrantAsyncLock::lock_arc`] and its kin.
#[must_use = "the lock is left when the guard is dropped"]
#[clippy::has_significant_drop]
pub struct ReentrantGuardArc<T: ?Sized> {
    lock: Arc<ReentrantAsyncLock<T>>,
    owner: Owner,
}

impl<T: ?Sized> ReentrantGuardArc<T> {
    fn new(lock: &Arc<ReentrantAsyncLock<T>>, inside: Inside<'_, T>) -> Self {
        Self { lock: lock.clone(), owner: inside.into_owner() }
    }
}

impl<T: ?Sized> Deref for ReentrantGuardArc<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.lock.value
    }
}

impl<T: ?Sized> Drop for ReentrantGuardArc<T> {
    fn drop(&mut self) {
        self.owner.leave(&self.lock);
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for ReentrantGuardArc<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
