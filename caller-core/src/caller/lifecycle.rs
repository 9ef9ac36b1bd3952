//! How a caller goes from one state to the next.
//!
//! ```text
//!  Initial ──start, enter──▶ Running ──begin_stop──▶ Stopping ──finish──▶ Stopped
//!     └───────────────────begin_stop───────────────────────────────────────▲
//! ```

use std::{
    future::poll_fn,
    pin::{Pin, pin},
    rc::Rc,
    sync::{Arc, Weak},
    task::{Context as TaskContext, Poll},
    thread,
};

use super::{
    inner::{Caller, Inner, Life},
    options::CallerState,
    registry,
};
use crate::{
    backend::{LocalFuture, Runtime},
    blocked, caller_id,
    error::{Error, Kind, Result},
    host,
    scheduler::{Owner, Scheduler},
    sync::Moment,
    timer,
};

impl Inner {
    /// Takes in a child that was just made, or finds the one that has its name. A name is given once.
    pub(super) fn adopt(self: &Arc<Self>, name: Option<&str>, fresh: Arc<Self>) -> Result<(Caller, bool)> {
        let mut life = self.life();
        if matches!(life.state, CallerState::Stopping | CallerState::Stopped) {
            drop(life);
            return Err(Caller(self.clone()).closed());
        }
        if let Some(name) = name
            && let Some(known) = life.children.iter().find(|child| child.name() == name)
        {
            return Ok((known.clone(), false));
        }
        let child = Caller(fresh);
        life.children.push(child.clone());
        drop(life);
        registry::add(&child);
        Ok((child, true))
    }

    /// Claims the right to run it: once, and not after a stop.
    fn claim(&self) -> Result<()> {
        let mut life = self.life();
        match life.state {
            CallerState::Initial if !life.claimed => {
                life.claimed = true;
                Ok(())
            }
            CallerState::Initial | CallerState::Running => {
                Err(Error::new(Kind::AlreadyStarted(self.name.clone())))
            }
            CallerState::Stopping | CallerState::Stopped => Err(self.closed_before(&life)),
        }
    }

    fn closed_before(&self, life: &Life) -> Error {
        let reason = match &life.trouble {
            Some(trouble) => format!("the caller {:?} could not run: {trouble}", self.name),
            None => {
                format!("the caller {:?} was stopped, and cannot be started again; build another", self.name)
            }
        };
        Error::new(Kind::Closed { reason })
    }

    /// Begins to run in this thread, inside a runtime that the caller shares with others.
    pub(super) fn settle(self: &Arc<Self>, runtime: Rc<dyn Runtime>) -> Result<Settled> {
        let finish = self.take_thread()?;
        let scheduler = self.run_here(runtime, false)?;
        Ok(Settled { scheduler, _finish: finish })
    }

    /// Takes this thread for it, and the right to run it.
    pub(super) fn take_thread(self: &Arc<Self>) -> Result<Finish> {
        if let Some(other) = registry::here() {
            return Err(Error::new(Kind::ThreadTaken(other.name().to_owned())));
        }
        self.claim()?;
        Ok(Finish(self.clone()))
    }

    /// Begins to run in this thread, which is the caller's from now on.
    pub(super) fn run_here(
        self: &Arc<Self>,
        runtime: Rc<dyn Runtime>,
        own_thread: bool,
    ) -> Result<Scheduler> {
        let mut life = self.life();
        if life.state != CallerState::Initial {
            return Err(self.closed_before(&life));
        }
        self.set_state(&mut life, CallerState::Running);
        let current = thread::current();
        let name = current.name().unwrap_or("unnamed").to_owned();
        let _first = self.thread.set((current.id(), name));
        drop(life);
        registry::settle(&Caller(self.clone()));
        timer::set_here(Some(self.timers.clone()));
        self.started.set();
        let (inbox, timers) = (self.inbox.clone(), self.timers.clone());
        Ok(Scheduler::new(inbox, timers, runtime, self.clone(), own_thread))
    }

    pub(super) fn start_thread(self: Arc<Self>) -> Result<()> {
        if let Some(host) = &self.host
            && host.needs_main_thread()
        {
            return Err(Error::new(Kind::MainThread(host.name().to_owned())));
        }
        self.claim()?;
        let mut builder = thread::Builder::new().name(self.name.clone());
        if let Some(bytes) = self.backend.stack_size() {
            builder = builder.stack_size(bytes);
        }
        let inner = self.clone();
        builder.spawn(move || inner.run_thread()).map(drop).map_err(|source| {
            let name = self.name.clone();
            self.fail(source.to_string());
            Error::new(Kind::Start { name, source })
        })
    }

    /// The whole life of a thread of its own.
    fn run_thread(self: Arc<Self>) {
        let finish = Finish(self.clone());
        match &self.host {
            // Its loop is not begun for nothing.
            Some(_) if self.state() != CallerState::Initial => {}
            Some(host) => {
                let inner = self.clone();
                let root = |runtime| -> LocalFuture<'static> {
                    Box::pin(async move { inner.run_root(Ok(runtime), false).await })
                };
                if let Err(error) = host::run_under(host, &self.backend, root) {
                    self.fail(error.to_string());
                }
            }
            None => {
                let inner = self.clone();
                let root = async move { inner.run_root(inner.backend.runtime(), true).await };
                if let Err(error) = self.backend.run(Box::pin(root)) {
                    self.fail(format!("its runtime could not be made: {error}"));
                }
            }
        }
        drop(finish);
    }

    async fn run_root(self: &Arc<Self>, runtime: Result<Rc<dyn Runtime>>, own_thread: bool) {
        match runtime.and_then(|runtime| self.run_here(runtime, own_thread)) {
            Ok(scheduler) => scheduler.await,
            Err(error) if error.is_closed() => {}
            Err(error) => self.fail(error.to_string()),
        }
    }

    /// It cannot run: whoever asks hears why.
    fn fail(self: &Arc<Self>, trouble: String) {
        self.life().trouble = Some(trouble);
        self.clone().begin_stop();
        self.finish();
    }

    /// Begins the stop, once, in any thread.
    pub(super) fn begin_stop(self: Arc<Self>) {
        let mut life = self.life();
        let was = life.state;
        if matches!(was, CallerState::Stopping | CallerState::Stopped) {
            return;
        }
        self.set_state(&mut life, CallerState::Stopping);
        let children = life.children.clone();
        drop(life);
        self.stopping.set();
        // From here on nothing new is taken; the scheduler, if there is one, hears of it by this.
        self.inbox.items.close();
        for child in children {
            child.force_stop();
        }
        if was == CallerState::Initial {
            // A thread that is about to run it will find it stopped.
            self.finish();
        }
    }

    /// Ends what verbs have attached.
    fn stop_attached(&self, reason: &str) {
        if let Some(pool) = self.pool.get() {
            pool.stop(reason);
        }
        self.queues.stop(reason);
    }

    /// Refuses whatever is still asked of it.
    fn refuse_all(&self, reason: &str) {
        for item in self.inbox.items.close_and_drain() {
            item.reject(reason);
        }
        self.stop_attached(reason);
    }

    /// Its own part has ended.
    pub(super) fn finish(self: &Arc<Self>) {
        let reason = self.stop_reason();
        self.refuse_all(&reason);
        self.life().ended = true;
        self.finish_if_alone();
    }

    /// It has stopped once its own part has ended and its children have stopped.
    fn finish_if_alone(self: &Arc<Self>) {
        let mut life = self.life();
        if !life.ended || !life.children.is_empty() || life.leaving > 0 || life.forgotten {
            return;
        }
        life.forgotten = true;
        drop(life);
        // Nobody finds it any more, and then it has stopped.
        self.timers.close();
        registry::remove(self.id);
        blocked::forget(self.id);
        let parent = self.parent.as_ref().and_then(Weak::upgrade);
        let left = parent.as_ref().map(|parent| {
            let mut life = parent.life();
            life.leaving += 1;
            let at = life.children.iter().position(|child| child.id() == self.id);
            at.map(|at| life.children.swap_remove(at))
        });
        drop(left);
        self.set_state(&mut self.life(), CallerState::Stopped);
        self.started.set();
        self.stopped.set();
        // The parent's moment comes after the child's.
        if let Some(parent) = parent {
            parent.life().leaving -= 1;
            parent.finish_if_alone();
        }
    }
}

impl Drop for Inner {
    /// Who runs is held by its thread, so this one has ended, or was built and never ran. What was asked of that will
    /// never happen.
    fn drop(&mut self) {
        registry::remove(self.id);
        if self.state() != CallerState::Initial {
            return;
        }
        let reason = format!("the caller {:?} was dropped before it was started", self.name);
        self.refuse_all(&reason);
        for child in self.children() {
            child.force_stop();
        }
        self.timers.close();
    }
}

/// Whatever happens, the caller's own part has ended when this is dropped, in its thread. Where the runtime was made for the
/// caller, that is when the runtime is gone: until then, what its tasks do as they are dropped is done in a caller's thread.
pub(super) struct Finish(Arc<Inner>);

impl Drop for Finish {
    fn drop(&mut self) {
        self.0.clone().begin_stop();
        if caller_id::here() == Some(self.0.id) {
            timer::set_here(None);
            registry::leave();
        }
        self.0.finish();
    }
}

/// A caller inside a runtime that it shares: a future that ends when the caller has been stopped. Dropped before, it
/// stops the caller there and then.
pub(super) struct Settled {
    // In this order: the scheduler drops every future in its thread before the rest is refused from anywhere.
    scheduler: Scheduler,
    _finish: Finish,
}

impl Future for Settled {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<()> {
        self.scheduler.poll_turn(cx)
    }
}

impl Owner for Inner {
    fn name(&self) -> &str {
        &self.name
    }

    fn is_stopping(&self) -> bool {
        matches!(self.state(), CallerState::Stopping | CallerState::Stopped)
    }

    fn begin_stop(self: Arc<Self>) {
        Self::begin_stop(self);
    }

    fn end_surroundings(self: Arc<Self>) -> LocalFuture<'static> {
        let reason = self.stop_reason();
        self.stop_attached(&reason);
        let children = self.children();
        Box::pin(async move {
            let all = async {
                for child in children {
                    Moment::new(child.0.stopped.clone(), child.id()).await;
                }
            };
            let mut all = pin!(all);
            // A child whose thread is blocked on a call of ours would never stop, unless that call ends.
            let until_all_or_blocked = |cx: &mut TaskContext<'_>| match all.as_mut().poll(cx) {
                Poll::Ready(()) => Poll::Ready(()),
                Poll::Pending => blocked::poll_blocked_on(self.id, cx),
            };
            poll_fn(until_all_or_blocked).await;
        })
    }
}
