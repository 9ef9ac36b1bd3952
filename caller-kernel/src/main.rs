//! The `caller-kernel` command: puts a kernel where Jupyter finds it, starts it, and runs notebooks without Jupyter.
#![forbid(unsafe_code)]

mod command;

use std::process::ExitCode;

fn main() -> ExitCode {
    command::main()
}
