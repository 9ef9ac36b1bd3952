//! `install`, `uninstall`, `list`, `start`, and the command as a whole: the rows CLI-01 to CLI-06 of the parity table, spelled
//! as clap does.

use std::{fs, path::Path};

use serde_json::Value;

use super::{Said, entries, run};

fn home() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

/// The kernelspec in a folder that the command has printed.
fn spec(said: &Said) -> Value {
    assert_eq!(said.code, Some(0), "{}", said.err);
    serde_json::from_slice(&fs::read(Path::new(said.out.trim()).join("kernel.json")).unwrap()).unwrap()
}

/// The arguments of a kernelspec behind the connection file.
fn extra(spec: &Value) -> Vec<&str> {
    spec["argv"].as_array().unwrap()[4..].iter().map(|word| word.as_str().unwrap()).collect()
}

#[test]
fn cli_01_without_arguments_there_is_help() {
    let home = home();
    for arguments in [&[][..], &["--help"], &["help"]] {
        let said = run(home.path(), arguments);
        assert_eq!((said.code, &*said.err), (Some(0), ""), "{arguments:?}");
        for word in ["Usage: caller-kernel", "install", "uninstall", "list", "run", "start", "--version"] {
            assert!(said.out.contains(word), "{word} is not in {}", said.out);
        }
    }
    for flag in ["-V", "--version"] {
        let said = run(home.path(), &[flag]);
        assert_eq!(
            (said.code, said.out),
            (Some(0), format!("caller-kernel {}\n", env!("CARGO_PKG_VERSION")))
        );
    }
    for (name, option) in [
        ("install", "--display-name"),
        ("uninstall", "--prefix"),
        ("list", "--folder"),
        ("run", "--keep-going"),
        ("start", "--connection-file"),
    ] {
        let said = run(home.path(), &[name, "--help"]);
        assert!(said.code == Some(0) && said.out.contains(option), "{}", said.out);
    }
    let said = run(home.path(), &["--help-all"]);
    assert_eq!((said.code, &*said.err), (Some(0), ""));
    for option in ["--version", "--display-name", "--prefix", "--folder", "--keep-going", "--connection-file"]
    {
        assert!(said.out.contains(option), "{option} is not in {}", said.out);
    }
    // No kernel was made, nor anything else.
    assert_eq!(entries(home.path()), [""; 0]);
}

#[test]
fn cli_02_a_kernelspec_is_installed_below_a_prefix() {
    let home = home();
    let prefix = home.path().join("env");
    let said = run(home.path(), &["install", "--name", "ours", "--prefix", prefix.to_str().unwrap()]);
    let folder = prefix.join("share/jupyter/kernels/ours");
    assert_eq!(Path::new(said.out.trim()), folder);
    let spec = spec(&said);
    let program = spec["argv"][0].as_str().unwrap();
    assert_eq!(
        fs::canonicalize(program).unwrap(),
        fs::canonicalize(env!("CARGO_BIN_EXE_caller-kernel")).unwrap()
    );
    let spec = spec.to_string().replace(&serde_json::to_string(program).unwrap(), "\"PROGRAM\"");
    let spec = spec.replace(env!("CARGO_PKG_VERSION"), "VERSION");
    // It says that it can be encrypted only if it can.
    let (spec, encrypts) = match spec.split_once(r#""supported_encryption":["curve"],"#) {
        Some((before, after)) => ([before, after].concat(), true),
        None => (spec, false),
    };
    assert_eq!(encrypts, cfg!(feature = "curve"));
    insta::assert_snapshot!(spec, @r#"{"argv":["PROGRAM","start","-f","{connection_file}"],"display_name":"Lua (ours)","interrupt_mode":"message","kernel_protocol_version":"5.5","language":"lua","metadata":{"caller-kernel":"VERSION","debugger":false,"supported_features":["kernel subshells"]}}"#);
    assert_eq!(entries(&folder), ["kernel.json", "logo-svg.svg"]);
}

#[test]
fn cli_03_settings_and_the_display_name_are_as_they_are_given() {
    let home = home();
    let said = run(
        home.path(),
        &[
            "install",
            "--display-name",
            "Ours, or  not",
            "--set",
            "name=a",
            "--set=history=c=d",
            "--",
            "--set",
            "name=",
        ],
    );
    let spec = spec(&said);
    assert_eq!(spec["display_name"], "Ours, or  not");
    assert_eq!(extra(&spec), ["--set", "name=a", "--set", "history=c=d", "--set", "name="]);
    // What the kernel would not start with is not installed.
    let said = run(home.path(), &["install", "--name", "other", "--", "--help"]);
    assert_eq!((said.code, &*said.out), (Some(2), ""));
    assert!(said.err.contains("with these arguments `start` prints help"), "{}", said.err);
    let said = run(home.path(), &["install", "--name", "other", "--", "--unknown"]);
    assert_eq!(said.code, Some(2));
    assert!(said.err.contains("unexpected argument '--unknown'"), "{}", said.err);
    assert!(!run(home.path(), &["list"]).out.contains("other"));
}

#[test]
fn cli_04_kernels_are_listed_and_removed() {
    let home = home();
    let list = || {
        let said = run(home.path(), &["-l", "--folder", "kernels"]).out;
        assert_eq!(said, run(home.path(), &["list", "--folder", "kernels"]).out);
        said
    };
    assert_eq!(list(), "no kernels are installed in kernels\n");
    for (name, shown) in [("a", "Lua"), ("longer", "Lua too")] {
        let said =
            run(home.path(), &["install", "--name", name, "--display-name", shown, "--folder", "kernels"]);
        assert_eq!(said.code, Some(0), "{}", said.err);
    }
    let slash = std::path::MAIN_SEPARATOR;
    assert_eq!(list(), format!("a       Lua      kernels{slash}a\nlonger  Lua too  kernels{slash}longer\n"));
    let said = run(home.path(), &["uninstall", "a", "--folder", "kernels"]);
    assert_eq!((said.code, said.out), (Some(0), format!("removed kernels{slash}a\n")));
    let said = run(home.path(), &["uninstall", "a", "--folder", "kernels"]);
    assert_eq!(
        (said.code, &*said.err),
        (Some(1), "caller-kernel: there is no kernel `a` in kernels; installed there: longer\n")
    );
    assert_eq!(entries(&home.path().join("kernels")), ["longer"]);
}

#[test]
fn cli_04_kernels_of_others_are_not_removed() {
    let home = home();
    let theirs = home.path().join("python3");
    fs::create_dir(&theirs).unwrap();
    fs::write(theirs.join("kernel.json"), r#"{"argv": [], "display_name": "P", "language": "python"}"#)
        .unwrap();
    let said = run(home.path(), &["uninstall", "python3", "--folder", "."]);
    assert_eq!(said.code, Some(1));
    assert!(said.err.contains("was not installed by caller-kernel"), "{}", said.err);
    assert!(theirs.join("kernel.json").exists());
}

#[test]
fn cli_05_names_are_checked() {
    let home = home();
    for name in ["", "a b", "a/b", "..", "-x", ".hid"] {
        let said = run(home.path(), &["install", &format!("--name={name}"), "--folder", "kernels"]);
        assert_eq!(said.code, Some(2), "{name:?}");
        assert!(said.err.contains(&format!("a kernel cannot be named {name:?}")), "{}", said.err);
        assert_eq!(run(home.path(), &["uninstall", "--folder", "kernels", "--", name]).code, Some(2));
    }
    assert_eq!(entries(home.path()), [""; 0]);
}

#[test]
fn cli_05_places_are_those_of_jupyter() {
    let home = home();
    let installed = |arguments: &[&str]| {
        let said = run(home.path(), &[&["install", "--name", "k"], arguments].concat());
        assert_eq!(said.code, Some(0), "{}", said.err);
        Path::new(said.out.trim()).to_owned()
    };
    assert_eq!(installed(&["--prefix", "~/env"]), home.path().join("env/share/jupyter/kernels/k"));
    assert_eq!(installed(&["--prefix=~"]), home.path().join("share/jupyter/kernels/k"));
    assert_eq!(installed(&["--folder", "~/kernels"]), home.path().join("kernels/k"));
    assert_eq!(installed(&[]), installed(&["--user"]));
    if cfg!(all(unix, not(target_os = "macos"))) {
        assert_eq!(installed(&["--user"]), home.path().join(".local/share/jupyter/kernels/k"));
    }
    let elsewhere = home.path().join("data");
    let output =
        super::command(home.path()).args(["list"]).env("JUPYTER_DATA_DIR", &elsewhere).output().unwrap();
    let said = super::said(output);
    assert_eq!(said.out, format!("no kernels are installed in {}\n", elsewhere.join("kernels").display()));
    // One place at a time.
    assert_eq!(run(home.path(), &["list", "--user", "--folder", "a"]).code, Some(2));
}

#[test]
fn cli_06_unknown_words_are_errors_that_suggest_the_nearest() {
    let home = home();
    let said = run(home.path(), &["uninstal", "a"]);
    assert_eq!(said.code, Some(2));
    assert!(
        said.err.contains("unrecognized subcommand 'uninstal'") && said.err.contains("'uninstall'"),
        "{}",
        said.err
    );
    let said = run(home.path(), &["run", "a.ipynb", "--keep-goin"]);
    assert_eq!(said.code, Some(2));
    assert!(said.err.contains("a similar argument exists: '--keep-going'"), "{}", said.err);
    for arguments in [
        &["start"][..],
        &["start", "-f", "k.json", "word"],
        &["start", "-f", "k.json", "--set", "a"],
        &["start", "-f", "k.json", "--set", "=a"],
        &["run"],
        &["run", "a.ipynb", "--timeout", "soon"],
        &["run", "a.ipynb", "--in-place", "--output", "b.ipynb"],
    ] {
        assert_eq!(run(home.path(), arguments).code, Some(2), "{arguments:?}");
    }
}
