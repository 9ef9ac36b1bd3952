//! Groups: a scope that does not end before every call that was made inside it has.

mod run;

use std::{
    fmt,
    sync::{Arc, Weak},
    task::Waker,
    time::Duration,
};

use crate::{
    caller::Caller,
    error::{BoxError, Error, Kind, Result},
    guard,
    pending::{Keeper, PendingHandle},
    sys::{self, Mutex, MutexGuard},
    tracker::Members,
    tracker::Tracker,
};

/// What the cancelling of a member means to a [`PendingGroup`], and how a group ends that was cancelled itself.
///
/// A member that *fails* cancels the group in every mode, and the group ends with an error that has all failures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum GroupMode {
    /// A member that is cancelled is nobody's concern. A group that is cancelled ends without an error. (Mode 0 of the
    /// seeds.)
    #[default]
    Lenient,
    /// A member that is cancelled cancels the group, which ends with the cancelled error. (Mode 1.)
    AllOrError,
    /// A member that is cancelled cancels the group, which ends without an error. (Mode 2.)
    AllOrNothing,
    /// A member that is cancelled is nobody's concern. A group that is cancelled ends with the cancelled error. (Mode 3.)
    Strict,
}

impl GroupMode {
    /// A cancelled member cancels the group.
    fn spreads(self) -> bool {
        matches!(self, Self::AllOrError | Self::AllOrNothing)
    }

    /// A cancelled group is an error.
    fn tells(self) -> bool {
        matches!(self, Self::AllOrError | Self::Strict)
    }
}

impl fmt::Display for GroupMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Lenient => "lenient",
            Self::AllOrError => "all or error",
            Self::AllOrNothing => "all or nothing",
            Self::Strict => "strict",
        })
    }
}

/// Calls that belong together: those made while it runs, in its body and in the calls themselves, on any caller, thread
/// and backend. [`run`](Self::run) does not end before all of them have.
///
/// It is a [`Tracker`], so nobody has to tell it: a call is a member if it was made where the group is current. A pending
/// made by hand opts in ([`add`](Self::add), [`PendingHandle::track`]). A group that runs inside another has its members
/// in common with that.
///
/// ```
/// # use caller::{Caller, testing::Manual};
/// # #[derive(Debug, thiserror::Error)]
/// # #[error("no route to {0}")]
/// # struct NoRoute(&'static str);
/// # fn main() -> caller::Result<()> {
/// # let here = Caller::builder().backend(Manual::new()).spawn()?;
/// # let all = here.clone();
/// # let ended = here.call_soon(async move || {
/// # let here = all;
/// async fn fetch(url: &'static str) -> Result<usize, NoRoute> {
///     if url.starts_with("far") { Err(NoRoute(url)) } else { Ok(url.len()) }
/// }
///
/// let callers = [here.child("a")?, here.child("b")?, here.child("c")?];
/// let failed = here
///     .group()
///     .run(async |_group| {
///         for (caller, url) in callers.iter().zip(["near", "far away", "nearby"]) {
///             drop(caller.try_call_soon(async move || fetch(url).await));
///         }
///     })
///     .await
///     .unwrap_err();
/// assert_eq!(failed.failures().len(), 1);
/// assert!(failed.to_string().contains("no route to far away"));
/// # caller::Result::Ok(())
/// # }).wait_blocking()?;
/// # here.stop();
/// # ended
/// # }
/// ```
pub struct PendingGroup {
    this: Weak<Self>,
    options: GroupBuilder,
    state: Mutex<State>,
}

struct State {
    phase: Phase,
    members: Members,
    failures: Vec<Error>,
    /// Why it was cancelled, if it was; a reason a line.
    cancelled: Option<String>,
    /// The call that runs it, if it is run in one.
    runner: Option<PendingHandle>,
    /// The group inside which it runs.
    parent: Option<Arc<PendingGroup>>,
    /// Whoever runs it.
    waker: Option<Waker>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// It does not run. Members can be added.
    Initial,
    /// Its body runs.
    Running,
    /// Its body has ended, and members have not.
    Leaving,
    /// It is shielded, and the future that ran it was dropped: members go on, and nobody waits for them.
    Adrift,
    /// Nothing is a member any more.
    Ended,
}

/// The options of a [`PendingGroup`]; made by [`Caller::group`] and [`PendingGroup::builder`].
#[derive(Clone, Debug)]
#[must_use = "a group does nothing until it is run"]
pub struct GroupBuilder {
    caller: Option<Caller>,
    mode: GroupMode,
    shield: bool,
    timeout: Option<Duration>,
    cancellation_timeout: Duration,
}

impl Caller {
    /// A group whose own verbs ([`PendingGroup::call_soon`] and its kin) call this caller.
    pub fn group(&self) -> GroupBuilder {
        GroupBuilder { caller: Some(self.clone()), ..PendingGroup::builder() }
    }
}

impl GroupBuilder {
    /// What cancelling means. [`GroupMode::Lenient`] unless set.
    pub fn mode(mut self, mode: GroupMode) -> Self {
        self.mode = mode;
        self
    }

    /// Lets the members go on when the future that runs the group is dropped. Without it they are cancelled.
    pub fn shield(mut self) -> Self {
        self.shield = true;
        self
    }

    /// Cancels the group when `time` has gone by since it began to run.
    pub fn timeout(mut self, time: Duration) -> Self {
        self.timeout = Some(time);
        self
    }

    /// How long members may go on once the group was cancelled; then they are named in its error and left behind. 10 s
    /// unless set.
    pub fn cancellation_timeout(mut self, time: Duration) -> Self {
        self.cancellation_timeout = time;
        self
    }

    /// Makes the group without running it, so that others can have it before.
    pub fn build(self) -> Arc<PendingGroup> {
        let state = State {
            phase: Phase::Initial,
            members: Members::default(),
            failures: Vec::new(),
            cancelled: None,
            runner: None,
            parent: None,
            waker: None,
        };
        Arc::new_cyclic(|this| PendingGroup { this: this.clone(), options: self, state: Mutex::new(state) })
    }

    /// Makes the group and runs it; see [`PendingGroup::run`].
    ///
    /// # Errors
    ///
    /// Those of [`PendingGroup::run`].
    pub async fn run<R>(self, body: impl AsyncFnOnce(Arc<PendingGroup>) -> R) -> Result<Option<R>> {
        self.build().run(body).await
    }

    /// Makes the group and runs it; see [`PendingGroup::try_run`].
    ///
    /// # Errors
    ///
    /// Those of [`PendingGroup::try_run`].
    pub async fn try_run<R, E: Into<BoxError>>(
        self,
        body: impl AsyncFnOnce(Arc<PendingGroup>) -> Result<R, E>,
    ) -> Result<Option<R>> {
        self.build().try_run(body).await
    }
}

impl PendingGroup {
    /// A group that belongs to no caller: its own verbs call the caller of the thread that uses them.
    pub fn builder() -> GroupBuilder {
        GroupBuilder {
            caller: None,
            mode: GroupMode::default(),
            shield: false,
            timeout: None,
            cancellation_timeout: Duration::from_secs(10),
        }
    }

    /// The group that is current here: calls made here are its members.
    pub fn current() -> Option<Arc<Self>> {
        <Self as Tracker>::current()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        sys::lock(&self.state)
    }

    /// The caller it was made from.
    pub fn caller(&self) -> Option<&Caller> {
        self.options.caller.as_ref()
    }

    /// What cancelling means to it.
    pub fn mode(&self) -> GroupMode {
        self.options.mode
    }

    /// Whether it was cancelled: by [`cancel`](Self::cancel), by its timeout, by a member, or by its body's failure.
    pub fn is_cancelled(&self) -> bool {
        self.state().cancelled.is_some()
    }

    /// Cancels it from anywhere: its body is dropped and its members are cancelled; it ends when they have. False if it
    /// has ended already.
    ///
    /// Reasons of several cancels stand on lines of their own in the error.
    pub fn cancel(&self, reason: impl AsRef<str>) -> bool {
        // Two statements: members are told without the lock.
        let told = self.state().cancel(reason.as_ref());
        told.map(Wakes::wake_all).is_some()
    }

    /// The members that are not done, in the order in which they were added.
    pub fn pendings(&self) -> Vec<PendingHandle> {
        self.state().members.in_order()
    }

    /// How many members are not done.
    pub fn len(&self) -> usize {
        self.state().members.len()
    }

    /// Whether no member is left that is not done.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Makes a pending a member by hand.
    ///
    /// # Errors
    ///
    /// [`is_self_wait`](Error::is_self_wait) if it is the call that runs the group, which would wait for itself;
    /// [`is_closed`](Error::is_closed) if the group has ended.
    pub fn add(&self, pending: &PendingHandle) -> Result<()> {
        if self.state().runner.as_ref() == Some(pending) {
            return Err(Error::new(Kind::SelfWait("the group")));
        }
        if self.enlist(pending) { Ok(()) } else { Err(Error::closed("the group has ended")) }
    }

    /// Lets a pending go: the group waits for it no longer, and no longer cancels it. False if it was no member.
    pub fn remove(&self, pending: &PendingHandle) -> bool {
        let mut state = self.state();
        let gone = state.members.remove(pending);
        let waker = state.waker_if_over();
        drop(state);
        if gone.is_some()
            && let Some(this) = self.this.upgrade()
        {
            pending.unkeep(&this);
        }
        waker.into_iter().for_each(guard::wake);
        gone.is_some()
    }

    /// Takes a member in. False if the group has ended.
    fn enlist(&self, pending: &PendingHandle) -> bool {
        let Some(this) = self.this.upgrade() else { return false };
        let mut state = self.state();
        if state.phase == Phase::Ended {
            return false;
        }
        let new = state.members.add(pending);
        let (cancelled, parent) = (state.cancelled.clone(), state.parent.clone());
        drop(state);
        if new {
            pending.keep(this);
        }
        if let Some(reason) = cancelled {
            pending.cancel(reason);
        }
        if let Some(parent) = parent {
            parent.enlist(pending);
        }
        true
    }
}

impl Tracker for PendingGroup {
    fn track(&self, pending: &PendingHandle) {
        // What is made after its end is nobody's.
        let _ended = self.enlist(pending);
    }
}

impl Keeper for PendingGroup {
    fn done(&self, pending: &PendingHandle) {
        let error = pending.error().ok().flatten();
        let mut state = self.state();
        let Some(member) = state.members.remove(pending) else { return };
        let told = match error {
            // Once the group is cancelled, its members are because of that.
            Some(error) if error.is_cancelled() => {
                let spreads = self.options.mode.spreads() && state.cancelled.is_none();
                if spreads {
                    state.cancel(&format!("a call of the group was cancelled: {error}"))
                } else {
                    None
                }
            }
            Some(error) => {
                let reason = format!("a call of the group failed: {error}");
                state.failures.push(error);
                state.cancel(&reason)
            }
            None => None,
        };
        let waker = state.waker_if_over();
        drop(state);
        drop(member);
        told.into_iter().for_each(Wakes::wake_all);
        waker.into_iter().for_each(guard::wake);
    }
}

/// What is left to do outside of the lock once the group was cancelled.
struct Wakes {
    reason: String,
    members: Vec<PendingHandle>,
    waker: Option<Waker>,
}

impl Wakes {
    fn wake_all(self) {
        for member in self.members {
            member.cancel(&self.reason);
        }
        self.waker.into_iter().for_each(guard::wake);
    }
}

impl State {
    /// Cancels it, unless it has ended.
    fn cancel(&mut self, reason: &str) -> Option<Wakes> {
        if self.phase == Phase::Ended {
            return None;
        }
        let first = self.cancelled.is_none();
        let reasons = self.cancelled.get_or_insert_default();
        if !reasons.is_empty() && !reason.is_empty() {
            reasons.push('\n');
        }
        reasons.push_str(reason);
        let members = if first { self.members.all() } else { Vec::new() };
        Some(Wakes { reason: reason.to_owned(), members, waker: self.waker.take() })
    }

    /// Whoever waits for the members, once there is none. Without anybody it has ended then.
    fn waker_if_over(&mut self) -> Option<Waker> {
        if !self.members.is_empty() {
            return None;
        }
        match self.phase {
            Phase::Leaving => self.waker.take(),
            Phase::Adrift => {
                self.phase = Phase::Ended;
                None
            }
            Phase::Initial | Phase::Running | Phase::Ended => None,
        }
    }
}

impl fmt::Display for PendingGroup {
    /// How many members are unfinished, the mode, and a mark once it is cancelled.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state();
        let (pending, cancelled) = (state.members.len(), state.cancelled.is_some());
        drop(state);
        write!(f, "PendingGroup {pending} pending mode={:?}", self.mode().to_string())?;
        if cancelled { f.write_str(" (cancelled)") } else { Ok(()) }
    }
}

impl fmt::Debug for PendingGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{self}>")
    }
}
