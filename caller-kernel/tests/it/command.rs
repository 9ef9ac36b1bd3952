//! The command, as a shell runs it.

mod install;
mod run;

use std::{
    path::Path,
    process::{Command, Output},
};

/// The command, in a folder that is also its home, without what else says where the user's files are.
pub(crate) fn command(home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_caller-kernel"));
    command.current_dir(home).env("HOME", home).env("APPDATA", home);
    for name in ["JUPYTER_DATA_DIR", "XDG_DATA_HOME"] {
        command.env_remove(name);
    }
    command
}

/// What a command has said, and its exit code.
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

pub(crate) fn said(output: Output) -> Said {
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Said { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

/// Runs the command with these arguments.
pub(crate) fn run(home: &Path, arguments: &[&str]) -> Said {
    said(command(home).args(arguments).output().unwrap())
}

/// What is in a folder.
pub(crate) fn entries(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}
