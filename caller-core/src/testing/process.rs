//! A test in a process of its own: for what may abort, overflow its stack, or change what a process has once.

use std::{
    env,
    io::{Read, Write},
    process::{Command, Stdio},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// Names the test that a process runs alone.
const ALONE: &str = "CALLER_TEST_ALONE";

/// Runs the body of a test in a process of its own: the test binary is executed again, with that test alone.
///
/// ```no_run
/// # use caller::testing::Process;
/// #[test]
/// fn survives() {
///     Process::of(concat!(module_path!(), "::survives")).run(|| {
///         // Whatever happens here, happens to the child alone.
///     });
/// }
/// ```
#[derive(Debug)]
#[must_use = "nothing runs until `run`"]
pub struct Process {
    test: String,
    limit: Duration,
    stderr: bool,
    variable: Option<(&'static str, &'static str)>,
}

impl Process {
    /// The process of the test with this path, which begins with the name of its crate: `module_path!()`, `::` and the
    /// name of the test.
    pub fn of(test: &str) -> Self {
        let test = test.split_once("::").map_or(test, |(_crate, path)| path).to_owned();
        Self { test, limit: Duration::from_secs(20), stderr: true, variable: None }
    }

    /// Sets how long the child may take. 20 s unless set.
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// The child's stderr is a pipe that nobody reads any more.
    pub fn without_stderr(mut self) -> Self {
        self.stderr = false;
        self
    }

    /// Sets a variable of the child's environment.
    pub fn variable(mut self, name: &'static str, value: &'static str) -> Self {
        self.variable = Some((name, value));
        self
    }

    /// Runs `body` in the child.
    ///
    /// # Panics
    ///
    /// In the parent, if the child does not succeed in time. In the child, where the body does.
    pub fn run(self, body: impl FnOnce()) {
        if env::var(ALONE).is_ok_and(|alone| alone == self.test) {
            // Until the parent has arranged stderr.
            let _end = std::io::stdin().read_to_end(&mut Vec::new());
            return body();
        }
        let (ended, errors) = self.spawn();
        assert!(ended == "exit status: 0", "{} in a process of its own: {ended}\n{errors}", self.test);
    }

    /// How the child ended, and the last of what it wrote to stderr.
    fn spawn(&self) -> (String, String) {
        let mut child = Command::new(env::current_exe().expect("a test has a path"))
            .args(["--exact", &self.test, "--nocapture", "--test-threads=1"])
            .env(ALONE, &self.test)
            .env("RUST_BACKTRACE", "0")
            .envs(self.variable)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("a test can be executed again");
        let output = child.stdout.take().map(last_of);
        let stderr = child.stderr.take();
        let errors = if self.stderr { stderr.map(last_of) } else { None };
        if let Some(mut stdin) = child.stdin.take() {
            let _gone = stdin.flush();
        }
        let until = Instant::now() + self.limit;
        let ended = loop {
            match child.try_wait().expect("a child can be waited for") {
                Some(status) => break status.to_string(),
                None if Instant::now() < until => thread::sleep(Duration::from_millis(2)),
                None => {
                    child.kill().expect("a child can be killed");
                    child.wait().expect("a child can be waited for");
                    break format!("killed after {:?}", self.limit);
                }
            }
        };
        let text = |reader: Option<JoinHandle<String>>| {
            reader.and_then(|reader| reader.join().ok()).unwrap_or_default()
        };
        let (output, errors) = (text(output), text(errors));
        // A name that fits no test would succeed too.
        let ended =
            if output.contains("0 passed; 0 failed") { "no test has this name".into() } else { ended };
        (ended, errors)
    }
}

/// The end of what is written, which says what was wrong; a flood before it does not.
fn last_of(mut from: impl Read + Send + 'static) -> JoinHandle<String> {
    const KEPT: usize = 4096;
    thread::spawn(move || {
        let (mut last, mut some) = (Vec::new(), [0; KEPT]);
        while let Ok(read @ 1..) = from.read(&mut some) {
            last.extend_from_slice(&some[..read]);
            last.drain(..last.len().saturating_sub(KEPT));
        }
        String::from_utf8_lossy(&last).into_owned()
    })
}
