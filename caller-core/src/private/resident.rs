//! Methods of residents, reported under the name of the method `_method` and not of the handle's.

use std::panic::Location;

use crate::{
    call::{Fallible, Made, Outcome, Plain},
    pending::Pending,
    resident::{Resident, ResidentBuilder},
};

#[track_caller]
pub fn resident<N, F, S, H>(builder: ResidentBuilder<'_>, _method: N, make: F) -> Pending<H>
where
    N: 'static,
    F: AsyncFnOnce() -> S + Send + 'static,
    S: 'static,
    H: From<Resident<S>> + Send + 'static,
{
    builder.build_as::<N, _, _, _>(make, Location::caller())
}

#[track_caller]
pub fn try_resident<N, F, R, S, H>(builder: ResidentBuilder<'_>, _method: N, make: F) -> Pending<H>
where
    N: 'static,
    F: AsyncFnOnce() -> R + Send + 'static,
    R: Made<Value = S> + 'static,
    S: 'static,
    H: From<Resident<S>> + Send + 'static,
{
    builder.try_build_as::<N, _, _, _>(make, Location::caller())
}

#[track_caller]
pub fn resident_call<N, F, S, T>(resident: &Resident<S>, _method: N, function: F) -> Pending<T>
where
    N: 'static,
    F: AsyncFnOnce(&S) -> T + Send + 'static,
    S: 'static,
    T: Send + 'static,
{
    resident.share_as::<N, Plain, _, _>(function)
}

#[track_caller]
pub fn try_resident_call<N, F, S, R>(resident: &Resident<S>, _method: N, function: F) -> Pending<R::Value>
where
    N: 'static,
    F: AsyncFnOnce(&S) -> R + Send + 'static,
    S: 'static,
    R: Outcome + 'static,
    R::Value: Send + 'static,
{
    resident.share_as::<N, Fallible, _, _>(function)
}

#[track_caller]
pub fn resident_call_mut<N, F, S, T>(resident: &Resident<S>, _method: N, function: F) -> Pending<T>
where
    N: 'static,
    F: AsyncFnOnce(&mut S) -> T + Send + 'static,
    S: 'static,
    T: Send + 'static,
{
    resident.alone_as::<N, Plain, _, _>(function)
}

#[track_caller]
pub fn try_resident_call_mut<N, F, S, R>(resident: &Resident<S>, _method: N, function: F) -> Pending<R::Value>
where
    N: 'static,
    F: AsyncFnOnce(&mut S) -> R + Send + 'static,
    S: 'static,
    R: Outcome + 'static,
    R::Value: Send + 'static,
{
    resident.alone_as::<N, Fallible, _, _>(function)
}

#[track_caller]
pub fn resident_close_with<N, F, S, T>(resident: &Resident<S>, _method: N, function: F) -> Pending<T>
where
    N: 'static,
    F: AsyncFnOnce(S) -> T + Send + 'static,
    S: 'static,
    T: Send + 'static,
{
    resident.end_as::<N, Plain, _, _>(function)
}

#[track_caller]
pub fn try_resident_close_with<N, F, S, R>(
    resident: &Resident<S>,
    _method: N,
    function: F,
) -> Pending<R::Value>
where
    N: 'static,
    F: AsyncFnOnce(S) -> R + Send + 'static,
    S: 'static,
    R: Outcome + 'static,
    R::Value: Send + 'static,
{
    resident.end_as::<N, Fallible, _, _>(function)
}

#[track_caller]
pub fn resident_derive<N, F, S, H>(resident: &Resident<S>, _method: N, function: F) -> Pending<H>
where
    N: 'static,
    F: AsyncFnOnce(&S) -> S + Send + 'static,
    S: 'static,
    H: From<Resident<S>> + Send + 'static,
{
    resident.derive_as::<N, _, _, _>(function)
}

#[track_caller]
pub fn try_resident_derive<N, F, R, S, H>(resident: &Resident<S>, _method: N, function: F) -> Pending<H>
where
    N: 'static,
    F: AsyncFnOnce(&S) -> R + Send + 'static,
    R: Made<Value = S> + 'static,
    S: 'static,
    H: From<Resident<S>> + Send + 'static,
{
    resident.try_derive_as::<N, _, _, _>(function)
}
