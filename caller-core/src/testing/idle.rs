//! Threads that have nothing to do. Linux tells how much they do all the same.

use std::{
    fs,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use super::probe::soon;

/// How long they are watched.
const WATCHED: Duration = Duration::from_secs(2);

/// How often they are watched: what came before may not be over yet, on a machine that is busy.
const ATTEMPTS: usize = 3;

/// Watches the threads of this process with these names for two seconds, in which they should sleep: together they may use
/// 5 ms of a processor, and be woken nine times. A name may be that of several threads. Those that use more are watched again,
/// three times in all.
///
/// Another test in the same process may have threads of these names: see [`Process`](super::Process).
///
/// # Panics
///
/// If they use more each time, or no thread has one of the names.
pub fn assert_idle(names: &[&str]) {
    let threads = threads(names);
    soon("sleep, after what came last", || threads.iter().all(|thread| sleeps(thread)));
    let mut seen = Vec::new();
    for _ in 0..ATTEMPTS {
        let (time, wakes) = watch(&threads);
        if time < Duration::from_millis(5) && wakes < 10 {
            return;
        }
        seen.push(format!("{time:?}, woken {wakes} times"));
    }
    panic!("{names:?} are not idle: {}", seen.join("; "));
}

/// What the threads use meanwhile, together, and how often they are woken.
fn watch(threads: &[PathBuf]) -> (Duration, u64) {
    let before: Vec<_> = threads.iter().map(|thread| used(thread)).collect();
    // The time is what is measured.
    thread::sleep(WATCHED);
    let after = threads.iter().map(|thread| used(thread));
    let (mut time, mut wakes) = (0, 0);
    for (before, after) in before.iter().zip(after) {
        time += after.0 - before.0;
        wakes += after.1 - before.1;
    }
    (Duration::from_nanos(time), wakes)
}

/// The threads with these names. One that is just being born has its parent's.
fn threads(names: &[&str]) -> Vec<PathBuf> {
    let all = fs::read_dir("/proc/self/task").expect("Linux has it").filter_map(Result::ok);
    let name = |task: &PathBuf| fs::read_to_string(task.join("comm")).unwrap_or_default();
    let found: Vec<_> =
        all.map(|task| task.path()).filter(|task| names.contains(&name(task).trim())).collect();
    for wanted in names {
        assert!(found.iter().any(|task| name(task).trim() == *wanted), "no thread is named {wanted}");
    }
    found
}

/// What a thread has used since it began: nanoseconds, and how often it slept.
fn used(task: &Path) -> (u64, u64) {
    let times = fs::read_to_string(task.join("schedstat")).expect("the thread is there");
    let status = fs::read_to_string(task.join("status")).expect("the thread is there");
    let switches = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
    let number = |text: Option<&str>| text.and_then(|text| text.trim().parse().ok()).expect("a number");
    (number(times.split_whitespace().next()), number(switches))
}

fn sleeps(task: &Path) -> bool {
    fs::read_to_string(task.join("stat")).expect("the thread is there").contains(") S ")
}
