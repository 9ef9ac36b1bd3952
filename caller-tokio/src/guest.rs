//! tokio as the guest of another runtime, in a thread that the other drives.
//!
//! A thread of its own drives tokio's timers and sockets. What runs in the host's thread is a local task of tokio's, so that
//! it has a budget as tokio's tasks have, and lets go when that is used up.

use std::{
    future::{Future, pending},
    io,
    pin::pin,
    rc::Rc,
    sync::mpsc::{self, Receiver},
    task::Context,
    thread,
    time::Duration,
};

use caller::{AsyncEvent, Guest, GuestTask, LocalFuture, Runtime as CallerRuntime};
use tokio::{
    runtime::{Builder, Handle, Runtime},
    task::LocalSet,
};

use crate::surrounding::Surrounding;

/// How long the end of the driver's thread is waited for. It ends at once, unless a task that was spawned there blocks: that
/// is left behind, as a function in `spawn_blocking` is.
const PATIENCE: Duration = Duration::from_secs(1);

/// A tokio runtime whose driver has a thread of its own, and whose local tasks are polled in the host's.
pub(crate) struct TokioGuest {
    handle: Handle,
    /// None once it was dropped, which is inside the runtime.
    local: Option<LocalSet>,
    /// Ends the helper thread.
    end: AsyncEvent,
    /// Closed when that has ended.
    ended: Receiver<()>,
}

/// A runtime that can be dropped anywhere: a blocking function that still runs is not waited for.
struct Driver(Option<Runtime>);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.take().into_iter().for_each(Runtime::shutdown_background);
    }
}

impl TokioGuest {
    pub(crate) fn start(mut builder: Builder) -> io::Result<Rc<dyn Guest>> {
        let runtime = builder.build()?;
        let handle = runtime.handle().clone();
        let driver = Driver(Some(runtime));
        let end = AsyncEvent::new();
        let until = end.wait();
        let (alive, ended) = mpsc::channel();
        thread::Builder::new().name("caller-guest".into()).spawn(move || {
            let _alive = alive;
            if let Some(runtime) = &driver.0 {
                runtime.block_on(until);
            }
            drop(driver);
        })?;
        Ok(Rc::new(Self { handle, local: Some(LocalSet::new()), end, ended }))
    }
}

impl Guest for TokioGuest {
    fn runtime(&self) -> Rc<dyn CallerRuntime> {
        Rc::new(Surrounding::new(self.handle.clone()))
    }

    fn enter(&self, function: &mut dyn FnMut()) {
        let _runtime = self.handle.enter();
        let _local = self.local.as_ref().map(LocalSet::enter);
        function();
    }

    fn adopt(&self, call: LocalFuture<'static>) -> LocalFuture<'static> {
        let (task, adopted) = GuestTask::split(call);
        if let Some(local) = &self.local {
            drop(local.spawn_local(task));
        }
        Box::pin(adopted)
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
        let _ended_or_left_behind = self.ended.recv_timeout(PATIENCE);
    }
}
