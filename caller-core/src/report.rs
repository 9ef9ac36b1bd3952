//! Failures that nobody waits for: an event with the feature `tracing`, a line on stderr without it.
//!
//! Nothing here panics, whatever the subscriber does and whether or not stderr is open.

#[cfg(not(feature = "tracing"))]
use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Reports the failure of `what`, with the name of the caller in whose thread it ran.
pub(crate) fn failure(caller: &str, what: &str, error: &str) {
    emit(|| {
        #[cfg(feature = "tracing")]
        tracing::error!(caller, what, error, "a failure that nobody waits for");
        #[cfg(not(feature = "tracing"))]
        let _closed = writeln!(std::io::stderr(), "caller {caller:?}: {what}: {error}");
    });
}

/// Reports a panic of `what` that is the error of no call.
pub(crate) fn panicked(what: &str, message: &str) {
    emit(|| {
        #[cfg(feature = "tracing")]
        tracing::error!(what, message, "a panic that nobody waits for");
        #[cfg(not(feature = "tracing"))]
        let _closed = writeln!(std::io::stderr(), "{what} panicked: {message}");
    });
}

/// A subscriber is code of the program's, and this is the end of the line: a panic in it is dropped.
fn emit(write: impl FnOnce()) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(write)) {
        // The payload's destructor may panic too.
        let _second = catch_unwind(AssertUnwindSafe(|| drop(payload))).map_err(std::mem::forget);
    }
}
