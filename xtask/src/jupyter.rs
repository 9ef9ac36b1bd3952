//! The kernel beside real peers: Jupyter's own client, test suite and notebook runner, in a Python environment of our own.

use crate::{
    outcome::{Outcome, Stop, conclude},
    process::{self, Limit},
    workspace::Workspace,
};
use std::{
    env::consts::EXE_SUFFIX,
    fs,
    path::{Path, PathBuf},
    process::{Command, ExitCode, Stdio},
};

/// Runs the kernel's tests with Jupyter's own programs, in a Python environment under target/.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Passed on to pytest, after `--`
    #[arg(last = true, value_name = "ARGS")]
    rest: Vec<String>,
}

/// The chore.
pub(crate) fn main(args: Args) -> Result<ExitCode, String> {
    let workspace = Workspace::load()?;
    process::stop_children_with_us();
    conclude(tests(&workspace, &args.rest), workspace.ci)
}

/// The step of the CI.
pub(crate) fn run(workspace: &Workspace) -> Outcome {
    tests(workspace, &[])
}

fn tests(workspace: &Workspace, rest: &[String]) -> Outcome {
    let python = python(workspace)?;
    let build = ["build", "--package", "caller-kernel", "--all-features", "--bins", "--examples"];
    process::run(workspace.cargo(&build), Limit::BUILD)?;
    let mut command = Command::new(python);
    command.args(["-m", "pytest", "-q", "-p", "no:cacheprovider", "caller-kernel/tests/python"]).args(rest);
    for (name, value) in programs(workspace, "debug") {
        command.env(name, value);
    }
    command.env("PYTHONDONTWRITEBYTECODE", "1").current_dir(&workspace.root);
    Ok(process::run(command, Limit::BUILD)?)
}

/// What the scripts are told of: where the command and the examples are.
pub(crate) fn programs(workspace: &Workspace, profile: &str) -> [(&'static str, PathBuf); 2] {
    let built = workspace.target.join(profile);
    [
        ("CALLER_KERNEL", built.join(format!("caller-kernel{EXE_SUFFIX}"))),
        ("CALLER_KERNEL_EXAMPLES", built.join("examples")),
    ]
}

/// The Python of the environment, which is made if it is not there, and again when its requirements change.
pub(crate) fn python(workspace: &Workspace) -> Result<PathBuf, Stop> {
    let folder = workspace.target.join("jupyter");
    let python = if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" };
    let python = folder.join(python);
    let requirements = workspace.root.join("caller-kernel/tests/python/requirements.txt");
    let wanted =
        fs::read(&requirements).map_err(|error| Stop::Failed(format!("requirements.txt: {error}")))?;
    let done = folder.join("requirements.txt");
    if fs::read(&done).is_ok_and(|installed| installed == wanted) {
        return Ok(python);
    }
    let Some(system) = system_python() else {
        return Err(Stop::Skipped("there is no python3 with venv here: install Python 3.10 or later".into()));
    };
    let mut make = Command::new(system);
    make.args(["-m", "venv", "--clear"]).arg(&folder);
    process::run(make, Limit::BUILD)?;
    let mut install = Command::new(&python);
    install.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"]);
    process::run(with(install, &requirements), Limit::BUILD)?;
    fs::write(&done, wanted).map_err(|error| Stop::Failed(format!("{}: {error}", done.display())))?;
    Ok(python)
}

fn with(mut command: Command, path: &Path) -> Command {
    command.arg(path);
    command
}

fn system_python() -> Option<&'static str> {
    let answers = |program: &&str| {
        let check = "import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))";
        let mut command = Command::new(program);
        command.args(["-c", check]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    ["python3", "python"].into_iter().find(answers)
}
