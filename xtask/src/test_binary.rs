//! The programs that cargo makes of tests.

use crate::{
    outcome::Stop,
    process::{self, Limit},
    workspace::Workspace,
};
use serde_json::Value;
use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// A program that runs the tests of one target.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TestBinary {
    pub(crate) package: String,
    /// The name of the target: `it` for `tests/it/main.rs`, that of the library for its unit tests.
    pub(crate) target: String,
    program: PathBuf,
    /// The folder of the package, in which cargo runs its tests.
    folder: PathBuf,
}

impl TestBinary {
    /// Builds the tests as the step `test` does, and returns those of `packages`.
    pub(crate) fn build(workspace: &Workspace, packages: &[&str]) -> Result<Vec<Self>, Stop> {
        let build = ["test", "--workspace", "--lib", "--bins", "--tests", "--no-run"];
        let command = workspace.cargo_with(&build, &["--message-format=json-render-diagnostics"]);
        let messages = process::read(command, Limit::BUILD)?;
        let binaries = messages.lines().filter_map(|line| Self::from_message(workspace, line));
        Ok(binaries.filter(|binary| packages.contains(&binary.package.as_str())).collect())
    }

    fn from_message(workspace: &Workspace, line: &str) -> Option<Self> {
        let message: Value = serde_json::from_str(line).ok()?;
        let program = message["executable"].as_str()?;
        if message["reason"] != "compiler-artifact" || message["profile"]["test"] != true {
            return None;
        }
        let manifest = Path::new(message["manifest_path"].as_str()?);
        let package = workspace.packages.iter().find(|package| package.manifest == manifest)?;
        Some(Self {
            package: package.name.clone(),
            target: message["target"]["name"].as_str()?.to_owned(),
            program: program.into(),
            folder: manifest.parent()?.to_owned(),
        })
    }

    /// The names of its tests.
    pub(crate) fn tests(&self) -> Result<Vec<String>, Stop> {
        let failed = |error: String| Stop::Failed(format!("{self}: {error}"));
        let mut command = Command::new(&self.program);
        command.arg("--list").current_dir(&self.folder).stdin(Stdio::null()).stderr(Stdio::inherit());
        let output = command.output().map_err(|error| failed(error.to_string()))?;
        if !output.status.success() {
            return Err(failed(format!("--list: {}", output.status)));
        }
        Ok(listed(&String::from_utf8_lossy(&output.stdout)))
    }

    /// Runs it by `instrument`, whose arguments end with those of the tests.
    pub(crate) fn under(&self, mut instrument: Command, arguments: &[&str]) -> Command {
        instrument.arg(&self.program).args(arguments).current_dir(&self.folder);
        instrument
    }
}

impl std::fmt::Display for TestBinary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.package, self.target)
    }
}

/// Reads the lines `name: test`.
fn listed(output: &str) -> Vec<String> {
    output.lines().filter_map(|line| line.strip_suffix(": test")).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::Package;
    use serde_json::json;

    #[test]
    fn the_programs_of_tests_are_read_from_the_messages_of_cargo() {
        let package = Package {
            name: "core".into(),
            manifest: "/w/core/Cargo.toml".into(),
            features: Default::default(),
            examples: Vec::new(),
            programs: Default::default(),
            roots: Vec::new(),
        };
        let workspace = Workspace { packages: vec![package], ..Workspace::default() };
        let message = |test: bool, executable: Option<&str>, manifest: &str| {
            let message = json!({
                "reason": "compiler-artifact",
                "manifest_path": manifest,
                "target": { "name": "it" },
                "profile": { "test": test },
                "executable": executable,
            });
            TestBinary::from_message(&workspace, &message.to_string())
        };
        let (program, manifest) = (Some("/w/target/it-1"), "/w/core/Cargo.toml");
        let binary = TestBinary {
            package: "core".into(),
            target: "it".into(),
            program: "/w/target/it-1".into(),
            folder: "/w/core".into(),
        };
        assert_eq!(message(true, program, manifest), Some(binary));
        assert_eq!(message(false, program, manifest), None, "an example");
        assert_eq!(message(true, None, manifest), None, "a library");
        assert_eq!(message(true, program, "/elsewhere/Cargo.toml"), None);
        assert_eq!(TestBinary::from_message(&workspace, "no message"), None);
    }

    #[test]
    fn the_list_of_a_binary_is_read() {
        assert_eq!(listed("a::b: test\nc: benchmark\n\n1 test, 1 benchmark\n"), ["a::b"]);
    }
}
