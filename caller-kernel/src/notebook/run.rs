//! Running the cells of a notebook.

use std::{fmt, time::Duration};

use caller::Caller;
use serde_json::Value;

use super::{
    CellFailure, Ended, Notebook, NotebookError, Report,
    recorder::{Recorder, SharedSheet},
    thread::{Ran, ShellThread},
};
use crate::shell::{Cell, Interrupter, RunMode, SharedLanguage};

/// How a notebook is run.
#[derive(Default)]
pub struct RunOptions {
    timeout: Option<Duration>,
    keep_going: bool,
    stop: Interrupter,
    progress: Option<Box<Progress>>,
}

type Progress = dyn FnMut(usize, usize) + Send;

impl RunOptions {
    /// No limit of time, and an end at the first cell that fails.
    pub fn new() -> Self {
        Self::default()
    }

    /// How long a cell may take that does not say it itself; 0 is no limit. One that takes longer is stopped, and has failed.
    #[must_use]
    pub fn timeout(mut self, time: Duration) -> Self {
        self.timeout = Some(time).filter(|time| !time.is_zero());
        self
    }

    /// Whether to go on after a cell that failed. Off unless set.
    #[must_use]
    pub fn keep_going(mut self, keep_going: bool) -> Self {
        self.keep_going = keep_going;
        self
    }

    /// What stops the cell that runs, and all of it, from any thread. It is for one run alone.
    #[must_use]
    pub fn stop_by(mut self, interrupter: Interrupter) -> Self {
        self.stop = interrupter;
        self
    }

    /// Told when a cell begins: its number from 1, and how many there are to run.
    #[must_use]
    pub fn progress(mut self, progress: impl FnMut(usize, usize) + Send + 'static) -> Self {
        self.progress = Some(Box::new(progress));
        self
    }
}

impl fmt::Debug for RunOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunOptions")
            .field("timeout", &self.timeout)
            .field("keep_going", &self.keep_going)
            .finish_non_exhaustive()
    }
}

/// A cell that is to run.
struct Job {
    /// Which of all cells.
    at: usize,
    source: String,
    tags: Vec<String>,
}

impl Job {
    /// Whether an error of it is as it should be.
    fn may_fail(&self) -> bool {
        self.tags.iter().any(|tag| tag == "raises-exception")
    }
}

impl Notebook {
    /// Runs its code cells in order, in a new shell on this caller, and records their outputs in place of those it has.
    ///
    /// The first line of a cell or its tags say how it is run, as they do in a [`Kernel`](crate::Kernel#how-cells-are-run)
    /// without callers of a program. Each waits for the one before it, a `task` too. Threads with a name are children of the
    /// caller, and stay until it stops.
    ///
    /// Empty cells are left out. So are cells with the tag `skip-execution`, which keep their outputs. A cell with the tag
    /// `raises-exception` may fail. Cells that are not reached have no outputs. Calls that are still under way when the last
    /// cell ends are not waited for.
    ///
    /// That a cell fails is told by the report.
    ///
    /// # Errors
    ///
    /// It is of another language, or there is no shell to be had. Then it is as it was.
    ///
    /// # Cancel safety
    ///
    /// When the future is dropped, the notebook is without outputs, and the cell that runs ends where it waits.
    pub async fn run(
        &mut self,
        caller: &Caller,
        language: SharedLanguage,
        mut options: RunOptions,
    ) -> Result<Report, NotebookError> {
        let info = language.info();
        match self.language() {
            Some(theirs) if !theirs.eq_ignore_ascii_case(&info.name) => {
                return Err(NotebookError::Language { theirs: theirs.to_owned(), ours: info.name });
            }
            _ => {}
        }
        let jobs = self.jobs();
        let shell = ShellThread::start(caller, language).await.map_err(NotebookError::Shell)?;
        self.clear();
        self.set_language(&info);
        let sheet = SharedSheet::new(jobs.len());
        let mut report = Report { ran: 0, total: jobs.len(), failures: Vec::new(), ended: Ended::AllRan };
        for (index, job) in jobs.iter().enumerate() {
            if options.stop.times() > 0 {
                report.ended = Ended::Interrupted;
                break;
            }
            if let Some(progress) = &mut options.progress {
                progress(index + 1, jobs.len());
            }
            let count = u32::try_from(index + 1).unwrap_or(u32::MAX);
            let cell = Cell::new(job.source.clone(), count, Recorder::new(sheet.clone(), index));
            let ran = match RunMode::read(&job.source, &job.tags) {
                Ok(RunMode { mode, timeout }) => {
                    let limit = timeout.unwrap_or(options.timeout);
                    shell.run(mode, cell, limit, &options.stop).await
                }
                Err(error) => Ran::ended(Err(error)),
            };
            report.ran += 1;
            self.cell_mut(job.at)["execution_count"] = count.into();
            let error = match ran.outcome {
                Ok(result) => {
                    if let Some(result) = result {
                        sheet.lock().result(index, count, result);
                    }
                    None
                }
                Err(error) => Some(error),
            };
            if let Some(error) = error {
                sheet.lock().error(index, error.clone());
                // That it was stopped is never what its author had in mind.
                if !job.may_fail() || ran.interrupted || ran.stuck {
                    report.failures.push(CellFailure::new(count, &job.source, error));
                    report.ended = if ran.stuck { Ended::Stuck } else { Ended::Failed };
                }
            }
            match report.ended {
                Ended::Failed if options.stop.times() > 0 => report.ended = Ended::Interrupted,
                Ended::Failed if options.keep_going => report.ended = Ended::AllRan,
                _ => {}
            }
            if report.ended != Ended::AllRan {
                break;
            }
        }
        let sheet = sheet.lock();
        for (index, job) in jobs.iter().enumerate() {
            self.cell_mut(job.at)["outputs"] = sheet.of(index).into();
        }
        Ok(report)
    }

    fn jobs(&self) -> Vec<Job> {
        let mut jobs = Vec::new();
        for (at, cell) in self.cells().iter().enumerate() {
            let source = cell["source"].as_str().unwrap_or_default();
            if !is_run(cell) || source.trim().is_empty() {
                continue;
            }
            jobs.push(Job { at, source: source.to_owned(), tags: tags(cell).map(str::to_owned).collect() });
        }
        jobs
    }

    /// Takes the outputs out of all cells that are not skipped.
    fn clear(&mut self) {
        for at in 0..self.cells().len() {
            let cell = self.cell_mut(at);
            if is_run(cell) {
                cell["outputs"] = Value::Array(Vec::new());
                cell["execution_count"] = Value::Null;
            }
        }
    }
}

/// Whether it is a code cell, and not to be skipped.
fn is_run(cell: &Value) -> bool {
    cell["cell_type"] == "code" && tags(cell).all(|tag| tag != "skip-execution")
}

fn tags(cell: &Value) -> impl Iterator<Item = &str> {
    let tags = cell.pointer("/metadata/tags").and_then(Value::as_array);
    tags.into_iter().flatten().filter_map(Value::as_str)
}
