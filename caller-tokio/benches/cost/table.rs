//! The table: how rows are measured, printed, and kept in `target/bench.json`.

use std::{path::PathBuf, time::Instant};

use serde_json::{Value, json};

/// How much is measured.
#[derive(Clone, Copy)]
pub(crate) struct Size {
    pub(crate) calls: usize,
    pub(crate) rounds: usize,
}

pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) peer: &'static str,
    pub(crate) ours: f64,
    pub(crate) theirs: f64,
    /// The most that ours may be, as a part of the peer's.
    pub(crate) goal: f64,
    pub(crate) unit: &'static str,
}

impl Size {
    /// `cargo test --benches` and the like ask for nothing but that it runs.
    pub(crate) fn of_this_run() -> Self {
        if std::env::args().any(|argument| argument == "--quick" || argument == "--test") {
            Self { calls: 20_000, rounds: 3 }
        } else {
            Self { calls: 200_000, rounds: 7 }
        }
    }

    /// How often something that is done one at a time is done.
    pub(crate) fn trips(&self) -> usize {
        self.calls / 40
    }
}

impl Row {
    pub(crate) fn ratio(&self) -> f64 {
        self.ours / self.theirs
    }

    pub(crate) fn met(&self) -> bool {
        self.ratio() <= self.goal
    }
}

pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Runs ours and the peers' in turn, and gives the median of each, in nanoseconds for one of `count`.
pub(crate) fn in_turn<const N: usize>(
    rounds: usize,
    count: usize,
    mut sides: [&mut dyn FnMut(); N],
) -> [f64; N] {
    let mut times: [Vec<f64>; N] = std::array::from_fn(|_| Vec::new());
    // One round more, to warm up.
    for round in 0..=rounds {
        for (side, times) in sides.iter_mut().zip(&mut times) {
            let begun = Instant::now();
            side();
            if round > 0 {
                times.push(begun.elapsed().as_nanos() as f64 / count as f64);
            }
        }
    }
    times.map(median)
}

/// Prints the rows, and puts them into the file in the place of those with the same names.
pub(crate) fn show(rows: &[Row]) {
    println!("{:36} {:30} {:>10} {:>10} {:>7} {:>7}", "work", "beside", "ours", "peer", "ratio", "goal");
    for row in rows {
        println!(
            "{:36} {:30} {:>10.1} {:>10.1} {:>7.2} {:>7.2} {:5} {}",
            row.name,
            row.peer,
            row.ours,
            row.theirs,
            row.ratio(),
            row.goal,
            row.unit,
            if row.met() { "" } else { "← not met" }
        );
    }
    let target = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target"), PathBuf::from);
    let path = target.join("bench.json");
    let known = std::fs::read(&path).ok().and_then(|text| serde_json::from_slice(&text).ok());
    let mut table: Vec<Value> = known.unwrap_or_default();
    table.retain(|known| rows.iter().all(|row| known["name"] != row.name));
    table.extend(rows.iter().map(|row| {
        json!({
            "name": row.name,
            "peer": row.peer,
            "ours_ns": row.ours,
            "peer_ns": row.theirs,
            "ratio": row.ratio(),
            "goal": row.goal,
            "met": row.met(),
            "unit": row.unit,
        })
    }));
    match std::fs::write(&path, format!("{:#}\n", Value::from(table))) {
        Ok(()) => println!("written to {}", path.display()),
        Err(error) => eprintln!("{} cannot be written: {error}", path.display()),
    }
}
