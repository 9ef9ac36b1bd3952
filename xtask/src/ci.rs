//! The whole CI: which steps there are, in which order, and what becomes of the rest when one fails.

use crate::{
    deny, examples, features, imports, jupyter, memcheck,
    outcome::{Outcome, Stop},
    report::{Report, Row},
    soak, steps, system, windows,
    workspace::Workspace,
};
use clap::builder::{PossibleValue, PossibleValuesParser};
use std::{process::ExitCode, time::Instant};

/// Runs the whole CI, every step even when an earlier one failed, and prints a table of the results.
///
/// A step that cannot run on this machine is skipped by name and counted. Where `CI=true`, a skip is a failure.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Run this step alone; may be given several times
    #[arg(long, value_name = "STEP", value_parser = step_names())]
    only: Vec<String>,
    /// Print the steps in the order they run, and run none
    #[arg(long, conflicts_with = "only")]
    list: bool,
}

/// One step of the CI.
pub(crate) struct Step {
    pub(crate) name: &'static str,
    about: &'static str,
    /// Whether the step has nothing to say about a workspace that does not compile.
    compiles: bool,
    run: fn(&Workspace) -> Outcome,
}

/// Every step, cheapest first, so that the common slips show within the first minute; before them, what they need.
///
/// A later step is one more entry here and one function beside those of `steps.rs`. The cost table is not among them: its ratios mean nothing on a machine that is busy with a CI.
pub(crate) const STEPS: &[Step] = &[
    Step {
        name: "system",
        about: "libraries and a display of the system, installed where that can be done",
        compiles: false,
        run: system::run,
    },
    Step { name: "fmt", about: "format, by rustfmt", compiles: false, run: steps::fmt },
    Step {
        name: "imports",
        about: "imports between files: no circles, none upwards",
        compiles: false,
        run: imports::run,
    },
    Step {
        name: "clippy",
        about: "lints of every target, warnings denied",
        compiles: true,
        run: steps::clippy,
    },
    Step { name: "doc", about: "rustdoc, warnings denied", compiles: true, run: steps::doc },
    Step { name: "test", about: "tests, by nextest where it is installed", compiles: true, run: steps::test },
    Step { name: "doctest", about: "examples in the documentation", compiles: true, run: steps::doctest },
    Step { name: "examples", about: "every example is built and run", compiles: true, run: examples::run },
    Step {
        name: "jupyter",
        about: "the kernel with Jupyter's own client and tests",
        compiles: true,
        run: jupyter::run,
    },
    Step {
        name: "features",
        about: "each crate with none, each and all features",
        compiles: true,
        run: features::run,
    },
    Step {
        name: "windows",
        about: "the crates checked for Windows, warnings denied",
        compiles: true,
        run: windows::run,
    },
    Step { name: "loom", about: "loom's models of the core", compiles: true, run: steps::loom },
    Step {
        name: "soak",
        about: "two minutes of random work on all backends, its seed printed",
        compiles: true,
        run: soak::step,
    },
    Step {
        name: "memcheck",
        about: "valgrind's memcheck over the tests of the core and both backends",
        compiles: true,
        run: memcheck::run,
    },
    Step {
        name: "deny",
        about: "licences, bans and sources of dependencies",
        compiles: false,
        run: deny::run,
    },
];

/// Runs the chosen steps.
pub(crate) fn run(args: Args) -> Result<ExitCode, String> {
    if args.list {
        for step in STEPS {
            println!("{:<10} {}", step.name, step.about);
        }
        return Ok(ExitCode::SUCCESS);
    }
    let workspace = Workspace::load()?;
    crate::process::stop_children_with_us();
    let chosen =
        STEPS.iter().filter(|step| args.only.is_empty() || args.only.iter().any(|name| name == step.name));
    let report = run_steps(&workspace, chosen, steps::compiles);
    print!("\n{report}");
    Ok(if report.is_green(workspace.ci) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Runs `steps` in order. `compiles` is asked once, after the first failed step that needs a build: one broken file
/// would otherwise be reported by every step that follows, and hide what the others have to say.
fn run_steps<'a>(
    workspace: &Workspace,
    steps: impl IntoIterator<Item = &'a Step>,
    compiles: fn(&Workspace) -> bool,
) -> Report {
    let mut report = Report::default();
    let mut steps = steps.into_iter().peekable();
    let mut known_to_compile = None;
    while let Some(step) = steps.next() {
        println!("\n==> {}: {}", step.name, step.about);
        let start = Instant::now();
        let outcome = match known_to_compile {
            Some(false) if step.compiles => Err(Stop::Skipped("the workspace does not compile".into())),
            _ => (step.run)(workspace),
        };
        match &outcome {
            Ok(()) => {}
            Err(Stop::Failed(why)) => println!("{} failed: {why}", step.name),
            Err(Stop::Skipped(why)) => println!("{} skipped: {why}", step.name),
        }
        let failed = matches!(outcome, Err(Stop::Failed(_)));
        report.push(Row { step: step.name, outcome, took: start.elapsed() });
        if failed && step.compiles && known_to_compile.is_none() && steps.peek().is_some() {
            known_to_compile = Some(compiles(workspace));
        }
    }
    report
}

fn step_names() -> PossibleValuesParser {
    PossibleValuesParser::new(STEPS.iter().map(|step| PossibleValue::new(step.name).help(step.about)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSES: Step = Step { name: "passes", about: "", compiles: true, run: |_| Ok(()) };
    const FAILS: Step =
        Step { name: "fails", about: "", compiles: true, run: |_| Err(Stop::Failed("broken".into())) };
    const READS: Step = Step { name: "reads", about: "", compiles: false, run: |_| Ok(()) };

    fn outcomes(steps: &[Step], compiles: fn(&Workspace) -> bool) -> String {
        let report = run_steps(&Workspace::default(), steps, compiles);
        report.to_string().lines().last().expect("a count").to_owned()
    }

    #[test]
    fn a_failed_step_does_not_stop_the_others() {
        assert_eq!(outcomes(&[FAILS, PASSES, READS], |_| true), "2 passed, 1 failed, 0 skipped");
    }

    #[test]
    fn what_needs_a_build_is_skipped_when_there_is_none() {
        assert_eq!(outcomes(&[PASSES, FAILS, PASSES, READS], |_| false), "2 passed, 1 failed, 1 skipped");
    }

    #[test]
    fn a_failure_that_no_build_is_needed_for_does_not_ask_whether_it_compiles() {
        const MISFORMATTED: Step = Step { compiles: false, ..FAILS };
        assert_eq!(outcomes(&[MISFORMATTED, PASSES], |_| panic!("asked")), "1 passed, 1 failed, 0 skipped");
    }
}
