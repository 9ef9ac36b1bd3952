//! `start`: what Jupyter runs.

use std::{fmt, path::PathBuf, process::ExitCode, str::FromStr};

use clap::Args;

/// Runs the kernel until it is told to shut down; Jupyter does this
///
/// To try it by hand, name a file that does not exist, and then attach: jupyter console --existing FILE
#[derive(Args, Debug)]
pub(crate) struct Start {
    /// The connection file; if it does not exist, ports and a key are chosen and written there
    #[arg(short = 'f', long, value_name = "FILE")]
    connection_file: PathBuf,
    /// A setting; may be given several times
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<Setting>,
}

impl Start {
    pub(crate) fn options(self) -> StartOptions {
        StartOptions { connection_file: self.connection_file, settings: self.set }
    }
}

/// How a kernel is to be started.
#[derive(Debug)]
pub(crate) struct StartOptions {
    /// Where the connection file is, or is to be.
    pub(crate) connection_file: PathBuf,
    /// The settings, in the order in which they were given.
    pub(crate) settings: Vec<Setting>,
}

/// A setting, as `key=value` says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Setting {
    pub(crate) key: String,
    pub(crate) value: String,
}

impl FromStr for Setting {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((key, value)) if !key.is_empty() => {
                Ok(Self { key: key.to_owned(), value: value.to_owned() })
            }
            _ => Err("a setting is `key=value`".to_owned()),
        }
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.key, self.value)
    }
}

/// Runs a kernel.
pub(crate) fn start(options: StartOptions) -> ExitCode {
    let StartOptions { connection_file, settings } = options;
    let settings: Vec<_> = settings.iter().map(Setting::to_string).collect();
    eprintln!(
        "caller-kernel: cannot start a kernel at {} yet (settings: [{}]); `caller-kernel run` runs notebooks",
        connection_file.display(),
        settings.join(", ")
    );
    ExitCode::FAILURE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_is_a_key_and_a_value() {
        let setting: Setting = "a=b=c".parse().unwrap();
        assert_eq!((&*setting.key, &*setting.value), ("a", "b=c"));
        assert_eq!(setting.to_string(), "a=b=c");
        assert_eq!("a=".parse::<Setting>().unwrap().value, "");
        assert!("a".parse::<Setting>().is_err());
        assert!("=b".parse::<Setting>().is_err());
    }
}
