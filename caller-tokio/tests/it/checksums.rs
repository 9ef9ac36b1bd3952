//! The example `checksums`, beside the `sha256sum` of coreutils.

use std::{
    ffi::OsStr,
    fs,
    io::{BufRead, BufReader, Read},
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use nix::{
    pty::openpty,
    sys::{
        signal::{Signal, kill},
        stat::Mode,
    },
    unistd::{Pid, mkfifo},
};

/// The example as cargo has built it, beside the test.
fn checksums() -> Command {
    let test = std::env::current_exe().expect("a test is a program");
    let program = test.ancestors().nth(2).expect("it is in `deps`").join("examples/checksums");
    assert!(program.exists(), "{} is built with the tests", program.display());
    Command::new(program)
}

fn run(command: &mut Command) -> Output {
    command.stdin(Stdio::null()).output().expect("the program can be run")
}

/// A tree with every kind of name that coreutils treats in a way of its own.
fn tree() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let names: [&[u8]; 8] = [
        b"plain",
        b"with space",
        b"back\\slash",
        b"new\nline",
        b"carriage\rreturn",
        b"not utf-8 \xff",
        b"deep/er/file",
        b"empty",
    ];
    for (at, name) in names.into_iter().enumerate() {
        let path = folder.path().join(OsStr::from_bytes(name));
        fs::create_dir_all(path.parent().expect("it is in the folder")).expect("a folder can be made");
        let content = if name == b"empty" { Vec::new() } else { vec![at as u8; 300_000 * at + 1] };
        fs::write(path, content).expect("a file can be written");
    }
    folder
}

/// All files under a folder, in the order in which they are walked.
fn files(folder: &Path) -> Vec<PathBuf> {
    let walk = walkdir::WalkDir::new(folder).sort_by_file_name();
    let entries = walk.into_iter().map(|entry| entry.expect("the tree can be read"));
    entries.filter(|entry| entry.file_type().is_file()).map(walkdir::DirEntry::into_path).collect()
}

#[test]
fn prints_what_coreutils_prints_in_the_same_order() {
    let folder = tree();
    let expected = run(Command::new("sha256sum").args(files(folder.path())));
    assert!(expected.status.success());
    for jobs in ["1", "7"] {
        let got = run(checksums().arg("--jobs").arg(jobs).arg(folder.path()));
        assert!(got.status.success(), "{got:?}");
        assert_eq!(String::from_utf8_lossy(&got.stdout), String::from_utf8_lossy(&expected.stdout));
        assert_eq!(got.stdout, expected.stdout);
        assert_eq!(got.stderr, b"", "no bar where there is no terminal");
    }
    let list = folder.path().join("list");
    fs::write(&list, expected.stdout).expect("a file can be written");
    assert!(run(Command::new("sha256sum").arg("--check").arg(list)).status.success());
}

#[test]
fn names_what_cannot_be_read_and_goes_on() {
    let folder = tree();
    let missing = folder.path().join("missing");
    let dangling = folder.path().join("dangling");
    std::os::unix::fs::symlink(&missing, &dangling).expect("a link can be made");
    let got = run(checksums().arg(&missing).arg(&dangling).arg(folder.path().join("plain")));
    assert_eq!(got.status.code(), Some(1));
    let told = String::from_utf8_lossy(&got.stderr);
    assert!(told.contains("missing\": ") && told.contains("dangling\": "), "{told}");
    assert_eq!(got.stdout.iter().filter(|byte| **byte == b'\n').count(), 1, "the rest is hashed");
}

#[test]
fn refuses_zero_jobs() {
    let got = run(checksums().args(["--jobs", "0", "."]));
    assert_eq!(got.status.code(), Some(2));
    let told = String::from_utf8_lossy(&got.stderr);
    assert!(told.contains("--jobs") && told.contains("zero"), "{told}");
}

#[test]
fn an_interrupt_ends_it_with_what_was_done() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    fs::write(folder.path().join("a"), "done before").expect("a file can be written");
    // Opening it to read blocks until somebody writes, which nobody will: a read that never returns.
    let fifo = folder.path().join("b");
    mkfifo(&fifo, Mode::S_IRWXU).expect("a fifo can be made");
    let mut child = checksums()
        .args(["--jobs", "1"])
        .arg(folder.path().join("a"))
        .arg(&fifo)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program can be run");
    let mut lines = BufReader::new(child.stdout.take().expect("it is piped"));
    let mut first = String::new();
    lines.read_line(&mut first).expect("it can be read");
    assert!(first.ends_with("/a\n"), "{first}");
    kill(Pid::from_raw(child.id().try_into().expect("it is an id")), Signal::SIGINT).expect("it runs");
    let mut told = String::new();
    let mut stderr = child.stderr.take().expect("it is piped");
    let status = child.wait().expect("it ends");
    stderr.read_to_string(&mut told).expect("it can be read");
    assert_eq!(status.code(), Some(130), "{told}");
    assert!(told.contains("interrupted, 1 done"), "{told}");
}

#[test]
fn a_terminal_sees_how_much_of_the_whole_is_done() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    fs::write(folder.path().join("a"), vec![1; 2 << 20]).expect("a file can be written");
    // Holds the program up until the bar was seen.
    let fifo = folder.path().join("b");
    mkfifo(&fifo, Mode::S_IRWXU).expect("a fifo can be made");
    let terminal = openpty(None, None).expect("a terminal can be made");
    let mut child = checksums()
        .args([folder.path(), &fifo])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(terminal.slave)
        .spawn()
        .expect("the program can be run");
    let mut screen = fs::File::from(terminal.master);
    let (mut seen, mut block) = (String::new(), [0; 1024]);
    while !(seen.contains("1 done  2.00 MiB/2.00 MiB") && seen.contains("/s  ") && seen.contains(" left")) {
        let read = screen.read(&mut block).expect("the program holds its end open");
        seen.push_str(&String::from_utf8_lossy(&block[..read]));
    }
    fs::write(&fifo, "the end").expect("the program reads");
    let status = child.wait().expect("it ends");
    assert!(status.success(), "{seen}");
}
