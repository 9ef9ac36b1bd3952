//! Rounds: each side of a row runs in turn, and the median of its rounds counts.

use std::time::{Duration, Instant};

use crate::table::{self, Row};

/// How much is measured.
#[derive(Clone, Copy)]
pub(crate) struct Size {
    pub(crate) calls: usize,
    pub(crate) rounds: usize,
}

impl Size {
    pub(crate) fn of_this_run() -> Self {
        if table::is_quick() { Self { calls: 20_000, rounds: 3 } } else { Self { calls: 200_000, rounds: 7 } }
    }

    /// The number of operations in a row that does one at a time.
    pub(crate) fn trips(&self) -> usize {
        self.calls / 40
    }
}

/// Runs each side `rounds` times in turn. Returns the median time of each in nanoseconds for one of `count`.
pub(crate) fn in_turn<const N: usize>(rounds: usize, count: usize, sides: [&mut dyn FnMut(); N]) -> [f64; N] {
    let mut sides = sides.map(|side| {
        || {
            let begun = Instant::now();
            side();
            for_one(begun.elapsed(), count)
        }
    });
    timed_in_turn(rounds, sides.each_mut().map(|side| side as &mut dyn FnMut() -> f64))
}

/// As [`in_turn`], for sides that take the time themselves and return nanoseconds.
pub(crate) fn timed_in_turn<const N: usize>(
    rounds: usize,
    mut sides: [&mut dyn FnMut() -> f64; N],
) -> [f64; N] {
    let mut times: [Vec<f64>; N] = std::array::from_fn(|_| Vec::new());
    // The first round warms up.
    for round in 0..=rounds {
        for (side, times) in sides.iter_mut().zip(&mut times) {
            let time = side();
            if round > 0 {
                times.push(time);
            }
        }
    }
    times.map(table::median)
}

impl Row {
    /// A row of times in nanoseconds.
    pub(crate) fn times(name: &'static str, peer: &'static str, ours: f64, theirs: f64, goal: f64) -> Self {
        Self { name, peer, ours, theirs, goal, unit: "ns" }
    }
}

/// Nanoseconds for one of `count`.
pub(crate) fn for_one(time: Duration, count: usize) -> f64 {
    time.as_nanos() as f64 / count as f64
}
