//! How a call gets into the inbox of its caller.

use std::{future::Future, panic::Location, sync::Arc, time::Duration};

use super::inner::Caller;
use crate::{
    call::{self, Convert, FnJob, Item, Plain, Run, job},
    context::Context,
    error::{Error, Kind, Result},
    pending::{Pending, Take},
    scheduler,
};

impl Caller {
    /// As [`call_soon`](Self::call_soon), with the name of another type, in this context and from this place.
    pub(crate) fn call_soon_as<N: 'static, T: Send + 'static>(
        &self,
        context: Context,
        location: &'static Location<'static>,
        function: impl AsyncFnOnce() -> T + Send + 'static,
    ) -> Pending<T> {
        self.submit(job::<N, Plain, _>(move || function()), None, context, location)
    }

    /// Submits a function that makes a future.
    pub(crate) fn submit<J: FnJob>(
        &self,
        job: J,
        delay: Option<Duration>,
        context: Context,
        location: &'static Location<'static>,
    ) -> Pending<J::Value> {
        let (run, take) = call::call(job, context, location, Some(self.0.id));
        self.send(run, take, delay)
    }

    pub(crate) fn send<T: Send + 'static>(
        &self,
        run: Arc<dyn Run>,
        take: Arc<dyn Take<T>>,
        delay: Option<Duration>,
    ) -> Pending<T> {
        let item = match delay.filter(|delay| !delay.is_zero()) {
            None => Item::Call(run),
            Some(delay) => Item::Later(Box::new((self.0.timers.due(delay, self.is_here()), run))),
        };
        self.enqueue(item);
        Pending::new(take)
    }

    pub(crate) fn enqueue(&self, item: Item) {
        if let Err(item) = self.0.inbox.items.push(item) {
            item.reject(&self.0.stop_reason());
        }
    }

    pub(crate) fn submit_local<N, C, F, T>(
        &self,
        make: impl FnOnce() -> F,
        location: &'static Location<'static>,
    ) -> Result<Pending<T>>
    where
        N: 'static,
        C: Convert<F::Output, Value = T> + 'static,
        F: Future + 'static,
        T: Send + 'static,
    {
        if !self.is_here() {
            return Err(Error::new(Kind::OtherThread(self.name().to_owned())));
        }
        if !self.is_running() {
            return Err(self.closed());
        }
        let (context, future) = (Context::current(), make());
        let made = scheduler::with_home(|home| {
            call::local_call::<N, C, F>(future, context, location, self.0.id, home)
        });
        let Some((key, take)) = made else { return Err(self.closed()) };
        // The stop of a caller is begun by any thread; a local call that comes too late is dropped here, by its own.
        if self.0.inbox.items.push(Item::Local(key)).is_err() {
            scheduler::refuse(key, &self.0.stop_reason());
        }
        Ok(Pending::new(take))
    }
}
