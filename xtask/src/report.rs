//! The table at the end of a CI run.

use crate::outcome::{Outcome, Stop};
use std::{fmt, time::Duration};

/// One step and what it came to.
pub(crate) struct Row {
    pub(crate) step: &'static str,
    pub(crate) outcome: Outcome,
    pub(crate) took: Duration,
}

/// All steps that were asked for, in order.
#[derive(Default)]
pub(crate) struct Report {
    rows: Vec<Row>,
}

impl Report {
    pub(crate) fn push(&mut self, row: Row) {
        self.rows.push(row);
    }

    /// Whether the run passes. On a CI machine a skip is a failure, since nobody reads why there.
    pub(crate) fn is_green(&self, ci: bool) -> bool {
        let count = self.count();
        count.failed == 0 && !(ci && count.skipped > 0)
    }

    fn count(&self) -> Count {
        let mut count = Count::default();
        for row in &self.rows {
            match row.outcome {
                Ok(()) => count.passed += 1,
                Err(Stop::Failed(_)) => count.failed += 1,
                Err(Stop::Skipped(_)) => count.skipped += 1,
            }
        }
        count
    }
}

#[derive(Default)]
struct Count {
    passed: usize,
    failed: usize,
    skipped: usize,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<10} {:<8} {:>8}", "step", "result", "seconds")?;
        for Row { step, outcome, took } in &self.rows {
            let (result, why) = match outcome {
                Ok(()) => ("passed", ""),
                Err(Stop::Failed(why)) => ("failed", why.as_str()),
                Err(Stop::Skipped(why)) => ("skipped", why.as_str()),
            };
            let row = format!("{step:<10} {result:<8} {:>8.1}  {why}", took.as_secs_f64());
            writeln!(f, "{}", row.trim_end())?;
        }
        // Programs that read the log look for this line: it stands alone, in these words and this order.
        let Count { passed, failed, skipped } = self.count();
        writeln!(f, "{passed} passed, {failed} failed, {skipped} skipped")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(outcomes: impl IntoIterator<Item = Outcome>) -> Report {
        let took = Duration::from_millis(1250);
        Report { rows: outcomes.into_iter().map(|outcome| Row { step: "a step", outcome, took }).collect() }
    }

    #[test]
    fn a_skip_is_a_failure_on_a_ci_machine_alone() {
        let skipped = report([Ok(()), Err(Stop::Skipped("no such tool".into()))]);
        assert!(skipped.is_green(false));
        assert!(!skipped.is_green(true));
        assert!(!report([Err(Stop::Failed("broken".into()))]).is_green(false));
        assert!(report([Ok(())]).is_green(true));
    }

    #[test]
    fn the_table_names_what_happened_and_closes_with_the_count() {
        let table =
            report([Ok(()), Err(Stop::Failed("broken".into())), Err(Stop::Skipped("no such tool".into()))]);
        let expected = "\
step       result    seconds
a step     passed        1.2
a step     failed        1.2  broken
a step     skipped       1.2  no such tool
1 passed, 1 failed, 1 skipped
";
        assert_eq!(table.to_string(), expected);
    }
}
