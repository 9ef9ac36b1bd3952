//! The program in a terminal of the test's own: what it shows, what its keys do, and what it leaves behind.
#![cfg(unix)]

use std::{
    fs::File,
    io::{Read, Write},
    num::NonZero,
    os::fd::OwnedFd,
    process::{Child, Command, ExitStatus},
    sync::mpsc::{Receiver, channel},
    thread,
    time::{Duration, Instant},
};

use nix::{
    pty::{Winsize, openpty},
    sys::termios::{LocalFlags, Termios, tcgetattr},
};
use vt100::{Parser, Screen};

/// How long something may take to be seen.
const PATIENCE: Duration = Duration::from_secs(20);

const ROWS: NonZero<u16> = NonZero::new(24).unwrap();
const COLUMNS: NonZero<u16> = NonZero::new(80).unwrap();

const UP: &str = "\x1b[A";
const DOWN: &str = "\x1b[B";

#[test]
fn jobs_are_done_a_few_at_a_time() {
    let mut terminal = Terminal::start(&["--jobs", "5", "--workers", "2", "--size", "2000"]);
    terminal.until("all jobs", |screen| screen.contents().contains("5 of 5 done"));
    // The primes below 2000.
    terminal.until("what a job gave", |screen| line(screen, "job 1").contains("303 primes"));
    terminal.keys("q");
    assert!(terminal.ends().success());
}

#[test]
fn a_key_cancels_the_selected_job() {
    // Nobody waits for these.
    let mut terminal = Terminal::start(&["--jobs", "4", "--workers", "2", "--size", "1000000000"]);
    terminal.until("two jobs", |screen| {
        let percent = |job| line(screen, job).contains('%');
        percent("job 1") && percent("job 2")
    });
    terminal.until("two that wait", |screen| {
        line(screen, "job 3").contains("waits") && line(screen, "job 4").contains("waits")
    });

    terminal.keys(DOWN);
    terminal.until("the second, selected", |screen| line(screen, "job 2").contains('▶'));
    terminal.keys(DOWN);
    terminal.keys(UP);
    terminal.keys("c");
    terminal.until("the second, cancelled", |screen| line(screen, "job 2").contains("cancelled"));
    assert!(line(terminal.screen(), "job 1").contains('%'));

    // A job that waits is cancelled too, and never begins.
    terminal.keys(DOWN);
    terminal.keys("c");
    terminal.until("the third, cancelled", |screen| line(screen, "job 3").contains("cancelled"));
    terminal.keys("\x03");
    assert!(terminal.ends().success());
}

#[test]
fn the_terminal_is_given_back_as_it_was() {
    let mut terminal = Terminal::start(&["--size", "1000000000"]);
    terminal.until("its screen", |screen| screen.alternate_screen() && screen.hide_cursor());
    terminal.until("the jobs", |screen| screen.contents().contains("0 of 8 done"));
    assert!(!terminal.settings().local_flags.contains(LocalFlags::ECHO));

    terminal.keys("q");
    assert!(terminal.ends().success());
    terminal
        .until("what it says at the end", |screen| screen.contents().trim_end() == "0 of 8 jobs are done");
    assert!(!terminal.screen().alternate_screen() && !terminal.screen().hide_cursor());
    assert!(terminal.settings() == terminal.before, "the settings are those from before");
}

#[test]
fn keys_that_come_at_the_end_do_no_harm() {
    // The second job begins where a piece of it takes long, and the end waits for that.
    let mut terminal = Terminal::start(&["--size", "1000000000000"]);
    terminal.until("two jobs", |screen| line(screen, "job 2").contains('%'));
    terminal.keys("q");
    let deadline = Instant::now() + PATIENCE;
    while terminal.program.try_wait().expect("it is ours").is_none() && Instant::now() < deadline {
        terminal.keys(DOWN);
        thread::sleep(Duration::from_millis(5));
    }
    assert!(terminal.ends().success());
}

/// The line of the screen with this word, or an empty one.
fn line(screen: &Screen, word: &str) -> String {
    let (_, columns) = screen.size();
    screen.rows(0, columns.get()).find(|row| row.contains(word)).unwrap_or_default()
}

/// A terminal in which the program runs.
struct Terminal {
    program: Child,
    keys: File,
    /// The program's side.
    inner: OwnedFd,
    before: Termios,
    output: Receiver<Vec<u8>>,
    parser: Parser,
}

impl Terminal {
    fn start(arguments: &[&str]) -> Self {
        let size = Winsize { ws_row: ROWS.get(), ws_col: COLUMNS.get(), ws_xpixel: 0, ws_ypixel: 0 };
        let pair = openpty(&size, None).expect("a terminal can be made");
        let before = tcgetattr(&pair.slave).expect("it has settings");
        let side = || pair.slave.try_clone().expect("it can be shared");
        let mut command = Command::new(env!("CARGO_BIN_EXE_ratatui_jobs"));
        command.args(arguments).env("TERM", "xterm-256color").stdin(side()).stdout(side()).stderr(side());
        let program = command.spawn().expect("it can be started");
        let keys = File::from(pair.master);
        let mut written = keys.try_clone().expect("it can be shared");
        let (sender, output) = channel();
        thread::spawn(move || {
            let mut block = [0; 4096];
            while let Ok(length) = written.read(&mut block) {
                if sender.send(block[..length].to_vec()).is_err() {
                    return;
                }
            }
        });
        let parser = Parser::new(ROWS, COLUMNS, 0);
        Self { program, keys, inner: pair.slave, before, output, parser }
    }

    fn keys(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).expect("the terminal takes keys");
    }

    fn settings(&self) -> Termios {
        tcgetattr(&self.inner).expect("it has settings")
    }

    fn screen(&self) -> &Screen {
        self.parser.screen()
    }

    /// Waits until the screen is so.
    fn until(&mut self, what: &str, is_so: impl Fn(&Screen) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !is_so(self.screen()) {
            let left = deadline.saturating_duration_since(Instant::now());
            let Ok(output) = self.output.recv_timeout(left) else {
                panic!("{what}: not seen\n{}", self.screen().contents());
            };
            self.parser.process(&output);
        }
    }

    /// Waits until the program has ended.
    fn ends(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.program.try_wait().expect("it is ours") {
                return status;
            }
            assert!(Instant::now() < deadline, "it runs on\n{}", self.screen().contents());
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // After a test that failed.
        let _ended = self.program.kill();
        let _ended = self.program.wait();
    }
}
