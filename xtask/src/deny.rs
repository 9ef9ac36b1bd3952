//! Licences, bans and sources of the dependencies, by cargo-deny as `deny.toml` says.

use crate::{
    outcome::{Outcome, Stop},
    process::{self, Limit},
    workspace::Workspace,
};
use std::{
    env::consts::EXE_SUFFIX,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// The version that a CI machine builds for itself; any other that a person has installed is as good.
const VERSION: &str = "0.20.2";

/// Advisories are left out: their database is a repository that a machine behind a registry mirror cannot fetch.
pub(crate) fn run(workspace: &Workspace) -> Outcome {
    let tools = workspace.target.join("tools");
    let program = match installed(&tools) {
        Some(program) => program,
        None if workspace.ci => install(workspace, &tools)?,
        None => {
            let install = format!("cargo install --locked cargo-deny@{VERSION}");
            return Err(Stop::Skipped(format!("cargo-deny is not installed: {install}")));
        }
    };
    let mut command = Command::new(program);
    command.current_dir(&workspace.root).args(["check", "bans", "licenses", "sources"]);
    Ok(process::run(command, Limit::BUILD)?)
}

fn installed(tools: &Path) -> Option<PathBuf> {
    let answers = |program: &PathBuf| {
        let mut command = Command::new(program);
        let status = command
            .arg("--version")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        status.is_ok_and(|status| status.success())
    };
    [our_own(tools), "cargo-deny".into()].into_iter().find(answers)
}

/// Builds it from its source, since that comes through the registry like every dependency, where a ready-made
/// program would be one more host to reach.
fn install(workspace: &Workspace, tools: &Path) -> Result<PathBuf, Stop> {
    let package = format!("cargo-deny@{VERSION}");
    let mut command = workspace.cargo(&["install", "--quiet", "--locked", "--debug", &package, "--root"]);
    command.arg(tools);
    // Unoptimised, it is built in a third of the time, and its check takes a second instead of half of one.
    command.env("CARGO_PROFILE_DEV_DEBUG", "0");
    // Cargo then builds in a directory that it removes; in ours it would leave a gigabyte for nothing.
    command.env_remove("CARGO_TARGET_DIR");
    process::run(command, Limit::BUILD)?;
    Ok(our_own(tools))
}

fn our_own(tools: &Path) -> PathBuf {
    tools.join("bin").join(format!("cargo-deny{EXE_SUFFIX}"))
}
