//! The table of costs: ours beside the peers', each row measured in one process.

use crate::{jupyter, outcome::Stop, process::exit_code, workspace::Workspace};
use serde_json::Value;
use std::{
    ffi::OsString,
    fs, io,
    path::Path,
    process::{Command, ExitCode},
};

/// Measures the cost of the verbs beside their peers', prints the table, and keeps it in target/bench.json. Fails if a
/// goal is missed.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Fewer and shorter rounds: whether it runs at all, not what it costs. Goals are not judged
    #[arg(long)]
    quick: bool,
    /// Passed on to the bench, after `--`
    #[arg(last = true, value_name = "ARGS")]
    rest: Vec<OsString>,
}

/// Runs each bench in our own group and without a limit: a person watches it, and Ctrl-C reaches it.
pub(crate) fn run(args: Args) -> Result<ExitCode, String> {
    let workspace = Workspace::load()?;
    let file = workspace.target.join("bench.json");
    // A row of an earlier run would be judged with those of this one.
    match fs::remove_file(&file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(format!("{}: {error}", file.display()));
        }
        _ => {}
    }
    let mut commands: Vec<_> = BENCHES.iter().map(|bench| command(&workspace, *bench, &args)).collect();
    commands.extend(kernel(&workspace, &file, &args)?);
    for mut command in commands {
        let status = command.status().map_err(|error| format!("{}: {error}", name(&command)))?;
        if !status.success() {
            return Ok(exit_code(status));
        }
    }
    let text = fs::read(&file).map_err(|error| format!("{}: {error}", file.display()))?;
    let rows: Vec<Value> =
        serde_json::from_slice(&text).map_err(|error| format!("{}: {error}", file.display()))?;
    judge(&rows, args.quick)
}

/// The kernel beside others, by a script that starts all of them. None if this machine has no Python.
fn kernel(workspace: &Workspace, file: &Path, args: &Args) -> Result<Vec<Command>, String> {
    let python = match jupyter::python(workspace) {
        Ok(python) => python,
        Err(Stop::Skipped(why)) => {
            println!("the kernel's rows are skipped: {why}");
            return Ok(Vec::new());
        }
        Err(Stop::Failed(why)) => return Err(why),
    };
    let build =
        workspace.cargo(&["build", "--release", "--package", "caller-kernel", "--bin", "caller-kernel"]);
    let mut script = Command::new(python);
    script.arg(workspace.root.join("caller-kernel/tests/python/cost.py")).arg(file);
    script.args(args.quick.then_some("--quick")).envs(jupyter::programs(workspace, "release"));
    Ok(vec![build, script])
}

/// A package, and its bench. Each adds its rows to the file. Those of guests stand where all three backends are known, and bytes and
/// allocations are counted in a process without times.
const BENCHES: [(&str, &str); 3] =
    [("caller-tokio", "memory"), ("caller-tokio", "cost"), ("caller-smol", "guests")];

fn command(workspace: &Workspace, (package, bench): (&str, &str), Args { quick, rest }: &Args) -> Command {
    let mut command = workspace.cargo(&["bench", "--package", package, "--bench", bench, "--"]);
    command.args(quick.then_some("--quick")).args(rest);
    // A bench runs in the folder of its package, where a relative path would name another folder.
    command.env("CARGO_TARGET_DIR", &workspace.target);
    command
}

fn name(command: &Command) -> String {
    command.get_program().to_string_lossy().into_owned()
}

/// Lists the rows that missed their goal. A quick run is not judged.
fn judge(rows: &[Value], quick: bool) -> Result<ExitCode, String> {
    if rows.is_empty() {
        return Err("bench.json has no rows".into());
    }
    if rows.iter().any(|row| row["quick"] != quick) {
        return Err(format!("bench.json has a row without `\"quick\": {quick}`"));
    }
    if quick {
        println!("a quick run: its goals are not judged");
        return Ok(ExitCode::SUCCESS);
    }
    let missed: Vec<_> = rows.iter().filter(|row| row["met"] != true).collect();
    if missed.is_empty() {
        println!("each of the {} rows meets its goal", rows.len());
        return Ok(ExitCode::SUCCESS);
    }
    println!("{} of {} rows miss their goal:", missed.len(), rows.len());
    for row in missed {
        let text = |key: &str| row[key].as_str().unwrap_or("?").to_owned();
        let number = |key: &str| row[key].as_f64().unwrap_or(f64::NAN);
        println!(
            "  {}, beside {}: {:.3}, goal {:.3}",
            text("name"),
            text("peer"),
            number("ratio"),
            number("goal")
        );
    }
    Ok(ExitCode::FAILURE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn flags_go_to_the_bench_and_not_to_cargo() {
        let args = Args { quick: true, rest: vec!["call_soon".into()] };
        let workspace = Workspace { target: "/w/target".into(), ..Workspace::default() };
        let command = command(&workspace, ("caller-tokio", "cost"), &args);
        let args: Vec<_> = command.get_args().collect();
        assert_eq!(
            args,
            ["bench", "--package", "caller-tokio", "--bench", "cost", "--", "--quick", "call_soon"]
        );
    }

    fn row(met: bool, quick: bool) -> Value {
        json!({ "name": "call_direct", "peer": "std", "ratio": 1.5, "goal": 1.0, "met": met, "quick": quick })
    }

    #[test]
    fn a_goal_that_is_missed_is_a_failure() {
        assert_eq!(judge(&[row(true, false), row(true, false)], false), Ok(ExitCode::SUCCESS));
        assert_eq!(judge(&[row(true, false), row(false, false)], false), Ok(ExitCode::FAILURE));
    }

    #[test]
    fn a_row_that_does_not_say_that_it_met_its_goal_is_a_failure() {
        assert_eq!(judge(&[json!({ "name": "call_direct", "quick": false })], false), Ok(ExitCode::FAILURE));
    }

    #[test]
    fn a_run_without_rows_is_an_error() {
        assert!(judge(&[], false).is_err());
        assert!(judge(&[], true).is_err());
    }

    #[test]
    fn a_quick_run_is_not_judged() {
        assert_eq!(judge(&[row(false, true)], true), Ok(ExitCode::SUCCESS));
    }

    #[test]
    fn quick_rows_do_not_pass_for_a_whole_run() {
        assert!(judge(&[row(true, true)], false).is_err());
        assert!(judge(&[row(true, false), row(true, true)], false).is_err());
        assert!(judge(&[row(true, false)], true).is_err());
        assert!(judge(&[json!({ "met": true })], false).is_err());
    }
}
