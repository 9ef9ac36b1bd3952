//! The result of a step.

use crate::process::Failure;

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
