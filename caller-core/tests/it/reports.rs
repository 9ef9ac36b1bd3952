//! Failures that nobody waits for. With the feature `tracing` they are events, which the suite listens to; without it they
//! are lines on stderr.

use std::{env, fs, path::Path, process::Command};

/// The features of a test are those of all that is built with it, `tracing` among them. So the program is a package of its
/// own, with a folder of its own for what is built.
#[test]
fn without_tracing_they_are_lines_on_stderr() {
    let crate_folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("plain");
    let target = folder.join("target");
    fs::create_dir_all(folder.join("src")).unwrap();
    let manifest = format!(
        "[package]\nname = \"plain\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n\
         [dependencies]\ncaller-core = {{ path = {crate_folder:?}, default-features = false }}\n\n\
         [profile.dev]\ndebug = false\n\n[workspace]\n"
    );
    fs::write(folder.join("Cargo.toml"), manifest).unwrap();
    fs::write(folder.join("src/main.rs"), include_str!("plain/main.rs")).unwrap();
    // The versions that are here already.
    let lock = crate_folder.parent().unwrap().join("Cargo.lock");
    if lock.exists() {
        fs::copy(lock, folder.join("Cargo.lock")).unwrap();
    }
    let cargo = env::var_os("CARGO").unwrap_or_else(|| env!("CARGO").into());
    let built = Command::new(cargo)
        .args(["build", "--quiet", "--offline", "--target-dir"])
        .arg(&target)
        .current_dir(&folder)
        .output()
        .expect("cargo can be run");
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let ran = Command::new(target.join(format!("debug/plain{}", env::consts::EXE_SUFFIX))).output().unwrap();
    let said = String::from_utf8(ran.stderr).unwrap();
    assert!(ran.status.success(), "{said}");
    assert_eq!(String::from_utf8(ran.stdout).unwrap().trim(), "7", "{said}");
    insta::assert_snapshot!(said, @r#"
    caller "clerk": plain::fails: failed: out of ink
    caller "clerk": call_direct panicked: in a direct call
    caller "clerk": plain::fails_later: failed: out of paper
    caller "clerk": call_direct panicked: in an async direct call
    caller "clerk": plain::item: failed: out of time
    caller "clerk": plain::item panicked: item number 1
    a done callback panicked: in a callback
    "#);
}
