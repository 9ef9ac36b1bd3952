//! What a caller is made of.

use std::{
    any::Any,
    fmt,
    hash::{Hash, Hasher},
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak,
        atomic::{AtomicBool, AtomicU8, Ordering},
    },
    thread::ThreadId,
};

use super::options::{CallerState, Options};
use crate::{
    backend::Backend, call::Inbox, caller_id::CallerId, fn_queue::Queues, host::Host, sync::Flag,
    timer::Timers,
};

/// Belongs to one thread, and runs functions there from any other.
///
/// It is a cheap handle: `Clone`, `Send`, `Sync`, equal and hashed by identity. Dropping the last handle stops
/// nothing: a caller runs on, as a thread does, until it, its parent or its scope ends.
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
    /// The queues of functions.
    pub(crate) queues: Queues,
}

pub(super) struct Life {
    pub(super) state: CallerState,
    /// Somebody has the right to run it.
    pub(super) claimed: bool,
    pub(super) children: Vec<Caller>,
    /// How many children are off the list and have not said yet that they stopped.
    pub(super) leaving: usize,
    /// Its own part has ended: what is left to wait for is children.
    pub(super) ended: bool,
    /// It was taken off the lists of callers.
    pub(super) forgotten: bool,
    /// Why it could not start, if it could not.
    pub(super) trouble: Option<String>,
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
            queues: Queues::default(),
        })
    }

    pub(super) fn life(&self) -> MutexGuard<'_, Life> {
        self.life.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn set_state(&self, life: &mut Life, state: CallerState) {
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
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inner").field("id", &self.id).field("name", &self.name).finish_non_exhaustive()
    }
}
