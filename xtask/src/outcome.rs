//! The result of a step.

use crate::process::Failure;
use std::process::ExitCode;

/// The result of a step.
pub(crate) type Outcome = Result<(), Stop>;

/// Why a step did not pass.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// The step found a fault.
    Failed(String),
    /// This machine cannot run the step.
    Skipped(String),
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure.to_string())
    }
}

/// Ends a chore that is a step. On a CI machine a skip is a failure, since nobody reads why there.
pub(crate) fn conclude(outcome: Outcome, ci: bool) -> Result<ExitCode, String> {
    match outcome {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(Stop::Failed(why)) => Err(why),
        Err(Stop::Skipped(why)) => {
            println!("skipped: {why}");
            Ok(if ci { ExitCode::FAILURE } else { ExitCode::SUCCESS })
        }
    }
}
