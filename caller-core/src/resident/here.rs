//! The value of a resident in its own thread: without a call, and without waiting.

use std::{error::Error as StdError, fmt};

use super::{handle::Resident, slot::Policy};
use crate::{
    caller::Caller,
    error::{BoxError, Error, Kind, Result},
};

impl Caller {
    /// Gives a value that exists already, in this thread, a place there and a handle for all threads: a widget, say.
    ///
    /// # Errors
    ///
    /// [`is_mismatch`](Error::is_mismatch) in any other thread than this caller's, and [`is_closed`](Error::is_closed) if it
    /// stops. The error gives the value back. `?` makes it a boxed error, without the value, and
    /// [`into_error`](Refused::into_error) makes it one of this crate.
    pub fn resident_local<T: 'static>(&self, value: T) -> std::result::Result<Resident<T>, Refused<T>> {
        Resident::settle(self.clone(), None, value, Policy::Keep, None)
            .map_err(|(kind, value)| Refused { error: Error::new(kind), value })
    }
}

/// A value that found no place, and why.
pub struct Refused<T> {
    error: Error,
    value: T,
}

impl<T> Refused<T> {
    /// Why.
    pub fn error(&self) -> &Error {
        &self.error
    }

    /// The value.
    pub fn into_value(self) -> T {
        self.value
    }

    /// Why, without the value: `caller.resident_local(value).map_err(Refused::into_error)?`. (Were there a second conversion
    /// into an [`Error`], `call.await??` would ask for the type of an error that is inferred today.)
    pub fn into_error(self) -> Error {
        self.error
    }
}

impl<T> fmt::Display for Refused<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl<T> fmt::Debug for Refused<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Refused").field(&self.error).finish()
    }
}

impl<T> From<Refused<T>> for BoxError {
    fn from(refused: Refused<T>) -> Self {
        refused.error.into()
    }
}

impl<T> From<Refused<T>> for Box<dyn StdError> {
    fn from(refused: Refused<T>) -> Self {
        refused.error.into()
    }
}

impl<T: 'static> Resident<T> {
    /// Looks at the value, in its own thread.
    ///
    /// # Errors
    ///
    /// [`is_mismatch`](Error::is_mismatch) in any other thread, and while a call has the value alone;
    /// [`is_closed`](Error::is_closed) if the value is gone.
    pub fn with<R>(&self, look: impl FnOnce(&T) -> R) -> Result<R> {
        let slot = self.slot().map_err(Error::new)?;
        let value = slot.look().map_err(Error::new)?;
        Ok(look(&value))
    }

    /// Changes the value, in its own thread.
    ///
    /// # Errors
    ///
    /// As [`with`](Self::with), and while any call reaches the value.
    pub fn with_mut<R>(&self, change: impl FnOnce(&mut T) -> R) -> Result<R> {
        let slot = self.slot().map_err(Error::new)?;
        let mut value = slot.look_alone().map_err(Error::new)?;
        Ok(change(&mut value))
    }

    /// As [`with`](Self::with), for a function that returns a `Result`: an `Err` is a failure
    /// ([`is_failed`](Error::is_failed)).
    ///
    /// # Errors
    ///
    /// That of the function, and those of [`with`](Self::with).
    pub fn try_with<R, E: Into<BoxError>>(&self, look: impl FnOnce(&T) -> Result<R, E>) -> Result<R> {
        self.with(look)?.map_err(failed)
    }

    /// As [`with_mut`](Self::with_mut), for a function that returns a `Result`: an `Err` is a failure
    /// ([`is_failed`](Error::is_failed)).
    ///
    /// # Errors
    ///
    /// That of the function, and those of [`with_mut`](Self::with_mut).
    pub fn try_with_mut<R, E: Into<BoxError>>(
        &self,
        change: impl FnOnce(&mut T) -> Result<R, E>,
    ) -> Result<R> {
        self.with_mut(change)?.map_err(failed)
    }
}

fn failed(error: impl Into<BoxError>) -> Error {
    Error::new(Kind::Failed(error.into().into()))
}
