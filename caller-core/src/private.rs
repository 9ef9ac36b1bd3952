//! What the attributes of `caller-macros` expand to. It changes with them, and is not for people.
#![allow(
    missing_docs,
    reason = "each function is the verb of its name, on the caller that an attribute names"
)]

mod calls;
mod queued;
mod resident;
mod run;

pub use self::{
    calls::{
        call_direct, call_direct_async, call_later, call_soon, to_thread, try_call_later, try_call_soon,
        try_to_thread,
    },
    queued::{
        method_queue, method_queue_of_pending, queue, queue_call, queue_call_pending, queue_method,
        queue_method_pending, queue_of_pending, try_queue_call_pending, try_queue_method_pending,
    },
    resident::{
        resident, resident_call, resident_call_mut, resident_close_with, resident_derive, try_resident,
        try_resident_call, try_resident_call_mut, try_resident_close_with, try_resident_derive,
    },
    run::{TEST_TIMEOUT, main, test},
};
pub use crate::call::{Failure, Made, MakingFailure, Outcome};
use crate::{caller::Caller, error::Result};

/// What `caller = …` may give.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not name a caller",
    label = "expected a `Caller`, a `&Caller`, or a `Result` of one"
)]
pub trait CallerSource {
    /// The caller, or why there is none.
    fn into_caller(self) -> Result<Caller>;
}

impl CallerSource for Caller {
    fn into_caller(self) -> Result<Caller> {
        Ok(self)
    }
}

impl CallerSource for &Caller {
    fn into_caller(self) -> Result<Caller> {
        Ok(self.clone())
    }
}

impl<C: CallerSource> CallerSource for Result<C> {
    fn into_caller(self) -> Result<Caller> {
        self?.into_caller()
    }
}

/// The caller that an attribute names.
pub fn caller(source: impl CallerSource) -> Result<Caller> {
    source.into_caller()
}
