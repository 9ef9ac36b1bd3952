//! The one error type: opaque, cheap to clone, with predicates.

use std::{
    any::Any,
    error::Error as StdError,
    fmt, io,
    panic::Location,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use crate::guard::{Guarded, Panic, Place};

/// What a failing function may hand over, as its own error.
pub type BoxError = Box<dyn StdError + Send + Sync + 'static>;

/// `std::result::Result` with this crate's [`Error`] unless another is named.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a call, a wait, or a request to a caller ended without a value.
///
/// It is a pointer wide, `Send + Sync`, and clones share what they hold. Ask it with the predicates; those
/// that concern a call name the function and the place of the call in their text.
#[derive(Clone)]
pub struct Error(Arc<Inner>);

struct Inner {
    kind: Kind,
    site: Option<Site>,
}

/// Which function was called, and where the call was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Site {
    function: &'static str,
    /// The name that the call was given.
    pub(crate) given: Option<Arc<str>>,
    pub(crate) location: &'static Location<'static>,
}

impl Site {
    pub(crate) fn new(function: &'static str, location: &'static Location<'static>) -> Self {
        Self { function, given: None, location }
    }

    pub(crate) fn named(self, given: Option<Arc<str>>) -> Self {
        Self { given, ..self }
    }

    /// The name that the call was given, or that of its function. A closure bears the name of what it stands in.
    pub(crate) fn name(&self) -> &str {
        self.given.as_deref().unwrap_or_else(|| shown(self.function))
    }

    /// The function.
    pub(crate) fn function(&self) -> &'static str {
        shown(self.function)
    }
}

/// The name of a function's type as people name the function.
pub(crate) fn name_of<F>() -> &'static str {
    shown(std::any::type_name::<F>())
}

/// A closure bears the name of what it stands in, and what a queue runs that of the wrapper that queues it.
fn shown(mut name: &'static str) -> &'static str {
    if let Some((wrapper, _)) = name.split_once("__queued_item") {
        return wrapper;
    }
    loop {
        while let Some(outer) = name.strip_suffix("::{{closure}}") {
            name = outer;
        }
        match bound(name) {
            Some(function) => name = function,
            None => return name,
        }
    }
}

/// The function that a resident has bound, if this is the name of what binds it: `…::bind<function, …>`.
fn bound(name: &'static str) -> Option<&'static str> {
    const BINDS: &str = concat!(module_path!(), "::");
    let krate = BINDS.strip_suffix("error::")?;
    let method = name.strip_prefix(krate)?.strip_prefix("resident::bind::<impl ")?;
    let types = method.split_once(">::try_bind").or_else(|| method.split_once(">::bind"))?.1;
    let types = types.strip_prefix("_mut").unwrap_or(types).strip_prefix('<')?;
    let mut depth = 0_usize;
    let end = types.char_indices().find(|(at, char)| {
        match char {
            '<' | '(' | '[' => depth += 1,
            ')' | ']' => depth = depth.saturating_sub(1),
            '>' if !types[..*at].ends_with('-') => depth = depth.saturating_sub(1),
            _ => {}
        }
        *char == ',' && depth == 0
    });
    end.map(|(at, _)| &types[..at])
}

impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` ({}:{})", self.name(), self.location.file(), self.location.line())
    }
}

/// An error of a user's, which is dropped behind the boundary.
pub(crate) struct UserError(Guarded<BoxError>);

impl UserError {
    fn get(&self) -> Option<&(dyn StdError + Send + Sync + 'static)> {
        self.0.get().map(|error| &**error)
    }
}

impl From<BoxError> for UserError {
    fn from(error: BoxError) -> Self {
        Self(Guarded::new(Place::ErrorDrop, error))
    }
}

impl fmt::Display for UserError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.get().map_or(Ok(()), |error| fmt::Display::fmt(error, f))
    }
}

impl fmt::Debug for UserError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.get().map_or(Ok(()), |error| fmt::Debug::fmt(error, f))
    }
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum Kind {
    #[error("not done yet; await it, or ask `is_done` first")]
    NotDone,
    #[error("the result was taken already; use `shared` where several ask for it")]
    Taken,
    #[error("cancelled{}", indent(.reasons))]
    Cancelled { reasons: String },
    #[error("cancelled: {reason}")]
    Closed { reason: String },
    #[error("failed: {0}")]
    Failed(UserError),
    #[error("panicked: {message}")]
    Panicked { message: String, payload: Mutex<Option<Panic>> },
    #[error("{}", group(.body.as_ref(), .failures, .left_behind))]
    Group { body: Option<UserError>, failures: Vec<Error>, left_behind: Vec<String> },
    #[error("timed out after {0:?}")]
    TimedOut(Duration),
    #[error("abandoned: its resolver was dropped without a result")]
    Abandoned,
    #[error(
        "{0} would wait for itself for ever; hand the work to another caller, or do not wait for it here"
    )]
    SelfWait(&'static str),
    #[error("no caller runs in this thread; {0}")]
    NoCaller(&'static str),
    #[error("{0}")]
    NoRuntime(String),
    #[error(
        "the name {name:?} is taken by a caller with other options ({difference}); use another name, or the same options"
    )]
    NameTaken { name: String, difference: String },
    #[error(
        "a child of this caller has the name {0:?} already, and a thread of its own needs a new one; use another name, or wait until that child has stopped"
    )]
    NotNew(String),
    #[error(
        "the call names the backend {wanted}, but the caller {caller:?} runs {has}, and {wanted} cannot be its guest; make a caller of its own for it"
    )]
    BackendMismatch { caller: String, wanted: String, has: String },
    #[error(
        "the caller {caller:?} was started implicitly, and could end before a guest: enter it (`Caller::enter`) to call {wanted} in it, or use a caller with a thread of its own"
    )]
    Unmanaged { caller: String, wanted: String },
    #[error("{what} is zero, so nothing could ever run; give at least 1")]
    ZeroLimit { what: &'static str },
    #[error(
        "the count is zero already; count in with `up`, or with the number it begins at, what is counted down"
    )]
    CountedDown,
    #[error(
        "the lock is held here already, so taking it would wait for ever; use what it gave, or a lock that is reentrant"
    )]
    HeldHere,
    #[error("the group was run already; a group is run once, build another")]
    GroupRan,
    #[error("the caller {0:?} was started already; a caller is started once, by `start`, `enter` or `scope`")]
    AlreadyStarted(String),
    #[error(
        "the caller {0:?} belongs to this thread, and a thread has at most one; use it (`Caller::current`), or start this one in another thread"
    )]
    ThreadTaken(String),
    #[error(
        "a call reaches the resident just now; wait for it with `call_mut`, or with `call` if sharing will do"
    )]
    InUse,
    #[error(
        "a panic cost the value of the resident, and the next call makes it anew; wait for that with `call` or `call_mut`"
    )]
    Lost,
    #[error("the caller {0:?} runs in another thread; this can only be done in its own")]
    OtherThread(String),
    #[error(
        "a context value or tracker can only be set inside a call, or it would leak into unrelated tasks; use `scope`"
    )]
    OutsideCall,
    #[error(
        "the tracker is not the active one of its type here; deactivate it in the call that activated it, the last one first"
    )]
    NotActive,
    #[error("the caller {name:?} could not be started: {source}")]
    Start { name: String, source: io::Error },
    #[error(
        "the host {0:?} runs in this thread already; use its caller (`Caller::current`), or run this in another thread"
    )]
    HostRuns(String),
    #[error(
        "a {0} runtime runs in this thread already, and would stand still meanwhile; use `Caller::scope` inside it"
    )]
    RuntimeRuns(String),
    #[error("the host {0:?} needs the main thread; run it there, and have other threads call it")]
    MainThread(String),
    #[error(
        "the caller {caller:?} has the host {host:?}, whose loop does not run here; use `run`, or `spawn`"
    )]
    Hosted { caller: String, host: String },
    #[error(
        "the host {host:?} has a loop of its own, so nothing is attached to the loop {loop_name:?}; leave the host out"
    )]
    HasHost { host: String, loop_name: &'static str },
    #[error("the backend {wanted} cannot be the guest of the host {host:?}; use one that can")]
    NoGuest { wanted: String, host: String },
    #[error(
        "the loop of the host {0:?} ended before the program that it ran; let the body end first, which ends the loop"
    )]
    HostEnded(String),
    #[error("the host {name:?} failed: {error}")]
    Host { name: String, error: UserError },
    #[error("no host is named {0:?} here; there are `winit` and `glib`, each behind the feature of its name")]
    UnknownHost(String),
    #[error("the queue is full: {0} items wait in it already; wait for it, or raise its bound")]
    Full(usize),
    #[error("a canceller is set already; it can be set once, before the pending is done")]
    CancellerSet,
}

/// Reasons stand on lines of their own, the first right behind the word.
fn indent(reasons: &str) -> String {
    if reasons.is_empty() { String::new() } else { format!(": {reasons}") }
}

/// What went wrong in a group: its body, its calls, those that would not end; each on a line of its own.
fn group(body: Option<&UserError>, failures: &[Error], left_behind: &[String]) -> String {
    let mut lines = Vec::new();
    lines.extend(body.map(|error| format!("the body of the group failed: {error}")));
    let calls = |count| if count == 1 { "1 call".to_owned() } else { format!("{count} calls") };
    if !failures.is_empty() {
        lines.push(format!("{} of the group failed:", calls(failures.len())));
        lines.extend(failures.iter().map(|error| format!("- {error}")));
    }
    if !left_behind.is_empty() {
        lines.push(format!(
            "{} of the group went on though cancelled, and stay behind:",
            calls(left_behind.len())
        ));
        lines.extend(left_behind.iter().map(|pending| format!("- {pending}")));
    }
    lines.join("\n")
}

impl Error {
    pub(crate) fn new(kind: Kind) -> Self {
        Self(Arc::new(Inner { kind, site: None }))
    }

    pub(crate) fn at(kind: Kind, site: Site) -> Self {
        Self(Arc::new(Inner { kind, site: Some(site) }))
    }

    pub(crate) fn closed(reason: &str) -> Self {
        Self::new(Kind::Closed { reason: reason.to_owned() })
    }

    /// The error of a call that is cancelled, or `closed` because what should have run it has stopped.
    pub(crate) fn stopping(reason: &str, closed: bool, site: Site) -> Self {
        let reason = reason.to_owned();
        Self::at(if closed { Kind::Closed { reason } } else { Kind::Cancelled { reasons: reason } }, site)
    }

    /// The error of a call whose function returned an `Err`.
    pub(crate) fn panicked(panic: Panic, site: Site) -> Self {
        let message = panic.message().to_owned();
        Self::at(Kind::Panicked { message, payload: Mutex::new(Some(panic)) }, site)
    }

    /// The error of a backend that finds no runtime of its kind here. `what_to_do` is the whole text: what is
    /// missing, and how to mend it.
    pub fn no_runtime(what_to_do: impl Into<String>) -> Self {
        Self::new(Kind::NoRuntime(what_to_do.into()))
    }

    pub(crate) fn kind(&self) -> &Kind {
        &self.0.kind
    }

    /// The result was asked for before there was one.
    pub fn is_not_done(&self) -> bool {
        matches!(self.0.kind, Kind::NotDone)
    }

    /// The result was taken before, by whoever owned the pending.
    pub fn is_taken(&self) -> bool {
        matches!(self.0.kind, Kind::Taken)
    }

    /// The call was cancelled: by request, because a waiter gave up, or because its caller stopped.
    pub fn is_cancelled(&self) -> bool {
        match &self.0.kind {
            Kind::Cancelled { .. } | Kind::Closed { .. } => true,
            Kind::Group { body, failures, .. } => body.is_none() && failures.is_empty(),
            _ => false,
        }
    }

    /// The caller or queue that should have run it has stopped. Such a call is cancelled too.
    pub fn is_closed(&self) -> bool {
        matches!(self.0.kind, Kind::Closed { .. })
    }

    /// The function returned an `Err` (see [`Error::downcast_ref`]), or panicked; or the body or some call of a group
    /// did (see [`Error::failures`]).
    pub fn is_failed(&self) -> bool {
        match &self.0.kind {
            Kind::Failed(_) | Kind::Panicked { .. } => true,
            Kind::Group { body, failures, .. } => body.is_some() || !failures.is_empty(),
            _ => false,
        }
    }

    /// The function panicked. The thread it ran in lives on.
    pub fn is_panic(&self) -> bool {
        matches!(self.0.kind, Kind::Panicked { .. })
    }

    /// The wait lasted longer than it was allowed to.
    pub fn is_timeout(&self) -> bool {
        matches!(self.0.kind, Kind::TimedOut(_))
    }

    /// The [`Resolver`](crate::Resolver) was dropped without giving a result.
    pub fn is_abandoned(&self) -> bool {
        matches!(self.0.kind, Kind::Abandoned)
    }

    /// The wait could never have ended, because it waited for itself.
    pub fn is_self_wait(&self) -> bool {
        matches!(self.0.kind, Kind::SelfWait(_) | Kind::HeldHere)
    }

    /// There is no caller here, or no runtime in which one could run.
    pub fn is_no_caller(&self) -> bool {
        matches!(self.0.kind, Kind::NoCaller(_) | Kind::NoRuntime(_))
    }

    /// What was asked for does not fit what is there: a name that is taken, another backend, a thread that has
    /// a caller, a host or a runtime, or is not the main one, a caller that was started before, or another thread's.
    pub fn is_mismatch(&self) -> bool {
        matches!(
            self.0.kind,
            Kind::NameTaken { .. }
                | Kind::NotNew(_)
                | Kind::BackendMismatch { .. }
                | Kind::Unmanaged { .. }
                | Kind::ThreadTaken(_)
                | Kind::AlreadyStarted(_)
                | Kind::OtherThread(_)
                | Kind::InUse
                | Kind::Lost
                | Kind::OutsideCall
                | Kind::NotActive
                | Kind::GroupRan
                | Kind::CountedDown
                | Kind::CancellerSet
                | Kind::HostRuns(_)
                | Kind::RuntimeRuns(_)
                | Kind::MainThread(_)
                | Kind::Hosted { .. }
                | Kind::HasHost { .. }
                | Kind::NoGuest { .. }
        )
    }

    /// The loop of a host failed, or ended before the program that ran under it.
    pub fn is_host(&self) -> bool {
        matches!(self.0.kind, Kind::Host { .. } | Kind::HostEnded(_))
    }

    /// The loop of a host ended before the program that ran under it: a window was closed, say.
    pub fn is_host_ended(&self) -> bool {
        matches!(self.0.kind, Kind::HostEnded(_))
    }

    /// No host has the name that was given.
    pub fn is_unknown_host(&self) -> bool {
        matches!(self.0.kind, Kind::UnknownHost(_))
    }

    /// A limit of zero was given where at least one is needed.
    pub fn is_zero_limit(&self) -> bool {
        matches!(self.0.kind, Kind::ZeroLimit { .. })
    }

    /// A bounded queue had no room.
    pub fn is_full(&self) -> bool {
        matches!(self.0.kind, Kind::Full(_))
    }

    /// The operating system would not give a thread, or a runtime could not be made in it.
    pub fn is_start(&self) -> bool {
        matches!(self.0.kind, Kind::Start { .. })
    }

    /// The function's own error, if the call failed with one of this type. Of a group, that of its body, or of the first
    /// call that failed with one.
    pub fn downcast_ref<E: StdError + 'static>(&self) -> Option<&E> {
        match &self.0.kind {
            Kind::Failed(error) => error.get()?.downcast_ref(),
            Kind::Group { body: Some(error), .. } if error.get()?.is::<E>() => error.get()?.downcast_ref(),
            Kind::Group { failures, .. } => failures.iter().find_map(Self::downcast_ref),
            _ => None,
        }
    }

    /// The errors of all calls of a group that failed, in the order in which they did.
    pub fn failures(&self) -> &[Error] {
        match &self.0.kind {
            Kind::Group { failures, .. } => failures,
            _ => &[],
        }
    }

    /// The texts of the calls of a group that went on though they were cancelled, and were left behind.
    pub fn left_behind(&self) -> &[String] {
        match &self.0.kind {
            Kind::Group { left_behind, .. } => left_behind,
            _ => &[],
        }
    }

    /// The function's own error, if the call failed with one.
    pub fn failure(&self) -> Option<&(dyn StdError + Send + Sync + 'static)> {
        match &self.0.kind {
            Kind::Failed(error) | Kind::Group { body: Some(error), .. } => error.get(),
            _ => None,
        }
    }

    /// Takes what the function panicked with, to go on with
    /// [`std::panic::resume_unwind`]. Whoever asks later, on any clone, gets `None`.
    pub fn take_panic(&self) -> Option<Box<dyn Any + Send>> {
        match &self.0.kind {
            Kind::Panicked { payload, .. } => {
                let panic = payload.lock().unwrap_or_else(PoisonError::into_inner).take();
                panic.map(Panic::into_payload)
            }
            _ => None,
        }
    }

    /// The reasons given to `cancel`, one a line, if the call was cancelled by request.
    pub fn reasons(&self) -> Option<&str> {
        match &self.0.kind {
            Kind::Cancelled { reasons } => Some(reasons),
            Kind::Closed { reason } => Some(reason),
            _ => None,
        }
    }

    /// The name of the call that this is about: the one that it was given ([`Schedule::name`](crate::Schedule::name)), or
    /// that of its function.
    pub fn name(&self) -> Option<&str> {
        self.0.site.as_ref().map(Site::name)
    }

    /// The name of the function whose call this is about; a closure bears the name of what it stands in.
    pub fn function(&self) -> Option<&'static str> {
        self.0.site.as_ref().map(Site::function)
    }

    /// Where that call was made.
    pub fn location(&self) -> Option<&'static Location<'static>> {
        self.0.site.as_ref().map(|site| site.location)
    }
}

impl Error {
    /// The error of another call, which this call failed with.
    fn failed_with(&self) -> Option<&Self> {
        match &self.0.kind {
            Kind::Failed(error) => error.get()?.downcast_ref(),
            _ => None,
        }
    }

    fn fmt_site(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.site.as_ref().map_or(Ok(()), |site| write!(f, "{site} "))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut error = self;
        // A failure that went from call to call is as deep as it went far.
        while let Some(cause) = error.failed_with() {
            error.fmt_site(f)?;
            f.write_str("failed: ")?;
            error = cause;
        }
        error.fmt_site(f)?;
        error.0.kind.fmt(f)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Error({self})")
    }
}

impl StdError for Error {
    /// The failure's text is part of this error's own, so the chain goes on with what stands behind it.
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        let mut error = self;
        while let Some(cause) = error.failed_with() {
            error = cause;
        }
        match &error.0.kind {
            Kind::Failed(error) => error.get()?.source(),
            Kind::Start { source, .. } => Some(source),
            Kind::Host { error, .. } => error.get()?.source(),
            _ => None,
        }
    }
}
