//! Kernelspecs: how Jupyter finds a kernel, and how it starts it.
//!
//! A kernelspec is a folder with a file `kernel.json`, within a folder of kernelspecs ([`Kernels`]). Its name is that of its
//! folder. See [kernelspecs][page].
//!
//! ```no_run
//! use caller_kernel::kernelspec::{KernelSpec, Kernels};
//!
//! let spec = KernelSpec::new("Our service", ["/usr/bin/our-service", "--kernel", "{connection_file}"]);
//! let folder = Kernels::user()?.install("our-service", &spec)?;
//! println!("{}", folder.display());
//! # Ok::<_, caller_kernel::kernelspec::KernelSpecError>(())
//! ```
//!
//! [page]: https://jupyter-client.readthedocs.io/en/stable/kernels.html#kernel-specs

mod folders;
mod install;

use std::{io, path::PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

pub use self::install::{Installed, Kernels};

/// What Jupyter puts in the place of this argument when it starts a kernel.
pub const CONNECTION_FILE: &str = "{connection_file}";

/// Under which key of the metadata a kernelspec says that it was made here, and by which version.
const MADE_BY: &str = "caller-kernel";

/// What stands in `kernel.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct KernelSpec {
    /// The command line. One of its arguments is, or contains, [`CONNECTION_FILE`].
    pub argv: Vec<String>,
    /// The name that people see.
    pub display_name: String,
    /// The language of its cells.
    pub language: String,
    /// How cells are interrupted: by a `message`, or by a `signal` to the process.
    #[serde(default = "signal")]
    pub interrupt_mode: String,
    /// What front ends may want to know before they start it.
    #[serde(default)]
    pub metadata: Map<String, Value>,
    /// The version of the protocol that it speaks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kernel_protocol_version: Option<String>,
    /// What else the file says.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

fn signal() -> String {
    "signal".to_owned()
}

impl KernelSpec {
    /// A kernel of Lua cells, interrupted by message, that is started with this command line.
    pub fn new(display_name: impl Into<String>, argv: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let mut metadata = Map::new();
        metadata.insert("debugger".to_owned(), false.into());
        metadata.insert("supported_features".to_owned(), json!(["kernel subshells"]));
        if cfg!(feature = "curve") {
            // Where Jupyter is told to encrypt, it then gives the kernel keys.
            metadata.insert("supported_encryption".to_owned(), json!(["curve"]));
        }
        metadata.insert(MADE_BY.to_owned(), env!("CARGO_PKG_VERSION").into());
        Self {
            argv: argv.into_iter().map(Into::into).collect(),
            display_name: display_name.into(),
            language: "lua".to_owned(),
            interrupt_mode: "message".to_owned(),
            metadata,
            kernel_protocol_version: Some("5.5".to_owned()),
            more: Map::new(),
        }
    }

    /// Whether it was made by this crate.
    pub fn is_ours(&self) -> bool {
        self.metadata.contains_key(MADE_BY)
    }
}

/// A kernelspec cannot be installed, listed or removed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KernelSpecError {
    /// The name cannot be that of a kernelspec.
    #[error(
        "a kernel cannot be named {name:?}; use letters, digits, `_`, and behind the first also `-` and `.`"
    )]
    #[non_exhaustive]
    Name {
        /// Which name.
        name: String,
    },
    /// There is no kernelspec of this name.
    #[error("there is no kernel `{name}` in {}{}", .folder.display(), there_are(.names))]
    #[non_exhaustive]
    Unknown {
        /// Which name.
        name: String,
        /// Where it was looked for.
        folder: PathBuf,
        /// The names of those that were made here.
        names: Vec<String>,
    },
    /// What has this name was not made by this crate, and is left alone.
    #[error("{} was not installed by caller-kernel; choose another name, or remove it yourself", .path.display())]
    #[non_exhaustive]
    Foreign {
        /// The folder of the kernelspec.
        path: PathBuf,
    },
    /// Nobody says where the user's files are.
    #[error("the home folder is not known; set HOME, or say where by `--prefix` or `--folder`")]
    NoHome,
    /// The file system refused.
    #[error("cannot {verb} {}: {source}", .path.display())]
    #[non_exhaustive]
    Io {
        /// What was tried, such as `write`.
        verb: &'static str,
        /// With what.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
}

fn there_are(names: &[String]) -> String {
    if names.is_empty() {
        "; none is installed there".to_owned()
    } else {
        format!("; installed there: {}", names.join(", "))
    }
}

/// The name of a kernelspec as Jupyter keeps it: in lower case, of letters, digits, `_`, and behind the first also `-` and `.`.
///
/// # Errors
///
/// The name is empty, has other characters, or begins as an option or a hidden folder does.
pub fn kernel_name(name: &str) -> Result<String, KernelSpecError> {
    let begins = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if !name.starts_with(begins) || !name.chars().all(|c| begins(c) || "-.".contains(c)) {
        return Err(KernelSpecError::Name { name: name.to_owned() });
    }
    Ok(name.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_what_jupyter_allows() {
        for name in ["lua", "a.b-c_d", "3"] {
            assert_eq!(kernel_name(name).unwrap(), name);
        }
        assert_eq!(kernel_name("Lua").unwrap(), "lua");
        for name in ["", " ", "a b", "a/b", "..", ".", "ä", "a\n", "-x", ".hid"] {
            assert!(kernel_name(name).is_err(), "{name:?}");
        }
        let error = kernel_name("a b").unwrap_err();
        assert_eq!(
            error.to_string(),
            "a kernel cannot be named \"a b\"; use letters, digits, `_`, and behind the first also `-` and `.`"
        );
    }

    #[test]
    fn what_is_unknown_is_kept() {
        let text = r#"{"argv": ["a"], "display_name": "A", "language": "lua", "env": {"B": "c"}}"#;
        let spec: KernelSpec = serde_json::from_str(text).unwrap();
        assert_eq!((&*spec.interrupt_mode, spec.is_ours()), ("signal", false));
        assert_eq!(serde_json::to_value(&spec).unwrap()["env"], json!({"B": "c"}));
    }
}
