//! Every example is built, and run as a user would run it.

use crate::{
    outcome::{Outcome, Stop},
    probe,
    process::{self, Limit},
    workspace::{Workspace, lacking},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    env::consts::EXE_SUFFIX,
    process::Command,
};

/// Each example with its arguments. They run at the root of the workspace, without standard input.
const EXAMPLES: &[Example] = &[
    Example { name: "toy_backend", args: &[], window: false },
    Example { name: "tour", args: &[], window: false },
    Example { name: "checksums", args: &["caller-core/src"], window: false },
    Example { name: "lives", args: &[], window: false },
    Example { name: "embed", args: &["--seconds", "1"], window: false },
    Example { name: "lua_scripts", args: &[], window: false },
    Example { name: "soak", args: &["--minutes", "0.05"], window: false },
    Example { name: "axum_sqlite", args: &["--port", "0", "--seconds", "1"], window: false },
    Example { name: "gtk_downloads", args: &["--files", "6", "--quit"], window: true },
    Example { name: "eframe_measurements", args: &["--rows", "5000", "--seconds", "2"], window: true },
    Example { name: "winit_clock", args: &["--seconds", "2"], window: true },
];

/// Those that another step runs: they run until they are told to end, by a client or a key.
const ELSEWHERE: &[(&str, &str)] = &[("sockets", "jupyter"), ("ratatui_jobs", "test")];

struct Example {
    name: &'static str,
    args: &'static [&'static str],
    /// It opens a window, and so needs a display.
    window: bool,
}

/// Builds all examples, runs each of the table, and names those that failed.
pub(crate) fn run(workspace: &Workspace) -> Outcome {
    let elsewhere = ELSEWHERE.iter().map(|(name, _)| *name);
    let known: BTreeSet<&str> = EXAMPLES.iter().map(|example| example.name).chain(elsewhere).collect();
    // The programs of packages that are examples as a whole.
    let folder = workspace.root.join("examples");
    let whole = workspace.packages.iter().filter(|package| package.manifest.starts_with(&folder));
    let programs: BTreeMap<&str, &[String]> =
        whole.flat_map(|package| &package.programs).map(|(name, needs)| (&**name, &**needs)).collect();
    let examples = workspace.packages.iter().flat_map(|package| &package.examples).map(String::as_str);
    let present = examples.chain(programs.keys().copied()).collect();
    let mut wrong = mismatches(&known, &present);

    // With the features of the tests, so that both share what they build.
    let mut build = workspace.cargo_with(&["build", "--workspace", "--examples"], &[]);
    let is_lacking = |feature: &String| lacking().contains(&feature.as_str());
    let is_built = |name: &str| !programs.get(name).is_some_and(|needs| needs.iter().any(is_lacking));
    for program in programs.keys().filter(|program| is_built(program)) {
        build.args(["--bin", program]);
    }
    process::run(build, Limit::BUILD)?;
    for (name, step) in ELSEWHERE {
        println!("{name}: run by the step {step}");
    }
    for example in EXAMPLES.iter().filter(|example| present.contains(example.name)) {
        if !is_built(example.name) {
            println!("{}: skipped, the system lacks {}", example.name, lacking().join(" and "));
            continue;
        }
        // The program itself rather than `cargo run`, which unites features over fewer crates and builds them again.
        let folder = if programs.contains_key(example.name) { "debug" } else { "debug/examples" };
        let program = workspace.target.join(folder).join(format!("{}{EXE_SUFFIX}", example.name));
        let mut command = if example.window {
            if !probe::has_display() {
                println!("{}: skipped, there is no Xvfb here", example.name);
                continue;
            }
            let mut command = Command::new("xvfb-run");
            command.arg("--auto-servernum").arg(program).env_remove("WAYLAND_DISPLAY");
            // For GTK, on a display that can do little.
            command.envs([("GDK_BACKEND", "x11"), ("GSK_RENDERER", "cairo"), ("GTK_A11Y", "none")]);
            command
        } else {
            Command::new(program)
        };
        command.args(example.args).current_dir(&workspace.root);
        if let Err(failure) = process::run(command, Limit::EXAMPLE) {
            wrong.push(format!("{}: {failure}", example.name));
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(Stop::Failed(wrong.join(", "))) }
}

/// An example that nobody runs rots, and a line of the table without an example checks nothing: both are told.
fn mismatches(known: &BTreeSet<&str>, present: &BTreeSet<&str>) -> Vec<String> {
    let missing = known.difference(present).map(|name| format!("{name}: there is no such example"));
    let unlisted =
        present.difference(known).map(|name| format!("{name}: not in the table of xtask's examples.rs"));
    missing.chain(unlisted).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_example_is_in_the_table_and_in_the_workspace_or_told() {
        let told = mismatches(&["gone", "tour"].into(), &["new", "tour"].into());
        assert_eq!(told, ["gone: there is no such example", "new: not in the table of xtask's examples.rs"]);
        assert!(mismatches(&["tour"].into(), &["tour"].into()).is_empty());
    }
}
