//! The async-std runtime that a thread is in.

use std::time::Instant;

use async_std::task;
use caller::{LocalFuture, Runtime};

/// async-std, which is one for the whole process.
pub(crate) struct Surrounding;

impl Runtime for Surrounding {
    fn enter(&self, function: &mut dyn FnMut()) {
        function();
    }

    fn sleep_until(&self, at: Instant) -> LocalFuture<'static> {
        Box::pin(task::sleep(at.saturating_duration_since(Instant::now())))
    }
}
