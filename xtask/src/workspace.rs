//! The workspace as `cargo metadata` tells of it.

use crate::{features, system};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    env,
    ffi::OsString,
    path::PathBuf,
    process::{Command, Stdio},
};

/// Where the workspace is, and what it is made of.
#[derive(Default)]
pub(crate) struct Workspace {
    pub(crate) root: PathBuf,
    /// Follows `CARGO_TARGET_DIR`.
    pub(crate) target: PathBuf,
    pub(crate) packages: Vec<Package>,
    /// Whether this run is a CI machine's.
    pub(crate) ci: bool,
}

/// A member of the workspace.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) features: Features,
    pub(crate) examples: Vec<String>,
}

/// The names of features, each with what it switches on.
pub(crate) type Features = BTreeMap<String, Vec<String>>;

impl Workspace {
    /// Asks cargo about the workspace of the current directory.
    pub(crate) fn load() -> Result<Self, String> {
        let output = Command::new(cargo())
            .args(["metadata", "--no-deps", "--format-version", "1"])
            .stderr(Stdio::inherit())
            .output()
            .map_err(|error| format!("cargo metadata: {error}"))?;
        if !output.status.success() {
            return Err(format!("cargo metadata: {}", output.status));
        }
        let metadata =
            serde_json::from_slice(&output.stdout).map_err(|error| format!("cargo metadata: {error}"))?;
        let mut workspace =
            Self::from_metadata(&metadata).ok_or("cargo metadata: not in the form of version 1")?;
        workspace.ci = env::var("CI").is_ok_and(|value| value == "true" || value == "1");
        Ok(workspace)
    }

    /// A cargo of the toolchain that runs us, at the root of the workspace.
    pub(crate) fn cargo(&self, args: &[&str]) -> Command {
        let mut command = Command::new(cargo());
        command.args(args).current_dir(&self.root);
        command
    }

    /// A cargo over the whole workspace with every feature that this machine can build. `last` comes behind those.
    pub(crate) fn cargo_with(&self, args: &[&str], last: &[&str]) -> Command {
        let mut command = self.cargo(args);
        if system::has_glib() {
            command.arg("--all-features");
        } else {
            command.args(["--features", &self.features_without("glib").join(",")]);
        }
        command.args(last);
        command
    }

    /// Every feature of every package that does not switch this one on, each as cargo names it from the root.
    fn features_without(&self, feature: &str) -> Vec<String> {
        let of = |package: &Package| -> Vec<String> {
            let names = package.features.keys().filter(|name| *name != "default");
            let without =
                names.filter(|name| !features::enabled(&package.features, [name.as_str()]).contains(feature));
            without.map(|name| format!("{}/{name}", package.name)).collect()
        };
        self.packages.iter().flat_map(of).collect()
    }

    /// Whether `cargo WORD --version` answers, that is, whether this machine has that cargo command.
    pub(crate) fn has_cargo(&self, word: &str) -> bool {
        let mut command = self.cargo(&[word, "--version"]);
        let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
        status.is_ok_and(|status| status.success())
    }

    fn from_metadata(metadata: &Value) -> Option<Self> {
        Some(Self {
            root: metadata["workspace_root"].as_str()?.into(),
            target: metadata["target_directory"].as_str()?.into(),
            packages: metadata["packages"]
                .as_array()?
                .iter()
                .map(Package::from_metadata)
                .collect::<Option<_>>()?,
            ci: false,
        })
    }
}

impl Package {
    fn from_metadata(package: &Value) -> Option<Self> {
        let features = package["features"].as_object()?.iter().map(|(name, enables)| {
            Some((name.clone(), enables.as_array()?.iter().map(text).collect::<Option<_>>()?))
        });
        let is_example = |target: &&Value| {
            target["kind"].as_array().is_some_and(|kinds| kinds.contains(&"example".into()))
        };
        let examples = package["targets"].as_array()?.iter().filter(is_example);
        Some(Self {
            name: text(&package["name"])?,
            features: features.collect::<Option<_>>()?,
            examples: examples.map(|target| text(&target["name"])).collect::<Option<_>>()?,
        })
    }
}

/// Cargo says in `CARGO` which one it is; a bare `cargo` could be one of another toolchain.
pub(crate) fn cargo() -> OsString {
    env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_cannot_be_built_is_left_out() {
        let package = |name: &str, features: &[(&str, &[&str])]| Package {
            name: name.into(),
            features: features
                .iter()
                .map(|(name, on)| ((*name).to_owned(), on.iter().map(|on| (*on).to_owned()).collect()))
                .collect(),
            examples: Vec::new(),
        };
        let packages = vec![
            package("core", &[("glib", &["dep:glib"]), ("winit", &[]), ("gui", &["glib", "winit"])]),
            package("tokio", &[("default", &[]), ("net", &[])]),
        ];
        let workspace = Workspace { packages, ..Workspace::default() };
        assert_eq!(workspace.features_without("glib"), ["core/winit", "tokio/net"]);
    }

    #[test]
    fn features_and_examples_are_read_from_the_metadata() {
        let metadata = json!({
            "workspace_root": "/w",
            "target_directory": "/w/target",
            "packages": [{
                "name": "core",
                "features": { "tracing": ["dep:tracing"] },
                "targets": [
                    { "kind": ["lib"], "name": "core" },
                    { "kind": ["example"], "name": "tour" },
                ],
            }],
        });
        let workspace = Workspace::from_metadata(&metadata).expect("well-formed");
        assert_eq!(workspace.target, PathBuf::from("/w/target"));
        let package = Package {
            name: "core".into(),
            features: [("tracing".into(), vec!["dep:tracing".into()])].into(),
            examples: vec!["tour".into()],
        };
        assert_eq!(workspace.packages, [package]);
        assert!(Workspace::from_metadata(&json!({ "workspace_root": "/w" })).is_none());
    }
}
