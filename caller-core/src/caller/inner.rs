//! What a caller is made of.

use std::{
    fmt,
    hash::{Hash, Hasher},
    io,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
    thread::ThreadId,
};

use super::{
    ending::Ending,
    options::{CallerState, Options},
    pool::Pool,
};
use crate::{
    backend::Backend,
    call::Inbox,
    caller_id::CallerId,
    error::{Error, Kind, Result},
    fn_queue::Queues,
    guard,
    host::Host,
    sync::Flag,
    timer::Timers,
};

/// Belongs to one thread, and runs functions there from any other.
///
/// It is a cheap handle: `Clone`, `Send`, `Sync`, equal and hashed by identity. Dropping the last handle stops
/// nothing: a caller runs on, as a thread does, until it, its parent or its scope ends. A caller that was built and
/// never started ends with its last handle: its calls are cancelled, and its children are stopped. A handle of a child that
/// was not started counts as one of its parent.
#[derive(Clone)]
pub struct Caller(pub(crate) Arc<Inner>);

impl PartialEq for Caller {
    fn eq(&self, other: &Self) -> bool {
        self.0.id == other.0.id
    }
}

impl Eq for Caller {}

impl Hash for Caller {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.id.hash(state);
    }
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
    pub(super) end: Arc<End>,
    protected: AtomicBool,
    /// It was started implicitly and not entered: it ends whenever the runtime around it does.
    unmanaged: AtomicBool,
    /// The reason why it could not run, if it could not.
    pub(super) trouble: OnceLock<String>,
    /// Its parent, for as long as it was not started: the handles of both keep each other's caller.
    pub(super) keeps: Mutex<Option<Caller>>,
    /// The children that have not ended. Lock order: before `Ending::steps`.
    pub(super) children: Mutex<Vec<Child>>,
    /// The workers of `to_thread`.
    pub(crate) pool: Pool<Caller>,
    /// The queues of functions.
    pub(crate) queues: Queues,
}

/// The end of a caller, and everything that is needed to tell it. It outlives the handles: whoever is the last to end
/// holds a `Part`, and a part holds this.
pub(super) struct End {
    pub(super) id: CallerId,
    pub(super) ending: Ending,
    pub(super) started: Arc<Flag>,
    pub(super) stopping: Arc<Flag>,
    pub(super) stopped: Arc<Flag>,
    pub(super) timers: Arc<Timers>,
    /// The parent, whose end comes after this one, and its part that this child is. None without a parent, and once the
    /// end was told.
    pub(super) parent: Mutex<Option<(Weak<Inner>, Part)>>,
}

/// A child in the list of its parent. What comes out of it is dropped without the lock: it may be the last handle.
pub(super) struct Child {
    /// The name that it was given, if it was.
    pub(super) name: Option<String>,
    pub(super) end: Arc<End>,
    caller: Weak<Inner>,
    /// Holds it, once it was started. Until then its handles do.
    pub(super) held: Option<Caller>,
}

impl Child {
    pub(super) fn new(name: Option<&str>, caller: &Caller) -> Self {
        Self {
            name: name.map(str::to_owned),
            end: caller.0.end.clone(),
            caller: Arc::downgrade(&caller.0),
            held: None,
        }
    }

    /// A handle, unless it was never started and the last one is gone.
    pub(super) fn caller(&self) -> Option<Caller> {
        self.caller.upgrade().map(Caller)
    }
}

/// Something that the end of a caller waits for, until it is dropped.
pub(crate) struct Part(pub(super) Option<Arc<End>>);

impl Inner {
    /// # Errors
    ///
    /// `is_start` if the backend has no clock, because it panicked.
    pub(super) fn new(
        name: Option<String>,
        backend: Arc<dyn Backend>,
        host: Option<Arc<dyn Host>>,
        options: Options,
        parent: Option<&Caller>,
    ) -> Result<Arc<Self>> {
        let id = CallerId::next();
        let name = name.unwrap_or_else(|| format!("caller-{id}"));
        let clock = match guard::run(|| backend.clock()) {
            Ok(clock) => clock,
            Err(panic) => {
                let source =
                    io::Error::other(format!("the clock of its backend panicked: {}", panic.message()));
                return Err(Error::new(Kind::Start { name, source }));
            }
        };
        let timers = Arc::new(Timers::new(clock));
        let end = End {
            id,
            ending: Ending::new(),
            started: Arc::default(),
            stopping: Arc::default(),
            stopped: Arc::default(),
            timers: timers.clone(),
            parent: Mutex::default(),
        };
        Ok(Arc::new(Self {
            id,
            name,
            backend,
            protected: AtomicBool::new(options.protected),
            unmanaged: AtomicBool::new(false),
            host,
            options,
            parent: parent.map(|parent| Arc::downgrade(&parent.0)),
            inbox: Arc::new(Inbox::new()),
            timers,
            thread: OnceLock::new(),
            end: Arc::new(end),
            trouble: OnceLock::new(),
            children: Mutex::default(),
            keeps: Mutex::new(parent.cloned()),
            pool: Pool::new(options.pool),
            queues: Queues::default(),
        }))
    }

    /// What it keeps of its parent, to be dropped where no lock is held.
    pub(super) fn let_go_of_parent(&self) -> Option<Caller> {
        self.keeps.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// The list of children, locked.
    pub(super) fn lock_children(&self) -> MutexGuard<'_, Vec<Child>> {
        self.children.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn children(&self) -> Vec<Caller> {
        self.lock_children().iter().filter_map(Child::caller).collect()
    }

    pub(super) fn state(&self) -> CallerState {
        self.end.ending.state()
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
        match self.trouble.get() {
            Some(trouble) => format!("the caller {:?} could not run: {trouble}", self.name),
            None => format!("the caller {:?} has stopped", self.name),
        }
    }

    /// Whether the pool of that one has made it.
    pub(crate) fn is_worker_of(&self, parent: &Arc<Inner>) -> bool {
        let is_parent = |known: &Weak<Inner>| std::ptr::eq(known.as_ptr(), Arc::as_ptr(parent));
        self.options.worker && self.parent.as_ref().is_some_and(is_parent)
    }

    /// Its parent, unless it has none or that is gone.
    pub(crate) fn owner(&self) -> Option<Arc<Self>> {
        self.parent.as_ref()?.upgrade()
    }

    /// Holds up the end of this caller. None if it has ended.
    pub(crate) fn hold_up_end(&self) -> Option<Part> {
        self.end.ending.add().then(|| Part::of(&self.end))
    }
}

impl Part {
    /// A part that was added before.
    pub(super) fn of(end: &Arc<End>) -> Self {
        Self(Some(end.clone()))
    }
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inner").field("id", &self.id).field("name", &self.name).finish_non_exhaustive()
    }
}
