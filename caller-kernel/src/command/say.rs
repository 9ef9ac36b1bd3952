//! What the commands print.

use std::{error::Error, io::Write};

/// Says what went wrong.
pub(crate) fn complain(error: &dyn Error) {
    eprintln!("caller-kernel: {error}");
}

/// Prints lines on stdout. A reader that has gone away, such as `head`, is no failure.
pub(crate) fn say(text: &str) {
    let _written = writeln!(std::io::stdout(), "{text}");
}
