//! The thread sanitizer over the tests of the core and the backends, and over the soak.
//!
//! std has to be built with it too: its atomics order memory, and a sanitizer that does not see them reports races where
//! there are none. That needs the source of std and flags that are unstable, so this is no step of the CI.

use crate::{
    outcome::{Outcome, Stop, conclude},
    probe,
    process::{self, Limit},
    soak,
    workspace::{Workspace, cargo},
};
use std::{
    env,
    ffi::OsString,
    fs,
    path::Path,
    process::{Command, ExitCode, Stdio},
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

const PACKAGES: [&str; 6] =
    ["--package", "caller-core", "--package", "caller-tokio", "--package", "caller-async-std"];

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
    let toolchain = Toolchain::find().map_err(Stop::Skipped)?;
    println!("the toolchain is {}", toolchain.name);
    let mut tests = toolchain.cargo(workspace, "test", &["--lib", "--tests", "--no-fail-fast"]);
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
        process::run(toolchain.cargo(workspace, "build", &example), LIMIT)?;
        let seed = soak::random();
        let mut command = toolchain.cargo(workspace, "run", &example);
        command.arg("--").args(soak::arguments(args.minutes, seed));
        if let Err(failure) = process::run(command, soak::limit(args.minutes)) {
            wrong.push(format!("the soak: {failure}, with --seed {seed}"));
        }
    } else {
        println!("the soak is left out: there is no example of that name");
    }
    if wrong.is_empty() { Ok(()) } else { Err(Stop::Failed(wrong.join("; "))) }
}

/// A toolchain that can build std with the sanitizer.
struct Toolchain {
    name: &'static str,
    cargo: Vec<OsString>,
    rustc: Vec<OsString>,
    /// True for a stable toolchain, which takes unstable flags from those who insist.
    bootstrap: bool,
    host: String,
}

impl Toolchain {
    /// The first of rustup's nightly, the toolchain that runs us, and the system's. If none will do, why.
    fn find() -> Result<Self, String> {
        let words = |words: &[&str]| words.iter().map(Into::into).collect::<Vec<OsString>>();
        let candidate =
            |name, cargo, rustc, bootstrap| Self { name, cargo, rustc, bootstrap, host: String::new() };
        let candidates = [
            candidate(
                "rustup's nightly",
                words(&["rustup", "run", "nightly", "cargo"]),
                words(&["rustup", "run", "nightly", "rustc"]),
                false,
            ),
            candidate(
                "the toolchain of this cargo",
                vec![cargo()],
                vec![env::var_os("RUSTC").unwrap_or_else(|| "rustc".into())],
                true,
            ),
            candidate("the system's", words(&["/usr/bin/cargo"]), words(&["/usr/bin/rustc"]), true),
        ];
        let mut reasons = Vec::new();
        for mut candidate in candidates {
            match candidate.check() {
                Ok(host) => {
                    candidate.host = host;
                    return Ok(candidate);
                }
                Err(reason) => reasons.push(format!("{}: {reason}", candidate.name)),
            }
        }
        let install = "rustup toolchain install nightly --component rust-src";
        Err(format!("no toolchain can build std with the sanitizer: {} ({install})", reasons.join("; ")))
    }

    /// The host that it builds for, or what it lacks.
    fn check(&self) -> Result<String, String> {
        let ask = |arguments: &[&str]| {
            let mut command = Command::new(&self.rustc[0]);
            command.args(&self.rustc[1..]).args(arguments).stdin(Stdio::null()).stderr(Stdio::null());
            let output = command.output().ok().filter(|output| output.status.success())?;
            Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
        };
        if !probe::answers(&self.cargo[0], &["--version"]) {
            return Err("not installed".into());
        }
        let (Some(about), Some(sysroot)) = (ask(&["-vV"]), ask(&["--print", "sysroot"])) else {
            return Err("not installed".into());
        };
        let about = About::read(&about).ok_or("rustc does not say its version")?;
        lacks(&about, Path::new(&sysroot))
    }

    fn cargo(&self, workspace: &Workspace, chore: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.cargo[0]);
        command.args(&self.cargo[1..]).args([chore, "-Zbuild-std", "--target", &self.host]).args(arguments);
        command.current_dir(&workspace.root);
        if self.bootstrap {
            command.env("RUSTC_BOOTSTRAP", "1").env("RUSTC", &self.rustc[0]);
        }
        let suppressions = workspace.root.join("xtask/tsan.supp");
        command
            .env("RUSTFLAGS", "-Zsanitizer=thread")
            .env("TSAN_OPTIONS", format!("suppressions='{}'", suppressions.display()))
            .env("CARGO_TARGET_DIR", workspace.target.join("sanitize"))
            .env("CARGO_INCREMENTAL", "0")
            .env("CARGO_PROFILE_DEV_OPT_LEVEL", "1")
            // Symbols are looked up slowly there, and tests panic on purpose.
            .env("RUST_BACKTRACE", "0");
        command
    }
}

/// The answer of `rustc -vV`.
#[derive(Debug, PartialEq, Eq)]
struct About {
    host: String,
    version: (u32, u32),
}

impl About {
    fn read(text: &str) -> Option<Self> {
        let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        Some(Self { host: field("host")?.to_owned(), version: version(field("release")?)? })
    }
}

/// Major and minor.
fn version(text: &str) -> Option<(u32, u32)> {
    let mut parts = text.split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

/// The host, or what the toolchain lacks.
fn lacks(about: &About, sysroot: &Path) -> Result<String, String> {
    let (major, minor) = about.version;
    let needed = env!("CARGO_PKG_RUST_VERSION");
    if Some(about.version) < version(needed) {
        return Err(format!("it is {major}.{minor}, and {needed} is needed"));
    }
    let rustlib = sysroot.join("lib/rustlib");
    if !rustlib.join("src/rust/library/std/Cargo.toml").exists() {
        return Err("without the source of std (component rust-src)".into());
    }
    let libraries = fs::read_dir(rustlib.join(&about.host).join("lib")).into_iter().flatten().flatten();
    let is_sanitizer = |name: OsString| name.to_string_lossy().ends_with("rt.tsan.a");
    if !libraries.map(|library| library.file_name()).any(is_sanitizer) {
        return Err(format!("without a thread sanitizer for {}", about.host));
    }
    Ok(about.host.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_compiler_says_its_version_and_host() {
        let text = "rustc 1.97.0-nightly (e50aa6fba 2026-05-19)\nbinary: rustc\nhost: x86_64-unknown-linux-gnu\n\
                    release: 1.97.0-nightly\n";
        let about = About { host: "x86_64-unknown-linux-gnu".into(), version: (1, 97) };
        assert_eq!(About::read(text), Some(about));
        assert_eq!(About::read("host: somewhere\n"), None);
    }

    #[test]
    fn what_a_toolchain_lacks_is_told_in_order() {
        let sysroot = tempfile::tempdir().expect("a folder");
        let about = |minor| About { host: "here".into(), version: (1, minor) };
        let lacks = |minor| lacks(&about(minor), sysroot.path());
        let make = |path: &str| {
            let path = sysroot.path().join("lib/rustlib").join(path);
            fs::create_dir_all(path.parent().expect("a folder")).expect("it can be made");
            fs::write(path, "").expect("it can be written");
        };
        assert!(lacks(63).expect_err("it is old").starts_with("it is 1.63, and 1."));
        assert!(lacks(999).expect_err("no source").contains("rust-src"));
        make("src/rust/library/std/Cargo.toml");
        assert_eq!(lacks(999), Err("without a thread sanitizer for here".into()));
        make("here/lib/librustc-nightly_rt.tsan.a");
        assert_eq!(lacks(999), Ok("here".into()));
    }
}
