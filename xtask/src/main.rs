//! The chores of the workspace: `cargo xtask ci` is the whole CI, `cargo xtask bench` the table of costs, `cargo xtask
//! jupyter` the kernel beside real peers; `soak`, `memcheck`, `sanitize` and `mutants` look for faults that tests do not name.
#![forbid(unsafe_code)]

mod probe;
mod process;

mod outcome;
mod workspace;

mod libtest;
mod report;
mod test_binary;
mod tool;
mod toolchain;
mod windows;

mod deny;
mod examples;
mod features;
mod imports;
mod jupyter;
mod memcheck;
mod mutants;
mod soak;
mod steps;
mod system;

mod bench;
mod ci;
mod sanitize;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// The chores of this workspace.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Xtask {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    Ci(ci::Args),
    Bench(bench::Args),
    Jupyter(jupyter::Args),
    Mutants(mutants::Args),
    Sanitize(sanitize::Args),
    Memcheck(memcheck::Args),
    Soak(soak::Args),
}

fn main() -> ExitCode {
    let done = match Xtask::parse().chore {
        Chore::Ci(args) => ci::run(args),
        Chore::Bench(args) => bench::run(args),
        Chore::Jupyter(args) => jupyter::main(args),
        Chore::Mutants(args) => mutants::main(args),
        Chore::Sanitize(args) => sanitize::main(args),
        Chore::Memcheck(args) => memcheck::main(args),
        Chore::Soak(args) => soak::main(args),
    };
    done.unwrap_or_else(|error| {
        eprintln!("xtask: {error}");
        ExitCode::FAILURE
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{CommandFactory, error::ErrorKind};

    fn refused(args: &[&str]) -> clap::Error {
        Xtask::try_parse_from([&["xtask"], args].concat()).err().expect("the words are wrong")
    }

    #[test]
    fn the_command_line_is_sound() {
        Xtask::command().debug_assert();
    }

    #[test]
    fn an_unknown_chore_suggests_the_nearest() {
        let error = refused(&["bnch"]);
        assert_eq!(error.kind(), ErrorKind::InvalidSubcommand);
        assert!(error.to_string().contains("'bench'"), "{error}");
    }

    #[test]
    fn an_unknown_step_suggests_the_nearest() {
        let error = refused(&["ci", "--only", "clipy"]);
        assert_eq!(error.kind(), ErrorKind::InvalidValue);
        assert!(error.to_string().contains("'clippy'"), "{error}");
    }

    #[test]
    fn an_unknown_flag_suggests_the_nearest() {
        let error = refused(&["bench", "--quik"]);
        assert_eq!(error.kind(), ErrorKind::UnknownArgument);
        assert!(error.to_string().contains("'--quick'"), "{error}");
    }
}
