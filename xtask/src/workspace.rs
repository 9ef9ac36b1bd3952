//! The workspace as `cargo metadata` tells of it.

use crate::probe;
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
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
    pub(crate) manifest: PathBuf,
    pub(crate) features: Features,
    pub(crate) examples: Vec<String>,
    /// Its programs, each with the features that it requires.
    pub(crate) programs: BTreeMap<String, Vec<String>>,
    /// The root files of the library and the programs.
    pub(crate) roots: Vec<PathBuf>,
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
        match lacking() {
            [] => command.arg("--all-features"),
            lacking => command.args(["--features", &self.features_without(lacking).join(",")]),
        };
        command.args(last);
        command
    }

    /// Every feature of every package that switches none of these on, each as cargo names it from the root.
    fn features_without(&self, lacking: &[&str]) -> Vec<String> {
        let of = |package: &Package| -> Vec<String> {
            let names = package.features.keys().filter(|name| *name != "default");
            let without = names.filter(|name| {
                let enabled = enabled(&package.features, [name.as_str()]);
                !lacking.iter().any(|feature| enabled.contains(*feature))
            });
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

/// The features that this machine cannot build.
pub(crate) fn lacking() -> &'static [&'static str] {
    match (probe::has_glib(), probe::has_gtk()) {
        (true, true) => &[],
        (true, false) => &["gtk"],
        // GTK is built on it.
        (false, _) => &["glib", "gtk"],
    }
}

impl Package {
    fn from_metadata(package: &Value) -> Option<Self> {
        let features = package["features"].as_object()?.iter().map(|(name, enables)| {
            Some((name.clone(), enables.as_array()?.iter().map(text).collect::<Option<_>>()?))
        });
        let targets = package["targets"].as_array()?;
        let of_kind = |wanted: &'static [&'static str]| {
            let is_wanted = |target: &&Value| {
                target["kind"].as_array().is_some_and(|kinds| {
                    kinds.iter().any(|kind| kind.as_str().is_some_and(|kind| wanted.contains(&kind)))
                })
            };
            targets.iter().filter(is_wanted)
        };
        Some(Self {
            name: text(&package["name"])?,
            manifest: package["manifest_path"].as_str()?.into(),
            features: features.collect::<Option<_>>()?,
            examples: of_kind(&["example"]).map(|target| text(&target["name"])).collect::<Option<_>>()?,
            programs: of_kind(&["bin"])
                .map(|target| {
                    let required = target["required-features"].as_array().into_iter().flatten();
                    Some((text(&target["name"])?, required.map(text).collect::<Option<_>>()?))
                })
                .collect::<Option<_>>()?,
            roots: of_kind(&["lib", "proc-macro", "bin"])
                .map(|target| Some(target["src_path"].as_str()?.into()))
                .collect::<Option<_>>()?,
        })
    }
}

/// The features of this crate that `names` switch on, themselves among them.
pub(crate) fn enabled<'a>(
    features: &'a Features,
    names: impl IntoIterator<Item = &'a str>,
) -> BTreeSet<&'a str> {
    let mut enabled = BTreeSet::new();
    let mut open: Vec<&str> = names.into_iter().collect();
    while let Some(name) = open.pop() {
        // An entry is another feature, `dep:crate`, `crate?/feature`, or `crate/feature`, which also switches on the
        // feature that an optional dependency has by its own name.
        let name = name.split_once('/').map_or(name, |(dependency, _)| dependency);
        if let Some((name, enables)) = features.get_key_value(name)
            && enabled.insert(name.as_str())
        {
            open.extend(enables.iter().map(String::as_str));
        }
    }
    enabled
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

    fn features(entries: &[(&str, &[&str])]) -> Features {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        entries.iter().map(|(name, enables)| ((*name).to_owned(), owned(enables))).collect()
    }

    #[test]
    fn what_cannot_be_built_is_left_out() {
        let package = |name: &str, entries: &[(&str, &[&str])]| Package {
            name: name.into(),
            manifest: PathBuf::new(),
            features: features(entries),
            examples: Vec::new(),
            programs: BTreeMap::new(),
            roots: Vec::new(),
        };
        let packages = vec![
            package("core", &[("glib", &["dep:glib"]), ("winit", &[]), ("gui", &["glib", "winit"])]),
            package("tokio", &[("default", &[]), ("net", &[])]),
        ];
        let workspace = Workspace { packages, ..Workspace::default() };
        assert_eq!(workspace.features_without(&["glib"]), ["core/winit", "tokio/net"]);
    }

    #[test]
    fn a_feature_of_a_dependency_switches_on_the_dependency_unless_it_is_weak() {
        let features =
            features(&[("serde", &["dep:serde"]), ("strong", &["serde/std"]), ("weak", &["serde?/std"])]);
        assert_eq!(enabled(&features, ["strong"]), ["serde", "strong"].into());
        assert_eq!(enabled(&features, ["weak"]), ["weak"].into());
    }

    #[test]
    fn features_examples_and_roots_are_read_from_the_metadata() {
        let metadata = json!({
            "workspace_root": "/w",
            "target_directory": "/w/target",
            "packages": [{
                "name": "core",
                "manifest_path": "/w/core/Cargo.toml",
                "features": { "tracing": ["dep:tracing"] },
                "targets": [
                    { "kind": ["lib"], "name": "core", "src_path": "/w/core/src/lib.rs" },
                    { "kind": ["example"], "name": "tour", "src_path": "/w/core/examples/tour.rs" },
                ],
            }],
        });
        let workspace = Workspace::from_metadata(&metadata).expect("well-formed");
        assert_eq!(workspace.target, PathBuf::from("/w/target"));
        let package = Package {
            name: "core".into(),
            manifest: "/w/core/Cargo.toml".into(),
            features: [("tracing".into(), vec!["dep:tracing".into()])].into(),
            examples: vec!["tour".into()],
            programs: BTreeMap::new(),
            roots: vec!["/w/core/src/lib.rs".into()],
        };
        assert_eq!(workspace.packages, [package]);
        assert!(Workspace::from_metadata(&json!({ "workspace_root": "/w" })).is_none());
    }
}
