//! Hashes every file under the given paths, in a pool of workers, and prints what `sha256sum` would.
//!
//! ```text
//!            place in the window                                      place given back
//!                   ▼                                                       ▲
//! walk (a worker) ──┴─▶ to_thread: hash, `jobs` at once ─▶ as completed ─▶ queue of the printer's thread
//! ```
//!
//! What it shows: `to_thread` for work that blocks, `as_completed_stream` to bound how much of it is under way, and a
//! queue whose function has state, in a thread of its own, to put the results back in order.
//!
//! A path that is named is followed wherever it leads. What is found in a folder is hashed if it is a file itself: links
//! could lead round in circles, and a pipe might never end.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    fs::{self, File},
    io::{self, IsTerminal, Read, Write},
    num::NonZeroUsize,
    path::{Path, PathBuf},
    process::{self, ExitCode},
    sync::Arc,
    time::Duration,
};

use caller::{Caller, Resolver, current_pending};
use caller_tokio::Tokio;
use clap::Parser;
use futures::{FutureExt, StreamExt, channel::mpsc};
use indicatif::{ProgressBar, ProgressStyle};
use sha2::{Digest, Sha256};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use walkdir::WalkDir;

/// How many files, beside those that are being read, may be found but not printed. One big file in front holds back
/// the lines of all that follow, so without a bound a large tree would pile up behind it.
const WINDOW: usize = 1024;

/// How long an interrupted program waits for its last lines to be taken, by a pager that is stopped for example.
const LAST_LINES: Duration = Duration::from_secs(2);

/// Prints the SHA-256 of every file under the given paths, as `sha256sum` does.
#[derive(Parser)]
struct Options {
    /// How many files are read at once.
    #[arg(long, default_value = "4")]
    jobs: NonZeroUsize,
    /// Files, and folders to walk.
    #[arg(required = true)]
    paths: Vec<PathBuf>,
}

/// A path, or why there is nothing to read.
type Found = Result<PathBuf, (PathBuf, io::Error)>;

/// A path and its hash, or why there is none.
type Line = Result<(PathBuf, String), (PathBuf, io::Error)>;

#[caller::main(backend = Tokio::new(), name = "checksums")]
async fn main() -> ExitCode {
    match run(Options::parse()).await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("checksums: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(options: Options) -> caller::Result<ExitCode> {
    let caller = &Caller::current()?;
    let jobs = options.jobs.get();
    let bar = progress_bar(caller, &options.paths);

    let window = Arc::new(Semaphore::new(jobs.saturating_add(WINDOW).min(Semaphore::MAX_PERMITS)));
    // The places of the window bound it.
    let (sender, found) = mpsc::unbounded();
    let walk = caller.to_thread(async move || {
        for (number, found) in files(options.paths).enumerate() {
            let Ok(place) = window.clone().acquire_owned().await else { return };
            if sender.unbounded_send((number, found, place)).is_err() {
                return;
            }
        }
    });
    let hashed = found.map(|(number, found, place)| {
        let bar = bar.clone();
        caller.to_thread(async move || (number, found.and_then(|path| hash(path, &bar)), place))
    });
    let mut hashed = caller.as_completed_stream(hashed).max_concurrent(jobs)?;

    // Files are done in any order; the queue has them one at a time. A thread of its own, because writing blocks for
    // as long as nobody reads, and this one has to hear of an interrupt.
    let (broke, broken) = Resolver::new();
    let output = RefCell::new(Output::new(bar.clone(), broke));
    let print = caller.child("printer")?.queue(async move |item| output.borrow_mut().take(item));
    let put = |item| print.call(item).map_err(|(_, error)| error);

    let mut interrupt = Box::pin(async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending().await
        }
    });
    let mut broken = Box::pin(broken.into_future());
    let mut interrupted = false;
    loop {
        tokio::select! {
            biased;
            () = &mut interrupt => {
                interrupted = true;
                break;
            }
            error = &mut broken => {
                eprintln!("checksums: the output cannot be written: {}", error?);
                leave(1);
            }
            done = hashed.next() => match done {
                Some(done) => put(Item::File(done.await?))?,
                None => break,
            },
        }
    }
    if interrupted {
        // So many at most were done when it came, and not taken yet.
        for _ in 0..jobs {
            let Some(Some(done)) = hashed.next().now_or_never() else { break };
            put(Item::File(done.await?))?;
        }
    } else {
        walk.await?;
    }

    let (resolver, summary) = Resolver::new();
    put(Item::End(resolver))?;
    if interrupted {
        let summary = summary.wait().timeout(LAST_LINES).await;
        bar.finish_and_clear();
        match summary {
            Ok(Summary { lines, bad }) => {
                eprintln!("checksums: interrupted, {lines} done, {bad} unreadable")
            }
            Err(_) => eprintln!("checksums: interrupted, and nobody takes the output"),
        }
        leave(130);
    }
    let summary = tokio::select! {
        biased;
        error = &mut broken => {
            eprintln!("checksums: the output cannot be written: {}", error?);
            leave(1);
        }
        () = &mut interrupt => {
            eprintln!("checksums: interrupted, and nobody takes the output");
            leave(130);
        }
        summary = summary => summary?,
    };
    bar.finish_and_clear();
    Ok(if summary.bad > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Ends the program at once. Leaving the scope would wait for its threads, and one may be in a read or a write that
/// never returns.
fn leave(code: i32) -> ! {
    process::exit(code)
}

/// A bar on a terminal, nothing elsewhere.
///
/// What remains can only be told once all is counted, which a worker does meanwhile: the walk itself is never far
/// ahead of the hashing.
fn progress_bar(caller: &Caller, paths: &[PathBuf]) -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = |template| ProgressStyle::with_template(template).expect("the template is well-formed");
    let bar = ProgressBar::no_length();
    bar.set_style(style("{msg}  {bytes}  {bytes_per_sec}  counting"));
    bar.enable_steady_tick(Duration::from_millis(100));

    let (counted, paths) = (bar.clone(), paths.to_vec());
    let counting = caller.to_thread(async move || {
        let own = current_pending();
        let mut bytes = 0;
        for path in files(paths).flatten() {
            if own.as_ref().is_some_and(|own| own.is_cancelled()) {
                return;
            }
            bytes += fs::metadata(path).map_or(0, |metadata| metadata.len());
        }
        counted.set_length(bytes);
        counted.set_style(style("{bar:30} {msg}  {bytes}/{total_bytes}  {bytes_per_sec}  {eta} left"));
    });
    // It ends by itself, or with the caller.
    drop(counting);
    bar
}

/// The files under the paths, each folder in order of the names in it. No more than the folders on the way to the
/// present file are in memory.
fn files(paths: Vec<PathBuf>) -> impl Iterator<Item = Found> {
    paths.into_iter().flat_map(|root| {
        WalkDir::new(&root).sort_by_file_name().into_iter().filter_map(move |entry| match entry {
            Ok(entry) => {
                let file = entry.file_type().is_file();
                // A link that is named and leads to a folder is walked, so what is left of those are files and pipes.
                let named = entry.depth() == 0 && !entry.path().is_dir();
                (file || named).then(|| Ok(entry.into_path()))
            }
            Err(error) => {
                let path = error.path().unwrap_or(&root).to_owned();
                let why = error.into_io_error().unwrap_or_else(|| io::Error::other("a loop of links"));
                Some(Err((path, why)))
            }
        })
    })
}

/// Hashes a file block by block, until it ends or nobody wants its hash any more.
fn hash(path: PathBuf, bar: &ProgressBar) -> Line {
    let own = current_pending();
    let mut hasher = Sha256::new();
    let mut read = || {
        let mut file = File::open(&path)?;
        let mut block = vec![0; 256 * 1024];
        loop {
            // Nothing here awaits, so the call cannot be dropped: it has to look.
            if own.as_ref().is_some_and(|own| own.is_cancelled()) {
                return Err(io::Error::other("cancelled"));
            }
            match file.read(&mut block) {
                Ok(0) => return Ok(()),
                Ok(some) => {
                    hasher.update(&block[..some]);
                    bar.inc(some as u64);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    };
    match read() {
        Ok(()) => {
            let digest = hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
            Ok((path, digest))
        }
        Err(error) => Err((path, error)),
    }
}

/// What the printer's queue takes.
enum Item {
    /// A file, with its number in the walk and its place in the window.
    File((usize, Line, OwnedSemaphorePermit)),
    /// There is no more: print what is left, though something before it is missing.
    End(Resolver<Summary>),
}

#[derive(Clone, Copy, Default)]
struct Summary {
    lines: usize,
    bad: usize,
}

/// Prints lines in the order in which the files were found.
struct Output {
    bar: ProgressBar,
    /// Whether lines and bar share a screen.
    shared: bool,
    next: usize,
    /// Those whose turn has not come.
    early: BTreeMap<usize, (Line, OwnedSemaphorePermit)>,
    summary: Summary,
    /// Told why nothing more can be printed.
    broke: Option<Resolver<io::Error>>,
}

impl Output {
    fn new(bar: ProgressBar, broke: Resolver<io::Error>) -> Self {
        let shared = io::stdout().is_terminal() && !bar.is_hidden();
        Self { bar, shared, next: 0, early: BTreeMap::new(), summary: Summary::default(), broke: Some(broke) }
    }

    fn take(&mut self, item: Item) {
        match item {
            Item::File((number, line, place)) => {
                self.early.insert(number, (line, place));
                while let Some((line, _place)) = self.early.remove(&self.next) {
                    self.next += 1;
                    self.print(line);
                }
            }
            Item::End(ended) => {
                for (line, _place) in std::mem::take(&mut self.early).into_values() {
                    self.print(line);
                }
                // Otherwise the end was told already.
                if self.broke.is_some() {
                    let _nobody_waits = ended.resolve(self.summary);
                }
            }
        }
    }

    fn print(&mut self, line: Line) {
        match line {
            Ok((path, digest)) if self.broke.is_some() => {
                let write = || write_line(&mut io::stdout().lock(), &path, &digest);
                match if self.shared { self.bar.suspend(write) } else { write() } {
                    Ok(()) => self.summary.lines += 1,
                    Err(error) => {
                        let _nobody_waits = self.broke.take().map(|broke| broke.resolve(error));
                    }
                }
            }
            Ok(_) => {}
            Err((path, error)) => {
                self.summary.bad += 1;
                // Quoted, since a name may hold what a terminal would obey.
                self.bar.suspend(|| eprintln!("checksums: {path:?}: {error}"));
            }
        }
        if !self.bar.is_hidden() {
            self.bar.set_message(format!("{} done", self.summary.lines));
        }
    }
}

/// A line as coreutils writes it: with a backslash in front if the name had to be escaped.
fn write_line(to: &mut impl Write, path: &Path, digest: &str) -> io::Result<()> {
    let name = path.as_os_str().as_encoded_bytes();
    let mut line = Vec::with_capacity(name.len() + digest.len() + 4);
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
