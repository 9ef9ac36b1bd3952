//! How a call gets into the inbox of its caller.

use std::{future::Future, panic::Location, sync::Arc, time::Duration};

use super::inner::Caller;
use crate::{
    call::{self, Convert, Item, Plain, Run},
    context::Context,
    error::{Error, Kind, Result},
    pending::{Pending, Take},
};

impl Caller {
    /// As [`call_soon`](Self::call_soon), with the name of another type, in this context and from this place.
    pub(crate) fn call_soon_as<N: 'static, T: Send + 'static>(
        &self,
        context: Context,
        location: &'static Location<'static>,
        function: impl AsyncFnOnce() -> T + Send + 'static,
    ) -> Pending<T> {
        self.submit::<N, Plain, _, _, _>(move || function(), None, context, location)
    }

    pub(crate) fn submit<N, C, M, F, T>(
        &self,
        make: M,
        delay: Option<Duration>,
        context: Context,
        location: &'static Location<'static>,
    ) -> Pending<T>
    where
        N: 'static,
        C: Convert<F::Output, Value = T> + 'static,
        M: FnOnce() -> F + Send + 'static,
        F: Future + 'static,
        T: Send + 'static,
    {
        let (run, take) = call::call::<N, C, M, F, T>(make, context, location, Some(self.0.id));
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
            Some(delay) => match self.0.timers.now().checked_add(delay) {
                Some(at) => Item::Later(Box::new((at, run))),
                // A time that the clock cannot name never comes; a century is as good.
                None => Item::Later(Box::new((self.0.timers.now() + CENTURY, run))),
            },
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
        let (run, take) = call::local_call::<N, C, F, T>(make(), Context::current(), location, self.0.id);
        // The stop of a caller is begun by any thread; a local call that comes too late is dropped here, by its own.
        if let Err(Item::Local(run)) = self.0.inbox.items.push(Item::Local(run)) {
            run.end(None, &self.0.stop_reason());
        }
        Ok(Pending::new(take))
    }
}

const CENTURY: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);
