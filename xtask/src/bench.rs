//! The table of costs: ours beside the peers', each row measured in one process.

use crate::{
    jupyter,
    outcome::Stop,
    process::exit_code,
    workspace::{Workspace, cargo},
};
use std::{
    ffi::OsString,
    process::{Command, ExitCode},
};

/// Measures the cost of the verbs beside their peers', prints the table, and keeps it in target/bench.json.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Fewer and shorter rounds: whether it runs at all, not what it costs
    #[arg(long)]
    quick: bool,
    /// Passed on to the bench, after `--`
    #[arg(last = true, value_name = "ARGS")]
    rest: Vec<OsString>,
}

/// Runs the bench in our own group and without a limit: a person watches it, and Ctrl-C reaches it.
pub(crate) fn run(args: Args) -> Result<ExitCode, String> {
    for bench in BENCHES {
        let status = command(bench, &args).status().map_err(|error| format!("cargo bench: {error}"))?;
        if !status.success() {
            return Ok(exit_code(status));
        }
    }
    kernel(&args)
}

/// The kernel beside others, by a script that starts all of them.
fn kernel(args: &Args) -> Result<ExitCode, String> {
    let workspace = Workspace::load()?;
    let python = match jupyter::python(&workspace) {
        Ok(python) => python,
        Err(Stop::Skipped(why)) => {
            println!("the kernel's rows are skipped: {why}");
            return Ok(ExitCode::SUCCESS);
        }
        Err(Stop::Failed(why)) => return Err(why),
    };
    let mut build =
        workspace.cargo(&["build", "--release", "--package", "caller-kernel", "--bin", "caller-kernel"]);
    let mut script = Command::new(python);
    script
        .arg(workspace.root.join("caller-kernel/tests/python/cost.py"))
        .arg(workspace.target.join("bench.json"));
    script.args(args.quick.then_some("--quick")).envs(jupyter::programs(&workspace, "release"));
    for command in [&mut build, &mut script] {
        let status = command.status().map_err(|error| format!("the kernel's rows: {error}"))?;
        if !status.success() {
            return Ok(exit_code(status));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// A package, and its bench. Each adds its rows to the file. async-std stays where it is, and so do its rows.
const BENCHES: [(&str, &str); 2] = [("caller-tokio", "cost"), ("caller-async-std", "guests")];

fn command((package, bench): (&str, &str), Args { quick, rest }: &Args) -> Command {
    let mut command = Command::new(cargo());
    command.args(["bench", "--package", package, "--bench", bench, "--"]);
    command.args(quick.then_some("--quick")).args(rest);
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_go_to_the_bench_and_not_to_cargo() {
        let args = Args { quick: true, rest: vec!["call_soon".into()] };
        let command = command(("caller-tokio", "cost"), &args);
        let args: Vec<_> = command.get_args().collect();
        assert_eq!(
            args,
            ["bench", "--package", "caller-tokio", "--bench", "cost", "--", "--quick", "call_soon"]
        );
    }
}
