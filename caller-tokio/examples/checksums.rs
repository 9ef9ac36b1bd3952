//! Hashes every file under the given paths, in a pool of workers, and prints what `sha256sum` would.
//!
//! What it shows: `to_thread` for work that blocks, `as_completed_lazy` to bound how much of it is under way, and a
//! queue of its own to put the results back in order, which run one at a time.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, IsTerminal, Read, Write},
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use caller::Caller;
use caller_tokio::Tokio;
use clap::Parser;
use futures::StreamExt;
use indicatif::{ProgressBar, ProgressStyle};
use sha2::{Digest, Sha256};
use walkdir::WalkDir;

/// Prints the SHA-256 of every file under the given paths, as `sha256sum` does.
#[derive(Parser)]
struct Options {
    /// How many files are read at once.
    #[arg(long, default_value_t = 4)]
    jobs: usize,
    /// Files, and folders to walk.
    #[arg(required = true)]
    paths: Vec<PathBuf>,
}

/// A file's hash, or why there is none.
type Line = Result<(PathBuf, String), (PathBuf, io::Error)>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let options = Options::parse();
    let ended = Caller::builder()
        .name("checksums")
        .backend(Tokio::new())
        .scope(async |caller| run(&caller, options).await);
    match ended.await.and_then(|code| code) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("checksums: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(caller: &Caller, options: Options) -> caller::Result<ExitCode> {
    let bar = progress_bar();
    let leave = Arc::new(AtomicBool::new(false));
    let files = options.paths.into_iter().flat_map(|path| walk(path, bar.clone()));
    let stopping = leave.clone();
    let counting = bar.clone();
    let hashed = files.enumerate().map(|(number, found)| {
        let (leave, bar) = (stopping.clone(), counting.clone());
        caller.to_thread(async move || (number, found.and_then(|path| hash(path, &leave, &bar))))
    });
    let mut hashed = caller.as_completed_lazy(hashed).max_concurrent(options.jobs)?;

    // Files are done in any order. The queue has them one at a time, and prints each when it is its turn.
    let output = Arc::new(Mutex::new(Output {
        bar: bar.clone(),
        next: 0,
        early: BTreeMap::new(),
        lines: 0,
        bad: 0,
        failed: None,
    }));
    let printing = output.clone();
    let print = caller.queue(async move |item: (usize, Line)| {
        printing.lock().unwrap_or_else(PoisonError::into_inner).take(item)
    });

    let mut interrupt = Box::pin(tokio::signal::ctrl_c());
    let interrupted = loop {
        tokio::select! {
            biased;
            _ = &mut interrupt => break true,
            done = hashed.next() => match done {
                Some(done) => {
                    let item = done.await?;
                    print.call(item).map_err(|(_, error)| error)?;
                    if output.lock().unwrap_or_else(PoisonError::into_inner).failed.is_some() {
                        break false;
                    }
                }
                None => break false,
            },
        }
    };
    // The rest never begins, and whoever reads stops at its next block.
    leave.store(true, Ordering::Relaxed);
    drop(hashed);
    let printed = print.pending();
    drop(print);
    if let Some(printed) = printed {
        printed.wait().await?;
    }
    bar.finish_and_clear();

    let mut output = output.lock().unwrap_or_else(PoisonError::into_inner);
    if interrupted {
        output.flush_early();
        eprintln!("checksums: interrupted after {} files", output.lines);
        // Not by leaving the scope, which waits for its workers: one may be in a read that never returns.
        std::process::exit(130);
    }
    if let Some(error) = &output.failed {
        eprintln!("checksums: the output cannot be written: {error}");
    }
    Ok(if output.bad > 0 || output.failed.is_some() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// A bar on a terminal, nothing elsewhere.
fn progress_bar() -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} files  {per_sec}  {eta} left");
    let bar = ProgressBar::new(0);
    style.map(|style| bar.with_style(style)).unwrap_or_else(|_| ProgressBar::hidden())
}

/// The files under a path, in order of their names. The bar hears of each.
fn walk(path: PathBuf, bar: ProgressBar) -> impl Iterator<Item = Result<PathBuf, (PathBuf, io::Error)>> {
    WalkDir::new(&path).sort_by_file_name().into_iter().filter_map(move |entry| {
        let found = match entry {
            // What is named is followed, as `sha256sum` does; what is found in a folder is not.
            Ok(entry) if entry.file_type().is_dir() => return None,
            Ok(entry) if entry.path_is_symlink() && entry.depth() > 0 => return None,
            Ok(entry) => Ok(entry.into_path()),
            Err(error) => {
                let at = error.path().unwrap_or(&path).to_owned();
                let why = error.into_io_error().unwrap_or_else(|| io::Error::other("a loop of links"));
                Err((at, why))
            }
        };
        bar.inc_length(1);
        Some(found)
    })
}

/// Hashes a file block by block, until it ends or `leave` is set.
fn hash(path: PathBuf, leave: &AtomicBool, bar: &ProgressBar) -> Line {
    let mut block = vec![0; 256 * 1024];
    let mut hasher = Sha256::new();
    let mut read = || {
        let mut file = File::open(&path)?;
        loop {
            if leave.load(Ordering::Relaxed) {
                return Err(io::ErrorKind::Interrupted.into());
            }
            match file.read(&mut block) {
                Ok(0) => return Ok(()),
                Ok(some) => hasher.update(&block[..some]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    };
    let ended = read();
    bar.inc(1);
    match ended {
        Ok(()) => {
            let digest = hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
            Ok((path, digest))
        }
        Err(error) => Err((path, error)),
    }
}

/// Prints lines in the order in which the files were found.
struct Output {
    bar: ProgressBar,
    next: usize,
    /// Those whose turn has not come.
    early: BTreeMap<usize, Line>,
    lines: usize,
    bad: usize,
    /// Why nothing more can be printed.
    failed: Option<io::Error>,
}

impl Output {
    fn take(&mut self, (number, line): (usize, Line)) {
        self.early.insert(number, line);
        while let Some(line) = self.early.remove(&self.next) {
            self.next += 1;
            self.print(line);
        }
    }

    /// What was done before an interrupt, though a file before it was not.
    fn flush_early(&mut self) {
        for line in std::mem::take(&mut self.early).into_values().filter(Result::is_ok) {
            self.print(line);
        }
    }

    fn print(&mut self, line: Line) {
        if self.failed.is_some() {
            return;
        }
        match line {
            Ok((path, digest)) => {
                self.lines += 1;
                let written = self.bar.suspend(|| write_line(&mut io::stdout().lock(), &path, &digest));
                self.failed = written.err();
            }
            Err((path, error)) => {
                self.bad += 1;
                self.bar.suspend(|| eprintln!("checksums: {}: {error}", path.display()));
            }
        }
    }
}

/// A line as coreutils writes it: with a backslash in front if the name had to be escaped.
fn write_line(to: &mut impl Write, path: &Path, digest: &str) -> io::Result<()> {
    let name = path.as_os_str().as_bytes();
    let mut line = Vec::with_capacity(name.len() + digest.len() + 3);
    if name.iter().any(|byte| matches!(byte, b'\\' | b'\n' | b'\r')) {
        line.push(b'\\');
    }
    line.extend_from_slice(digest.as_bytes());
    line.extend_from_slice(b"  ");
    for byte in name {
        match byte {
            b'\\' => line.extend_from_slice(b"\\\\"),
            b'\n' => line.extend_from_slice(b"\\n"),
            b'\r' => line.extend_from_slice(b"\\r"),
            other => line.push(*other),
        }
    }
    line.push(b'\n');
    to.write_all(&line)
}
