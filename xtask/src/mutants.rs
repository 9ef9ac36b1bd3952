//! Mutants of the core: faults that cargo-mutants plants one by one, and that the tests have to find.

use crate::{
    outcome::{Outcome, Stop, conclude},
    process::{self, Failure, Limit},
    tool::Tool,
    workspace::Workspace,
};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    ffi::OsString,
    fmt, fs,
    path::Path,
    process::{Command, ExitCode},
    time::Duration,
};

/// Plants faults in files of caller-core, and looks whether the tests of caller-core and caller-tokio find them.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Files of caller-core, from the root of the workspace; unless given, those on the way of a call
    #[arg(value_name = "FILE")]
    files: Vec<String>,
    /// Passed on to cargo-mutants, after `--`
    #[arg(last = true, value_name = "ARGS")]
    rest: Vec<OsString>,
}

const MUTANTS: Tool = Tool { name: "cargo-mutants", version: "27.1.0" };

/// Files are chosen that have a folder or a name beginning with one of these.
const SUBJECTS: [&str; 9] =
    ["call", "scheduler", "pending", "group", "lock", "queue", "completed", "pool", "timer"];

/// The survivors that are explained, from the root of the workspace.
const EXPLAINED: &str = "caller-core/mutants.toml";

/// The share of the viable mutants, in percent, at which there are too many survivors.
const TOO_MANY: f64 = 5.0;

/// Hundreds of builds.
const LIMIT: Limit = Limit::of(Duration::from_hours(24));

/// The chore.
pub(crate) fn main(args: Args) -> Result<ExitCode, String> {
    let workspace = Workspace::load()?;
    process::stop_children_with_us();
    conclude(run(&workspace, &args), workspace.ci)
}

fn run(workspace: &Workspace, args: &Args) -> Outcome {
    let text = fs::read_to_string(workspace.root.join(EXPLAINED)).unwrap_or_default();
    let explained = Explained::read(&text).map_err(|why| Stop::Failed(format!("{EXPLAINED}: {why}")))?;
    let files = if args.files.is_empty() { subjects(&workspace.root) } else { args.files.clone() };
    for file in &files {
        if !workspace.root.join(file).is_file() {
            return Err(Stop::Failed(format!(
                "{file}: there is no such file under {}",
                workspace.root.display()
            )));
        }
    }
    let program = match MUTANTS.find(workspace) {
        Some(program) => program,
        None => MUTANTS.install(workspace)?,
    };
    let folder = workspace.target.join("mutants");
    let mut command = Command::new(program);
    command
        .arg("mutants")
        .current_dir(&workspace.root)
        .args(arguments(&files, workspace.has_cargo("nextest")));
    command.arg("--output").arg(&folder);
    let own = args.rest.iter().take_while(|argument| *argument != "--");
    command.args(own);
    command
        // One for all runs, so that dependencies are built once.
        .env("CARGO_TARGET_DIR", folder.join("target"))
        .env("CARGO_PROFILE_DEV_DEBUG", "0")
        .env("INSTA_UPDATE", "no");
    match process::run(command, LIMIT) {
        // Its exit codes for survivors and for timeouts, which are read from its results.
        Err(Failure::Exited(status)) if matches!(status.code(), Some(2 | 3)) => {}
        ended => ended?,
    }
    let results = folder.join("mutants.out/outcomes.json");
    let read = fs::read(&results).map_err(|error| error.to_string());
    let report = read
        .and_then(|bytes| serde_json::from_slice(&bytes).map_err(|error| error.to_string()))
        .and_then(|outcomes| Report::read(&outcomes).ok_or("not in the form of cargo-mutants".into()))
        .map_err(|error: String| Stop::Failed(format!("{}: {error}", results.display())))?;
    report.judge(explained)
}

/// The arguments for these files.
fn arguments(files: &[String], nextest: bool) -> Vec<String> {
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let mut arguments: Vec<String> = files.iter().flat_map(|file| ["--file".into(), file.clone()]).collect();
    arguments.extend(words(&["--package", "caller-core"]));
    arguments.extend(words(&["--test-package", "caller-core", "--test-package", "caller-tokio"]));
    // Examples are not built, and so the tests that run one are left out.
    for argument in ["--lib", "--tests"] {
        arguments.push(format!("--cargo-test-arg={argument}"));
    }
    if nextest {
        arguments.push("--test-tool=nextest".into());
        arguments.push("--cargo-test-arg=-Enot test(/^checksums::/)".into());
    } else {
        arguments.extend(words(&[
            "--cargo-test-arg=--",
            "--cargo-test-arg=--skip",
            "--cargo-test-arg=checksums::",
        ]));
    }
    arguments
}

/// The files on the way of a call, sorted.
fn subjects(root: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut open = vec!["caller-core/src".to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(root.join(&folder)).into_iter().flatten().flatten() {
            let path = format!("{folder}/{}", entry.file_name().to_string_lossy());
            if entry.path().is_dir() {
                open.push(path);
            } else if is_subject(&path) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn is_subject(path: &str) -> bool {
    let Some(inside) = path.strip_prefix("caller-core/src/").and_then(|inside| inside.strip_suffix(".rs"))
    else {
        return false;
    };
    let names = || inside.split(['/', '_']);
    let is_test = names().next() == Some("testing") || inside == "loom_models";
    let is_named = |name: &str| SUBJECTS.iter().any(|subject| name.starts_with(subject));
    // The handle of a caller is not the way of a call.
    !is_test && names().any(|name| is_named(name) && !name.starts_with("caller"))
}

/// The fates of the mutants.
#[derive(Debug, Default, PartialEq, Eq)]
struct Report {
    caught: usize,
    timed_out: usize,
    unviable: usize,
    /// In the words of cargo-mutants, without the line.
    survived: Vec<String>,
}

impl Report {
    fn read(outcomes: &Value) -> Option<Self> {
        let mut report = Self::default();
        for outcome in outcomes["outcomes"].as_array()? {
            let Some(mutant) = outcome["scenario"].get("Mutant") else { continue };
            match outcome["summary"].as_str()? {
                "CaughtMutant" => report.caught += 1,
                "Timeout" => report.timed_out += 1,
                "Unviable" => report.unviable += 1,
                "MissedMutant" => report.survived.push(without_line(mutant["name"].as_str()?)),
                _ => return None,
            }
        }
        report.survived.sort();
        Some(report)
    }

    fn viable(&self) -> usize {
        self.caught + self.timed_out + self.survived.len()
    }

    /// Survivors in percent of the viable mutants.
    fn share(&self) -> f64 {
        let count = |number: usize| f64::from(u32::try_from(number).unwrap_or(u32::MAX));
        100.0 * count(self.survived.len()) / count(self.viable()).max(1.0)
    }

    /// Prints the survivors and the share. It fails if they are too many, or one is not explained.
    fn judge(&self, mut explained: Explained) -> Outcome {
        let mut unexplained = 0;
        for mutant in &self.survived {
            let reason = explained.take(mutant).unwrap_or_else(|| {
                unexplained += 1;
                "NOT EXPLAINED".into()
            });
            println!("survived: {mutant}\n    {reason}");
        }
        println!("{self}");
        if self.viable() == 0 {
            return Err(Stop::Failed("no mutant could be built".into()));
        }
        let mut wrong = Vec::new();
        if self.share() >= TOO_MANY {
            wrong.push(format!(
                "{:.1} % of the viable mutants survive, {TOO_MANY} % are too many",
                self.share()
            ));
        }
        if unexplained > 0 {
            wrong.push(format!("survivors without a reason in {EXPLAINED}: {unexplained}"));
        }
        if wrong.is_empty() { Ok(()) } else { Err(Stop::Failed(wrong.join("; "))) }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { caught, timed_out, unviable, survived } = self;
        write!(f, "{} viable mutants: {caught} caught, {timed_out} timed out, ", self.viable())?;
        write!(f, "{} survived ({:.1} %); {unviable} could not be built", survived.len(), self.share())
    }
}

/// `caller-core/src/pool.rs:12:5: replace …` without the line, which changes with every edit above it.
fn without_line(name: &str) -> String {
    let mut parts = name.splitn(4, ':');
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(file), Some(_line), Some(_column), Some(what)) => format!("{file}:{what}"),
        _ => name.to_owned(),
    }
}

/// Reasons why mutants survive, each good for as many mutants of its words as it is listed.
#[derive(Debug, Default)]
struct Explained(BTreeMap<String, Vec<String>>);

impl Explained {
    /// Reads tables `[[survivor]]` with the keys `mutant` and `reason`.
    fn read(text: &str) -> Result<Self, String> {
        let table: toml::Table = text.parse().map_err(|error: toml::de::Error| error.to_string())?;
        let mut explained = Self::default();
        if let Some(unknown) = table.keys().find(|key| *key != "survivor") {
            return Err(format!("unknown key {unknown:?}"));
        }
        for entry in table.get("survivor").and_then(toml::Value::as_array).into_iter().flatten() {
            let field = |name: &str| {
                let text =
                    entry.get(name).and_then(toml::Value::as_str).filter(|text| !text.trim().is_empty());
                text.ok_or_else(|| format!("a survivor without {name}"))
            };
            explained.0.entry(field("mutant")?.to_owned()).or_default().push(field("reason")?.to_owned());
        }
        Ok(explained)
    }

    fn take(&mut self, mutant: &str) -> Option<String> {
        self.0.get_mut(mutant)?.pop()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn report(caught: usize, survived: &[&str]) -> Report {
        let survived = survived.iter().map(|mutant| (*mutant).to_owned()).collect();
        Report { caught, survived, ..Report::default() }
    }

    #[test]
    fn the_way_of_a_call_is_chosen() {
        let inside = |path: &str| is_subject(&format!("caller-core/src/{path}.rs"));
        for chosen in
            ["call", "call/cell", "queue/single", "fn_queue/turn", "queued", "sync/lock/raw", "pool"]
        {
            assert!(inside(chosen), "{chosen}");
        }
        for other in ["caller", "caller_id", "blocked", "context", "testing/conformance/calls", "loom_models"]
        {
            assert!(!inside(other), "{other}");
        }
        assert!(!is_subject("caller-core/src/queue.md") && !is_subject("caller-tokio/src/queue.rs"));
    }

    #[test]
    fn the_results_are_read_without_lines() {
        let outcome = |summary: &str, line: u32| {
            let name =
                format!("caller-core/src/pool.rs:{line}:9: replace Pool::take -> Vec<a::B> with vec![]");
            json!({ "scenario": { "Mutant": { "name": name } }, "summary": summary })
        };
        let outcomes = json!({ "outcomes": [
            { "scenario": "Baseline", "summary": "Success" },
            outcome("CaughtMutant", 1),
            outcome("Timeout", 2),
            outcome("Unviable", 3),
            outcome("MissedMutant", 4),
        ] });
        let survived = vec!["caller-core/src/pool.rs: replace Pool::take -> Vec<a::B> with vec![]".into()];
        let report = Report { caught: 1, timed_out: 1, unviable: 1, survived };
        assert_eq!(Report::read(&outcomes).as_ref(), Some(&report));
        assert_eq!(
            report.to_string(),
            "3 viable mutants: 1 caught, 1 timed out, 1 survived (33.3 %); 1 could not be built"
        );
    }

    #[test]
    fn a_survivor_wants_a_reason() {
        let explained = || {
            let text = "[[survivor]]\nmutant = \"a\"\nreason = \"nobody can see it\"\n";
            Explained::read(text).expect("well-formed")
        };
        assert_eq!(report(99, &["a"]).judge(explained()), Ok(()));
        assert!(report(99, &["b"]).judge(explained()).is_err());
        assert!(report(99, &["a", "a"]).judge(explained()).is_err(), "a reason is good for one mutant");
    }

    #[test]
    fn five_in_a_hundred_are_too_many() {
        let explained = |number: usize| {
            Explained::read(&"[[survivor]]\nmutant = \"a\"\nreason = \"none\"\n".repeat(number))
                .expect("well-formed")
        };
        assert_eq!(report(96, &["a"; 4]).judge(explained(4)), Ok(()));
        assert!(report(95, &["a"; 5]).judge(explained(5)).is_err());
        assert!(report(0, &[]).judge(explained(0)).is_err(), "nothing was shown");
    }

    #[test]
    fn a_list_that_is_wrong_is_refused() {
        for wrong in [
            "[[survivor]]\nmutant = \"a\"",
            "[[survivor]]\nmutant = \"a\"\nreason = \" \"",
            "[[survivors]]",
            "=",
        ] {
            assert!(Explained::read(wrong).is_err(), "{wrong}");
        }
        assert!(Explained::read("").is_ok());
    }
}
