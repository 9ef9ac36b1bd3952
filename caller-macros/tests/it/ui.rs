//! What the compiler says of wrong uses. Its part of a text changes with it, so they are those of the toolchain that the
//! workspace states, which CI runs.
//!
//! `TRYBUILD=overwrite` writes them anew; read what it wrote.

use std::process::Command;

#[test]
fn messages() {
    let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    let version = Command::new(rustc).arg("--version").output().expect("rustc built this");
    let version = String::from_utf8_lossy(&version.stdout).into_owned();
    let pinned = concat!("rustc ", env!("CARGO_PKG_RUST_VERSION"), ".");
    if !version.starts_with(pinned) {
        assert!(
            std::env::var_os("CI").is_none(),
            "CI runs the toolchain of the messages, {pinned} not {version}"
        );
        eprintln!("not compared: the messages are those of {pinned}, and this is {version}");
        return;
    }
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
