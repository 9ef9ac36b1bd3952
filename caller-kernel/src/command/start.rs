//! `start`: what Jupyter runs.

use std::{error::Error, fmt, path::PathBuf, process::ExitCode, str::FromStr, time::Duration};

use caller_kernel::{Kernel, kernelspec::Kernels, lua::LuaLanguage};
use clap::Args;

use super::complain;

/// Runs the kernel until it is told to shut down; Jupyter does this
///
/// To try it by hand, name a file that does not exist, and then attach: jupyter console --existing FILE
///
/// SIGINT interrupts the cell that runs, and ends an idle kernel; SIGTERM ends it.
#[derive(Args, Debug)]
pub(crate) struct Start {
    /// The connection file; if it does not exist, ports and a key are chosen and written there
    #[arg(short = 'f', long, value_name = "FILE")]
    connection_file: PathBuf,
    /// A setting; may be given several times: cell-timeout (seconds), history (a file, or `none`), memory-limit (bytes),
    /// name, quiet (true, or false to print to this terminal too), sandbox (true or false)
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<Setting>,
}

/// A setting, as `key=value` says it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Setting {
    text: String,
    what: What,
}

#[derive(Clone, Debug, PartialEq)]
enum What {
    CellTimeout(Duration),
    History(Option<PathBuf>),
    MemoryLimit(usize),
    Name(String),
    Quiet(bool),
    Sandbox(bool),
}

impl FromStr for Setting {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (key, value) = text.split_once('=').ok_or("a setting is `key=value`")?;
        let wrong = |wanted| format!("`{key}` is {wanted}, and not `{value}`");
        let flag = || value.parse::<bool>().map_err(|_| wrong("true or false"));
        let what = match key {
            "cell-timeout" => {
                let seconds =
                    value.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
                What::CellTimeout(seconds.ok_or_else(|| wrong("a number of seconds"))?)
            }
            "history" => What::History((value != "none").then(|| value.into())),
            "memory-limit" => What::MemoryLimit(value.parse().map_err(|_| wrong("a number of bytes"))?),
            "name" => What::Name(value.to_owned()),
            "quiet" => What::Quiet(flag()?),
            "sandbox" => What::Sandbox(flag()?),
            _ => {
                return Err(format!(
                    "there is no setting `{key}`; there are cell-timeout, history, memory-limit, name, quiet, sandbox"
                ));
            }
        };
        Ok(Self { text: text.to_owned(), what })
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Start {
    pub(crate) fn run(self) -> ExitCode {
        match self.serve() {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                complain(&*error);
                ExitCode::FAILURE
            }
        }
    }

    fn serve(self) -> Result<(), Box<dyn Error>> {
        let mut kernel = Kernel::builder().connection_file(self.connection_file);
        let mut language = LuaLanguage::new();
        // Of this user, beside what Jupyter has. Without a home there is none.
        let data = Kernels::user().ok().and_then(|kernels| Some(kernels.folder().parent()?.to_owned()));
        let mut history = data.map(|data| data.join("caller-kernel").join("history.jsonl"));
        for setting in self.set {
            match setting.what {
                What::CellTimeout(time) => kernel = kernel.cell_timeout(time),
                What::History(file) => history = file,
                What::MemoryLimit(bytes) => language = language.memory_limit(bytes),
                What::Name(name) => kernel = kernel.name(name),
                What::Quiet(quiet) => kernel = kernel.quiet(quiet),
                What::Sandbox(sandbox) => language = language.sandbox(sandbox),
            }
        }
        if let Some(history) = history {
            if let Some(folder) = history.parent() {
                std::fs::create_dir_all(folder)
                    .map_err(|error| format!("no folder for the history, {}: {error}", folder.display()))?;
            }
            kernel = kernel.history(history);
        }
        let kernel = kernel.language(language).start()?;
        kernel.stop_on_signals()?;
        kernel.stopped().blocking()?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn what(text: &str) -> Result<What, String> {
        text.parse::<Setting>().map(|setting| setting.what)
    }

    #[test]
    fn a_setting_is_a_key_and_a_value() {
        assert_eq!(what("cell-timeout=2.5"), Ok(What::CellTimeout(Duration::from_millis(2500))));
        assert_eq!(what("history=a=b"), Ok(What::History(Some("a=b".into()))));
        assert_eq!(what("history=none"), Ok(What::History(None)));
        assert_eq!(what("memory-limit=1024"), Ok(What::MemoryLimit(1024)));
        assert_eq!(what("sandbox=true"), Ok(What::Sandbox(true)));
        let setting: Setting = "name=db".parse().unwrap();
        assert_eq!(setting.to_string(), "name=db");
    }

    #[test]
    fn what_is_wrong_is_said() {
        assert_eq!(what("a"), Err("a setting is `key=value`".to_owned()));
        assert!(
            what("colour=red")
                .unwrap_err()
                .starts_with("there is no setting `colour`; there are cell-timeout")
        );
        assert_eq!(what("quiet=2"), Err("`quiet` is true or false, and not `2`".to_owned()));
        assert_eq!(
            what("cell-timeout=-1"),
            Err("`cell-timeout` is a number of seconds, and not `-1`".to_owned())
        );
    }
}
