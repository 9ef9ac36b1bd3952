//! The command line.

use std::path::PathBuf;

use clap::Parser;

/// Measurements in a window
#[derive(Clone, Parser)]
pub(crate) struct Args {
    /// The file of the database; without one it is in memory
    #[arg(long, value_name = "FILE")]
    pub(crate) database: Option<PathBuf>,
    /// How many measurements an empty database gets
    #[arg(long, value_name = "N", default_value_t = 300_000)]
    pub(crate) rows: u32,
    /// Close the window after so many seconds
    #[arg(long, value_name = "N")]
    pub(crate) seconds: Option<u64>,
}
