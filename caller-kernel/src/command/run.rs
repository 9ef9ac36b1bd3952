//! `run`: a notebook without Jupyter.

use std::{
    ffi::OsString,
    io::{self, IsTerminal},
    path::{Path, PathBuf},
    process::{self, ExitCode},
    sync::Arc,
    time::{Duration, Instant},
};

use caller::Caller;
use caller_kernel::{
    lua::LuaLanguage,
    notebook::{CellFailure, Destination, Ended, Notebook, NotebookError, Report, RunOptions},
    shell::Interrupter,
};
use caller_tokio::Tokio;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use super::say::{complain, say};

/// How long cells' calls may take to end when all is over.
const PATIENCE: Duration = Duration::from_secs(2);

/// Runs a notebook, and writes it with its outputs
///
/// The outputs go to a notebook beside it, NAME.out.ipynb, unless told otherwise; they are written when a cell fails, too,
/// up to there.
///
/// The exit code is 0 if all cells ran, 1 if one failed or the outputs cannot be written after all, 2 if the notebook cannot
/// be run at all, and 130 after a signal: SIGINT, SIGTERM or SIGHUP. The first of them stops the cell that runs, and what
/// there is of the outputs is written; another one ends the program at once.
///
/// Cells run as they do in the kernel, one after the other: the first line of a cell says how, as in `-- thread`,
/// `-- thread name=NAME` or `-- queue timeout=SECONDS`, and so do its tags. The tags `skip-execution` and
/// `raises-exception` are heeded as Jupyter does.
#[derive(Args, Debug)]
pub(crate) struct Run {
    /// The notebook, of format 4, with Lua cells
    notebook: PathBuf,
    /// Where the outputs go; `-` is stdout
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Writes the outputs into the notebook itself
    #[arg(long, conflicts_with = "output")]
    in_place: bool,
    /// How long a cell may take; 0 is no limit
    #[arg(long, value_name = "SECONDS", value_parser = seconds, default_value = "0")]
    timeout: Duration,
    /// Goes on after a cell that failed
    #[arg(long)]
    keep_going: bool,
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    seconds.ok_or_else(|| "give seconds, such as 0.5".to_owned())
}

impl Run {
    pub(crate) fn run(self) -> ExitCode {
        match self.try_run() {
            Ok(code) => code,
            Err(error @ (NotebookError::Read { .. } | NotebookError::Write { .. })) => {
                complain(&error);
                ExitCode::from(2)
            }
            Err(error) => {
                eprintln!("caller-kernel: {}: {error}", self.notebook.display());
                ExitCode::from(2)
            }
        }
    }

    /// The exit code, if it could be tried.
    fn try_run(&self) -> Result<ExitCode, NotebookError> {
        let mut notebook = Notebook::read(&self.notebook)?;
        let file = self.file();
        // Better now than after an hour of cells.
        let destination = file.as_ref().map_or_else(|| Ok(Destination::stdout()), Destination::open)?;
        let began = Instant::now();
        let stop = Interrupter::new();
        let report = self.execute(&mut notebook, &stop)?;
        report.failures.iter().for_each(tell);
        if let Err(error) = notebook.write_to(destination) {
            complain(&error);
            return Ok(ExitCode::FAILURE);
        }
        if let Some(file) = file {
            say(&summary(&report, began.elapsed(), &file));
        }
        // A cell that does not heed an interrupt is stuck.
        if report.ended == Ended::Interrupted || (report.ended == Ended::Stuck && stop.times() > 0) {
            eprintln!("caller-kernel: interrupted");
            return Ok(ExitCode::from(130));
        }
        Ok(if report.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    /// The file that is written, unless that is stdout.
    fn file(&self) -> Option<PathBuf> {
        match &self.output {
            Some(path) if path == Path::new("-") => None,
            Some(path) => Some(path.clone()),
            None if self.in_place => Some(self.notebook.clone()),
            None => Some(beside(&self.notebook)),
        }
    }

    fn execute(&self, notebook: &mut Notebook, stop: &Interrupter) -> Result<Report, NotebookError> {
        stop_on_interrupt(stop);
        let bar = progress_bar();
        let options = RunOptions::new()
            .timeout(self.timeout)
            .keep_going(self.keep_going)
            .stop_by(stop.clone())
            .progress({
                let bar = bar.clone();
                move |number, total| {
                    bar.set_length(total as u64);
                    bar.set_position(number as u64 - 1);
                    bar.set_message(format!("cell {number} of {total}"));
                }
            });
        let failed = |error: caller::Error| {
            NotebookError::Shell(caller_kernel::shell::CellError::new("Error", error.to_string()))
        };
        let shell =
            Caller::builder().name("Shell").protected(true).backend(Tokio::new()).spawn().map_err(failed)?;
        let outside = shell.clone();
        let language = Arc::new(LuaLanguage::new());
        let ran = wait_for(async { notebook.run(&outside, language, options).await });
        bar.finish_and_clear();
        shell.force_stop();
        if !matches!(&ran, Ok(report) if report.ended == Ended::Stuck) {
            // What does not end by then is left behind.
            let _ended = wait_for(async { tokio::time::timeout(PATIENCE, shell.stopped()).await });
        }
        ran
    }
}

/// Blocks until a future is done.
fn wait_for<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    match runtime {
        Ok(runtime) => runtime.block_on(future),
        // Timers alone ask nothing of the system.
        Err(error) => panic!("no runtime: {error}"),
    }
}

/// The first interrupt stops the notebook; another one ends the program at once.
fn stop_on_interrupt(stop: &Interrupter) {
    let stop = stop.clone();
    let set = ctrlc::set_handler(move || {
        if stop.times() > 0 {
            process::exit(130);
        }
        stop.interrupt();
    });
    if let Err(error) = set {
        // Then an interrupt ends the program as it would any other.
        eprintln!("caller-kernel: interrupts lose the outputs: {error}");
    }
}

/// A bar on a terminal, nothing elsewhere.
fn progress_bar() -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style =
        ProgressStyle::with_template("{bar:30} {msg}  {elapsed}").expect("the template is well-formed");
    let bar = ProgressBar::no_length().with_style(style);
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}

/// `a/b.ipynb` with its outputs: `a/b.out.ipynb`.
fn beside(notebook: &Path) -> PathBuf {
    let mut name = OsString::from(notebook.file_stem().unwrap_or_default());
    name.push(".out.ipynb");
    notebook.with_file_name(name)
}

fn tell(failure: &CellFailure) {
    let place = match &failure.line {
        Some((line, text)) => format!(" in line {line}: {text}"),
        None => String::new(),
    };
    eprintln!("caller-kernel: cell {} failed{place}", failure.number);
    for line in &failure.error.traceback {
        eprintln!("{line}");
    }
}

fn summary(report: &Report, time: Duration, path: &Path) -> String {
    let Report { ran, total, failures, .. } = report;
    let cells = if ran == total { format!("{total}") } else { format!("{ran} of {total}") };
    let noun = if *total == 1 { "cell" } else { "cells" };
    let failed = if failures.is_empty() { String::new() } else { format!(", {} failed", failures.len()) };
    format!("{cells} {noun} ran in {:.1} s{failed}; written to {}", time.as_secs_f64(), path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_go_beside_the_notebook() {
        assert_eq!(beside(Path::new("a/b.c.ipynb")), Path::new("a/b.c.out.ipynb"));
        assert_eq!(beside(Path::new("b")), Path::new("b.out.ipynb"));
    }

    #[test]
    fn seconds_are_a_number() {
        assert_eq!(seconds("0.5"), Ok(Duration::from_millis(500)));
        for text in ["", "-1", "x", "nan", "inf"] {
            assert!(seconds(text).is_err(), "{text}");
        }
    }
}
