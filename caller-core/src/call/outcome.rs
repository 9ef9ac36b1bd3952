//! What a function may give, and how it becomes the outcome of its call.

use std::marker::PhantomData;

use crate::error::{BoxError, Kind, Result};

/// How the output of a function becomes an outcome.
pub(crate) trait Convert<O> {
    /// The value of a call that ended well.
    type Value;
    /// The value, or what went wrong with the call.
    fn convert(output: O) -> Result<Self::Value, Kind>;
}

/// The output is the value.
pub(crate) enum Plain {}

/// The output is a `Result`, whose `Err` is a failure of the call.
pub(crate) enum Fallible {}

impl<T> Convert<T> for Plain {
    type Value = T;

    fn convert(output: T) -> Result<T, Kind> {
        Ok(output)
    }
}

impl<R: Outcome> Convert<R> for Fallible {
    type Value = R::Value;

    fn convert(output: R) -> Result<R::Value, Kind> {
        output.into_result().map_err(|error| Kind::Failed(error.into()))
    }
}

/// What a function gives means what it means elsewhere; that it could not be called is the error of the call.
pub(crate) struct Checked<C>(PhantomData<C>);

impl<C: Convert<O>, O> Convert<Result<O, Kind>> for Checked<C> {
    type Value = C::Value;

    fn convert(output: Result<O, Kind>) -> Result<C::Value, Kind> {
        C::convert(output?)
    }
}

/// A `Result`, whatever alias it goes by, whose error can be that of a call.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a `Result`",
    label = "expected a `Result`; where a type only has that name, write `fallible = false`"
)]
pub trait Outcome {
    /// What is in its `Ok`.
    type Value;

    /// It, with the error of any call.
    fn into_result(self) -> Result<Self::Value, BoxError>;
}

impl<T, E: Failure> Outcome for Result<T, E> {
    type Value = T;

    fn into_result(self) -> Result<T, BoxError> {
        self.map_err(Failure::into_error)
    }
}

/// An error that a call can fail with: whatever is `Into<Box<dyn Error + Send + Sync>>`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an error that a call can fail with",
    label = "expected an error that is `Into<Box<dyn Error + Send + Sync>>`",
    note = "where a `Pending` gives the result of the function, `fallible = false` in the attribute makes any `Err` a value"
)]
pub trait Failure {
    /// It, as the error of any call.
    fn into_error(self) -> BoxError;
}

// What is told of is the trait above, and not what this would need.
#[diagnostic::do_not_recommend]
impl<E: Into<BoxError>> Failure for E {
    fn into_error(self) -> BoxError {
        self.into()
    }
}

/// As [`Outcome`], for a function that makes the value of a resident: an `Err` leaves nothing that a handle could be of, so it
/// is the failure of the call in any case.
#[diagnostic::on_unimplemented(message = "`{Self}` is not a `Result`", label = "expected a `Result`")]
pub trait Made {
    /// What is in its `Ok`.
    type Value;

    /// It, with the error of any call.
    fn into_result(self) -> Result<Self::Value, BoxError>;
}

impl<T, E: MakingFailure> Made for Result<T, E> {
    type Value = T;

    fn into_result(self) -> Result<T, BoxError> {
        self.map_err(MakingFailure::into_error)
    }
}

/// As [`Failure`], for the error of a function that makes the value of a resident.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an error that a call can fail with",
    label = "expected an error that is `Into<Box<dyn Error + Send + Sync>>`",
    note = "an `Err` leaves no value to make a handle of, so the call fails with it; one that is not `Send` can become its text"
)]
pub trait MakingFailure {
    /// It, as the error of any call.
    fn into_error(self) -> BoxError;
}

#[diagnostic::do_not_recommend]
impl<E: Into<BoxError>> MakingFailure for E {
    fn into_error(self) -> BoxError {
        self.into()
    }
}

/// What a function may give whose result nobody waits for: nothing, or a `Result` whose error is reported.
#[diagnostic::on_unimplemented(
    message = "nobody waits for the result of this function, so it cannot be `{Self}`",
    label = "expected nothing, or a `Result`",
    note = "a verb that gives a `Pending` gives the result, and so does `#[caller::queued(pending)]`"
)]
pub trait Unattended {
    /// The error, if it is one.
    fn into_failure(self) -> Option<BoxError>;
}

impl Unattended for () {
    fn into_failure(self) -> Option<BoxError> {
        None
    }
}

impl<T, E: Failure> Unattended for Result<T, E> {
    fn into_failure(self) -> Option<BoxError> {
        self.err().map(Failure::into_error)
    }
}
