//! The example `soak`: random work from many threads, after which everything has to be accounted for.

use crate::{
    outcome::{Outcome, Stop},
    process::{self, Failure, Limit, exit_code},
    workspace::Workspace,
};
use std::{
    env::consts::EXE_SUFFIX,
    fmt,
    hash::{BuildHasher, RandomState},
    process::{Command, ExitCode},
    time::Duration,
};

/// Runs random calls, stops, locks, groups and guests for some minutes, and looks for what they leave behind.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// How long it makes new work, in minutes
    #[arg(long, value_name = "N", default_value_t = 2.0, value_parser = minutes)]
    pub(crate) minutes: f64,
    /// The seed of its random choices, random itself unless given
    #[arg(long, value_name = "S")]
    pub(crate) seed: Option<u64>,
}

/// Its package.
pub(crate) const PACKAGE: &str = "caller-async-std";
/// Its name.
pub(crate) const EXAMPLE: &str = "soak";

/// The chore: the exit code is that of the example.
pub(crate) fn main(args: Args) -> Result<ExitCode, String> {
    let workspace = Workspace::load()?;
    process::stop_children_with_us();
    match run(&workspace, &args) {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(failed) => {
            eprintln!("xtask: {failed}");
            Ok(match failed.failure {
                Failure::Exited(status) => exit_code(status),
                _ => ExitCode::FAILURE,
            })
        }
    }
}

/// The step of the CI.
pub(crate) fn step(workspace: &Workspace) -> Outcome {
    Ok(run(workspace, &Args { minutes: 2.0, seed: None })?)
}

/// Builds the example as tests are built, since kept wakers are counted with debug assertions alone, and runs it.
pub(crate) fn run(workspace: &Workspace, args: &Args) -> Result<(), Failed> {
    let seed = args.seed.unwrap_or_else(random);
    let failed = |failure| Failed { seed, failure };
    println!("soak: --minutes {} --seed {seed}", args.minutes);
    let build = ["build", "--package", PACKAGE, "--example", EXAMPLE];
    process::run(workspace.cargo(&build), Limit::BUILD).map_err(failed)?;
    let program = workspace.target.join("debug/examples").join(format!("{EXAMPLE}{EXE_SUFFIX}"));
    let mut command = Command::new(program);
    command.args(arguments(args.minutes, seed)).current_dir(&workspace.root);
    process::run(command, limit(args.minutes)).map_err(failed)
}

/// A soak that failed, with the seed to run it again.
#[derive(Debug)]
pub(crate) struct Failed {
    seed: u64,
    failure: Failure,
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the soak: {}, with --seed {}", self.failure, self.seed)
    }
}

impl From<Failed> for Stop {
    fn from(failed: Failed) -> Self {
        Self::Failed(failed.to_string())
    }
}

/// The arguments of the example.
pub(crate) fn arguments(minutes: f64, seed: u64) -> [String; 4] {
    ["--minutes".into(), minutes.to_string(), "--seed".into(), seed.to_string()]
}

/// The time that it makes work, and as much again for what is left to end, on a busy machine.
pub(crate) fn limit(minutes: f64) -> Limit {
    Limit::of(Duration::from_secs_f64(minutes * 60.0 * 2.0) + Duration::from_mins(2))
}

/// A seed.
pub(crate) fn random() -> u64 {
    RandomState::new().hash_one(())
}

fn minutes(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(minutes) if minutes > 0.0 && minutes <= 10_000.0 => Ok(minutes),
        _ => Err("expected a number of minutes above 0, 10000 at most".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_are_those_of_the_example() {
        assert_eq!(arguments(0.5, 7), ["--minutes", "0.5", "--seed", "7"]);
    }

    #[test]
    fn times_that_are_none_are_refused() {
        assert_eq!(minutes("0.1"), Ok(0.1));
        for wrong in ["0", "-1", "inf", "NaN", "soon", "1e9"] {
            assert!(minutes(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_seed_is_another_each_time() {
        assert_ne!(random(), random());
    }
}
