//! Cargo commands that are built here where they are missing.

use crate::{
    outcome::Stop,
    probe,
    process::{self, Limit},
    workspace::Workspace,
};
use std::{env::consts::EXE_SUFFIX, path::PathBuf};

/// A cargo command of the registry.
pub(crate) struct Tool {
    /// The name of its package and of its program.
    pub(crate) name: &'static str,
    /// The version that is built here; any other that a person has installed is as good.
    pub(crate) version: &'static str,
}

impl Tool {
    /// The program, if it was built here or is installed.
    pub(crate) fn find(&self, workspace: &Workspace) -> Option<PathBuf> {
        let programs = [self.built_here(workspace), self.name.into()];
        programs.into_iter().find(|program| probe::answers(program, &["--version"]))
    }

    /// Builds it from its source, since that comes through the registry like every dependency, where a ready-made
    /// program would be one more host to reach.
    pub(crate) fn install(&self, workspace: &Workspace) -> Result<PathBuf, Stop> {
        let package = format!("{}@{}", self.name, self.version);
        let mut command = workspace.cargo(&["install", "--quiet", "--locked", "--debug", &package, "--root"]);
        command.arg(Self::folder(workspace));
        // Unoptimised, it is built in a third of the time, and what it runs takes longer than itself.
        command.env("CARGO_PROFILE_DEV_DEBUG", "0");
        // Cargo then builds in a directory that it removes; in ours it would leave a gigabyte for nothing.
        command.env_remove("CARGO_TARGET_DIR");
        process::run(command, Limit::BUILD)?;
        Ok(self.built_here(workspace))
    }

    /// The command that installs it.
    pub(crate) fn how_to_install(&self) -> String {
        format!("cargo install --locked {}@{}", self.name, self.version)
    }

    fn built_here(&self, workspace: &Workspace) -> PathBuf {
        Self::folder(workspace).join("bin").join(format!("{}{EXE_SUFFIX}", self.name))
    }

    fn folder(workspace: &Workspace) -> PathBuf {
        workspace.target.join("tools")
    }
}
