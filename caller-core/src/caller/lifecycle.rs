//! How a caller goes from one state to the next. `ending` draws the states.
//!
//! `Ending` counts what the end of a caller waits for. Each of these is a `Part`, and dropping the last one tells the
//! end: the parts of the caller itself (`Finish`, or the stop of a caller that nobody runs), its children, and calls on
//! their way to a worker. A part holds the `End`, not the caller, so no step depends on a handle.

use std::{
    future::poll_fn,
    io, mem,
    pin::{Pin, pin},
    rc::Rc,
    sync::{Arc, Mutex, PoisonError, Weak},
    task::{Context as TaskContext, Poll},
    thread,
};

use super::{
    ending::Claimed,
    inner::{Caller, Child, End, Inner, Part},
    options::CallerState,
    pool::Rest,
    registry,
};
use crate::{
    backend::{LocalFuture, Runtime},
    blocked,
    call::Inbox,
    caller_id,
    error::{Error, Kind, Result},
    fn_queue::Queues,
    guard::{self, Panic},
    host, report,
    root::Root,
    scheduler::{Owner, Scheduler},
    sync::Moment,
    this_thread, timer,
};

impl Inner {
    /// Takes in a child that was just made, or finds the one that has its name. A name is given once.
    pub(super) fn adopt(self: &Arc<Self>, name: Option<&str>, fresh: Arc<Self>) -> Result<(Caller, bool)> {
        let mut children = self.lock_children();
        let has_name = |child: &&Child| name.is_some() && child.name.as_deref() == name;
        if let Some(known) = children.iter().filter(has_name).find_map(Child::caller) {
            drop(children);
            return if self.is_over() { Err(Caller(self.clone()).closed()) } else { Ok((known, false)) };
        }
        // Under the lock of the list: a stop, which has the state changed before it looks at the list, finds the child.
        if !self.end.ending.add_child() {
            drop(children);
            return Err(Caller(self.clone()).closed());
        }
        let part = Part::of(&self.end);
        *fresh.end.parent.lock().unwrap_or_else(PoisonError::into_inner) = Some((Arc::downgrade(self), part));
        let child = Caller(fresh);
        children.push(Child::new(name, &child));
        drop(children);
        registry::add(&child);
        Ok((child, true))
    }

    /// Whether a stop has begun.
    pub(super) fn is_over(&self) -> bool {
        matches!(self.state(), CallerState::Stopping | CallerState::Stopped)
    }

    /// Claims the right to run it: once, and not after a stop.
    fn claim(self: &Arc<Self>) -> Result<Finish> {
        match self.end.ending.claim() {
            Ok(()) => {
                let finish = Finish(self.clone());
                self.be_held();
                Ok(finish)
            }
            Err(Claimed::Before) => Err(Error::new(Kind::AlreadyStarted(self.name.clone()))),
            Err(Claimed::Stopped) => Err(self.closed_before()),
        }
    }

    /// Has its parent hold it from now on.
    fn be_held(self: &Arc<Self>) {
        let Some(parent) = self.owner() else { return };
        let mut children = parent.lock_children();
        if let Some(child) = children.iter_mut().rev().find(|child| child.end.id == self.id) {
            child.held = Some(Caller(self.clone()));
        }
        drop(children);
        drop(self.let_go_of_parent());
    }

    fn closed_before(&self) -> Error {
        let reason = match self.trouble.get() {
            Some(_) => self.stop_reason(),
            None => {
                format!("the caller {:?} was stopped, and cannot be started again; build another", self.name)
            }
        };
        Error::new(Kind::Closed { reason })
    }

    /// The error of a caller that could not be started.
    pub(super) fn not_started(&self, source: io::Error) -> Error {
        Error::new(Kind::Start { name: self.name.clone(), source })
    }

    /// The runtime of its backend that surrounds this code.
    pub(super) fn runtime(&self) -> Result<Rc<dyn Runtime>> {
        guard::run(|| self.backend.runtime())
            .unwrap_or_else(|panic| Err(self.not_started(io::Error::other(panicked(&panic)))))
    }

    /// Whether a runtime of its backend's drives this thread.
    pub(super) fn is_in_runtime(&self) -> bool {
        guard::run(|| self.backend.drives_here()).unwrap_or(false)
    }

    /// Begins to run in this thread, inside a runtime that the caller shares with others.
    pub(super) fn settle(self: &Arc<Self>, runtime: Rc<dyn Runtime>) -> Result<Settled> {
        let finish = self.take_thread()?;
        let scheduler = self.run_here(runtime, false)?;
        Ok(Settled { scheduler: Some(scheduler), finish: Some(finish) })
    }

    /// Takes this thread for it, and the right to run it.
    pub(super) fn take_thread(self: &Arc<Self>) -> Result<Finish> {
        match registry::look() {
            Ok(None) => self.claim(),
            Ok(Some(other)) => Err(Error::new(Kind::ThreadTaken(other.name().to_owned()))),
            Err(_ending) => Err(self.not_started(io::Error::other(
                "this thread is ending, and its thread-locals are being destroyed; start it before, or elsewhere",
            ))),
        }
    }

    /// Begins to run in this thread, which is the caller's from now on.
    pub(super) fn run_here(
        self: &Arc<Self>,
        runtime: Rc<dyn Runtime>,
        own_thread: bool,
    ) -> Result<Scheduler> {
        if !self.end.ending.run() {
            return Err(self.closed_before());
        }
        let current = thread::current();
        let name = current.name().unwrap_or("unnamed").to_owned();
        let _first = self.thread.set((current.id(), name));
        registry::settle(&Caller(self.clone()));
        timer::set_here(Some(self.timers.clone()));
        self.end.started.set();
        let (inbox, timers) = (self.inbox.clone(), self.timers.clone());
        Ok(Scheduler::new(inbox, timers, runtime, self.clone(), own_thread))
    }

    pub(super) fn start_thread(self: &Arc<Self>) -> Result<()> {
        if let Some(host) = &self.host
            && host.needs_main_thread()
        {
            return Err(Error::new(Kind::MainThread(host.name().to_owned())));
        }
        // Shared with the thread, which may not come to be; then the reason is recorded before the caller ends.
        let finish = Arc::new(Mutex::new(Some(self.claim()?)));
        let take =
            |finish: &Mutex<Option<Finish>>| finish.lock().unwrap_or_else(PoisonError::into_inner).take();
        let begun = finish.clone();
        let spawned = guard::run(|| {
            let mut builder = thread::Builder::new().name(self.name.clone());
            if let Some(bytes) = self.backend.stack_size() {
                builder = builder.stack_size(bytes);
            }
            builder.spawn(move || {
                if let Some(finish) = take(&begun) {
                    finish.0.clone().run_thread(finish);
                }
            })
        });
        let failed = match spawned {
            Ok(Ok(_detached)) => return Ok(()),
            Ok(Err(error)) => error,
            Err(panic) => io::Error::other(panicked(&panic)),
        };
        self.fail(failed.to_string());
        drop(take(&finish));
        Err(self.not_started(failed))
    }

    /// The whole life of a thread of its own.
    fn run_thread(self: Arc<Self>, finish: Finish) {
        this_thread::mark_spawned();
        // Stopped meanwhile: no runtime is made, and no loop begun, for nothing.
        if !self.is_over() {
            let inner = self.clone();
            let trouble = match &self.host {
                Some(host) => {
                    let root = |runtime| -> LocalFuture<'static> {
                        Box::pin(async move { inner.run_root(runtime, false).await })
                    };
                    match guard::run(|| host::run_under(host, &self.backend, root)) {
                        Ok(ran) => ran.err().map(|error| error.to_string()),
                        Err(panic) => Some(format!("the loop of its host panicked: {}", panic.message())),
                    }
                }
                None => {
                    let root: LocalFuture<'static, Result<()>> = Box::pin(async move {
                        inner.run_root(inner.runtime()?, true).await;
                        Ok(())
                    });
                    match self.in_runtime(root) {
                        Ok(ran) => ran.err().map(|error| error.to_string()),
                        Err(error) => Some(error.to_string()),
                    }
                }
            };
            trouble.into_iter().for_each(|trouble| self.fail(trouble));
        }
        drop(finish);
    }

    pub(super) async fn run_root(self: &Arc<Self>, runtime: Rc<dyn Runtime>, own_thread: bool) {
        // A caller that was stopped meanwhile has nothing to run.
        if let Ok(scheduler) = self.run_here(runtime, own_thread) {
            scheduler.await;
        }
    }

    /// Drives a future to its end in a runtime of the backend that is made for it.
    ///
    /// # Errors
    ///
    /// If the runtime could not be made, or ended before the future did.
    pub(super) fn in_runtime<T: 'static>(&self, future: LocalFuture<'static, T>) -> io::Result<T> {
        let root = Root::new(future);
        let ran = guard::run(|| self.backend.run(root.driven()));
        let ended = root.end();
        let failed = match ran {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(io::Error::other(format!("its runtime could not be made: {error}"))),
            Err(panic) => Some(io::Error::other(panicked(&panic))),
        };
        match (ended, failed) {
            (Some(Ok(output)), failed) => {
                if let Some(error) = failed {
                    report::failure(&self.name, "its runtime", &error.to_string());
                }
                Ok(output)
            }
            (Some(Err(panic)), _) => Err(io::Error::other(panicked(&panic))),
            (None, Some(error)) => Err(error),
            (None, None) => Err(io::Error::other("its runtime returned before the caller had ended")),
        }
    }

    /// Records why it cannot run. Every call hears it when the caller ends, which is for the holder of its `Finish` to do.
    pub(super) fn fail(&self, trouble: String) {
        let _first = self.trouble.set(trouble);
    }

    /// Begins the stop of this caller and of its children, once, in any thread.
    pub(super) fn begin_stop(self: &Arc<Self>) {
        if !self.is_over() {
            stop_all(vec![Caller(self.clone())]);
        }
    }

    /// Begins its own stop, and adds the children to those that are to be stopped.
    fn begin_own_stop(&self, others: &mut Vec<Caller>) {
        let Some(unclaimed) = self.end.ending.stop() else { return };
        // Until this is dropped, the end is not told: the moments come in order.
        let _stop = Part::of(&self.end);
        let own = unclaimed.then(|| Part::of(&self.end));
        drop(self.let_go_of_parent());
        others.extend(self.children());
        self.end.stopping.set();
        // From here on nothing new is taken; the scheduler, if there is one, hears of it by this.
        self.inbox.items.close();
        if let Some(own) = own {
            self.refuse_all();
            drop(own);
        }
    }

    /// Refuses everything that is still asked of it.
    fn refuse_all(&self) {
        let reason = self.stop_reason();
        refuse(&self.inbox, &reason);
        self.stop_surroundings(&reason);
    }

    /// Ends its pool and its queues.
    fn stop_surroundings(&self, reason: &str) {
        self.refuse_rest(self.pool.close(reason), reason);
        self.queues.stop(reason);
    }

    fn refuse_rest(&self, rest: Rest<Caller>, reason: &str) {
        if let Some(sweep) = rest.sweep {
            self.timers.remove(sweep);
        }
        // The workers are children, which stop with this caller.
        drop(rest.idle);
        for call in rest.waiting {
            call.cancel(reason, true);
        }
    }
}

fn panicked(panic: &Panic) -> String {
    format!("its backend panicked: {}", panic.message())
}

fn refuse(inbox: &Inbox, reason: &str) {
    for item in inbox.items.close_and_drain() {
        item.reject(reason);
    }
}

/// Stops callers and all of their children. A loop, since generations may be many.
fn stop_all(mut callers: Vec<Caller>) {
    while let Some(caller) = callers.pop() {
        caller.0.begin_own_stop(&mut callers);
    }
}

impl End {
    /// Tells the end. The part of the parent that this child was comes out.
    fn tell(&self) -> Option<Part> {
        // Nobody finds it any more, and then it has stopped.
        self.timers.close();
        registry::remove(self.id);
        blocked::forget(self.id);
        let parent = self.parent.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some((parent, _)) = &parent
            && let Some(parent) = Weak::upgrade(parent)
        {
            let mut children = parent.lock_children();
            let at = children.iter().position(|child| child.end.id == self.id);
            let left = at.map(|at| children.swap_remove(at));
            drop(children);
            drop(left);
        }
        self.ending.end();
        self.started.set();
        self.stopped.set();
        // The parent's moment comes after the child's.
        parent.map(|(_, part)| part)
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        let mut next = self.0.take();
        // A loop, since generations may be many: a child's end may be the last part of its parent's.
        while let Some(end) = next {
            next = end.ending.let_go().then(|| end.tell()).flatten().and_then(|mut parent| parent.0.take());
        }
    }
}

impl Drop for Inner {
    /// A caller that runs is held by its thread, so this one has ended, or it was built and never ran. What was asked of
    /// that will never happen.
    fn drop(&mut self) {
        if self.end.ending.stop().is_none() {
            return;
        }
        let (stop, own) = (Part::of(&self.end), Part::of(&self.end));
        let reason = format!("the caller {:?} was dropped before it was started", self.name);
        let rest = self.pool.close(&reason);
        self.end.stopping.set();
        let children = mem::take(self.children.get_mut().unwrap_or_else(PoisonError::into_inner));
        let left = Unstarted {
            children: children.iter().filter_map(Child::caller).collect(),
            inbox: self.inbox.clone(),
            queues: mem::take(&mut self.queues),
            waiting: rest.waiting,
            reason,
            parts: [stop, own],
            parent: self.let_go_of_parent(),
        };
        // A call to it may hold the last handle of the next such caller, and so on.
        guard::nested(left, Unstarted::end);
    }
}

/// What is left of a caller that was never started, and has no handles any more.
struct Unstarted {
    children: Vec<Caller>,
    inbox: Arc<Inbox>,
    queues: Queues,
    waiting: Vec<super::pool::Call>,
    reason: String,
    parts: [Part; 2],
    /// The last: it may be the next to end.
    parent: Option<Caller>,
}

impl Unstarted {
    fn end(self) {
        let Self { children, inbox, queues, waiting, reason, parts, parent } = self;
        stop_all(children);
        refuse(&inbox, &reason);
        for call in waiting {
            call.cancel(&reason, true);
        }
        queues.stop(&reason);
        drop(parts);
        drop(parent);
    }
}

/// The caller's own part of its end. It ends when this is dropped, in its thread if it has one. Where the runtime was made
/// for the caller, that is when the runtime is gone: until then, the destructors of its tasks run in a caller's thread.
pub(super) struct Finish(Arc<Inner>);

impl Drop for Finish {
    fn drop(&mut self) {
        let inner = &self.0;
        // Dropped last, also if something below panics.
        let _own = Part::of(&inner.end);
        inner.begin_stop();
        if caller_id::here() == Some(inner.id) {
            timer::set_here(None);
            registry::leave();
        }
        inner.refuse_all();
    }
}

/// Stops a caller when it is dropped, unless it is disarmed.
pub(super) struct StopOnDrop<'a>(Option<&'a Caller>);

impl<'a> StopOnDrop<'a> {
    pub(super) fn new(caller: &'a Caller) -> Self {
        Self(Some(caller))
    }

    pub(super) fn disarm(mut self) {
        self.0 = None;
    }
}

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        if let Some(caller) = self.0 {
            Inner::begin_stop(&caller.0);
        }
    }
}

/// A caller inside a runtime that it shares: a future that ends when the caller has been stopped. Dropped before, it
/// stops the caller there and then.
pub(super) struct Settled {
    // In this order: the scheduler drops every future in its thread before the rest is refused from anywhere.
    scheduler: Option<Scheduler>,
    finish: Option<Finish>,
}

impl Future for Settled {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<()> {
        let polled = self.scheduler.as_mut().map_or(Poll::Ready(()), |scheduler| scheduler.poll_turn(cx));
        if polled.is_ready() {
            // Whoever polls this may keep it, for instance until the body of a scope has ended.
            self.scheduler = None;
            self.finish = None;
        }
        polled
    }
}

impl Owner for Inner {
    fn name(&self) -> &str {
        &self.name
    }

    fn is_stopping(&self) -> bool {
        self.is_over()
    }

    fn begin_stop(self: Arc<Self>) {
        Self::begin_stop(&self);
    }

    fn end_surroundings(self: Arc<Self>) -> LocalFuture<'static> {
        let reason = self.stop_reason();
        self.stop_surroundings(&reason);
        let ends: Vec<_> = self.lock_children().iter().map(|child| child.end.clone()).collect();
        Box::pin(async move {
            let all = async {
                for end in ends {
                    Moment::new(end.stopped.clone(), end.id).await;
                }
            };
            let mut all = pin!(all);
            // A child whose thread is blocked on a call of this caller would never stop, unless that call ends.
            let until_all_or_blocked = |cx: &mut TaskContext<'_>| match all.as_mut().poll(cx) {
                Poll::Ready(()) => Poll::Ready(()),
                Poll::Pending => blocked::poll_blocked_on(self.id, cx),
            };
            poll_fn(until_all_or_blocked).await;
        })
    }
}
