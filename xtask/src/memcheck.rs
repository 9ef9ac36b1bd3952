//! valgrind's memcheck over the tests of the core and the backends: no invalid access, and no definite leak.

use crate::{
    outcome::{Outcome, Stop, conclude},
    probe,
    process::{self, Failure, Limit},
    test_binary::TestBinary,
    workspace::Workspace,
};
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

const PACKAGES: &[&str] = &["caller-core", "caller-tokio", "caller-async-std", "caller-smol"];

/// Parts of the names of tests, in any program, that do the same a hundred thousand times, or have limits that they exceed
/// when they are slow.
const SLOW: &[&str] = &[
    "chains::",
    "crowds::",
    "harness::",
    "depth::",
    "many_g",
    "a_chain_of_",
    "a_deep_chain",
    "grp_07_timeout",
];

/// Tests that say nothing about memory, or that say what others say.
const LEFT_OUT: &[LeftOut] = &[
    LeftOut::new("caller-core", "it", "without_tracing", "it builds a program"),
    LeftOut::new(
        "caller-core",
        "it",
        "needs_no_other_thread",
        "it allows no threads, and valgrind needs them",
    ),
    LeftOut::new("caller-tokio", "it", "checksums::", "they run an example, whose process is another"),
    LeftOut::new("caller-tokio", "it", "::i7_", "it measures CPU time"),
    LeftOut::new("caller-async-std", "it", "::i7_", "they measure CPU time"),
    LeftOut::new(
        "caller-async-std",
        "it",
        "::panics::",
        "each starts a process; they run on two backends already",
    ),
    LeftOut::new("caller-async-std", "it", "async_std_in_tokio::", "the suite runs on both backends already"),
    LeftOut::new("caller-async-std", "it", "tokio_in_async_std::", "the suite runs on both backends already"),
    LeftOut::new("caller-async-std", "winit", "", "they open windows, in processes of their own"),
    LeftOut::new("caller-smol", "it", "conformance::", "the suite runs on three backends already"),
    LeftOut::new("caller-smol", "it", "::i7_", "they measure CPU time"),
];

/// Tests of one binary.
struct LeftOut {
    package: &'static str,
    target: &'static str,
    /// A part of their names, as libtest's `--skip` takes it. Empty for all.
    tests: &'static str,
    reason: &'static str,
}

impl LeftOut {
    const fn new(
        package: &'static str,
        target: &'static str,
        tests: &'static str,
        reason: &'static str,
    ) -> Self {
        Self { package, target, tests, reason }
    }

    fn is_of(&self, binary: &TestBinary) -> bool {
        self.package == binary.package && self.target == binary.target
    }
}

/// The exit code of a program in which memcheck found an error.
const FOUND: i32 = 99;

/// The exit code of libtest when a test failed.
const TESTS_FAILED: i32 = 101;

/// Runs the tests of the core and the backends under valgrind's memcheck.
#[derive(clap::Args)]
pub(crate) struct Args {}

/// The chore.
pub(crate) fn main(Args {}: Args) -> Result<ExitCode, String> {
    let workspace = Workspace::load()?;
    process::stop_children_with_us();
    conclude(run(&workspace), workspace.ci)
}

/// Builds the tests, and runs each binary under memcheck.
pub(crate) fn run(workspace: &Workspace) -> Outcome {
    if !probe::has_valgrind() {
        return Err(Stop::Skipped("valgrind is not installed: apt-get install valgrind".into()));
    }
    let mut wrong = Vec::new();
    let mut ran = 0;
    for binary in TestBinary::build(workspace, PACKAGES)? {
        let plan = Plan::of(&binary.tests()?, LEFT_OUT.iter().filter(|left_out| left_out.is_of(&binary)));
        plan.said.iter().for_each(|line| println!("{binary}: {line}"));
        wrong.extend(plan.unknown.iter().map(|tests| format!("{binary}: no test is named {tests:?}")));
        if plan.runs == 0 {
            continue;
        }
        ran += plan.runs;
        println!("{binary}: {} tests run", plan.runs);
        // One test at a time: valgrind runs one thread at a time anyway, and those of another test would only wait.
        let mut arguments = vec!["--test-threads=1"];
        arguments.extend(plan.skips.iter().flat_map(|tests| ["--skip", *tests]));
        let logs = empty_folder(&workspace.target.join("memcheck"))?;
        match process::run(binary.under(memcheck(workspace, &logs), &arguments), Limit::INSTRUMENTED) {
            Ok(()) => {}
            // What it found is in the logs.
            Err(Failure::Exited(status)) if status.code() == Some(FOUND) => {}
            // Under valgrind, tests with a limit of time fail for no other reason at times.
            Err(Failure::Exited(status)) if status.code() == Some(TESTS_FAILED) => {
                println!(
                    "{binary}: some tests failed; the step `test` judges that, this one looks at memory alone"
                );
            }
            Err(failure) => wrong.push(format!("{binary}: {failure}")),
        }
        for found in found(&logs) {
            println!("{found}");
            wrong.push(format!("{binary}: memcheck found errors"));
        }
    }
    wrong.dedup();
    if ran == 0 {
        wrong.push("no test ran".into());
    }
    if wrong.is_empty() { Ok(()) } else { Err(Stop::Failed(wrong.join("; "))) }
}

/// A folder in which nothing is left of a run before.
fn empty_folder(path: &Path) -> Result<PathBuf, Stop> {
    let _was_there = fs::remove_dir_all(path);
    fs::create_dir_all(path).map_err(|error| Stop::Failed(format!("{}: {error}", path.display())))?;
    Ok(path.to_owned())
}

/// What memcheck wrote, of each process in which it found something.
fn found(logs: &Path) -> Vec<String> {
    let files = fs::read_dir(logs).into_iter().flatten().flatten();
    let texts = files.filter_map(|file| fs::read(file.path()).ok());
    texts.map(|text| String::from_utf8_lossy(&text).into_owned()).filter(|text| is_error(text)).collect()
}

/// Whether there is more than warnings in the log of a process: with `--quiet`, that is an error.
fn is_error(log: &str) -> bool {
    let texts =
        log.lines().map(|line| line.trim_start_matches(|c: char| c == '=' || c.is_ascii_digit()).trim());
    texts.filter(|text| !text.is_empty()).any(|text| !text.starts_with("Warning:"))
}

fn memcheck(workspace: &Workspace, logs: &Path) -> Command {
    let mut command = Command::new("valgrind");
    command
        .arg("--quiet")
        .arg(format!("--error-exitcode={FOUND}"))
        .args(["--leak-check=full", "--show-leak-kinds=definite", "--errors-for-leak-kinds=definite"])
        .arg("--num-callers=30")
        // Nobody attaches a debugger, and a child that ends early complains of its pipes in the log.
        .arg("--vgdb=no")
        // Threads that spin until another has gone on would otherwise keep the others from running.
        .arg("--fair-sched=try")
        // Some tests start their own program again, to have a process for themselves.
        .arg("--trace-children=yes")
        .arg(format!("--log-file={}", logs.join("%p").display()))
        .arg(format!("--suppressions={}", workspace.root.join("xtask/memcheck.supp").display()));
    // Of the panics on purpose: symbols are looked up slowly under valgrind.
    command.env("RUST_BACKTRACE", "0");
    // Without it insta asks cargo, which would run under valgrind too.
    command.env("INSTA_WORKSPACE_ROOT", &workspace.root);
    command
}

/// The tests of a binary that run, and those that are left out.
#[derive(Default)]
struct Plan<'a> {
    runs: usize,
    skips: Vec<&'a str>,
    /// Entries of the list that fit no test.
    unknown: Vec<&'a str>,
    said: Vec<String>,
}

impl<'a> Plan<'a> {
    fn of(tests: &[String], left_out: impl Iterator<Item = &'a LeftOut>) -> Self {
        let mut plan = Self::default();
        for LeftOut { tests: part, reason, .. } in left_out {
            match tests.iter().filter(|test| test.contains(part)).count() {
                0 => plan.unknown.push(part),
                number => plan.said.push(format!("{number} tests left out ({part:?}): {reason}")),
            }
            plan.skips.push(part);
        }
        let slow = |part: &&str| tests.iter().any(|test| test.contains(*part));
        let skipped = plan.skips.len();
        plan.skips.extend(SLOW.iter().copied().filter(slow));
        let is_slow = |test: &&String| plan.skips[skipped..].iter().any(|part| test.contains(part));
        match tests.iter().filter(is_slow).count() {
            0 => {}
            number => plan.said.push(format!("{number} tests left out: they are too slow")),
        }
        let is_left_out = |test: &&String| plan.skips.iter().any(|part| test.contains(part));
        plan.runs = tests.len() - tests.iter().filter(is_left_out).count();
        plan
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONSENSE: LeftOut = LeftOut::new("core", "it", "no::", "it says nothing");

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn a_log_without_an_error_is_none() {
        assert!(!is_error("") && !is_error("==12== Warning: set address range perms\n==12== \n"));
        assert!(is_error("==12== 8 bytes in 1 blocks are definitely lost in loss record 1 of 2\n"));
        assert!(is_error("==12== Warning: something\n==12== Invalid read of size 8\n"));
    }

    #[test]
    fn tests_are_left_out_by_a_part_of_their_names() {
        let plan = Plan::of(&names(&["no::a", "no::b", "quick", "chains::c"]), [NONSENSE].iter());
        assert_eq!((plan.runs, plan.skips), (1, vec!["no::", "chains::"]));
        let said = ["2 tests left out (\"no::\"): it says nothing", "1 tests left out: they are too slow"];
        assert_eq!(plan.said, said);
        assert!(plan.unknown.is_empty());
    }

    #[test]
    fn an_entry_that_fits_no_test_is_told() {
        let plan = Plan::of(&names(&["quick"]), [NONSENSE].iter());
        assert_eq!((plan.runs, plan.unknown), (1, vec!["no::"]));
    }

    #[test]
    fn an_empty_part_leaves_all_out() {
        let plan = Plan::of(&names(&["a", "b"]), [LeftOut { tests: "", ..NONSENSE }].iter());
        assert_eq!(plan.runs, 0);
    }
}
