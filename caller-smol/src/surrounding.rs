//! The smol that a thread is in.

use std::{rc::Rc, time::Instant};

use async_io::Timer;
use caller::{LocalFuture, Runtime};

use crate::tasks::Tasks;

/// Timers and sockets, which work anywhere, and the local tasks of a thread that has some.
pub(crate) struct Surrounding {
    tasks: Option<Rc<Tasks>>,
}

impl Surrounding {
    pub(crate) fn new(tasks: Option<Rc<Tasks>>) -> Self {
        Self { tasks }
    }
}

impl Runtime for Surrounding {
    fn enter(&self, function: &mut dyn FnMut()) {
        match &self.tasks {
            Some(tasks) => tasks.enter(function),
            None => function(),
        }
    }

    fn sleep_until(&self, at: Instant) -> LocalFuture<'static> {
        Box::pin(async move {
            Timer::at(at).await;
        })
    }

    fn other_tasks(&self) -> Option<usize> {
        // How many there are is not told.
        self.tasks.as_ref().map(|tasks| usize::from(!tasks.is_empty()))
    }
}
