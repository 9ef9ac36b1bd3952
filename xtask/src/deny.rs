//! Licences, bans and sources of the dependencies, by cargo-deny as `deny.toml` says.

use crate::{
    outcome::{Outcome, Stop},
    process::{self, Limit},
    tool::Tool,
    workspace::Workspace,
};
use std::process::Command;

const DENY: Tool = Tool { name: "cargo-deny", version: "0.20.2" };

/// Advisories are left out: their database is a repository that a machine behind a registry mirror cannot fetch.
pub(crate) fn run(workspace: &Workspace) -> Outcome {
    let program = match DENY.find(workspace) {
        Some(program) => program,
        None if workspace.ci => DENY.install(workspace)?,
        None => {
            return Err(Stop::Skipped(format!("cargo-deny is not installed: {}", DENY.how_to_install())));
        }
    };
    let mut command = Command::new(program);
    command.current_dir(&workspace.root).args(["check", "bans", "licenses", "sources"]);
    Ok(process::run(command, Limit::BUILD)?)
}
