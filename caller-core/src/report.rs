//! Failures that nobody waits for: an event with the feature `tracing`, a line on stderr without it.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
};

use crate::{error::Error, sys::panic_message};

/// Reports what went wrong in `what`, with the name of the caller in whose thread it ran.
pub(crate) fn failure(caller: &str, what: &str, error: &Error) {
    #[cfg(feature = "tracing")]
    tracing::error!(caller, what, %error, "a failure that nobody waits for");
    #[cfg(not(feature = "tracing"))]
    eprintln!("caller {caller:?}: {what}: {error}");
}

/// Reports a panic that has no call to become the error of.
pub(crate) fn panicked(what: &str, payload: Box<dyn Any + Send>) {
    let message = panic_message(&*payload);
    #[cfg(feature = "tracing")]
    tracing::error!(what, message, "a panic that nobody waits for");
    #[cfg(not(feature = "tracing"))]
    eprintln!("{what} panicked: {message}");
    // Dropping what a user panicked with may panic itself.
    std::mem::forget(payload);
}

/// Drops a user's value where a panic in its destructor must not go on.
pub(crate) fn drop_quietly<T>(what: &str, value: T) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(value))) {
        panicked(&format!("the destructor of {what}"), payload);
    }
}
