//! What the words of the command line mean.

mod say;

mod folder;

mod start;

mod install;

mod run;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand, error::ErrorKind};

use self::say::say;

/// A Jupyter kernel whose cells are Lua, between a running Rust program and a notebook.
///
/// `install` puts it where Jupyter finds it; from then on JupyterLab, the Jupyter console and VS Code offer it. `run` runs
/// a notebook without any of them.
///
/// The exit code is 0 if all is well, 1 if what was asked for failed, 2 if it could not be tried, and 130 if a signal ended
/// `run`.
#[derive(Debug, Parser)]
#[command(name = "caller-kernel", bin_name = "caller-kernel", version)]
struct Arguments {
    /// Print help with all options of all commands
    #[arg(long)]
    help_all: bool,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    Install(install::Install),
    Uninstall(install::Uninstall),
    #[command(short_flag = 'l')]
    List(install::List),
    Run(run::Run),
    Start(start::Start),
}

/// Does what the arguments of this process say.
pub(crate) fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help that was asked for goes to stdout, and is no failure.
            let _shown = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    match arguments.command {
        _ if arguments.help_all => help(true),
        None => help(false),
        Some(Command::Install(install)) => install.run(check_start),
        Some(Command::Uninstall(uninstall)) => uninstall.run(),
        Some(Command::List(list)) => list.run(),
        Some(Command::Run(run)) => run.run(),
        Some(Command::Start(start)) => start.run(),
    }
}

/// Prints what there is; with `all`, also what each command takes.
fn help(all: bool) -> ExitCode {
    let mut arguments = Arguments::command();
    // Each command then knows how it is called.
    arguments.build();
    let _shown = arguments.print_long_help();
    for command in arguments.get_subcommands_mut().filter(|_| all) {
        say(&format!("\n{}\n", command.get_name()));
        let _shown = command.print_long_help();
    }
    ExitCode::SUCCESS
}

/// Whether `start` would run a kernel with these arguments behind the connection file.
fn check_start(extra: &[String]) -> Result<(), clap::Error> {
    let begin = ["caller-kernel", "start", "-f", "kernel.json"].map(str::to_owned);
    match Arguments::try_parse_from(begin.into_iter().chain(extra.iter().cloned())) {
        Ok(_) => Ok(()),
        Err(error) if error.use_stderr() => Err(error),
        Err(_) => {
            let text = "with these arguments `start` prints help and no kernel runs; leave out `--help`";
            Err(Arguments::command().error(ErrorKind::ArgumentConflict, text))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        Arguments::command().debug_assert();
    }
}
