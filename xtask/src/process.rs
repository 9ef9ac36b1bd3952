//! Running the programs of a step: each in a process group of its own and under a time limit, so that a deadlock is a
//! failed step, and nothing that a step started outlives it.

use std::{
    fmt,
    io::{self, BufRead, BufReader, PipeReader, Write},
    process::{Child, Command, ExitCode, ExitStatus, Stdio},
    sync::{Mutex, mpsc},
    thread,
    time::{Duration, Instant},
};

/// How long a program may take.
#[derive(Clone, Copy)]
pub(crate) struct Limit {
    /// From its start until it is asked to end.
    run: Duration,
    /// From there until it is killed.
    grace: Duration,
}

impl Limit {
    /// Building everything from nothing, with room for a slow machine.
    pub(crate) const BUILD: Self = Self::minutes(30);
    /// Tests that are built, all of them.
    pub(crate) const TESTS: Self = Self::minutes(10);
    /// One test binary under an instrument that makes it some ten times slower.
    pub(crate) const INSTRUMENTED: Self = Self::minutes(20);
    /// One example.
    pub(crate) const EXAMPLE: Self = Self::minutes(2);

    const fn minutes(minutes: u64) -> Self {
        Self::of(Duration::from_mins(minutes))
    }

    pub(crate) const fn of(run: Duration) -> Self {
        Self { run, grace: Duration::from_secs(10) }
    }
}

/// Why a program did not succeed.
#[derive(Debug)]
pub(crate) enum Failure {
    NotStarted(io::Error),
    Exited(ExitStatus),
    TimedOut(Duration),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotStarted(error) => write!(f, "cannot be started: {error}"),
            Self::Exited(status) => status.fmt(f),
            Self::TimedOut(limit) => {
                write!(f, "killed, since it had not ended after {} seconds", limit.as_secs_f64())
            }
        }
    }
}

/// Runs `command` with our own output.
pub(crate) fn run(mut command: Command, limit: Limit) -> Result<(), Failure> {
    Group::spawn(&mut command)?.wait(limit)
}

/// Runs `command`, passes on what it writes to stdout, and returns it.
pub(crate) fn run_and_read(command: Command, limit: Limit) -> Result<String, Failure> {
    let show = |line: &[u8]| {
        // What cannot be shown is still read: the result of the step does not depend on our own stdout.
        let _ = io::stdout().write_all(line);
    };
    read_with(command, limit, show)
}

/// Runs `command`, and returns what it writes to stdout without showing it.
pub(crate) fn read(command: Command, limit: Limit) -> Result<String, Failure> {
    read_with(command, limit, |_| {})
}

fn read_with(mut command: Command, limit: Limit, show: fn(&[u8])) -> Result<String, Failure> {
    let (reader, writer) = io::pipe().map_err(Failure::NotStarted)?;
    command.stdout(writer);
    let group = Group::spawn(&mut command)?;
    // It holds our copy of the writing end: the pipe would never close.
    drop(command);
    let (sender, lines) = mpsc::channel();
    thread::spawn(move || pass_on(reader, show, &sender));
    group.wait(limit)?;
    // A process that left its group for one of its own may hold the pipe open for ever.
    let deadline = Instant::now() + limit.grace;
    let next = || lines.recv_timeout(deadline.saturating_duration_since(Instant::now())).ok();
    Ok(std::iter::from_fn(next).collect())
}

/// Makes Ctrl-C, a hang-up and a request to terminate end the running program too: being in a group of its own, it
/// gets none of them from the terminal.
pub(crate) fn stop_children_with_us() {
    let stop = || {
        if let Some(group) = *RUNNING.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) {
            sys::terminate(group);
        }
        std::process::exit(130);
    };
    ctrlc::set_handler(stop).expect("no other handler is set");
}

/// The group that runs now; steps run one after the other.
static RUNNING: Mutex<Option<u32>> = Mutex::new(None);

/// A program with all its descendants, except those that made a group of their own.
struct Group {
    leader: Child,
}

impl Group {
    fn spawn(command: &mut Command) -> Result<Self, Failure> {
        println!("$ {}", shown(command));
        sys::lead_group(command.stdin(Stdio::null()));
        let leader = command.spawn().map_err(Failure::NotStarted)?;
        set_running(Some(leader.id()));
        Ok(Self { leader })
    }

    fn wait(mut self, limit: Limit) -> Result<(), Failure> {
        match self.ends_within(limit.run) {
            Some(status) if status.success() => Ok(()),
            Some(status) => Err(Failure::Exited(status)),
            None => {
                // Asked first, since nextest runs each test in a group of its own, and ends them when it is asked.
                sys::terminate(self.leader.id());
                self.ends_within(limit.grace);
                Err(Failure::TimedOut(limit.run))
            }
        }
    }

    /// Looks again and again, since std cannot wait with a deadline; beside a build, the looks cost nothing.
    fn ends_within(&mut self, limit: Duration) -> Option<ExitStatus> {
        let deadline = Instant::now() + limit;
        loop {
            // A failure to look is taken for not ended: the deadline still holds.
            if let Ok(Some(status)) = self.leader.try_wait() {
                return Some(status);
            }
            let left = deadline.checked_duration_since(Instant::now())?;
            thread::sleep(left.min(Duration::from_millis(20)));
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        sys::kill(&mut self.leader);
        // Nothing is left to do about a child that cannot be reaped.
        let _ = self.leader.wait();
        set_running(None);
    }
}

fn set_running(group: Option<u32>) {
    *RUNNING.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = group;
}

/// Passes the lines of `reader` on to `show` and to `sender`, until the pipe closes or nobody listens.
fn pass_on(reader: PipeReader, show: fn(&[u8]), sender: &mpsc::Sender<String>) {
    let mut reader = BufReader::new(reader);
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line).is_ok_and(|bytes| bytes > 0) {
        show(&line);
        if sender.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
            return;
        }
        line.clear();
    }
}

/// The program's own code, or the code that a shell makes of a signal.
pub(crate) fn exit_code(status: ExitStatus) -> ExitCode {
    #[cfg(unix)]
    let signal = std::os::unix::process::ExitStatusExt::signal(&status);
    #[cfg(not(unix))]
    let signal = None::<i32>;
    let code = status.code().or(signal.map(|signal| 128 + signal)).unwrap_or(1);
    u8::try_from(code).map_or(ExitCode::FAILURE, ExitCode::from)
}

/// The command as one would type it.
fn shown(command: &Command) -> String {
    let quoted = |text: &std::ffi::OsStr| {
        let text = text.to_string_lossy();
        if text.contains(' ') { format!("'{text}'") } else { text.into_owned() }
    };
    let set = command.get_envs().filter_map(|(name, value)| Some((name, value?)));
    let set = set.map(|(name, value)| format!("{}={}", name.to_string_lossy(), quoted(value)));
    // Its file name alone: the path of the toolchain says nothing here.
    let program = std::path::Path::new(command.get_program());
    let program = program.file_name().unwrap_or(command.get_program()).to_string_lossy().into_owned();
    set.chain([program]).chain(command.get_args().map(quoted)).collect::<Vec<_>>().join(" ")
}

#[cfg(unix)]
mod sys {
    use nix::{
        sys::signal::{Signal, killpg},
        unistd::Pid,
    };
    use std::{
        os::unix::process::CommandExt,
        process::{Child, Command},
    };

    pub(super) fn lead_group(command: &mut Command) {
        command.process_group(0);
    }

    pub(super) fn terminate(group: u32) {
        signal(group, Signal::SIGTERM);
    }

    pub(super) fn kill(leader: &mut Child) {
        signal(leader.id(), Signal::SIGKILL);
    }

    fn signal(group: u32, signal: Signal) {
        // Fails when all of the group have ended, which is what is asked for.
        let _ = killpg(Pid::from_raw(group.cast_signed()), signal);
    }
}

/// Elsewhere a child shares our console, which passes Ctrl-C on, and only the child itself can be killed.
#[cfg(not(unix))]
mod sys {
    use std::process::{Child, Command};

    pub(super) fn lead_group(_: &mut Command) {}

    pub(super) fn terminate(_: u32) {}

    pub(super) fn kill(leader: &mut Child) {
        // Fails when it has ended, which is what is asked for.
        let _ = leader.kill();
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::io::Read;

    const SOON: Limit = Limit { run: Duration::from_millis(300), grace: Duration::from_millis(300) };
    const LONG: Duration = Duration::from_secs(30);

    fn sh(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    /// Runs `script` into a limit, and says how long it took until the last holder of its stderr was gone.
    fn time_until_all_are_gone(script: &str) -> Duration {
        let (mut alive, held) = io::pipe().expect("a pipe");
        let mut command = sh(script);
        command.stderr(held);
        let start = Instant::now();
        let failure = run(command, SOON).expect_err("it runs too long");
        assert!(matches!(failure, Failure::TimedOut(_)), "{failure}");
        alive.read_to_end(&mut Vec::new()).expect("the pipe closes");
        start.elapsed()
    }

    #[test]
    fn the_limit_kills_the_whole_group() {
        assert!(time_until_all_are_gone("sleep 60 & sleep 60; true") < LONG);
    }

    #[test]
    fn the_limit_kills_who_does_not_listen() {
        assert!(time_until_all_are_gone("trap '' TERM; sleep 60 & wait; sleep 60") < LONG);
    }

    #[test]
    fn who_listens_ends_by_itself() {
        let (mut said, stderr) = io::pipe().expect("a pipe");
        let mut command = sh("trap 'echo ended >&2; exit' TERM; sleep 60 & wait");
        command.stderr(stderr);
        // Long enough for the shell to have set its trap, on a machine that is busy with a build too.
        run(command, Limit { run: Duration::from_secs(2), grace: LONG }).expect_err("it runs too long");
        let mut text = String::new();
        said.read_to_string(&mut text).expect("the pipe closes");
        assert_eq!(text, "ended\n");
    }

    #[test]
    fn what_a_program_leaves_behind_is_killed() {
        let start = Instant::now();
        let limit = Limit { run: LONG, grace: 2 * LONG };
        let text = run_and_read(sh("sleep 60 & echo done"), limit).expect("it succeeds");
        assert_eq!(text, "done\n");
        assert!(start.elapsed() < LONG);
    }

    #[test]
    fn a_failure_is_told() {
        let failure = run(sh("exit 3"), Limit::EXAMPLE).expect_err("it fails");
        assert_eq!(failure.to_string(), "exit status: 3");
        let failure = run(Command::new("/no/such/program"), Limit::EXAMPLE).expect_err("it cannot start");
        assert!(matches!(failure, Failure::NotStarted(_)), "{failure}");
    }

    #[test]
    fn a_command_is_shown_as_typed() {
        let mut command = Command::new("/some/where/cargo");
        command.args(["test", "--lib"]).env("RUSTFLAGS", "--cfg loom").env_remove("OTHER");
        assert_eq!(shown(&command), "RUSTFLAGS='--cfg loom' cargo test --lib");
    }

    #[test]
    fn the_exit_code_is_passed_through() {
        use std::os::unix::process::ExitStatusExt;
        assert_eq!(exit_code(ExitStatus::from_raw(0)), ExitCode::SUCCESS);
        assert_eq!(exit_code(ExitStatus::from_raw(101 << 8)), ExitCode::from(101));
        assert_eq!(exit_code(ExitStatus::from_raw(9)), ExitCode::from(137));
    }
}
