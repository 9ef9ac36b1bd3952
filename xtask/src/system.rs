//! What the workspace wants of the system: glib, which is linked, a display for windows, which Xvfb is, valgrind, and a
//! compiler for Windows.
//!
//! On a Debian machine, and as root, it is installed. Elsewhere what needs it is left out, and this step says so.

use crate::{
    outcome::{Outcome, Stop},
    probe::{answers, has_display, has_glib, has_gtk, has_mingw, has_valgrind},
    process::{self, Limit},
    workspace::Workspace,
};
use std::process::{Command, Stdio};

/// Something that the system may have or not.
struct Wish {
    what: &'static str,
    is_there: fn() -> bool,
    /// Debian's packages of it.
    packages: &'static [&'static str],
    /// What is left out without it.
    without: &'static str,
}

const WISHES: &[Wish] = &[
    Wish {
        what: "glib",
        is_there: has_glib,
        packages: &["libglib2.0-dev", "pkg-config"],
        without: "the host `Glib` is neither built nor tested",
    },
    Wish {
        what: "GTK 4 with a bus",
        is_there: has_gtk,
        packages: &["libgtk-4-dev", "pkg-config", "dbus-daemon"],
        without: "windows of GTK are neither built nor tested",
    },
    Wish {
        what: "Xvfb",
        is_there: has_display,
        // The libraries are those that a window loads when it is made.
        packages: &[
            "xvfb",
            "xauth",
            "libgl1",
            "libgl1-mesa-dri",
            "libx11-xcb1",
            "libxcursor1",
            "libxi6",
            "libxkbcommon-x11-0",
            "libxrandr2",
        ],
        without: "the host `Winit` is built, and no window is tested",
    },
    Wish {
        what: "valgrind",
        is_there: has_valgrind,
        packages: &["valgrind"],
        without: "memcheck is not run",
    },
    Wish {
        what: "compiler of C for Windows",
        is_there: has_mingw,
        packages: &["gcc-mingw-w64-x86-64-win32"],
        without: "nothing is checked for Windows",
    },
];

/// Installs what is missing where that can be done, and names what still is.
pub(crate) fn run(_workspace: &Workspace) -> Outcome {
    let missing = || WISHES.iter().filter(|wish| !(wish.is_there)()).collect::<Vec<_>>();
    let wanted = missing();
    if wanted.is_empty() {
        return Ok(());
    }
    let packages: Vec<_> = wanted.iter().flat_map(|wish| wish.packages).copied().collect();
    if is_root() && answers("apt-get", &["--version"]) {
        apt(&["update", "-q"])?;
        apt(&[&["install", "-q", "-y", "--no-install-recommends"], &packages[..]].concat())?;
    }
    let still: Vec<_> =
        missing().iter().map(|wish| format!("no {}, so {}", wish.what, wish.without)).collect();
    if still.is_empty() {
        return Ok(());
    }
    let install = format!("apt-get install {}, as root, or what your system has for it", packages.join(" "));
    Err(Stop::Skipped(format!("{}: {install}", still.join("; "))))
}

fn is_root() -> bool {
    let output = Command::new("id").arg("-u").stderr(Stdio::null()).output();
    output.is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

fn apt(args: &[&str]) -> Outcome {
    let mut command = Command::new("apt-get");
    command.args(args).env("DEBIAN_FRONTEND", "noninteractive");
    Ok(process::run(command, Limit::BUILD)?)
}
