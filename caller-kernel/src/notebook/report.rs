//! What became of a notebook that was run.

use crate::shell::CellError;

/// What became of a notebook that was run.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Report {
    /// How many cells were begun.
    pub ran: usize,
    /// How many there are to run: code cells that are neither empty nor to be skipped.
    pub total: usize,
    /// The cells that failed, and may not.
    pub failures: Vec<CellFailure>,
    /// Why it ended.
    pub ended: Ended,
}

impl Report {
    /// Whether all cells ran, and none failed.
    pub fn is_ok(&self) -> bool {
        self.ended == Ended::AllRan && self.failures.is_empty()
    }
}

/// Why running a notebook ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ended {
    /// There was no cell left.
    AllRan,
    /// A cell failed.
    Failed,
    /// It was interrupted.
    Interrupted,
    /// A cell did not stop when it was told to, so its thread still runs and no other cell can. Do not wait for its caller.
    Stuck,
}

/// A cell that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CellFailure {
    /// Its number, as in `In [3]`.
    pub number: u32,
    /// The line of the cell where it happened, from 1, and what stands there. None if the error does not say.
    pub line: Option<(usize, String)>,
    /// The error.
    pub error: CellError,
}

impl CellFailure {
    /// The failure of a cell with this source.
    pub(super) fn new(number: u32, source: &str, error: CellError) -> Self {
        Self { number, line: line(number, source, &error), error }
    }
}

/// The first line of the cell that the error names: the innermost.
fn line(number: u32, source: &str, error: &CellError) -> Option<(usize, String)> {
    let place = format!("In [{number}]:");
    let at = error.traceback.iter().find_map(|text| {
        let (_, rest) = text.split_once(&place)?;
        let digits = rest.split(|c: char| !c.is_ascii_digit()).next()?;
        digits.parse::<usize>().ok()
    })?;
    let text = source.lines().nth(at.checked_sub(1)?)?;
    Some((at, text.trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line_of(traceback: &[&str]) -> Option<(usize, String)> {
        let traceback = traceback.iter().map(|&line| line.to_owned()).collect();
        let error = CellError { traceback, ..CellError::new("Error", "no") };
        line(2, "first\n  second\n", &error)
    }

    #[test]
    fn the_line_is_the_first_of_this_cell() {
        let second = Some((2, "second".to_owned()));
        assert_eq!(
            line_of(&["Error: In [1]:1: no", "  In [1]:1: in function 'f'", "  In [2]:2: in the cell"]),
            second
        );
        assert_eq!(line_of(&["Error: no"]), None);
        assert_eq!(line_of(&["In [2]:0:"]), None);
        assert_eq!(line_of(&["In [2]:9:"]), None);
        assert_eq!(line_of(&["In [22]:1:"]), None);
    }
}
