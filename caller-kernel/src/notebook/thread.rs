//! A shell in the thread of its caller, that takes cells from another thread.

use std::{
    future,
    pin::{Pin, pin},
    time::{Duration, Instant},
};

use caller::{Caller, Pending, Resolver};
use tokio::{select, sync::mpsc};

use crate::shell::{Cell, CellError, INTERRUPTED, Interrupter, MimeBundle, SharedLanguage};

/// What a cell ends in.
pub(super) type Outcome = Result<Option<MimeBundle>, CellError>;

/// How long a cell may take to stop after it was told to.
const GRACE: Duration = Duration::from_secs(2);

/// How often it is told meanwhile: the first time may come before the cell has begun, which it then does not concern.
const AGAIN: Duration = Duration::from_millis(50);

/// A shell in the thread of its caller. It goes when this is dropped.
pub(super) struct ShellThread {
    cells: mpsc::UnboundedSender<(Cell, Resolver<Outcome>)>,
    interrupter: Interrupter,
}

/// What became of a cell.
pub(super) struct Ran {
    pub(super) outcome: Outcome,
    /// Whether it was stopped from outside.
    pub(super) interrupted: bool,
    /// Whether the shell is of no more use, as the cell goes on.
    pub(super) stuck: bool,
}

/// Why a cell is told to stop.
#[derive(Clone, Copy)]
enum Reason {
    Interrupt,
    Timeout(Duration),
}

impl ShellThread {
    /// Makes a shell of this language.
    pub(super) async fn start(caller: &Caller, language: SharedLanguage) -> Result<Self, CellError> {
        let (cells, mut wanted) = mpsc::unbounded_channel::<(Cell, Resolver<Outcome>)>();
        let (made, interrupter) = Resolver::new();
        let serve = caller.call_soon(async move || {
            let shell = match language.shell() {
                Ok(shell) => shell,
                Err(error) => return drop(made.resolve(Err(error))),
            };
            if made.resolve(Ok(shell.interrupter())).is_err() {
                return;
            }
            while let Some((cell, ended)) = wanted.recv().await {
                let outcome = shell.execute(cell).await;
                // Nobody may wait any more.
                let _ = ended.resolve(outcome);
            }
        });
        // It ends with the channel.
        drop(serve);
        let gone = |error: caller::Error| CellError::new("Error", error.to_string());
        Ok(Self { cells, interrupter: interrupter.await.map_err(gone)?? })
    }

    /// Runs a cell, which is stopped at the time limit, and when `stop` is used.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the cell running.
    pub(super) async fn run(&self, cell: Cell, limit: Option<Duration>, stop: &Interrupter) -> Ran {
        let (ended, outcome) = Resolver::new();
        // If nobody takes it, the resolver is dropped, and the pending says so.
        let _sent = self.cells.send((cell, ended));
        let mut outcome = pin!(outcome_of(outcome));
        let reason = select! {
            biased;
            ran = &mut outcome => return ran,
            () = stop.interrupted(0) => Reason::Interrupt,
            limit = after(limit) => Reason::Timeout(limit),
        };
        self.end(outcome, reason).await
    }

    /// Makes a cell end.
    async fn end(&self, mut outcome: Pin<&mut impl Future<Output = Ran>>, reason: Reason) -> Ran {
        let until = Instant::now() + GRACE;
        loop {
            self.interrupter.interrupt();
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
                    "  the cell does not stop: it is inside of a function that cannot be interrupted"
                        .to_owned(),
                );
                return Ran { outcome: Err(error), interrupted: true, stuck: true };
            }
        }
    }
}

impl Reason {
    /// The error of a cell that was stopped, as what the reason makes of it.
    fn say(self, error: CellError) -> CellError {
        let Self::Timeout(limit) = self else { return error };
        let CellError { ename, evalue, .. } = CellError::new(
            "Timeout",
            format!("stopped after {} s; give the cell more time, or less to do", limit.as_secs_f64()),
        );
        let first = format!("{ename}: {evalue}");
        let traceback = [first].into_iter().chain(error.traceback.into_iter().skip(1)).collect();
        CellError { ename, evalue, traceback }
    }
}

async fn outcome_of(outcome: Pending<Outcome>) -> Ran {
    match outcome.await {
        Ok(outcome) => Ran { outcome, interrupted: false, stuck: false },
        Err(_) => {
            let error = CellError::new("Error", "the caller that runs the cells has stopped");
            Ran { outcome: Err(error), interrupted: false, stuck: true }
        }
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
