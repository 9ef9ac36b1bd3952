//! Groups: a scope that does not end before every call that was made inside it has.

mod run;
mod tree;

use std::{
    cell::OnceCell,
    fmt,
    sync::{Arc, Weak},
    task::Waker,
    time::Duration,
};

use rustc_hash::{FxHashMap, FxHashSet};

use crate::{
    caller::Caller,
    error::{BoxError, Error, Kind, Result},
    guard::{self, Place},
    pending::{Keeper, PendingHandle},
    sys::{self, AtomicUsize, Mutex, MutexGuard},
    tracker::{Members, Tracker},
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
/// made by hand opts in ([`add`](Self::add), [`PendingHandle::track`]). The members of a group that runs inside another are
/// members of both.
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
    /// How many of the groups that run inside have members.
    busy_inside: AtomicUsize,
}

/// The place of a group among others.
#[derive(Default)]
struct Tree {
    /// The group inside which it runs.
    around: Option<Arc<PendingGroup>>,
    /// The groups that run inside it, by address.
    inside: FxHashMap<usize, Weak<PendingGroup>>,
    /// A group has run inside it.
    had_inside: bool,
    /// The group around it counts it as one that has members.
    counted: bool,
    /// It and those around it have heard of a member that was cancelled: each that this cancels is cancelled.
    knows_of_cancelling: bool,
}

impl Tree {
    /// Whether no group has ever run inside.
    fn is_leaf(&self) -> bool {
        !self.had_inside
    }

    fn inside(&self) -> Vec<Weak<PendingGroup>> {
        self.inside.values().cloned().collect()
    }

    fn has_around(&self) -> bool {
        self.around.is_some()
    }
}

struct State {
    phase: Phase,
    /// The members that are in no group inside.
    members: Members,
    failures: Vec<Error>,
    /// Whose failures these are, once a group runs inside: a member of both is heard of twice.
    failed: FxHashSet<PendingHandle>,
    /// Why it was cancelled, if it was; a reason a line.
    cancelled: Option<String>,
    /// Why what becomes a member is cancelled at once: this group was cancelled, or one around it.
    condemned: Option<Arc<str>>,
    /// The call that runs it, if it is run in one.
    runner: Option<PendingHandle>,
    /// The groups around it and inside it.
    tree: Tree,
    /// The future that runs it.
    waker: Option<Waker>,
}

/// Why a pending does not become a member.
enum Refused {
    /// The group has ended.
    Ended,
    /// It is the call that runs the group, or one around it.
    RunsIt,
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
            failed: FxHashSet::default(),
            cancelled: None,
            condemned: None,
            runner: None,
            tree: Tree::default(),
            waker: None,
        };
        Arc::new_cyclic(|this| PendingGroup {
            this: this.clone(),
            options: self,
            state: Mutex::new(state),
            busy_inside: AtomicUsize::new(0),
        })
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
        told.map(Told::tell).is_some()
    }

    /// The members that are not done, in the order in which they were added.
    pub fn pendings(&self) -> Vec<PendingHandle> {
        let mut all: Vec<_> = self.gather().into_iter().collect();
        all.sort_unstable_by_key(|(_, at)| *at);
        all.into_iter().map(|(pending, _)| pending).collect()
    }

    /// How many members are not done.
    pub fn len(&self) -> usize {
        let state = self.state();
        if state.tree.is_leaf() && state.phase != Phase::Ended {
            return state.members.len();
        }
        drop(state);
        self.gather().len()
    }

    /// Whether no member is left that is not done.
    pub fn is_empty(&self) -> bool {
        let state = self.state();
        state.phase == Phase::Ended || !self.is_busy(&state)
    }

    /// Makes a pending a member by hand.
    ///
    /// # Errors
    ///
    /// [`is_self_wait`](Error::is_self_wait) if it is the call that runs the group, or one around it, which would wait for
    /// itself; [`is_closed`](Error::is_closed) if the group has ended.
    pub fn add(&self, pending: &PendingHandle) -> Result<()> {
        self.enlist(pending).map_err(|refused| match refused {
            Refused::Ended => Error::closed("the group has ended"),
            Refused::RunsIt => Error::new(Kind::SelfWait("the group")),
        })
    }

    /// Lets a pending go: the group waits for it no longer, and no longer cancels it, nor does a group inside. A group
    /// around it still does. False if it was no member.
    pub fn remove(&self, pending: &PendingHandle) -> bool {
        let Some(group) = self.find(pending) else { return false };
        let mut state = group.state();
        let Some(gone) = state.members.remove(pending) else { return false };
        drop(state);
        pending.unkeep(&group);
        if let Some(around) = self.around() {
            // One that has ended waits for nothing.
            let _ended = around.enlist(pending);
        }
        group.recount();
        guard::discard(Place::ResultDrop, gone);
        true
    }

    /// Takes a member in.
    fn enlist(&self, pending: &PendingHandle) -> Result<(), Refused> {
        let Some(this) = self.this.upgrade() else { return Err(Refused::Ended) };
        let runs_around = pending.leads() && self.around().is_some_and(|around| around.is_run_by(pending));
        let mut state = self.state();
        if state.phase == Phase::Ended {
            return Err(Refused::Ended);
        }
        if runs_around || state.runner.as_ref() == Some(pending) {
            return Err(Refused::RunsIt);
        }
        let new = state.members.add(pending);
        let condemned = state.condemned.clone();
        let around = self.count(&mut state);
        drop(state);
        Self::climb(around);
        if new {
            pending.keep(this);
        }
        if let Some(reason) = condemned {
            cancel(pending.clone(), &reason);
        }
        Ok(())
    }

    /// Hears that a member, or one of a group inside, ended with an error.
    fn hear(&self, pending: &PendingHandle, trouble: &Trouble) {
        // The text is the user's code: made without the lock, and only where it is needed.
        let needed = !trouble.error.is_cancelled() || self.mode().spreads() && !self.is_cancelled();
        if !needed {
            return;
        }
        let reason = trouble.reason();
        let mut state = self.state();
        if state.phase == Phase::Ended {
            return;
        }
        if trouble.error.is_cancelled() {
            // Once the group is cancelled, its members are because of that.
            if state.cancelled.is_some() {
                return;
            }
        } else {
            if !state.tree.is_leaf() && !state.failed.insert(pending.clone()) {
                return;
            }
            state.failures.push(trouble.error.clone());
        }
        let told = state.cancel(reason);
        drop(state);
        told.into_iter().for_each(Told::tell);
    }
}

impl PendingGroup {
    /// Has the groups around it hear of the error of a member.
    fn tell_around(&self, pending: &PendingHandle, trouble: &Trouble) {
        let mut told = Vec::new();
        let mut next = self.around();
        while let Some(group) = next {
            if trouble.error.is_cancelled() {
                // Of many that are cancelled, the first one tells all: so that cancelling a deep nest costs no square of it.
                if group.state().tree.knows_of_cancelling {
                    break;
                }
                told.push(group.clone());
            }
            group.hear(pending, trouble);
            next = group.around();
        }
        for group in told {
            group.state().tree.knows_of_cancelling = true;
        }
    }
}

/// The error of a member.
struct Trouble {
    error: Error,
    reason: OnceCell<String>,
}

impl Trouble {
    /// Why the others are cancelled.
    fn reason(&self) -> &str {
        self.reason.get_or_init(|| {
            let what = if self.error.is_cancelled() { "was cancelled" } else { "failed" };
            format!("a call of the group {what}: {}", guard::text(&self.error))
        })
    }
}

impl Tracker for PendingGroup {
    fn track(&self, pending: &PendingHandle) {
        // What is made after its end is nobody's, and who runs it is no member.
        let _refused = self.enlist(pending);
    }
}

impl Keeper for PendingGroup {
    fn done(&self, pending: &PendingHandle) {
        if let Ok(Some(error)) = pending.error()
            && self.state().members.contains(pending)
        {
            // All groups hear of it while it is a member, so that none of them ends before.
            let trouble = Trouble { error, reason: OnceCell::new() };
            self.hear(pending, &trouble);
            self.tell_around(pending, &trouble);
        }
        let mut state = self.state();
        let Some(member) = state.members.remove(pending) else { return };
        let waker = self.waker_if_over(&mut state);
        let around = self.count(&mut state);
        drop(state);
        guard::discard(Place::ResultDrop, member);
        waker.into_iter().for_each(guard::wake);
        Self::climb(around);
    }
}

/// What is left to do outside of the lock once the group was cancelled.
struct Told {
    reason: Arc<str>,
    members: Vec<PendingHandle>,
    inside: Vec<Weak<PendingGroup>>,
    waker: Option<Waker>,
}

impl Told {
    /// Cancels the members, those of the groups inside, and wakes the future that runs the group. A member that cancels the
    /// next group when it is done nests only so deep.
    fn tell(self) {
        guard::nested(self, |told| {
            let Self { reason, members, mut inside, waker } = told;
            members.into_iter().for_each(|member| cancel(member, &reason));
            while let Some(group) = inside.pop() {
                if let Some(group) = group.upgrade() {
                    let (members, more) = group.state().condemn(&reason);
                    inside.extend(more);
                    members.into_iter().for_each(|member| cancel(member, &reason));
                }
            }
            waker.into_iter().for_each(guard::wake);
        });
    }
}

/// Cancels a member. A canceller that panics, or the destructor of a member's result, harms no other member.
fn cancel(member: PendingHandle, reason: &str) {
    guard::quietly(Place::Canceller, || member.cancel(reason));
    guard::discard(Place::ResultDrop, member);
}

impl State {
    /// Cancels it, unless it has ended.
    fn cancel(&mut self, reason: &str) -> Option<Told> {
        if self.phase == Phase::Ended {
            return None;
        }
        let reasons = self.cancelled.get_or_insert_default();
        if !reasons.is_empty() && !reason.is_empty() {
            reasons.push('\n');
        }
        reasons.push_str(reason);
        let reason: Arc<str> = reason.into();
        let (members, inside) = self.condemn(&reason);
        Some(Told { reason, members, inside, waker: self.waker.take() })
    }

    /// What is and becomes a member is to be cancelled: gives the members and the groups inside that it concerns. None
    /// where they are cancelled already.
    fn condemn(&mut self, reason: &Arc<str>) -> (Vec<PendingHandle>, Vec<Weak<PendingGroup>>) {
        if self.condemned.is_some() {
            return (Vec::new(), Vec::new());
        }
        self.condemned = Some(reason.clone());
        (self.members.all(), self.tree.inside())
    }
}

impl PendingGroup {
    /// The waker of the future that waits for the members, once there is none. Without such a future it has ended then.
    fn waker_if_over(&self, state: &mut State) -> Option<Waker> {
        if self.is_busy(state) {
            return None;
        }
        match state.phase {
            Phase::Leaving => state.waker.take(),
            Phase::Adrift => {
                state.phase = Phase::Ended;
                None
            }
            Phase::Initial | Phase::Running | Phase::Ended => None,
        }
    }
}

impl fmt::Display for PendingGroup {
    /// How many members are unfinished, the mode, and a mark once it is cancelled.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (pending, cancelled) = (self.len(), self.is_cancelled());
        write!(f, "PendingGroup {pending} pending mode={:?}", self.mode().to_string())?;
        if cancelled { f.write_str(" (cancelled)") } else { Ok(()) }
    }
}

impl fmt::Debug for PendingGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{self}>")
    }
}
