//! A function of a resident as an ordinary async function, for any verb.

use super::handle::Resident;
use crate::error::{BoxError, Error, Result};

impl<T: 'static> Resident<T> {
    /// An ordinary async function that runs `function` with `&T`: for a delay, a group, a queue, or any other verb of the
    /// caller in whose thread the value lives.
    ///
    /// ```
    /// # use caller::{Caller, testing::Manual};
    /// # use std::time::Duration;
    /// # fn main() -> caller::Result<()> {
    /// # let caller = Caller::builder().backend(Manual::new()).spawn()?;
    /// let words = caller.resident(async || vec!["one", "two"]).wait_blocking()?;
    /// let later = caller.try_call_later(Duration::ZERO, words.bind(async |words| words.len()));
    /// assert_eq!(later.wait_blocking()?, 2);
    /// # caller.stop();
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// What it gives is [`is_closed`](Error::is_closed) if the value is gone, and [`is_mismatch`](Error::is_mismatch) if
    /// another caller ran it.
    pub fn bind<F, R>(&self, function: F) -> impl AsyncFnOnce() -> Result<R> + Send + use<T, F, R>
    where
        F: AsyncFnOnce(&T) -> R + Send + 'static,
        R: 'static,
    {
        let this = self.clone();
        async move || this.share(function).await.map_err(Error::new)
    }

    /// As [`bind`](Self::bind), with `&mut T`.
    pub fn bind_mut<F, R>(&self, function: F) -> impl AsyncFnOnce() -> Result<R> + Send + use<T, F, R>
    where
        F: AsyncFnOnce(&mut T) -> R + Send + 'static,
        R: 'static,
    {
        let this = self.clone();
        async move || this.alone(function).await.map_err(Error::new)
    }

    /// As [`bind`](Self::bind), for a function that returns a `Result`: an `Err` is a failure.
    pub fn try_bind<F, R, E>(
        &self,
        function: F,
    ) -> impl AsyncFnOnce() -> Result<R, BoxError> + Send + use<T, F, R, E>
    where
        F: AsyncFnOnce(&T) -> Result<R, E> + Send + 'static,
        R: 'static,
        E: Into<BoxError> + 'static,
    {
        let this = self.clone();
        async move || this.share(function).await.map_err(Error::new)?.map_err(Into::into)
    }

    /// As [`bind_mut`](Self::bind_mut), for a function that returns a `Result`: an `Err` is a failure.
    pub fn try_bind_mut<F, R, E>(
        &self,
        function: F,
    ) -> impl AsyncFnOnce() -> Result<R, BoxError> + Send + use<T, F, R, E>
    where
        F: AsyncFnOnce(&mut T) -> Result<R, E> + Send + 'static,
        R: 'static,
        E: Into<BoxError> + 'static,
    {
        let this = self.clone();
        async move || this.alone(function).await.map_err(Error::new)?.map_err(Into::into)
    }
}
