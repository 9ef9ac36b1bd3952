//! tokio as the guest of another runtime, in a thread that the other drives.

use std::{
    future::pending,
    io,
    pin::pin,
    rc::Rc,
    task::Context,
    thread::{self, JoinHandle},
};

use caller::{AsyncEvent, Guest, LocalFuture, Runtime};
use tokio::{
    runtime::{Builder, Handle},
    task::LocalSet,
};

use crate::Surrounding;

/// A tokio runtime whose driver has a thread of its own, and whose local tasks are polled in the host's.
pub(crate) struct TokioGuest {
    handle: Handle,
    /// None once it was dropped, which is inside the runtime.
    local: Option<LocalSet>,
    /// Ends the helper thread.
    end: AsyncEvent,
    helper: Option<JoinHandle<()>>,
}

impl TokioGuest {
    pub(crate) fn start(mut builder: Builder) -> io::Result<Rc<dyn Guest>> {
        let runtime = builder.build()?;
        let handle = runtime.handle().clone();
        let end = AsyncEvent::new();
        let ended = end.wait();
        let helper = thread::Builder::new().name("caller-guest".into()).spawn(move || {
            runtime.block_on(ended);
            // A blocking function that still runs is not waited for.
            runtime.shutdown_background();
        })?;
        Ok(Rc::new(Self { handle, local: Some(LocalSet::new()), end, helper: Some(helper) }))
    }
}

impl Guest for TokioGuest {
    fn runtime(&self) -> Rc<dyn Runtime> {
        Rc::new(Surrounding::new(self.handle.clone()))
    }

    fn enter(&self, function: &mut dyn FnMut()) {
        let _runtime = self.handle.enter();
        let _local = self.local.as_ref().map(LocalSet::enter);
        function();
    }

    fn drive(&self, cx: &mut Context<'_>) {
        let Some(local) = &self.local else { return };
        let _runtime = self.handle.enter();
        // What is polled beside the tasks never ends, and is dropped at once: the set keeps the waker.
        let never: LocalFuture<'_> = Box::pin(local.run_until(pending()));
        let _pending = pin!(never).poll(cx);
    }
}

impl Drop for TokioGuest {
    fn drop(&mut self) {
        {
            let _runtime = self.handle.enter();
            drop(self.local.take());
        }
        self.end.set();
        // It ends at once: nothing but the driver runs there.
        let _panicked = self.helper.take().map(JoinHandle::join);
    }
}
