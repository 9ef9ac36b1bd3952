//! Each crate by itself with none of its features, with each alone, and with all: additive features must compile in
//! any combination, and a build of the whole workspace unites them and hides what a crate forgot to ask for.

use crate::{
    outcome::{Outcome, Stop},
    process::{self, Limit},
    workspace::{Features, Workspace, enabled, lacking},
};
use std::collections::BTreeSet;

/// Checks every combination, and names all that fail.
pub(crate) fn run(workspace: &Workspace) -> Outcome {
    let mut failed = Vec::new();
    for package in &workspace.packages {
        let mut usable = package.features.clone();
        for lacking in lacking() {
            usable.retain(|name, _| !enabled(&package.features, [name.as_str()]).contains(*lacking));
        }
        let whole = usable.len() == package.features.len();
        for combination in combinations(&usable) {
            if combination == Combination::All && !whole {
                println!(
                    "{} with all features: left out, the system lacks {}",
                    package.name,
                    lacking().join(" and ")
                );
                continue;
            }
            // Clippy rather than RUSTFLAGS: denying warnings by a flag of rustc's would rebuild every dependency.
            // No tests and benches here: their dependencies may switch features on.
            let mut command = workspace.cargo(&["clippy", "--quiet", "--package", &package.name]);
            command.args(combination.args()).args(["--", "-D", "warnings"]);
            if let Err(error) = process::run(command, Limit::BUILD) {
                println!("{} with {combination}: {error}", package.name);
                failed.push(format!("{} with {}", package.name, combination));
            }
        }
    }
    if failed.is_empty() { Ok(()) } else { Err(Stop::Failed(failed.join(", "))) }
}

/// One choice of features.
#[derive(Debug, PartialEq, Eq)]
enum Combination<'a> {
    None,
    One(&'a str),
    All,
}

impl Combination<'_> {
    fn args(&self) -> Vec<&str> {
        match self {
            Self::None => vec!["--no-default-features"],
            Self::One(feature) => vec!["--no-default-features", "--features", feature],
            Self::All => vec!["--all-features"],
        }
    }
}

impl std::fmt::Display for Combination<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::None => f.write_str("no features"),
            Self::One(feature) => f.write_str(feature),
            Self::All => f.write_str("all features"),
        }
    }
}

/// None, each alone, all; a choice that switches on the same features as an earlier one is left out.
fn combinations(features: &Features) -> Vec<Combination<'_>> {
    let each = features.keys().map(|name| (Combination::One(name), enabled(features, [name.as_str()])));
    let all = (Combination::All, features.keys().map(String::as_str).collect());
    let mut seen = BTreeSet::new();
    let chosen = [(Combination::None, BTreeSet::new())].into_iter().chain(each).chain([all]);
    // `default` says nothing of what is built with it, beyond the features that it names.
    let news = chosen.filter(|(_, on)| {
        seen.insert(on.iter().copied().filter(|name| *name != "default").collect::<BTreeSet<_>>())
    });
    news.map(|(combination, _)| combination).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn features(entries: &[(&str, &[&str])]) -> Features {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        entries.iter().map(|(name, enables)| ((*name).to_owned(), owned(enables))).collect()
    }

    #[test]
    fn a_crate_without_features_is_checked_once() {
        assert_eq!(combinations(&features(&[])), [Combination::None]);
    }

    #[test]
    fn none_each_and_all() {
        let features = features(&[("tracing", &["dep:tracing"]), ("test-util", &["dep:futures"])]);
        let expected =
            [Combination::None, Combination::One("test-util"), Combination::One("tracing"), Combination::All];
        assert_eq!(combinations(&features), expected);
    }

    #[test]
    fn all_of_one_feature_is_that_feature() {
        assert_eq!(
            combinations(&features(&[("tracing", &[])])),
            [Combination::None, Combination::One("tracing")]
        );
    }

    #[test]
    fn a_feature_that_names_all_others_stands_for_all() {
        let features = features(&[("a", &[]), ("b", &[]), ("full", &["a", "b"])]);
        let expected =
            [Combination::None, Combination::One("a"), Combination::One("b"), Combination::One("full")];
        assert_eq!(combinations(&features), expected);
    }

    #[test]
    fn default_is_what_it_names() {
        assert_eq!(combinations(&features(&[("default", &[])])), [Combination::None]);
        let features = features(&[("a", &[]), ("b", &[]), ("default", &["b"])]);
        let expected = [Combination::None, Combination::One("a"), Combination::One("b"), Combination::All];
        assert_eq!(combinations(&features), expected);
    }

    #[test]
    fn the_arguments_never_let_the_defaults_in_by_accident() {
        assert_eq!(Combination::None.args(), ["--no-default-features"]);
        assert_eq!(Combination::One("a").args(), ["--no-default-features", "--features", "a"]);
        assert_eq!(Combination::All.args(), ["--all-features"]);
    }
}
