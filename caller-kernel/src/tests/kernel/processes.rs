//! Kernels that are a process of their own: this test again, as a child.

use crate::{
    Kernel,
    tests::front::{Front, On, content_of, turn},
};
use serde_json::json;
use std::{
    env,
    io::{BufRead, BufReader, Read},
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
};

const FILE: &str = "CALLER_KERNEL_TEST_FILE";

/// The child's part.
#[test]
#[ignore = "it is run by the others"]
fn child() {
    let Some(file) = env::var_os(FILE) else { return };
    let _turn = turn();
    let kernel = Kernel::builder().connection_file(file).quiet(false).stop_on_signals(true).start().unwrap();
    println!("\nready");
    kernel.stopped().blocking().unwrap();
    println!("stopped");
}

fn start(file: &Path) -> (Child, BufReader<ChildStdout>) {
    let mut child = Command::new(env::current_exe().unwrap())
        .args(["--exact", "--ignored", "--nocapture", "tests::kernel::processes::child"])
        .env(FILE, file)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    while line != "ready\n" {
        line.clear();
        assert_ne!(out.read_line(&mut line).unwrap(), 0, "it ended");
    }
    (child, out)
}

fn end(mut child: Child, mut out: BufReader<ChildStdout>) -> String {
    let mut rest = String::new();
    out.read_to_string(&mut rest).unwrap();
    assert!(child.wait().unwrap().success());
    rest
}

/// LIF-03, LIF-07: what is not quiet is written to the stdout of the process too.
#[tokio::test]
async fn a_process_ends_with_its_kernel() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("kernel.json");
    let (child, out) = start(&file);
    let mut front = Front::new(&crate::Connection::read(&file).unwrap(), "one").await;
    front.run("print('echoed')").await;
    front.ask(On::Control, "shutdown_request", json!({"restart": true})).await;
    drop(front);
    let rest = end(child, out);
    assert!(rest.starts_with("echoed\n") && rest.contains("stopped\n"), "{rest}");
    assert!(!file.exists());
}

/// LIF-06, V14.
#[cfg(unix)]
#[tokio::test]
async fn signals_interrupt_or_end() {
    let signal = |child: &Child, name: &str| {
        assert!(Command::new("kill").args(["-s", name, &child.id().to_string()]).status().unwrap().success());
    };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("kernel.json");
    for last in ["INT", "TERM", "HUP"] {
        let (child, out) = start(&file);
        let mut front = Front::new(&crate::Connection::read(&file).unwrap(), "one").await;
        let cell = front.cell("print('on') while true do end").await;
        front.printed(&cell).await;
        if last == "INT" {
            signal(&child, "INT");
            assert_eq!(content_of(&front.reply(On::Shell).await)["ename"], "Interrupted");
            front.all_for(&cell).await;
        }
        // Now it is idle, or it ends all the same.
        signal(&child, last);
        drop(front);
        assert!(end(child, out).contains("stopped\n"), "{last}");
        assert!(!file.exists());
    }
}
