//! `run`: notebooks that are good, that fail, that hang, and that are none.

use std::{fs, path::Path};

use caller_kernel::notebook::Notebook;

use super::{Said, command, entries, run, said};
use crate::notebook::notebook;

/// A folder with a notebook `a.ipynb` of these cells.
fn folder(cells: &[&str]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let cells: Vec<_> = cells.iter().map(|&source| (source, &[][..])).collect();
    notebook(&cells).write(folder.path().join("a.ipynb")).unwrap();
    folder
}

fn text(folder: &Path, name: &str) -> String {
    fs::read_to_string(folder.join(name)).unwrap()
}

/// What it said, with the time left out.
fn summary(said: &Said) -> String {
    let (before, after) = said.out.split_once(" ran in ").unwrap();
    let (_, after) = after.split_once(" s").unwrap();
    format!("{before} ran{after}")
}

#[test]
fn a_good_notebook_has_its_outputs_beside_it() {
    let folder = folder(&["print('said')", "6 * 7"]);
    let before = text(folder.path(), "a.ipynb");
    let said = run(folder.path(), &["run", "a.ipynb"]);
    assert_eq!((said.code, &*said.err), (Some(0), ""));
    assert_eq!(summary(&said), "2 cells ran; written to a.out.ipynb\n");
    assert_eq!(text(folder.path(), "a.ipynb"), before);
    let written = text(folder.path(), "a.out.ipynb");
    assert!(written.contains("\"said\\n\"") && written.contains("\"42\""), "{written}");
    assert_eq!(entries(folder.path()), ["a.ipynb", "a.out.ipynb"]);
}

#[test]
fn outputs_go_where_they_are_told_to() {
    let folder = folder(&["6 * 7"]);
    let said = run(folder.path(), &["run", "a.ipynb", "--output", "b.ipynb"]);
    assert_eq!((said.code, &*summary(&said)), (Some(0), "1 cell ran; written to b.ipynb\n"));
    let said = run(folder.path(), &["run", "a.ipynb", "-o", "-"]);
    assert_eq!(said.out, text(folder.path(), "b.ipynb"));
    assert_eq!(entries(folder.path()), ["a.ipynb", "b.ipynb"]);
    assert_eq!(run(folder.path(), &["run", "a.ipynb", "--in-place"]).code, Some(0));
    assert_eq!(text(folder.path(), "a.ipynb"), said.out);
    // It is known before a cell runs that nothing could be written.
    let said = run(folder.path(), &["run", "a.ipynb", "-o", "no/b.ipynb"]);
    assert_eq!(
        (said.code, &*said.err),
        (Some(2), "caller-kernel: cannot write no/b.ipynb: there is no folder no; make it first\n")
    );
}

#[test]
fn a_folder_is_no_place_for_outputs_and_no_cell_runs_for_it() {
    let folder = folder(&["io.open('ran', 'w'):close()"]);
    fs::create_dir(folder.path().join("b")).unwrap();
    for name in ["b", "b/", "."] {
        let said = run(folder.path(), &["run", "a.ipynb", "-o", name]);
        assert_eq!((said.code, &*said.out), (Some(2), ""), "{name}");
        assert!(said.err.starts_with(&format!("caller-kernel: cannot write {name}: ")), "{}", said.err);
    }
    assert_eq!(entries(folder.path()), ["a.ipynb", "b"]);
}

#[cfg(unix)]
#[test]
fn what_is_no_file_is_written_into() {
    use std::{io::Read, os::unix::fs::FileTypeExt, process::Command};
    let folder = folder(&["6 * 7"]);
    let pipe = folder.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    // Open for both, nobody waits for the other.
    let mut reader = fs::OpenOptions::new().read(true).write(true).open(&pipe).unwrap();
    let said = run(folder.path(), &["run", "a.ipynb", "-o", "pipe"]);
    assert_eq!((said.code, &*summary(&said)), (Some(0), "1 cell ran; written to pipe\n"));
    assert!(fs::metadata(&pipe).unwrap().file_type().is_fifo());
    let mut text = vec![0; 1 << 16];
    let size = reader.read(&mut text).unwrap();
    let text = String::from_utf8(text[..size].to_vec()).unwrap();
    assert_eq!(Notebook::parse(&text).unwrap().to_text(), text);
    assert_eq!(entries(folder.path()), ["a.ipynb", "pipe"]);
}

#[cfg(target_os = "linux")]
#[test]
fn stdout_has_a_path_too() {
    let folder = folder(&["6 * 7"]);
    std::os::unix::fs::symlink("/proc/self/fd/1", folder.path().join("out")).unwrap();
    let said = run(folder.path(), &["run", "a.ipynb", "-o", "out"]);
    assert_eq!((said.code, &*said.err), (Some(0), ""));
    assert!(said.out.starts_with("{\n \"cells\""), "{}", said.out);
    assert!(folder.path().join("out").is_symlink());
}

#[cfg(unix)]
#[test]
fn a_link_to_nothing_yet_is_followed() {
    use std::os::unix::fs::symlink;
    let folder = folder(&["6 * 7"]);
    fs::create_dir(folder.path().join("sub")).unwrap();
    symlink("sub/other", folder.path().join("link")).unwrap();
    symlink("real", folder.path().join("sub/other")).unwrap();
    assert_eq!(run(folder.path(), &["run", "a.ipynb", "-o", "link"]).code, Some(0));
    assert_eq!(entries(folder.path()), ["a.ipynb", "link", "sub"]);
    assert_eq!(entries(&folder.path().join("sub")), ["other", "real"]);
    assert!(folder.path().join("sub/other").is_symlink() && folder.path().join("link").is_symlink());
    symlink("b", folder.path().join("c")).unwrap();
    symlink("c", folder.path().join("b")).unwrap();
    assert_eq!(run(folder.path(), &["run", "a.ipynb", "-o", "b"]).code, Some(2));
}

#[cfg(unix)]
#[test]
fn a_file_that_may_not_be_written_is_not_replaced() {
    use std::os::unix::fs::PermissionsExt;
    let folder = folder(&["6 * 7"]);
    let path = folder.path().join("a.ipynb");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o444)).unwrap();
    // Root may write everywhere.
    let may = fs::OpenOptions::new().write(true).open(&path).is_ok();
    let said = run(folder.path(), &["run", "a.ipynb", "--in-place"]);
    assert_eq!(said.code, Some(if may { 0 } else { 2 }), "{}", said.err);
}

#[cfg(unix)]
#[test]
fn what_stdout_does_not_take_is_a_failure() {
    let folder = folder(&["6 * 7"]);
    // No file may grow: the nearest to a full disk.
    let script = "trap '' XFSZ; ulimit -f 0; exec \"$0\" run a.ipynb -o - > out";
    let mut shell = std::process::Command::new("sh");
    let shell = shell.args(["-c", script, env!("CARGO_BIN_EXE_caller-kernel")]).current_dir(folder.path());
    let said = said(shell.output().unwrap());
    assert_eq!(said.code, Some(1));
    assert!(said.err.starts_with("caller-kernel: cannot write stdout: "), "{}", said.err);
}

#[test]
fn a_cell_that_fails_is_told_with_its_line() {
    let folder = folder(&["print('before')", "local a = 1\nerror('no')", "print('never')"]);
    let said = run(folder.path(), &["run", "a.ipynb"]);
    assert_eq!(
        (said.code, &*summary(&said)),
        (Some(1), "2 of 3 cells ran, 1 failed; written to a.out.ipynb\n")
    );
    insta::assert_snapshot!(said.err, @r"
    caller-kernel: cell 2 failed in line 2: error('no')
    Error: In [2]:2: no
      In [2]:2: in the cell
        2 │ error('no')
    ");
    let written = text(folder.path(), "a.out.ipynb");
    assert!(written.contains("before") && written.contains("\"evalue\": \"In [2]:2: no\""), "{written}");

    let said = run(folder.path(), &["run", "a.ipynb", "--keep-going"]);
    assert_eq!((said.code, &*summary(&said)), (Some(1), "3 cells ran, 1 failed; written to a.out.ipynb\n"));
}

#[test]
fn a_cell_that_hangs_is_stopped() {
    let folder = folder(&["print('begun')\nwhile true do end"]);
    let said = run(folder.path(), &["run", "a.ipynb", "--timeout", "0.3"]);
    assert_eq!(said.code, Some(1));
    insta::assert_snapshot!(said.err, @r"
    caller-kernel: cell 1 failed in line 2: while true do end
    TimeoutError: stopped after 0.3 s; give the cell more time, or less to do
      In [1]:2: in the cell
        2 │ while true do end
    ");
    assert!(text(folder.path(), "a.out.ipynb").contains("begun"));
}

#[test]
fn a_question_is_an_error() {
    let folder = folder(&["input('who? ')"]);
    let said = run(folder.path(), &["run", "a.ipynb"]);
    assert_eq!(said.code, Some(1));
    assert!(said.err.contains("nobody is there to answer"), "{}", said.err);
}

#[test]
fn what_is_no_notebook_of_ours_is_not_run() {
    let folder = tempfile::tempdir().unwrap();
    let failed = |name: &str, text: &str| {
        fs::write(folder.path().join(name), text).unwrap();
        let said = run(folder.path(), &["run", name]);
        assert_eq!((said.code, &*said.out), (Some(2), ""));
        said.err
    };
    let errors = [
        failed("garbage.ipynb", "not json"),
        failed("old.ipynb", r#"{"nbformat": 3, "nbformat_minor": 0, "metadata": {}, "worksheets": []}"#),
        failed(
            "python.ipynb",
            r#"{"nbformat": 4, "cells": [], "metadata": {"language_info": {"name": "python"}}}"#,
        ),
    ];
    insta::assert_snapshot!(errors.concat(), @r"
    caller-kernel: garbage.ipynb: this is no notebook: expected ident at line 1 column 2
    caller-kernel: old.ipynb: this is a notebook of format 3, and 4 is needed; convert it with `jupyter nbconvert --to notebook`
    caller-kernel: python.ipynb: this is a notebook of python, and lua is needed; run it with a kernel of its own
    ");
    let said = run(folder.path(), &["run", "none.ipynb"]);
    assert_eq!(said.code, Some(2));
    assert!(said.err.starts_with("caller-kernel: cannot read none.ipynb: "), "{}", said.err);
    assert_eq!(entries(folder.path()), ["garbage.ipynb", "old.ipynb", "python.ipynb"]);
}

/// The cell itself sends the signal, so it comes while the cell runs. (Not by `os.execute`, which takes no interrupts.)
#[cfg(unix)]
#[test]
fn an_interrupt_writes_what_there_is() {
    for signal in ["INT", "TERM"] {
        let send = format!("print('begun')\nio.popen('kill -{signal} $PPID'):close()\nwhile true do end");
        let folder = folder(&["print('before')", &send, "print('never')"]);
        let said = said(command(folder.path()).args(["run", "a.ipynb", "--keep-going"]).output().unwrap());
        assert_eq!(
            (said.code, &*summary(&said)),
            (Some(130), "2 of 3 cells ran, 1 failed; written to a.out.ipynb\n")
        );
        assert!(
            said.err.starts_with("caller-kernel: cell 2 failed in line ")
                && said.err.ends_with("caller-kernel: interrupted\n"),
            "{}",
            said.err
        );
        let written = text(folder.path(), "a.out.ipynb");
        assert!(written.contains("\"ename\": \"Interrupted\"") && written.contains("begun"), "{written}");
    }
}

/// The notebook that shows what there is.
#[test]
fn the_tour_runs() {
    let tour = Path::new(env!("CARGO_MANIFEST_DIR")).join("notebooks").join("tour.ipynb");
    let folder = tempfile::tempdir().unwrap();
    let said =
        run(folder.path(), &["run", tour.to_str().unwrap(), "--output", "tour.ipynb", "--timeout", "60"]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    // It is stored without outputs, and as it is written.
    let stored = fs::read_to_string(&tour).unwrap();
    assert_eq!(Notebook::parse(&stored).unwrap().to_text(), stored);
    let cells: serde_json::Value = serde_json::from_str(&stored).unwrap();
    for cell in cells["cells"].as_array().unwrap().iter().filter(|cell| cell["cell_type"] == "code") {
        assert!(
            cell["outputs"].as_array().unwrap().is_empty() && cell["execution_count"].is_null(),
            "{cell}"
        );
    }
}
