//! Which folder of kernelspecs is meant.

use std::path::PathBuf;

use caller_kernel::kernelspec::{KernelSpecError, Kernels};
use clap::Args;

/// Where the kernelspec is: one of these, or the user's own folder.
#[derive(Args, Debug)]
#[group(multiple = false)]
pub(crate) struct Folder {
    /// The data folder of this user (the default)
    #[arg(long)]
    user: bool,
    /// `share/jupyter/kernels` below this folder: that of an environment, or /usr/local
    #[arg(long, value_name = "FOLDER")]
    prefix: Option<PathBuf>,
    /// This folder of kernelspecs itself
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
}

impl Folder {
    pub(crate) fn kernels(&self) -> Result<Kernels, KernelSpecError> {
        match (&self.prefix, &self.folder) {
            (Some(prefix), _) => Kernels::prefix(prefix),
            (None, Some(folder)) => Kernels::at(folder),
            (None, None) => Kernels::user(),
        }
    }
}
