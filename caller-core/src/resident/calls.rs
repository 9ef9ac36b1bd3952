//! Calls of a resident: functions that are given its value, in its thread.

use std::{panic::Location, rc::Rc};

use super::{
    gate::Mode,
    handle::{Place, Resident},
    slot::{Slot, lost},
};
use crate::{
    call::{Checked, Convert, Fallible, FnJob, Made, Plain, job},
    context::Context,
    error::{BoxError, Kind},
    guard,
    pending::Pending,
};

impl<T: 'static> Resident<T> {
    /// Runs an async function with `&T`, in the value's thread, and gives a [`Pending`] of what it returns. Such calls go
    /// on together: what one awaits holds up no other.
    ///
    /// It is a call like one of [`call_soon`](crate::Caller::call_soon), with all that belongs to one: context, cancelling,
    /// timeouts, groups, trackers.
    ///
    /// # Errors
    ///
    /// The pending ends with [`is_closed`](crate::Error::is_closed) if the value is gone.
    #[track_caller]
    pub fn call<F, R>(&self, function: F) -> Pending<R>
    where
        F: AsyncFnOnce(&T) -> R + Send + 'static,
        R: Send + 'static,
    {
        self.share_as::<F, Plain, _, _>(function)
    }

    /// As [`call`](Self::call), for a function that returns a `Result`: an `Err` makes the call failed.
    #[track_caller]
    pub fn try_call<F, R, E>(&self, function: F) -> Pending<R>
    where
        F: AsyncFnOnce(&T) -> Result<R, E> + Send + 'static,
        E: Into<BoxError> + 'static,
        R: Send + 'static,
    {
        self.share_as::<F, Fallible, _, _>(function)
    }

    /// Runs an async function with `&mut T`, in the value's thread: alone, when the calls that came before have ended.
    ///
    /// A call that is cancelled meanwhile is dropped in that thread, and the next goes on.
    ///
    /// # Errors
    ///
    /// The pending ends with [`is_closed`](crate::Error::is_closed) if the value is gone.
    #[track_caller]
    pub fn call_mut<F, R>(&self, function: F) -> Pending<R>
    where
        F: AsyncFnOnce(&mut T) -> R + Send + 'static,
        R: Send + 'static,
    {
        self.alone_as::<F, Plain, _, _>(function)
    }

    /// As [`call_mut`](Self::call_mut), for a function that returns a `Result`: an `Err` makes the call failed.
    #[track_caller]
    pub fn try_call_mut<F, R, E>(&self, function: F) -> Pending<R>
    where
        F: AsyncFnOnce(&mut T) -> Result<R, E> + Send + 'static,
        E: Into<BoxError> + 'static,
        R: Send + 'static,
    {
        self.alone_as::<F, Fallible, _, _>(function)
    }

    /// Runs a plain function with `&mut T`, in the value's thread: alone, as [`call_mut`](Self::call_mut) does, and without
    /// `async`, for a value whose methods block or return at once.
    ///
    /// ```
    /// # use caller::{Caller, testing::Manual};
    /// # fn main() -> caller::Result<()> {
    /// # let caller = Caller::builder().backend(Manual::new()).spawn()?;
    /// let words = caller.resident(async || vec!["one", "two"]).wait_blocking()?;
    /// let last = words.run(|words| words.pop());
    /// assert_eq!(last.wait_blocking()?, Some("two"));
    /// # caller.stop();
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// While it runs, nothing else does in that thread: what takes long wants a thread of its own
    /// ([`own_thread`](crate::ResidentBuilder::own_thread)). Once it has begun, cancelling does not reach it.
    ///
    /// # Errors
    ///
    /// The pending ends with [`is_closed`](crate::Error::is_closed) if the value is gone.
    #[track_caller]
    pub fn run<F, R>(&self, function: F) -> Pending<R>
    where
        F: FnOnce(&mut T) -> R + Send + 'static,
        R: Send + 'static,
    {
        let place = self.place();
        let function = async move |value: &mut T| function(value);
        self.submit(job::<F, Checked<Plain>, _>(move || place.alone(function)))
    }

    /// As [`run`](Self::run), for a function that returns a `Result`: an `Err` makes the call failed.
    #[track_caller]
    pub fn try_run<F, R, E>(&self, function: F) -> Pending<R>
    where
        F: FnOnce(&mut T) -> Result<R, E> + Send + 'static,
        E: Into<BoxError> + 'static,
        R: Send + 'static,
    {
        let place = self.place();
        let function = async move |value: &mut T| function(value);
        self.submit(job::<F, Checked<Fallible>, _>(move || place.alone(function)))
    }

    /// Makes a value from this one, which need not be `Send` either, and keeps it in the same thread as a resident of its
    /// own: a statement of a connection, a part of a window.
    #[track_caller]
    pub fn derive<F, U>(&self, function: F) -> Pending<Resident<U>>
    where
        F: AsyncFnOnce(&T) -> U + Send + 'static,
        U: 'static,
    {
        self.derive_as::<F, _, _, _>(function)
    }

    /// As [`derive`](Self::derive), for a function that returns a `Result`: an `Err` makes the call failed.
    #[track_caller]
    pub fn try_derive<F, U, E>(&self, function: F) -> Pending<Resident<U>>
    where
        F: AsyncFnOnce(&T) -> Result<U, E> + Send + 'static,
        E: Into<BoxError> + 'static,
        U: 'static,
    {
        self.try_derive_as::<F, _, _, _>(function)
    }

    /// Ends it: calls that were made before run first, then the value is dropped, and the pending is done. Calls that come
    /// later end with [`is_closed`](crate::Error::is_closed).
    #[track_caller]
    pub fn close(&self) -> Pending<()> {
        let place = self.place();
        self.submit(job::<Self, Checked<Plain>, _>(move || place.close()))
    }

    /// Ends it with a function that is given the value itself, when the calls that were made before have ended.
    ///
    /// ```
    /// # use caller::{Caller, testing::Manual};
    /// # fn main() -> caller::Result<()> {
    /// # let caller = Caller::builder().backend(Manual::new()).spawn()?;
    /// let lines = caller.resident(async || vec!["one", "two"]).wait_blocking()?;
    /// let text = lines.close_with(async |lines| lines.join(" and ")).wait_blocking()?;
    /// assert_eq!(text, "one and two");
    /// assert!(lines.is_gone());
    /// # caller.stop();
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn close_with<F, R>(&self, function: F) -> Pending<R>
    where
        F: AsyncFnOnce(T) -> R + Send + 'static,
        R: Send + 'static,
    {
        self.end_as::<F, Plain, _, _>(function)
    }

    /// As [`close_with`](Self::close_with), for a function that returns a `Result`: an `Err` makes the call failed. The
    /// value is gone all the same.
    #[track_caller]
    pub fn try_close_with<F, R, E>(&self, function: F) -> Pending<R>
    where
        F: AsyncFnOnce(T) -> Result<R, E> + Send + 'static,
        E: Into<BoxError> + 'static,
        R: Send + 'static,
    {
        self.end_as::<F, Fallible, _, _>(function)
    }

    /// A call with `&T` that is reported under `N`'s type name; `C` says what its output means.
    #[track_caller]
    pub(crate) fn share_as<N, C, F, R>(&self, function: F) -> Pending<C::Value>
    where
        N: 'static,
        C: Convert<R, Value: Send + 'static> + 'static,
        F: AsyncFnOnce(&T) -> R + Send + 'static,
        R: 'static,
    {
        let place = self.place();
        self.submit(job::<N, Checked<C>, _>(move || place.share(function)))
    }

    /// As above, with `&mut T`.
    #[track_caller]
    pub(crate) fn alone_as<N, C, F, R>(&self, function: F) -> Pending<C::Value>
    where
        N: 'static,
        C: Convert<R, Value: Send + 'static> + 'static,
        F: AsyncFnOnce(&mut T) -> R + Send + 'static,
        R: 'static,
    {
        let place = self.place();
        self.submit(job::<N, Checked<C>, _>(move || place.alone(function)))
    }

    /// As above, with the value itself.
    #[track_caller]
    pub(crate) fn end_as<N, C, F, R>(&self, function: F) -> Pending<C::Value>
    where
        N: 'static,
        C: Convert<R, Value: Send + 'static> + 'static,
        F: AsyncFnOnce(T) -> R + Send + 'static,
        R: 'static,
    {
        let place = self.place();
        self.submit(job::<N, Checked<C>, _>(move || place.end(function)))
    }

    /// As [`derive`](Self::derive), but for the handle `H`, and reported under `N`'s type name.
    #[track_caller]
    pub(crate) fn derive_as<N, F, U, H>(&self, function: F) -> Pending<H>
    where
        N: 'static,
        F: AsyncFnOnce(&T) -> U + Send + 'static,
        U: 'static,
        H: From<Resident<U>> + Send + 'static,
    {
        let this = self.clone();
        let derive = async move || {
            let caller = this.caller().clone();
            let value = this.share(function).await?;
            Resident::settle_plain(caller, value).map(H::from)
        };
        self.submit(job::<N, Checked<Plain>, _>(derive))
    }

    /// As above, for a function that returns a `Result`.
    #[track_caller]
    pub(crate) fn try_derive_as<N, F, R, H>(&self, function: F) -> Pending<H>
    where
        N: 'static,
        F: AsyncFnOnce(&T) -> R + Send + 'static,
        R: Made<Value: 'static> + 'static,
        H: From<Resident<R::Value>> + Send + 'static,
    {
        let this = self.clone();
        let derive = async move || {
            let caller = this.caller().clone();
            match this.share(function).await?.into_result() {
                Ok(value) => Resident::settle_plain(caller, value).map(|resident| Ok(H::from(resident))),
                Err(error) => Ok(Err(error)),
            }
        };
        self.submit(job::<N, Checked<Fallible>, _>(derive))
    }

    /// Runs a function with the value, in its thread, together with others.
    pub(super) async fn share<F, R>(self, function: F) -> Result<R, Kind>
    where
        F: AsyncFnOnce(&T) -> R,
    {
        // Another thread, or a value that has ended, is an error. The handle keeps the value meanwhile.
        self.slot()?;
        self.place().share(function).await
    }

    /// Runs a function with the value, in its thread, alone.
    pub(super) async fn alone<F, R>(self, function: F) -> Result<R, Kind>
    where
        F: AsyncFnOnce(&mut T) -> R,
    {
        self.slot()?;
        self.place().alone(function).await
    }

    #[track_caller]
    fn submit<J: FnJob>(&self, call: J) -> Pending<J::Value> {
        self.0.caller.submit(call, None, Context::current(), Location::caller())
    }
}

#[expect(clippy::await_holding_refcell_ref, reason = "the gate keeps out whoever would borrow it otherwise")]
#[expect(
    clippy::manual_async_fn,
    reason = "an `async fn` has room for its arguments twice, in every outstanding call"
)]
impl<T: 'static> Place<T> {
    /// Runs a function with the value, together with others that share it.
    fn share<F, R>(self, function: F) -> impl Future<Output = Result<R, Kind>>
    where
        F: AsyncFnOnce(&T) -> R,
    {
        async move {
            let slot = self.slot()?;
            let _inside = slot.enter(Mode::Shared).await?;
            let value = slot.look()?;
            let _noted = slot.noting();
            Ok(slot.within(function(&value)).await)
        }
    }

    /// Runs a function with the value, alone.
    fn alone<F, R>(self, function: F) -> impl Future<Output = Result<R, Kind>>
    where
        F: AsyncFnOnce(&mut T) -> R,
    {
        async move {
            let slot = self.slot()?;
            let _inside = slot.enter(Mode::Alone).await?;
            let mut value = slot.look_alone()?;
            let _noted = slot.noting();
            Ok(slot.within(function(&mut value)).await)
        }
    }

    /// Runs a function with the value itself, and gives up its place.
    async fn end<F, R>(self, function: F) -> Result<R, Kind>
    where
        F: AsyncFnOnce(T) -> R,
    {
        let slot = self.slot()?;
        let value = slot.close().await?;
        let _ends = EndOnDrop(slot);
        Ok(function(value.ok_or_else(lost)?).await)
    }

    async fn close(self) -> Result<(), Kind> {
        let slot = self.slot()?;
        let value = slot.close().await?;
        let _ends = EndOnDrop(slot);
        guard::discard_now(guard::Place::ResidentDrop, value);
        Ok(())
    }
}

/// Ends a resident whose value was taken out.
struct EndOnDrop<T: 'static>(Rc<Slot<T>>);

impl<T> Drop for EndOnDrop<T> {
    fn drop(&mut self) {
        self.0.end();
    }
}
