//! What a caller is made of, and how it goes from one state to the next.
//!
//! ```text
//!  Initial ──start, enter──▶ Running ──begin_stop──▶ Stopping ──finish──▶ Stopped
//!     └───────────────────begin_stop───────────────────────────────────────▲
//! ```

use std::{
    any::Any,
    fmt,
    future::poll_fn,
    pin::{Pin, pin},
    rc::Rc,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak,
        atomic::{AtomicBool, AtomicU8, Ordering},
    },
    task::{Context as TaskContext, Poll},
    thread::{self, ThreadId},
};

use super::{Builder, Caller, builder::Options, registry};
use crate::{
    backend::{Backend, LocalFuture, Runtime},
    call::Inbox,
    error::{Error, Kind, Result},
    event::{Flag, Moment},
    host::{self, Host},
    ident::{self, CallerId},
    scheduler::{Owner, Scheduler},
    timer::{self, Timers},
};

/// Where a caller stands in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CallerState {
    /// It was built and does not run. Calls wait.
    Initial,
    /// It runs calls.
    Running,
    /// It refuses calls, and ends those that it has.
    Stopping,
    /// Everything has ended.
    Stopped,
}

impl fmt::Display for CallerState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Initial => "not running",
            Self::Running => "running",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
        })
    }
}

/// Something that a verb attaches to a caller, and that ends before its calls do.
pub(crate) trait Attached: Any + Send + Sync {
    /// Ends it: the caller stops, for this reason.
    fn stop(&self, reason: &str);
}

/// A caller, behind its handles.
pub(crate) struct Inner {
    pub(crate) id: CallerId,
    pub(crate) name: String,
    pub(crate) backend: Arc<dyn Backend>,
    /// The loop in whose thread it runs.
    pub(crate) host: Option<Arc<dyn Host>>,
    pub(crate) options: Options,
    pub(super) parent: Option<Weak<Inner>>,
    pub(crate) inbox: Arc<Inbox>,
    pub(crate) timers: Arc<Timers>,
    pub(super) thread: OnceLock<(ThreadId, String)>,
    pub(super) started: Arc<Flag>,
    pub(super) stopping: Arc<Flag>,
    pub(super) stopped: Arc<Flag>,
    protected: AtomicBool,
    /// It was started implicitly and not entered: it ends whenever the runtime around it does.
    unmanaged: AtomicBool,
    /// A copy of `Life::state`, to be read without the lock.
    state: AtomicU8,
    life: Mutex<Life>,
    /// The worker pool, once there is one.
    pub(crate) pool: OnceLock<Arc<dyn Attached>>,
    /// The queues of functions, once there is one.
    pub(crate) queues: OnceLock<Arc<dyn Attached>>,
}

struct Life {
    state: CallerState,
    /// Somebody has the right to run it.
    claimed: bool,
    children: Vec<Caller>,
    /// How many children are off the list and have not said yet that they stopped.
    leaving: usize,
    /// Its own part has ended: what is left to wait for is children.
    ended: bool,
    /// It was taken off the lists of callers.
    forgotten: bool,
    /// Why it could not start, if it could not.
    trouble: Option<String>,
}

impl Inner {
    pub(super) fn new(
        name: Option<String>,
        backend: Arc<dyn Backend>,
        host: Option<Arc<dyn Host>>,
        options: Options,
        parent: Option<&Caller>,
    ) -> Arc<Self> {
        let id = CallerId::next();
        let clock = backend.clock();
        Arc::new(Self {
            id,
            name: name.unwrap_or_else(|| format!("caller-{id}")),
            backend,
            protected: AtomicBool::new(options.protected),
            unmanaged: AtomicBool::new(false),
            host,
            options,
            parent: parent.map(|parent| Arc::downgrade(&parent.0)),
            inbox: Arc::new(Inbox::new()),
            timers: Arc::new(Timers::new(clock)),
            thread: OnceLock::new(),
            started: Arc::default(),
            stopping: Arc::default(),
            stopped: Arc::default(),
            state: AtomicU8::new(CallerState::Initial as u8),
            life: Mutex::new(Life {
                state: CallerState::Initial,
                claimed: false,
                children: Vec::new(),
                leaving: 0,
                ended: false,
                forgotten: false,
                trouble: None,
            }),
            pool: OnceLock::new(),
            queues: OnceLock::new(),
        })
    }

    fn life(&self) -> MutexGuard<'_, Life> {
        self.life.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_state(&self, life: &mut Life, state: CallerState) {
        life.state = state;
        // Release pairs with the acquire of `state`.
        self.state.store(state as u8, Ordering::Release);
    }

    pub(super) fn state(&self) -> CallerState {
        match self.state.load(Ordering::Acquire) {
            0 => CallerState::Initial,
            1 => CallerState::Running,
            2 => CallerState::Stopping,
            _ => CallerState::Stopped,
        }
    }

    pub(super) fn is_protected(&self) -> bool {
        self.protected.load(Ordering::Relaxed)
    }

    pub(super) fn protect(&self) {
        self.protected.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_unmanaged(&self) -> bool {
        self.unmanaged.load(Ordering::Relaxed)
    }

    pub(super) fn set_unmanaged(&self, unmanaged: bool) {
        self.unmanaged.store(unmanaged, Ordering::Relaxed);
    }

    /// The loop that hosts the runtime, for texts.
    pub(super) fn host_name(&self) -> &'static str {
        self.host.as_ref().map_or("none", |host| host.name())
    }

    pub(crate) fn stop_reason(&self) -> String {
        match &self.life().trouble {
            Some(trouble) => format!("the caller {:?} could not run: {trouble}", self.name),
            None => format!("the caller {:?} has stopped", self.name),
        }
    }

    /// Whether this is a child of that one.
    pub(crate) fn parent_is(&self, parent: &Weak<Inner>) -> bool {
        self.parent.as_ref().is_some_and(|known| known.ptr_eq(parent))
    }

    pub(super) fn children(&self) -> Vec<Caller> {
        self.life().children.clone()
    }

    /// Takes in a child that was just made, or finds the one that has its name. A name is given once.
    pub(super) fn adopt(self: &Arc<Self>, builder: &Builder, fresh: Arc<Inner>) -> Result<(Caller, bool)> {
        let mut life = self.life();
        if matches!(life.state, CallerState::Stopping | CallerState::Stopped) {
            drop(life);
            return Err(Caller(self.clone()).closed());
        }
        if let Some(name) = builder.given_name()
            && let Some(known) = life.children.iter().find(|child| child.name() == name)
        {
            let known = known.clone();
            drop(life);
            builder.check_same(&known)?;
            return Ok((known, false));
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
        for attached in [self.pool.get(), self.queues.get()].into_iter().flatten() {
            attached.stop(reason);
        }
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
        ident::forget(self.id);
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
        if ident::here() == Some(self.0.id) {
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
                Poll::Pending => ident::poll_blocked_on(self.id, cx),
            };
            poll_fn(until_all_or_blocked).await;
        })
    }
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inner").field("id", &self.id).field("name", &self.name).finish_non_exhaustive()
    }
}
