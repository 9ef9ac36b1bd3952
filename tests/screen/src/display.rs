//! An X server without a screen.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
};

/// A running Xvfb. It is killed when this is dropped.
pub(crate) struct Display {
    process: Child,
    /// As the variable `DISPLAY` has it.
    pub(crate) name: String,
}

impl Display {
    /// Starts an Xvfb on a free display.
    ///
    /// # Errors
    ///
    /// A text that says what to install.
    pub(crate) fn start() -> Result<Self, String> {
        let mut command = Command::new("Xvfb");
        command.args(["-displayfd", "1", "-screen", "0", "640x480x24", "-nolisten", "tcp"]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let process = command
            .spawn()
            .map_err(|error| format!("Xvfb cannot be started ({error}): apt-get install xvfb"))?;
        let mut display = Self { process, name: String::new() };
        let output = display.process.stdout.take().ok_or("the output of Xvfb is a pipe")?;
        let mut number = String::new();
        BufReader::new(output).read_line(&mut number).map_err(|error| format!("Xvfb: {error}"))?;
        if number.trim().is_empty() {
            return Err("Xvfb ended before it had a display".to_owned());
        }
        display.name = format!(":{}", number.trim());
        Ok(display)
    }
}

impl Drop for Display {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ended = self.process.kill();
        let _ended = self.process.wait();
    }
}
