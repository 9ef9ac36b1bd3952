//! `install`, `uninstall` and `list`.

use std::{env, error::Error, path::Path, process::ExitCode};

use caller_kernel::kernelspec::{CONNECTION_FILE, KernelSpec, KernelSpecError};
use clap::Args;

use super::{
    folder::Folder,
    say::{complain, say},
    start::Setting,
};

/// Puts the kernel where Jupyter finds it, and prints the folder
///
/// The kernelspec starts this very program, by its full path: install again after moving it.
#[derive(Args, Debug)]
pub(crate) struct Install {
    /// The name that programs know it by: letters, digits, `_`, and behind the first also `-` and `.`
    #[arg(long, default_value = "caller")]
    name: String,
    /// The name that people see; `Lua (NAME)` unless given
    #[arg(long)]
    display_name: Option<String>,
    #[command(flatten)]
    folder: Folder,
    /// A setting that the kernel is started with; may be given several times
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<Setting>,
    /// What else `start` is given, as it is
    #[arg(last = true, value_name = "ARGUMENT")]
    extra: Vec<String>,
}

impl Install {
    /// `check_start` says whether `start` would take the arguments that are behind the connection file.
    pub(crate) fn run(self, check_start: fn(&[String]) -> Result<(), clap::Error>) -> ExitCode {
        let settings = self.set.iter().flat_map(|setting| ["--set".to_owned(), setting.to_string()]);
        let extra: Vec<String> = settings.chain(self.extra.iter().cloned()).collect();
        // Otherwise this would come to light when a front end waits for a kernel that has ended.
        if let Err(error) = check_start(&extra) {
            let _shown = error.print();
            return ExitCode::from(2);
        }
        match self.install(extra) {
            Ok(folder) => {
                say(&folder);
                ExitCode::SUCCESS
            }
            Err(error) => {
                complain(&*error);
                code(error.downcast_ref())
            }
        }
    }

    fn install(&self, extra: Vec<String>) -> Result<String, Box<dyn Error>> {
        let program = env::current_exe()?;
        let program = program.to_str().ok_or_else(|| {
            format!("the path of this program, {}, is not UTF-8; move it elsewhere", program.display())
        })?;
        let argv = [program, "start", "-f", CONNECTION_FILE].map(str::to_owned).into_iter().chain(extra);
        let display_name = self.display_name.clone().unwrap_or_else(|| format!("Lua ({})", self.name));
        let folder = self.folder.kernels()?.install(&self.name, &KernelSpec::new(display_name, argv))?;
        Ok(folder.display().to_string())
    }
}

/// Removes a kernel that `install` put there
#[derive(Args, Debug)]
pub(crate) struct Uninstall {
    /// Its name
    name: String,
    #[command(flatten)]
    folder: Folder,
}

impl Uninstall {
    pub(crate) fn run(self) -> ExitCode {
        finish(self.folder.kernels().and_then(|kernels| {
            let folder = kernels.uninstall(&self.name)?;
            Ok(format!("removed {}", folder.display()))
        }))
    }
}

/// Lists the kernels that `install` put there
#[derive(Args, Debug)]
pub(crate) struct List {
    #[command(flatten)]
    folder: Folder,
}

impl List {
    pub(crate) fn run(self) -> ExitCode {
        finish(self.folder.kernels().and_then(|kernels| {
            let found = kernels.list()?;
            if found.is_empty() {
                return Ok(format!("no kernels are installed in {}", kernels.folder().display()));
            }
            let rows: Vec<_> = found
                .iter()
                .map(|kernel| (&*kernel.name, &*kernel.spec.display_name, &*kernel.folder))
                .collect();
            Ok(table(&rows))
        }))
    }
}

fn table(rows: &[(&str, &str, &Path)]) -> String {
    let width = |of: fn(&(&str, &str, &Path)) -> usize| rows.iter().map(of).max().unwrap_or(0);
    let (names, shown) = (width(|row| row.0.chars().count()), width(|row| row.1.chars().count()));
    let line = |(name, display_name, folder): &(&str, &str, &Path)| {
        format!("{name:names$}  {display_name:shown$}  {}", folder.display())
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn finish(outcome: Result<String, KernelSpecError>) -> ExitCode {
    match outcome {
        Ok(text) => {
            say(&text);
            ExitCode::SUCCESS
        }
        Err(error) => {
            complain(&error);
            code(Some(&error))
        }
    }
}

/// A name that cannot be one is bad usage.
fn code(error: Option<&KernelSpecError>) -> ExitCode {
    match error {
        Some(KernelSpecError::Name { .. }) => ExitCode::from(2),
        _ => ExitCode::FAILURE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned() {
        let rows = [("a", "Lua (a)", Path::new("/k/a")), ("longer", "Ä", Path::new("/k/longer"))];
        insta::assert_snapshot!(table(&rows), @r"
        a       Lua (a)  /k/a
        longer  Ä        /k/longer
        ");
    }
}
