//! The thread sanitizer over the tests of the core and the backends, and over the soak.
//!
//! std has to be built with it too: its atomics order memory, and a sanitizer that does not see them reports races where
//! there are none. That needs the source of std and flags that are unstable, so this is no step of the CI.

use crate::{
    outcome::{Outcome, Stop, conclude},
    process::{self, Limit},
    soak,
    toolchain::Toolchain,
    workspace::Workspace,
};
use std::{
    ffi::OsString,
    fs,
    path::Path,
    process::{Command, ExitCode},
    time::Duration,
};

/// Runs the tests of the core and the backends, and the soak, under the thread sanitizer.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Minutes of the soak
    #[arg(long, value_name = "N", default_value_t = 2.0)]
    minutes: f64,
    /// Passed on to the tests, after `--`
    #[arg(last = true, value_name = "ARGS")]
    rest: Vec<String>,
}

const PACKAGES: [&str; 8] = [
    "--package",
    "caller-core",
    "--package",
    "caller-tokio",
    "--package",
    "caller-async-std",
    "--package",
    "caller-smol",
];

/// Parts of the names of tests that are left out, and why.
const LEFT_OUT: [(&str, &str); 2] =
    [("::i7_", "they measure CPU time"), ("checksums::", "they run an example, whose process is another")];

/// Building std and all dependencies, and then the tests, which are some ten times slower.
const LIMIT: Limit = Limit::of(Duration::from_mins(90));

/// The chore.
pub(crate) fn main(args: Args) -> Result<ExitCode, String> {
    let workspace = Workspace::load()?;
    process::stop_children_with_us();
    conclude(run(&workspace, &args), workspace.ci)
}

fn run(workspace: &Workspace, args: &Args) -> Outcome {
    let toolchain = Toolchain::find(has_sanitizer).map_err(Stop::Skipped)?;
    println!("the toolchain is {}", toolchain.name);
    let mut tests = cargo(&toolchain, workspace, "test", &["--lib", "--tests", "--no-fail-fast"]);
    tests.args(PACKAGES).arg("--");
    for (part, reason) in LEFT_OUT {
        println!("tests left out ({part:?}): {reason}");
        tests.args(["--skip", part]);
    }
    tests.args(&args.rest);
    let mut wrong = Vec::new();
    if let Err(failure) = process::run(tests, LIMIT) {
        wrong.push(format!("the tests: {failure}"));
    }
    let is_there =
        |package: &crate::workspace::Package| package.examples.iter().any(|name| name == soak::EXAMPLE);
    if workspace.packages.iter().any(is_there) {
        let example = ["--package", soak::PACKAGE, "--example", soak::EXAMPLE];
        process::run(cargo(&toolchain, workspace, "build", &example), LIMIT)?;
        let seed = soak::random();
        let mut command = cargo(&toolchain, workspace, "run", &example);
        command.arg("--").args(soak::arguments(args.minutes, seed));
        if let Err(failure) = process::run(command, soak::limit(args.minutes)) {
            wrong.push(format!("the soak: {failure}, with --seed {seed}"));
        }
    } else {
        println!("the soak is left out: there is no example of that name");
    }
    if wrong.is_empty() { Ok(()) } else { Err(Stop::Failed(wrong.join("; "))) }
}

/// Cargo, with the sanitizer in all that it builds.
fn cargo(toolchain: &Toolchain, workspace: &Workspace, chore: &str, arguments: &[&str]) -> Command {
    let mut command = toolchain.cargo(workspace, chore, &toolchain.host);
    let suppressions = workspace.root.join("xtask/tsan.supp");
    command
        .args(arguments)
        .env("RUSTFLAGS", "-Zsanitizer=thread")
        .env("TSAN_OPTIONS", format!("suppressions='{}'", suppressions.display()))
        .env("CARGO_TARGET_DIR", workspace.target.join("sanitize"))
        .env("CARGO_INCREMENTAL", "0")
        .env("CARGO_PROFILE_DEV_OPT_LEVEL", "1")
        // Symbols are looked up slowly there, and tests panic on purpose.
        .env("RUST_BACKTRACE", "0");
    command
}

/// Whether it has the sanitizer for its host.
fn has_sanitizer(rustlib: &Path, host: &str) -> Result<(), String> {
    let libraries = fs::read_dir(rustlib.join(host).join("lib")).into_iter().flatten().flatten();
    let is_sanitizer = |name: OsString| name.to_string_lossy().ends_with("rt.tsan.a");
    if libraries.map(|library| library.file_name()).any(is_sanitizer) {
        return Ok(());
    }
    Err(format!("without a thread sanitizer for {host}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_toolchain_has_the_sanitizer_or_not() {
        let rustlib = tempfile::tempdir().expect("a folder");
        let has = || has_sanitizer(rustlib.path(), "here");
        assert_eq!(has(), Err("without a thread sanitizer for here".into()));
        let libraries = rustlib.path().join("here/lib");
        fs::create_dir_all(&libraries).expect("it can be made");
        fs::write(libraries.join("librustc-nightly_rt.tsan.a"), "").expect("it can be written");
        assert_eq!(has(), Ok(()));
    }
}
