//! How a resident is made.

use std::{panic::Location, sync::Arc};

use super::{
    handle::Resident,
    slot::{Make, Policy},
};
use crate::{
    call::{Checked, Convert, Fallible, Made, Plain, job},
    caller::Caller,
    context::Context,
    error::{BoxError, Kind, Result},
    guard::{self, Place},
    pending::Pending,
};

/// What becomes of the value of a resident when a call that reaches it panics. The panic is the error of that call in any
/// case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnPanic {
    /// It stays as the call left it.
    #[default]
    Keep,
    /// It is dropped, and the resident has ended.
    Close,
}

impl Caller {
    /// Makes a value in this caller's thread, and keeps it there as a [`Resident`]. It need not be `Send`.
    #[track_caller]
    pub fn resident<F, T>(&self, make: F) -> Pending<Resident<T>>
    where
        F: AsyncFnOnce() -> T + Send + 'static,
        T: 'static,
    {
        self.resident_builder().build(make)
    }

    /// As [`resident`](Self::resident), for a function that returns a `Result`: an `Err` makes the call failed.
    #[track_caller]
    pub fn try_resident<F, T, E>(&self, make: F) -> Pending<Resident<T>>
    where
        F: AsyncFnOnce() -> Result<T, E> + Send + 'static,
        E: Into<BoxError> + 'static,
        T: 'static,
    {
        self.resident_builder().try_build(make)
    }

    /// Makes a resident with options.
    pub fn resident_builder(&self) -> ResidentBuilder<'_> {
        ResidentBuilder { caller: self, name: None, on_panic: OnPanic::Keep, thread: None }
    }
}

/// Options of a [`Resident`]; made by [`Caller::resident_builder`].
#[must_use = "nothing is made until `build`"]
#[derive(Debug)]
pub struct ResidentBuilder<'a> {
    caller: &'a Caller,
    name: Option<Arc<str>>,
    on_panic: OnPanic,
    thread: Option<String>,
}

/// A builder without options.
impl<'a> From<&'a Caller> for ResidentBuilder<'a> {
    fn from(caller: &'a Caller) -> Self {
        caller.resident_builder()
    }
}

impl ResidentBuilder<'_> {
    /// Its name, for texts.
    pub fn name(mut self, name: impl Into<Arc<str>>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// What becomes of the value when a call panics. It is kept unless this is set.
    pub fn on_panic(mut self, on_panic: OnPanic) -> Self {
        self.on_panic = on_panic;
        self
    }

    /// Gives it a thread of its own, for a value whose methods block: that of a new child of the caller, which has this name
    /// and ends with the value. A child that has the name already is an error, until it has stopped. What is
    /// [derived](Resident::derive) from the value lives in that thread too, and ends with it.
    pub fn own_thread(mut self, name: impl Into<String>) -> Self {
        self.thread = Some(name.into());
        self
    }

    /// Makes it.
    ///
    /// # Errors
    ///
    /// The pending ends with an error if the function panics, if the caller stops, or if a thread of its own cannot be had
    /// ([`is_start`](crate::Error::is_start)) or its name is taken ([`is_mismatch`](crate::Error::is_mismatch)).
    #[track_caller]
    pub fn build<F, T>(self, make: F) -> Pending<Resident<T>>
    where
        F: AsyncFnOnce() -> T + Send + 'static,
        T: 'static,
    {
        self.build_as::<F, _, _, _>(make, Location::caller())
    }

    /// As above, but for the handle `H`, and reported under `N`'s type name.
    pub(crate) fn build_as<N, F, T, H>(self, make: F, location: &'static Location<'static>) -> Pending<H>
    where
        N: 'static,
        F: AsyncFnOnce() -> T + Send + 'static,
        T: 'static,
        H: From<Resident<T>> + Send + 'static,
    {
        let policy = policy(self.on_panic);
        let make = async move |place: Seat| place.settle(make().await, policy()).map(H::from);
        self.submit::<N, Plain, _>(make, location)
    }

    /// Makes it; an `Err` makes the call failed.
    ///
    /// # Errors
    ///
    /// As [`build`](Self::build).
    #[track_caller]
    pub fn try_build<F, T, E>(self, make: F) -> Pending<Resident<T>>
    where
        F: AsyncFnOnce() -> Result<T, E> + Send + 'static,
        E: Into<BoxError> + 'static,
        T: 'static,
    {
        self.try_build_as::<F, _, _, _>(make, Location::caller())
    }

    /// As above, but for the handle `H`, and reported under `N`'s type name.
    pub(crate) fn try_build_as<N, F, R, H>(self, make: F, location: &'static Location<'static>) -> Pending<H>
    where
        N: 'static,
        F: AsyncFnOnce() -> R + Send + 'static,
        R: Made<Value: 'static> + 'static,
        H: From<Resident<R::Value>> + Send + 'static,
    {
        let policy = policy(self.on_panic);
        let make = async move |place: Seat| match make().await.into_result() {
            Ok(value) => place.settle(value, policy()).map(|resident| Ok(H::from(resident))),
            Err(error) => Ok(Err(error)),
        };
        self.submit::<N, Fallible, _>(make, location)
    }

    /// Makes it, and makes the value anew after a call has panicked: with the next call, which waits for that. If it cannot
    /// be made, that call ends with the error, and the next one tries again.
    ///
    /// # Errors
    ///
    /// As [`build`](Self::build).
    #[track_caller]
    pub fn build_remaking<F, T, E>(self, make: F) -> Pending<Resident<T>>
    where
        F: AsyncFn() -> Result<T, E> + Clone + Send + 'static,
        E: Into<BoxError> + 'static,
        T: 'static,
    {
        let first = make.clone();
        let make = async move |place: Seat| {
            let again: Make<T> = Box::new(move || {
                let make = make.clone();
                Box::pin(async move { make().await.map_err(|error| Kind::Failed(error.into().into())) })
            });
            match first().await {
                Ok(value) => place.settle(value, Policy::remake(again)).map(Ok),
                Err(error) => Ok(Err(error)),
            }
        };
        self.submit::<F, Fallible, _>(make, Location::caller())
    }

    fn submit<N, C, O>(
        self,
        make: impl AsyncFnOnce(Seat) -> Result<O, Kind> + Send + 'static,
        location: &'static Location<'static>,
    ) -> Pending<C::Value>
    where
        N: 'static,
        C: Convert<O, Value: Send + 'static> + 'static,
        O: 'static,
    {
        let own = match &self.thread {
            None => None,
            Some(name) => match self.caller.child_builder().name(name).spawn_new() {
                Ok(own) => Some(own),
                Err(error) => return Pending::failed(error),
            },
        };
        let caller = own.as_ref().unwrap_or(self.caller).clone();
        let seat = Seat { caller: caller.clone(), name: self.name, own: Own(own) };
        let call = job::<N, Checked<C>, _>(move || make(seat));
        caller.submit(call, None, Context::current(), location)
    }
}

fn policy<T>(on_panic: OnPanic) -> impl FnOnce() -> Policy<T> + Send {
    move || match on_panic {
        OnPanic::Keep => Policy::Keep,
        OnPanic::Close => Policy::Close,
    }
}

/// Where a value will be kept.
struct Seat {
    caller: Caller,
    name: Option<Arc<str>>,
    own: Own,
}

/// A thread that was made for the value: it ends if there is none.
struct Own(Option<Caller>);

impl Drop for Own {
    fn drop(&mut self) {
        if let Some(own) = self.0.take() {
            own.force_stop();
        }
    }
}

impl Seat {
    fn settle<T: 'static>(mut self, value: T, policy: Policy<T>) -> Result<Resident<T>, Kind> {
        let own = self.own.0.take();
        let settled = Resident::settle(self.caller.clone(), self.name.take(), value, policy, own.clone());
        settled.map_err(|(kind, value)| {
            guard::discard_now(Place::ResidentDrop, value);
            self.own.0 = own;
            kind
        })
    }
}
