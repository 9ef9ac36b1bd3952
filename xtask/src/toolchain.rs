//! Toolchains that can build std from its source, which takes unstable flags.

use crate::{
    probe,
    workspace::{Workspace, cargo},
};
use std::{
    env,
    ffi::OsString,
    path::Path,
    process::{Command, Stdio},
};

/// A toolchain that can build std.
pub(crate) struct Toolchain {
    pub(crate) name: &'static str,
    cargo: Vec<OsString>,
    rustc: Vec<OsString>,
    /// True for a stable toolchain, which takes unstable flags from those who insist.
    bootstrap: bool,
    /// What it runs on.
    pub(crate) host: String,
}

/// Looks into the libraries of a toolchain for a host. The error is what it lacks.
pub(crate) type Look = fn(rustlib: &Path, host: &str) -> Result<(), String>;

impl Toolchain {
    /// The first of rustup's nightly, the toolchain that runs us, and the system's that has the source of std, and what
    /// `look` looks for. If none will do, why.
    pub(crate) fn find(look: Look) -> Result<Self, String> {
        let words = |words: &[&str]| words.iter().map(Into::into).collect::<Vec<OsString>>();
        let candidate =
            |name, cargo, rustc, bootstrap| Self { name, cargo, rustc, bootstrap, host: String::new() };
        let candidates = [
            candidate(
                "rustup's nightly",
                words(&["rustup", "run", "nightly", "cargo"]),
                words(&["rustup", "run", "nightly", "rustc"]),
                false,
            ),
            candidate(
                "the toolchain of this cargo",
                vec![cargo()],
                vec![env::var_os("RUSTC").unwrap_or_else(|| "rustc".into())],
                true,
            ),
            candidate("the system's", words(&["/usr/bin/cargo"]), words(&["/usr/bin/rustc"]), true),
        ];
        let mut reasons = Vec::new();
        for mut candidate in candidates {
            match candidate.check(look) {
                Ok(host) => {
                    candidate.host = host;
                    return Ok(candidate);
                }
                Err(reason) => reasons.push(format!("{}: {reason}", candidate.name)),
            }
        }
        let install = "rustup toolchain install nightly --component rust-src";
        Err(format!("no toolchain will do: {} ({install})", reasons.join("; ")))
    }

    /// The host that it builds for, or what it lacks.
    fn check(&self, look: Look) -> Result<String, String> {
        let ask = |arguments: &[&str]| {
            let mut command = Command::new(&self.rustc[0]);
            command.args(&self.rustc[1..]).args(arguments).stdin(Stdio::null()).stderr(Stdio::null());
            let output = command.output().ok().filter(|output| output.status.success())?;
            Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
        };
        if !probe::answers(&self.cargo[0], &["--version"]) {
            return Err("not installed".into());
        }
        let (Some(about), Some(sysroot)) = (ask(&["-vV"]), ask(&["--print", "sysroot"])) else {
            return Err("not installed".into());
        };
        let about = About::read(&about).ok_or("rustc does not say its version")?;
        let rustlib = Path::new(&sysroot).join("lib/rustlib");
        lacks(&about, &rustlib)?;
        look(&rustlib, &about.host)?;
        Ok(about.host)
    }

    /// Cargo, with std built for this target.
    pub(crate) fn cargo(&self, workspace: &Workspace, chore: &str, target: &str) -> Command {
        let mut command = Command::new(&self.cargo[0]);
        command.args(&self.cargo[1..]).args([chore, "-Zbuild-std", "--target", target]);
        command.current_dir(&workspace.root);
        if self.bootstrap {
            command.env("RUSTC_BOOTSTRAP", "1").env("RUSTC", &self.rustc[0]);
        }
        command
    }
}

/// The answer of `rustc -vV`.
#[derive(Debug, PartialEq, Eq)]
struct About {
    host: String,
    version: (u32, u32),
}

impl About {
    fn read(text: &str) -> Option<Self> {
        let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        Some(Self { host: field("host")?.to_owned(), version: version(field("release")?)? })
    }
}

/// Major and minor.
fn version(text: &str) -> Option<(u32, u32)> {
    let mut parts = text.split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

/// What the toolchain lacks.
fn lacks(about: &About, rustlib: &Path) -> Result<(), String> {
    let (major, minor) = about.version;
    let needed = env!("CARGO_PKG_RUST_VERSION");
    if Some(about.version) < version(needed) {
        return Err(format!("it is {major}.{minor}, and {needed} is needed"));
    }
    if !rustlib.join("src/rust/library/std/Cargo.toml").exists() {
        return Err("without the source of std (component rust-src)".into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_compiler_says_its_version_and_host() {
        let text = "rustc 1.97.0-nightly (e50aa6fba 2026-05-19)\nbinary: rustc\nhost: x86_64-unknown-linux-gnu\n\
                    release: 1.97.0-nightly\n";
        let about = About { host: "x86_64-unknown-linux-gnu".into(), version: (1, 97) };
        assert_eq!(About::read(text), Some(about));
        assert_eq!(About::read("host: somewhere\n"), None);
    }

    #[test]
    fn what_a_toolchain_lacks_is_told_in_order() {
        let rustlib = tempfile::tempdir().expect("a folder");
        let lacks = |minor| lacks(&About { host: "here".into(), version: (1, minor) }, rustlib.path());
        assert!(lacks(63).expect_err("it is old").starts_with("it is 1.63, and 1."));
        assert!(lacks(999).expect_err("no source").contains("rust-src"));
        let source = rustlib.path().join("src/rust/library/std");
        fs::create_dir_all(&source).expect("it can be made");
        fs::write(source.join("Cargo.toml"), "").expect("it can be written");
        assert_eq!(lacks(999), Ok(()));
    }
}
