//! The handle of a caller: who it is, where it runs, how it lives.

use std::{fmt, sync::Arc, thread::ThreadId};

use super::{
    builder::Builder,
    inner::Caller,
    options::CallerState,
    registry::{self, here},
};
use crate::{
    backend::Backend,
    caller_id::CallerId,
    error::{Error, Kind, Result},
    host::Host,
    pending::PendingHandle,
    sync::Moment,
};

impl Caller {
    /// The caller that this thread belongs to. It finds, and never starts one.
    ///
    /// # Errors
    ///
    /// [`is_no_caller`](Error::is_no_caller) if there is none.
    pub fn current() -> Result<Self> {
        here().ok_or_else(|| {
            Error::new(Kind::NoCaller(
                "enter one with `Caller::scope`, ask the backend (`Tokio::current`), or call from inside a call",
            ))
        })
    }

    /// The caller of the main thread of the process.
    ///
    /// On Linux the ids of process and thread say which that is. Elsewhere it is the thread that std names `main`, and a
    /// thread that the program itself spawned under that name is taken for it; threads of callers never are, whatever
    /// their names.
    ///
    /// # Errors
    ///
    /// [`is_no_caller`](Error::is_no_caller) if none runs there.
    pub fn main_thread() -> Result<Self> {
        registry::main_thread().ok_or_else(|| {
            Error::new(Kind::NoCaller(
                "or rather, none runs in the main thread: start one there, with `Caller::scope`",
            ))
        })
    }

    /// The caller with this id, unless it has stopped.
    pub fn by_id(id: CallerId) -> Option<Self> {
        registry::by_id(id)
    }

    /// All callers that run, in the order they were made.
    pub fn all() -> Vec<Self> {
        Self::all_existing().into_iter().filter(Self::is_running).collect()
    }

    /// All callers that exist, those that have not begun to run or are about to stop too.
    pub fn all_existing() -> Vec<Self> {
        registry::all()
    }

    /// Stops all callers, the youngest first; the protected ones only with `force`. It returns at once. Callers that
    /// are made meanwhile may be missed, unless they are children.
    pub fn stop_all(force: bool) {
        for caller in registry::all().into_iter().rev() {
            if force {
                caller.force_stop()
            } else {
                caller.stop()
            };
        }
    }

    /// Makes a caller with options. See [`Builder`].
    pub fn builder() -> Builder {
        Builder::new()
    }

    /// Names it for as long as the process lives.
    pub fn id(&self) -> CallerId {
        self.0.id
    }

    /// Its name: the one it was given, or one made of its id.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The backend it runs on, with its options.
    pub fn backend(&self) -> &Arc<dyn Backend> {
        &self.0.backend
    }

    /// The loop in whose thread it runs, if it has one.
    pub fn host(&self) -> Option<&Arc<dyn Host>> {
        self.0.host.as_ref()
    }

    /// The thread it runs in, and the name of that. None before it has begun.
    pub fn thread(&self) -> Option<(ThreadId, &str)> {
        self.0.thread.get().map(|(id, name)| (*id, &**name))
    }

    /// Whether this code runs in its thread.
    pub fn is_here(&self) -> bool {
        crate::caller_id::here() == Some(self.0.id)
    }

    /// Where it stands in its life.
    pub fn state(&self) -> CallerState {
        self.0.state()
    }

    /// Whether it runs calls.
    pub fn is_running(&self) -> bool {
        self.state() == CallerState::Running
    }

    /// Whether only force stops it.
    pub fn is_protected(&self) -> bool {
        self.0.is_protected()
    }

    /// The caller that made it as a child, unless that one is gone.
    pub fn parent(&self) -> Option<Self> {
        self.0.owner().map(Self)
    }

    /// The callers that it made and that have not stopped: named ones, unnamed ones and workers.
    pub fn children(&self) -> Vec<Self> {
        self.0.children()
    }

    /// Its child of this name, in a thread of its own, with its backend and pool settings. The same name gives the same
    /// child: one that was only built is started, and one that stops is given until it has stopped.
    ///
    /// # Errors
    ///
    /// [`is_closed`](Error::is_closed) if this caller stops; [`is_mismatch`](Error::is_mismatch) if the child has
    /// other options; [`is_start`](Error::is_start) if there is no thread to be had, or the name has a NUL byte.
    pub fn child(&self, name: impl Into<String>) -> Result<Self> {
        self.child_builder().name(name).spawn()
    }

    /// A new child without a name, in a thread of its own, with its backend and pool settings.
    ///
    /// # Errors
    ///
    /// [`is_closed`](Error::is_closed) if this caller stops; [`is_start`](Error::is_start) if there is no thread to
    /// be had.
    pub fn new_child(&self) -> Result<Self> {
        self.child_builder().spawn()
    }

    /// Makes a child with other options. The backend and the pool settings are inherited where they are not set.
    /// Protection and host are not: a child of a protected caller can be stopped, and has a thread of its own.
    pub fn child_builder(&self) -> Builder {
        Builder::child_of(self)
    }

    /// Starts a caller that was built but not started, in a thread of its own. Calls that were made before run
    /// now.
    ///
    /// # Errors
    ///
    /// [`is_mismatch`](Error::is_mismatch) if it was started before, [`is_closed`](Error::is_closed) if it was
    /// stopped before, [`is_start`](Error::is_start) if there is no thread to be had.
    pub fn start(&self) -> Result<()> {
        self.0.start_thread()
    }

    /// Asks it to stop, unless it is protected, and returns its state at once.
    ///
    /// A stop ends children first, then queues, then the calls that are outstanding: each is cancelled, and its
    /// future is dropped in the caller's thread. [`stopped`](Self::stopped) says when all of that is done.
    ///
    /// Calls go on while children end, save where the thread of a caller blocks on a call of this one by means of this crate
    /// ([`Pending::wait_blocking`](crate::Pending::wait_blocking) and its kin): then they are ended at once. A child's thread
    /// that blocks by other means, such as another executor's `block_on`, is not seen: if what it waits for never comes,
    /// neither does the end.
    pub fn stop(&self) -> CallerState {
        if !self.is_protected() {
            self.0.begin_stop();
        }
        self.state()
    }

    /// Asks it to stop even if it is protected.
    pub fn force_stop(&self) -> CallerState {
        self.0.begin_stop();
        self.state()
    }

    /// The moment it began to run calls. It also comes when the caller stops without having begun: nobody waits
    /// for ever.
    pub fn started(&self) -> Moment {
        Moment::new(self.0.end.started.clone(), self.0.id)
    }

    /// The moment a stop was asked for. A body that serves until somebody stops its caller awaits this.
    pub fn stopping(&self) -> Moment {
        Moment::new(self.0.end.stopping.clone(), self.0.id)
    }

    /// The moment everything has ended: children, queues, calls, and the runtime if it was made for the caller.
    /// Every pending of it is done then. It comes once, whether or not handles are left.
    ///
    /// It does not wait for the body of a [`scope`](Self::scope), [`enter`](Self::enter) or
    /// [`run`](crate::Builder::run), which may end after it, and with it the runtime that a run has made. But only the end
    /// of the body stops a caller that nobody else stops. So where the body awaits this moment of its own caller, the stop
    /// begins there, as if the body had ended: calls are cancelled, the moment comes, and the body goes on. To wait until
    /// somebody else stops the caller, await [`stopping`](Self::stopping).
    ///
    /// A call of the caller that awaits it is cancelled by the stop, as every other.
    pub fn stopped(&self) -> Moment {
        Moment::of_end(self.0.end.stopped.clone(), self.0.id)
    }

    /// Whether another backend can be its guest.
    pub(crate) fn check_guest(&self, wanted: &dyn Backend) -> Result<()> {
        if !wanted.can_be_guest() {
            return Err(Error::new(Kind::BackendMismatch {
                caller: self.name().to_owned(),
                wanted: wanted.name().to_owned(),
                has: self.backend().name().to_owned(),
            }));
        }
        if self.0.is_unmanaged() {
            return Err(Error::new(Kind::Unmanaged {
                caller: self.name().to_owned(),
                wanted: wanted.name().to_owned(),
            }));
        }
        Ok(())
    }

    /// The error of whatever is asked of it once it stops.
    pub(crate) fn closed(&self) -> Error {
        Error::new(Kind::Closed { reason: self.0.stop_reason() })
    }
}

impl PendingHandle {
    /// The caller that runs the call. None for a pending made by hand, for a call that waits for a worker, and
    /// after the caller has stopped.
    pub fn caller(&self) -> Option<Caller> {
        Caller::by_id(self.caller_id()?)
    }
}

impl fmt::Display for Caller {
    /// The name, a mark when it is this thread's and one when it is protected, the backend, the state, and how
    /// many children it has.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Caller {:?}", self.name())?;
        if self.is_here() {
            f.write_str(" (current)")?;
        }
        if self.is_protected() {
            f.write_str(" (protected)")?;
        }
        write!(f, " backend={} host={} {}", self.backend().name(), self.0.host_name(), self.state())?;
        match self.children().len() {
            0 => Ok(()),
            1 => f.write_str(" 1 child"),
            n => write!(f, " {n} children"),
        }
    }
}

impl fmt::Debug for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{self} id={}>", self.id())
    }
}
