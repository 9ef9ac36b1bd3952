//! Questions to the machine: the programs and libraries that it has.

use std::{
    ffi::OsStr,
    process::{Command, Stdio},
};

/// True if the feature `glib` can be built.
pub(crate) fn has_glib() -> bool {
    answers("pkg-config", &["--exists", "glib-2.0"])
}

/// True if windows of GTK 4 can be built, and an application of it has a bus.
pub(crate) fn has_gtk() -> bool {
    answers("pkg-config", &["--exists", "gtk4"]) && answers("dbus-run-session", &["--version"])
}

/// True if memcheck can be run.
pub(crate) fn has_valgrind() -> bool {
    answers("valgrind", &["--version"])
}

/// True if C can be compiled for Windows.
pub(crate) fn has_mingw() -> bool {
    answers("x86_64-w64-mingw32-gcc", &["--version"])
}

/// True if a window can be opened.
pub(crate) fn has_display() -> bool {
    // Xvfb has no flag that only answers; its wrapper does.
    answers("xvfb-run", &["--help"]) && answers("xauth", &["version"])
}

/// True if `program` can be started and ends with success.
pub(crate) fn answers(program: impl AsRef<OsStr>, args: &[&str]) -> bool {
    let mut command = Command::new(program);
    let status = command.args(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}
