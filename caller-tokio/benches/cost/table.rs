//! The table: how rows are printed, and kept in `target/bench.json`.

use std::{env, fs, path::PathBuf};

use serde_json::{Value, json};

pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) peer: &'static str,
    pub(crate) ours: f64,
    pub(crate) theirs: f64,
    /// The greatest ratio of ours to theirs that meets the goal.
    pub(crate) goal: f64,
    pub(crate) unit: &'static str,
}

impl Row {
    fn ratio(&self) -> f64 {
        self.ours / self.theirs
    }

    fn met(&self) -> bool {
        self.ratio() <= self.goal
    }

    fn to_json(&self) -> Value {
        json!({
            "name": self.name,
            "peer": self.peer,
            "ours_ns": self.ours,
            "peer_ns": self.theirs,
            "ratio": self.ratio(),
            "goal": self.goal,
            "met": self.met(),
            "unit": self.unit,
            "quick": is_quick(),
        })
    }
}

/// Whether the run shows only that the bench works. `cargo test --benches` passes `--test`.
pub(crate) fn is_quick() -> bool {
    env::args().any(|argument| argument == "--quick" || argument == "--test")
}

pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Prints the rows, and puts them into the file in place of those with the same names.
///
/// A goal that is missed is no error here: `cargo xtask bench` reads the file when all benches have run.
pub(crate) fn show(rows: &[Row]) {
    println!("{:44} {:26} {:>10} {:>10} {:>7} {:>7}", "work", "beside", "ours", "peer", "ratio", "goal");
    for row in rows {
        println!(
            "{:44} {:26} {:>10.1} {:>10.1} {:>7.3} {:>7.3} {:5} {}",
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
    let target = env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target"), PathBuf::from);
    let path = target.join("bench.json");
    let mut table: Vec<Value> = match fs::read(&path) {
        Ok(known) => serde_json::from_slice(&known).expect("bench.json is a list of rows"),
        Err(_) => Vec::new(),
    };
    table.retain(|known| rows.iter().all(|row| known["name"] != row.name));
    table.extend(rows.iter().map(Row::to_json));
    // A row that is not in the file would count as met.
    fs::write(&path, format!("{:#}\n", Value::from(table))).expect("bench.json can be written");
    println!("written to {}", path.display());
}
