//! A shell in the thread of its caller, that takes cells from another thread.

use std::{
    future,
    pin::{Pin, pin},
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use caller::{Caller, Pending};
use tokio::select;

use crate::shell::{
    Cell, CellError, INTERRUPTED, Interrupter, MimeBundle, Mode, SharedLanguage, ShellHandle, guarded,
    threads, unknown_caller,
};

/// What a cell ends in.
pub(super) type Outcome = Result<Option<MimeBundle>, CellError>;

/// How long a cell may take to stop after it was told to.
const GRACE: Duration = Duration::from_secs(2);

/// How often it is told meanwhile: the first time may come before the cell has begun, which it then does not concern.
const AGAIN: Duration = Duration::from_millis(50);

/// A shell in the thread of its caller, and those that cells in other threads have. It goes when this is dropped.
pub(super) struct ShellThread {
    handle: Arc<ShellHandle>,
    language: SharedLanguage,
}

/// What became of a cell.
pub(super) struct Ran {
    pub(super) outcome: Outcome,
    /// Whether it was stopped from outside.
    pub(super) interrupted: bool,
    /// Whether the shell is of no more use, as the cell goes on.
    pub(super) stuck: bool,
}

impl Ran {
    /// A cell that ended by itself.
    pub(super) fn ended(outcome: Outcome) -> Self {
        Self { outcome, interrupted: false, stuck: false }
    }
}

/// The handle of the shell that a cell runs in, once it is there.
type At = Arc<OnceLock<Arc<ShellHandle>>>;

/// Why a cell is told to stop.
#[derive(Clone, Copy)]
enum Reason {
    Interrupt,
    Timeout(Duration),
}

impl ShellThread {
    /// Makes a shell of this language.
    pub(super) async fn start(caller: &Caller, language: SharedLanguage) -> Result<Self, CellError> {
        let (handle, made) = ShellHandle::resident(caller, &language, ());
        let thread = Self { handle, language };
        let failed = |error: caller::Error| {
            error.downcast_ref().cloned().unwrap_or_else(|| CellError::new("Error", error.to_string()))
        };
        made.await.map_err(failed)?;
        Ok(thread)
    }

    /// Runs a cell, which is stopped at the time limit, and when `stop` is used.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the cell where it waits.
    pub(super) async fn run(
        &self,
        mode: Mode,
        cell: Cell,
        limit: Option<Duration>,
        stop: &Interrupter,
    ) -> Ran {
        let at = Arc::new(OnceLock::new());
        let mut outcome = pin!(self.outcome(mode, cell, Arc::clone(&at)));
        let reason = select! {
            biased;
            ran = &mut outcome => return ran,
            () = stop.interrupted(0) => Reason::Interrupt,
            limit = after(limit) => Reason::Timeout(limit),
        };
        end(outcome, &at, reason).await
    }

    async fn outcome(&self, mode: Mode, cell: Cell, at: At) -> Ran {
        let begun = match self.begin(mode, cell, at).await {
            Ok(begun) => begun,
            Err(error) => return Ran::ended(Err(error)),
        };
        match begun.await {
            Ok(outcome) => Ran::ended(outcome),
            Err(_) => {
                let error = CellError::new("Cancelled", "the cell was cancelled, or its caller has stopped");
                let stuck = self.handle.caller().stopping().is_past();
                Ran { outcome: Err(error), interrupted: false, stuck }
            }
        }
    }

    /// Begins a cell where its mode says.
    async fn begin(&self, mode: Mode, cell: Cell, at: At) -> Result<Pending<Outcome>, CellError> {
        let shell = self.handle.caller();
        let name = match mode {
            // Those before it have ended.
            Mode::Queue | Mode::Task => {
                let handle = Arc::clone(&self.handle);
                let _first = at.set(Arc::clone(&handle));
                return Ok(shell.call_soon(async move || {
                    let shell = handle.shell()?;
                    guarded(|| shell.execute(cell)).await
                }));
            }
            Mode::Thread(name) => name,
            Mode::Caller(name) => return Err(unknown_caller(&name, [])),
        };
        let snapshot = threads::snapshot(&self.handle).await;
        let language = Arc::clone(&self.language);
        let run = async move || {
            let (handle, owner) = threads::guest(&language, snapshot)?;
            let _first = at.set(handle);
            guarded(|| owner.shell.execute(cell)).await
        };
        Ok(match name {
            None => shell.to_thread(run),
            Some(name) => threads::thread(shell, &name)?.call_soon(run),
        })
    }
}

impl Drop for ShellThread {
    fn drop(&mut self) {
        self.handle.leave();
    }
}

/// Makes a cell end.
async fn end(mut outcome: Pin<&mut impl Future<Output = Ran>>, at: &At, reason: Reason) -> Ran {
    let until = Instant::now() + GRACE;
    loop {
        if let Some(handle) = at.get() {
            handle.interrupt();
        }
        select! {
            biased;
            ran = &mut outcome => {
                let interrupted = ran.outcome.as_ref().is_err_and(CellError::is_interrupt);
                let outcome = ran.outcome.map_err(|error| if interrupted { reason.say(error) } else { error });
                return Ran { outcome, interrupted, ..ran };
            }
            () = caller::sleep_until(Instant::now() + AGAIN) => {}
        }
        if Instant::now() >= until {
            let mut error = reason.say(CellError::new(INTERRUPTED, "interrupted"));
            error.traceback.push(
                "  the cell does not stop: it is inside of a function that cannot be interrupted".to_owned(),
            );
            return Ran { outcome: Err(error), interrupted: true, stuck: true };
        }
    }
}

impl Reason {
    /// The error of a cell that was stopped, as what the reason makes of it.
    fn say(self, error: CellError) -> CellError {
        let Self::Timeout(limit) = self else { return error };
        let CellError { ename, evalue, .. } = CellError::new(
            "TimeoutError",
            format!("stopped after {} s; give the cell more time, or less to do", limit.as_secs_f64()),
        );
        let first = format!("{ename}: {evalue}");
        let traceback = [first].into_iter().chain(error.traceback.into_iter().skip(1)).collect();
        CellError { ename, evalue, traceback }
    }
}

/// Ends after this time; without one, never.
async fn after(limit: Option<Duration>) -> Duration {
    match limit.and_then(|limit| Some((limit, Instant::now().checked_add(limit)?))) {
        Some((limit, at)) => {
            caller::sleep_until(at).await;
            limit
        }
        None => future::pending().await,
    }
}
