//! The `caller-kernel` command.
fn main() {}
