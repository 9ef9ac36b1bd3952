//! The harness.

use std::{
    env,
    path::Path,
    process::{Command, ExitCode},
};

use libtest_mimic::{Arguments, Failed, Trial};

use crate::display::Display;

/// A test: its name and its function.
pub type Test = (&'static str, fn());

/// The name of the test that a process runs.
const INSIDE: &str = "CALLER_TEST_ON_SCREEN";

/// Set by `cargo xtask ci` where there is no Xvfb: the tests are reported as ignored.
const WITHOUT: &str = "CALLER_TEST_WITHOUT_SCREEN";

/// Tests, each of which has a process and a display of its own, and runs in the main thread of that process. libtest has
/// no main thread for tests, and GTK and winit want it, once a process.
///
/// A test that cannot have a display fails, and says what to install.
#[derive(Clone, Copy, Debug)]
pub struct Tests {
    tests: &'static [Test],
    bus: bool,
}

impl Tests {
    /// Tests that need a display and nothing else.
    pub fn new(tests: &'static [Test]) -> Self {
        Self { tests, bus: false }
    }

    /// Gives each test a session bus, on which an application of GTK finds its other instances.
    #[must_use]
    pub fn with_bus(mut self) -> Self {
        self.bus = true;
        self
    }

    /// Runs what the command line asks for, as libtest would: the `main` of the test program.
    pub fn main(self) -> ExitCode {
        if let Some(name) = env::var_os(INSIDE) {
            let test = self.tests.iter().find(|(known, _)| name == *known);
            test.expect("the harness starts its own tests").1();
            return ExitCode::SUCCESS;
        }
        let is_ignored = env::var_os(WITHOUT).is_some();
        let trial = |(name, _): &Test| {
            let name = *name;
            Trial::test(name, move || self.start(name)).with_ignored_flag(is_ignored)
        };
        libtest_mimic::run(&Arguments::from_args(), self.tests.iter().map(trial).collect()).exit_code()
    }

    /// Runs one test in a process of its own.
    fn start(self, name: &str) -> Result<(), Failed> {
        let display = Display::start()?;
        let status = self.command(&env::current_exe()?, name, &display).status();
        let status = match status {
            Err(error) if self.bus => {
                return Err(format!("dbus-run-session ({error}): apt-get install dbus-daemon").into());
            }
            status => status?,
        };
        if status.success() { Ok(()) } else { Err(format!("its process ended with {status}").into()) }
    }

    fn command(self, program: &Path, name: &str, display: &Display) -> Command {
        let mut command = if self.bus {
            let mut command = Command::new("dbus-run-session");
            command.arg("--").arg(program);
            command
        } else {
            Command::new(program)
        };
        command.env("DISPLAY", &display.name).env(INSIDE, name).env_remove("WAYLAND_DISPLAY");
        // What a bare X server has for GTK: no compositor, no accessibility, no settings.
        command.envs([("GDK_BACKEND", "x11"), ("GSK_RENDERER", "cairo"), ("GTK_A11Y", "none")]);
        command.env("GSETTINGS_BACKEND", "memory");
        command
    }
}
