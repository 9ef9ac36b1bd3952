//! The tokio runtime that a thread is in.

use std::{
    panic::catch_unwind,
    time::{Duration, Instant},
};

use caller::{LocalFuture, Runtime};
use tokio::{runtime::Handle, task, time};

/// How far ahead tokio's timers are asked to look, about thirty years: they panic at a time near the end of what the clock
/// can name. A caller makes a sleep that ends too early anew.
const FAR: Duration = Duration::from_secs(30 * 365 * 24 * 60 * 60);

/// The tokio runtime of this thread.
pub(crate) struct Surrounding {
    handle: Handle,
}

impl Surrounding {
    pub(crate) fn new(handle: Handle) -> Self {
        Self { handle }
    }
}

impl Runtime for Surrounding {
    fn enter(&self, function: &mut dyn FnMut()) {
        let _entered = self.handle.enter();
        function();
    }

    fn sleep_until(&self, at: Instant) -> LocalFuture<'static> {
        let _entered = self.handle.enter();
        let at = time::Instant::now().into_std().checked_add(FAR).map_or(at, |far| at.min(far));
        // tokio panics when its timers are off, and cannot be asked whether they are.
        match catch_unwind(|| time::sleep_until(time::Instant::from_std(at))) {
            Ok(sleep) => Box::pin(sleep),
            Err(_) => Box::pin(caller::sleep_until(at)),
        }
    }

    fn may_poll(&self) -> bool {
        task::coop::has_budget_remaining()
    }

    fn other_tasks(&self) -> Option<usize> {
        Some(self.handle.metrics().num_alive_tasks())
    }
}
