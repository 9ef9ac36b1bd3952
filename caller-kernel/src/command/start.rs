//! `start`: what Jupyter runs.

use std::{error::Error, fmt, path::PathBuf, process::ExitCode, str::FromStr, thread, time::Duration};

use caller_kernel::{Kernel, KernelBuilder, KernelError, kernelspec::Kernels, lua::LuaLanguage};
use clap::Args;

use super::say::complain;

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

    fn serve(&self) -> Result<(), Box<dyn Error>> {
        let kernel = match self.kernel(default_history()).start() {
            // Nobody asked for that one.
            Err(error @ KernelError::History { .. }) if self.history().is_none() => {
                eprintln!("caller-kernel: {error}; it is in memory alone");
                self.kernel(None).start()?
            }
            started => started?,
        };
        if let Some(parent) = Parent::of_this_process() {
            let kernel = kernel.clone();
            // It ends with the process.
            thread::Builder::new().name("parent".to_owned()).spawn(move || {
                while !parent.is_gone() {
                    thread::sleep(GLANCE);
                }
                kernel.stop();
            })?;
        }
        kernel.stopped().blocking()?;
        Ok(())
    }

    /// The file of the history that a setting names, or that there is to be none.
    fn history(&self) -> Option<&Option<PathBuf>> {
        self.set.iter().rev().find_map(|setting| match &setting.what {
            What::History(file) => Some(file),
            _ => None,
        })
    }

    fn kernel(&self, default_history: Option<PathBuf>) -> KernelBuilder {
        let mut kernel =
            Kernel::builder().connection_file(self.connection_file.clone()).stop_on_signals(true);
        let mut language = LuaLanguage::new();
        for Setting { what, .. } in &self.set {
            match what {
                What::CellTimeout(time) => kernel = kernel.cell_timeout(*time),
                What::History(_) => {}
                What::MemoryLimit(bytes) => language = language.memory_limit(*bytes),
                What::Name(name) => kernel = kernel.name(name),
                What::Quiet(quiet) => kernel = kernel.quiet(*quiet),
                What::Sandbox(sandbox) => language = language.sandbox(*sandbox),
            }
        }
        if let Some(history) = self.history().cloned().unwrap_or(default_history) {
            kernel = kernel.history(history);
        }
        kernel.language(language)
    }
}

/// Of this user, beside what Jupyter has. Without a home there is none.
fn default_history() -> Option<PathBuf> {
    let kernels = Kernels::user().ok()?;
    Some(kernels.folder().parent()?.join("caller-kernel").join("history.jsonl"))
}

/// How often the parent is looked for.
const GLANCE: Duration = Duration::from_secs(1);

/// The process that Jupyter started the kernel from, and with which the kernel ends: it may end without a word.
#[cfg(unix)]
struct Parent(u32);

/// Elsewhere it is not looked for.
#[cfg(not(unix))]
enum Parent {}

impl Parent {
    /// Jupyter [says](https://jupyter-client.readthedocs.io/en/stable/kernels.html) in the environment that it is one. The
    /// first process of a machine or container outlives all, and has taken over the kernel if it is the parent already.
    #[cfg(unix)]
    fn of_this_process() -> Option<Self> {
        let parent = std::os::unix::process::parent_id();
        (std::env::var_os("JPY_PARENT_PID").is_some() && parent > 1).then_some(Self(parent))
    }

    #[cfg(unix)]
    fn is_gone(&self) -> bool {
        std::os::unix::process::parent_id() != self.0
    }

    #[cfg(not(unix))]
    fn of_this_process() -> Option<Self> {
        None
    }

    #[cfg(not(unix))]
    fn is_gone(&self) -> bool {
        match *self {}
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
