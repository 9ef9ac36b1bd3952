//! The async-std runtime that a thread is in.

use std::time::Instant;

use async_std::task;
use caller::{LocalFuture, Runtime, Spawner};

/// async-std, which is one for the whole process.
pub(crate) struct Surrounding;

impl Runtime for Surrounding {
    fn enter(&self, function: &mut dyn FnMut()) {
        function();
    }

    fn sleep_until(&self, at: Instant) -> LocalFuture<'static> {
        Box::pin(task::sleep(at.saturating_duration_since(Instant::now())))
    }

    /// Otherwise all calls would share one task, and read each other's values.
    fn spawner(&self) -> Option<Spawner> {
        // Dropping the handle lets the task go on.
        Some(Box::new(|call| drop(task::spawn_local(call))))
    }
}
