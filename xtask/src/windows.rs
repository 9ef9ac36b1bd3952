//! The crates checked for Windows, where nobody tests them here: that they compile, and without a warning.

use crate::{
    outcome::{Outcome, Stop},
    probe,
    process::{self, Limit},
    toolchain::Toolchain,
    workspace::Workspace,
};
use std::time::Duration;

/// Lua is C, and std wants the import libraries: both of them tools of this target's.
const TARGET: &str = "x86_64-pc-windows-gnu";

const PACKAGES: &[&str] =
    &["caller-core", "caller-macros", "caller-tokio", "caller-smol", "caller-async-std", "caller-kernel"];

/// With std and all dependencies.
const LIMIT: Limit = Limit::of(Duration::from_mins(20));

/// Checks the crates for Windows, with a std that is built from its source.
pub(crate) fn run(workspace: &Workspace) -> Outcome {
    if !probe::has_mingw() {
        let install = "apt-get install gcc-mingw-w64-x86-64-win32";
        return Err(Stop::Skipped(format!("no compiler of C for Windows is installed: {install}")));
    }
    let toolchain = Toolchain::find(|_, _| Ok(())).map_err(Stop::Skipped)?;
    println!("the toolchain is {}", toolchain.name);
    let mut command = toolchain.cargo(workspace, "check", TARGET);
    let known = |name: &&&str| workspace.packages.iter().any(|package| package.name == **name);
    command.args(PACKAGES.iter().filter(known).flat_map(|name| ["--package", name]));
    command
        .env("CARGO_TARGET_DIR", workspace.target.join("windows"))
        .env("CARGO_INCREMENTAL", "0")
        .env("RUSTFLAGS", "-Dwarnings");
    Ok(process::run(command, LIMIT)?)
}
