//! tokio as the guest of another runtime, in a thread that the other drives.
//!
//! A thread of its own drives tokio's timers and sockets. What runs in the host's thread is a local task of tokio's, so that
//! it has a budget as tokio's tasks have, and lets go when that is used up.

use std::{
    cell::{Cell, RefCell},
    future::{Future, pending},
    io,
    pin::{Pin, pin},
    rc::Rc,
    sync::mpsc::{self, Receiver},
    task::{Context, Poll, Waker},
    thread,
    time::Duration,
};

use caller::{AsyncEvent, Guest, LocalFuture, Runtime as CallerRuntime};
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
        let state = Rc::new(State { call: RefCell::new(Some(call)), ..State::default() });
        if let Some(local) = &self.local {
            drop(local.spawn_local(Task(state.clone())));
        }
        Box::pin(Adopted(state))
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

/// What a call shares with its task.
#[derive(Default)]
struct State {
    /// None while it is polled, and when it has ended.
    call: RefCell<Option<LocalFuture<'static>>>,
    /// Whether it has ended.
    ended: Cell<bool>,
    /// Nobody wants it any more, said while it was being polled.
    given_up: Cell<bool>,
    /// The task's own.
    task: RefCell<Option<Waker>>,
    /// Whoever waits for its end.
    waiter: RefCell<Option<Waker>>,
}

impl State {
    fn end(&self) {
        self.ended.set(true);
        let waker = self.waiter.take();
        waker.into_iter().for_each(Waker::wake);
    }
}

/// A local task of tokio's, for one call.
struct Task(Rc<State>);

impl Future for Task {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let state = &*self.0;
        let old = state.task.replace(Some(cx.waker().clone()));
        drop(old);
        // Taken out, so that nobody finds it borrowed.
        let call = state.call.borrow_mut().take();
        let Some(mut call) = call else { return Poll::Ready(()) };
        if call.as_mut().poll(cx).is_pending() && !state.given_up.get() {
            state.call.replace(Some(call));
            return Poll::Pending;
        }
        drop(call);
        state.end();
        Poll::Ready(())
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        // The guest ends under it, or the call panicked.
        let call = self.0.call.borrow_mut().take();
        drop(call);
        if !self.0.ended.get() {
            self.0.end();
        }
    }
}

/// Ends when the task of a call has ended. Dropping it drops the call.
struct Adopted(Rc<State>);

impl Future for Adopted {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.0.ended.get() {
            return Poll::Ready(());
        }
        let old = self.0.waiter.replace(Some(cx.waker().clone()));
        drop(old);
        Poll::Pending
    }
}

impl Drop for Adopted {
    fn drop(&mut self) {
        if self.0.ended.get() {
            return;
        }
        let call = self.0.call.borrow_mut().take();
        match call {
            Some(call) => drop(call),
            None => self.0.given_up.set(true),
        }
        // The task has nothing left to do.
        let waker = self.0.task.borrow_mut().take();
        waker.into_iter().for_each(Waker::wake);
    }
}
