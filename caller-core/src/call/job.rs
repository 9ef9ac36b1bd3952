//! The types of one call: what begins it, its future, its value, and the name that it bears.

use std::{any::type_name, convert::Infallible, future::Future, marker::PhantomData, sync::Arc};

use super::outcome::Convert;
use crate::error::{Kind, Result};

/// The types of a call.
pub(crate) trait Work: 'static {
    /// What makes the future, and crosses the thread to do so.
    type Start: Send + 'static;
    /// What is polled. It never leaves the thread that made it.
    type Future: Future + 'static;
    /// What the call gives.
    type Value: Send + 'static;
    /// The name that the call was given, if it was.
    type Given: Given;

    /// The name of the function, as the compiler has it.
    fn name() -> &'static str;
    /// The name that the call was given.
    fn given(start: &Self::Start) -> Self::Given;
    /// Makes the future.
    fn begin(start: Self::Start) -> Self::Future;
    /// What the output of the future means.
    fn convert(output: <Self::Future as Future>::Output) -> Result<Self::Value, Kind>;
}

/// The name of a call. Most have none, and pay nothing for it.
pub(crate) trait Given: Send + Sync + 'static {
    fn name(&self) -> Option<Arc<str>>;
}

impl Given for () {
    fn name(&self) -> Option<Arc<str>> {
        None
    }
}

impl Given for Arc<str> {
    fn name(&self) -> Option<Arc<str>> {
        Some(self.clone())
    }
}

/// A job that crosses the thread as it is.
pub(crate) trait FnJob: Work<Start = Self> + Send + Sized {}

impl<J: Work<Start = Self> + Send> FnJob for J {}

/// A function that crosses the thread. `N` is the type whose name the call bears, `C` says what its output means.
pub(crate) struct Job<N, C, M> {
    make: M,
    name: Marker<N>,
    meaning: Marker<C>,
}

/// Says a type, and is as thread-safe as nothing.
type Marker<T> = PhantomData<fn() -> T>;

/// The job of a function that makes a future.
pub(crate) fn job<N, C, M>(make: M) -> Job<N, C, M> {
    Job { make, name: PhantomData, meaning: PhantomData }
}

impl<N, C, M, F> Work for Job<N, C, M>
where
    N: 'static,
    C: Convert<F::Output, Value: Send + 'static> + 'static,
    M: FnOnce() -> F + Send + 'static,
    F: Future + 'static,
{
    type Start = Self;
    type Future = F;
    type Value = C::Value;
    type Given = ();

    fn name() -> &'static str {
        type_name::<N>()
    }

    fn given(_start: &Self) {}

    fn begin(start: Self) -> F {
        (start.make)()
    }

    fn convert(output: F::Output) -> Result<C::Value, Kind> {
        C::convert(output)
    }
}

/// A future that was made in its thread, and never crosses it.
pub(crate) struct LocalJob<N, C, F>(Marker<N>, Marker<C>, Marker<F>);

impl<N, C, F> Work for LocalJob<N, C, F>
where
    N: 'static,
    C: Convert<F::Output, Value: Send + 'static> + 'static,
    F: Future + 'static,
{
    type Start = Infallible;
    type Future = F;
    type Value = C::Value;
    type Given = ();

    fn name() -> &'static str {
        type_name::<N>()
    }

    fn given(_start: &Infallible) {}

    fn begin(start: Infallible) -> F {
        match start {}
    }

    fn convert(output: F::Output) -> Result<C::Value, Kind> {
        C::convert(output)
    }
}

/// A job that captures much, in a box: what lies in the call lies there for as long as the call is known to anybody.
pub(super) struct Boxed<J>(pub(super) Box<J>);

impl<J: FnJob> Work for Boxed<J> {
    type Start = Self;
    type Future = J::Future;
    type Value = J::Value;
    type Given = J::Given;

    fn name() -> &'static str {
        J::name()
    }

    fn given(start: &Self) -> J::Given {
        J::given(&start.0)
    }

    fn begin(start: Self) -> J::Future {
        J::begin(*start.0)
    }

    fn convert(output: <J::Future as Future>::Output) -> Result<J::Value, Kind> {
        J::convert(output)
    }
}

/// A job whose call was given a name.
pub(crate) struct Named<J> {
    pub(crate) job: J,
    pub(crate) name: Arc<str>,
}

impl<J: FnJob> Work for Named<J> {
    type Start = Self;
    type Future = J::Future;
    type Value = J::Value;
    type Given = Arc<str>;

    fn name() -> &'static str {
        J::name()
    }

    fn given(start: &Self) -> Arc<str> {
        start.name.clone()
    }

    fn begin(start: Self) -> J::Future {
        J::begin(start.job)
    }

    fn convert(output: <J::Future as Future>::Output) -> Result<J::Value, Kind> {
        J::convert(output)
    }
}
