//! Tests that look at all threads of their process, and so need a process of their own.

use std::{
    env,
    io::{self, Read},
    process::{Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

/// The variable that names the one test of a process.
const ALONE: &str = "CALLER_TEST_ALONE";

/// Runs the test `name` in a process of its own, and returns true; in that process it returns false.
///
/// nextest gives each test a process, which is used as it is.
pub(crate) fn ran_alone(name: &str) -> bool {
    if env::var_os("NEXTEST").is_some() || env::var_os(ALONE).is_some_and(|own| own == name) {
        return false;
    }
    let (mut reader, writer) = io::pipe().expect("a pipe");
    let mut command = Command::new(env::current_exe().expect("the program of this test"));
    command.args([name, "--exact", "--nocapture"]).env(ALONE, name).stdin(Stdio::null());
    command.stdout(writer.try_clone().expect("a copy of a pipe")).stderr(writer);
    let mut process = command.spawn().expect("the program of this test starts again");
    // The command holds the writing ends, and the reader ends with the last of these.
    drop(command);
    let (sender, output) = mpsc::channel();
    thread::spawn(move || {
        let mut text = Vec::new();
        let _ = reader.read_to_end(&mut text);
        let _ = sender.send(String::from_utf8_lossy(&text).into_owned());
    });
    let text = output.recv_timeout(Duration::from_secs(60)).unwrap_or_else(|_| {
        let _ = process.kill();
        format!("{name} has not ended after a minute: {}", output.recv().unwrap_or_default())
    });
    let status = process.wait().expect("the status of a process");
    // A name that fits no test would succeed too.
    assert!(status.success() && text.contains("running 1 test\n"), "{name}: {status}\n{text}");
    true
}
