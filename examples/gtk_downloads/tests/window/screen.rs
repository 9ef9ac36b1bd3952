//! The screen of an Xvfb of our own: it is started for the tests, and looked at.

use std::{
    env,
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use x11rb::{
    connection::Connection,
    protocol::xproto::{ConnectionExt, ImageFormat},
    rust_connection::RustConnection,
};

use super::Color;

/// How long something may take to be seen.
const PATIENCE: Duration = Duration::from_secs(20);

/// How many pixels of a color are no accident.
const MANY: usize = 10_000;

/// Said to the process that runs one test.
const INSIDE: &str = "CALLER_TEST_DISPLAY";

type Test = (&'static str, fn());

/// Speaks as much of the language of test harnesses as nextest needs: it lists, and runs what is named, or all. Each test
/// has a process of its own, since GTK belongs to one thread for good.
pub(crate) fn main_of(tests: &[Test]) {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let given = |argument: &str| arguments.iter().any(|given| given == argument);
    if given("--list") {
        if !given("--ignored") {
            tests.iter().for_each(|(name, _)| println!("{name}: test"));
        }
        return;
    }
    let named = tests.iter().any(|(name, _)| given(name));
    let chosen: Vec<&Test> = tests.iter().filter(|(name, _)| !named || given(name)).collect();
    if let [(_, test)] = chosen[..]
        && env::var_os(INSIDE).is_some()
    {
        return test();
    }
    let xvfb = Xvfb::start();
    let failed = chosen.iter().filter(|(name, _)| {
        let status =
            xvfb.command(name).status().expect("dbus-run-session is installed: apt-get install dbus");
        let passed = status.success();
        println!("{name}: {}", if passed { "passed" } else { "failed" });
        !passed
    });
    assert_eq!(failed.count(), 0, "of {}", chosen.len());
}

struct Xvfb {
    process: Child,
    display: String,
}

impl Xvfb {
    fn start() -> Self {
        let mut command = Command::new("Xvfb");
        command.args(["-displayfd", "1", "-screen", "0", "640x480x24", "-nolisten", "tcp"]);
        let mut process = command
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("Xvfb is installed: apt-get install xvfb");
        let mut number = String::new();
        let mut lines = BufReader::new(process.stdout.take().expect("piped"));
        lines.read_line(&mut number).expect("it says its display");
        Self { process, display: format!(":{}", number.trim()) }
    }

    /// This program again, for one test, on this display.
    fn command(&self, test: &str) -> Command {
        // An application finds its other instances on the bus of the session.
        let mut command = Command::new("dbus-run-session");
        command.arg("--").arg(env::current_exe().expect("we have a name"));
        command.arg(test).env("DISPLAY", &self.display).env(INSIDE, "1").env_remove("WAYLAND_DISPLAY");
        // What a bare X server has: no compositor, no accessibility, no settings.
        command.envs([("GDK_BACKEND", "x11"), ("GSK_RENDERER", "cairo"), ("GTK_A11Y", "none")]);
        command.env("GSETTINGS_BACKEND", "memory");
        command
    }
}

impl Drop for Xvfb {
    fn drop(&mut self) {
        self.process.kill().expect("ours");
        self.process.wait().expect("ours");
    }
}

/// What is seen.
pub(crate) struct Screen {
    connection: RustConnection,
    number: usize,
}

impl Screen {
    pub(crate) fn open() -> Self {
        let (connection, number) = RustConnection::connect(None).expect("there is a display");
        Self { connection, number }
    }

    /// Waits until much of the screen has this color.
    pub(crate) async fn shows(&self, color: Color) {
        self.until("is not seen", color, |pixels| pixels >= MANY).await;
    }

    /// Waits until none of the screen has this color.
    pub(crate) async fn lacks(&self, color: Color) {
        self.until("is still seen", color, |pixels| pixels == 0).await;
    }

    async fn until(&self, what: &str, color: Color, is_right: impl Fn(usize) -> bool) {
        let begun = Instant::now();
        while !is_right(self.pixels(color)) {
            assert!(begun.elapsed() < PATIENCE, "{color:?} {what}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// How many pixels have this color.
    fn pixels(&self, Color(red, green, blue): Color) -> usize {
        let root = &self.connection.setup().roots[self.number];
        let (width, height) = (root.width_in_pixels, root.height_in_pixels);
        let image = self.connection.get_image(ImageFormat::Z_PIXMAP, root.root, 0, 0, width, height, !0);
        let image = image.expect("it is asked").reply().expect("it can be seen");
        image.data.chunks_exact(4).filter(|pixel| pixel[..3] == [blue, green, red]).count()
    }
}
