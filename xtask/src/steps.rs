//! The steps that are little more than one cargo command.

use crate::{
    libtest,
    outcome::{Outcome, Stop},
    probe,
    process::{self, Limit},
    workspace::Workspace,
};
use std::process::Command;

/// With this variable the harness of the tests that open windows reports them as ignored. Without it they fail where they
/// have no display.
const WITHOUT_SCREEN: &str = "CALLER_TEST_WITHOUT_SCREEN";

pub(crate) fn fmt(workspace: &Workspace) -> Outcome {
    needs(workspace, "fmt", "rustup component add rustfmt")?;
    run(workspace.cargo(&["fmt", "--all", "--check"]), Limit::BUILD)
}

pub(crate) fn clippy(workspace: &Workspace) -> Outcome {
    needs(workspace, "clippy", "rustup component add clippy")?;
    run(
        workspace.cargo_with(&["clippy", "--workspace", "--all-targets"], &["--", "-D", "warnings"]),
        Limit::BUILD,
    )
}

pub(crate) fn doc(workspace: &Workspace) -> Outcome {
    let mut command = workspace.cargo_with(&["doc", "--workspace", "--no-deps"], &[]);
    command.env("RUSTDOCFLAGS", "-D warnings");
    run(command, Limit::BUILD)
}

/// nextest kills a hung test by name, as `.config/nextest.toml` says. Without it a hung test can only be told from
/// the run as a whole, so the tests are built first, and the limit counts for the run alone.
pub(crate) fn test(workspace: &Workspace) -> Outcome {
    let has_display = probe::has_display();
    if !has_display {
        println!("there is no Xvfb here: the tests that open windows are ignored");
    }
    let tests = |args: &[&str]| {
        let mut command = workspace.cargo_with(args, &[]);
        if !has_display {
            command.env(WITHOUT_SCREEN, "1");
        }
        command
    };
    if workspace.has_cargo("nextest") {
        return run(tests(&["nextest", "run", "--workspace", "--profile", "ci"]), Limit::BUILD);
    }
    println!("cargo-nextest is not installed: cargo test does its work, and a hung test ends the whole step");
    let targets = ["test", "--workspace", "--lib", "--bins", "--tests", "--no-fail-fast"];
    run(workspace.cargo_with(&targets, &["--no-run"]), Limit::BUILD)?;
    run_tests(tests(&targets))
}

pub(crate) fn doctest(workspace: &Workspace) -> Outcome {
    run_tests(workspace.cargo_with(&["test", "--workspace", "--doc", "--no-fail-fast"], &[]))
}

/// Optimised, since loom runs a model thousands of times over. Its own target directory, since the flag is part of
/// every artefact's name: one directory for both would rebuild everything in turn.
pub(crate) fn loom(workspace: &Workspace) -> Outcome {
    let command = |last: &[&str]| {
        let mut command =
            workspace.cargo(&["test", "--package", "caller-core", "--profile", "bench", "--lib"]);
        command
            .args(last)
            .env("RUSTFLAGS", "--cfg loom")
            .env("CARGO_TARGET_DIR", workspace.target.join("loom"));
        command
    };
    run(command(&["--no-run"]), Limit::BUILD)?;
    run_tests(command(&["loom"]))
}

/// Whether the workspace compiles at all, whatever the lints say of it.
pub(crate) fn compiles(workspace: &Workspace) -> bool {
    println!("\nDoes the workspace compile? The steps that need a build are skipped if not.");
    let check = workspace.cargo_with(&["check", "--quiet", "--workspace", "--all-targets"], &[]);
    process::run(check, Limit::BUILD).is_ok()
}

fn run(command: Command, limit: Limit) -> Outcome {
    Ok(process::run(command, limit)?)
}

/// Runs a `cargo test`. That no test ran is a failure: the run has shown nothing, though it exits with success.
fn run_tests(command: Command) -> Outcome {
    match libtest::tests_run(&process::run_and_read(command, Limit::TESTS)?) {
        0 => Err(Stop::Failed("no test ran".into())),
        _ => Ok(()),
    }
}

fn needs(workspace: &Workspace, cargo_command: &str, install: &str) -> Outcome {
    if workspace.has_cargo(cargo_command) {
        return Ok(());
    }
    Err(Stop::Skipped(format!("cargo {cargo_command} is not installed: {install}")))
}
