//! I7: who is idle uses no CPU; over two seconds, under 5 ms of it and a handful of context switches.

use std::{
    fs,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use async_std::task;
use caller::{
    Builder, Caller,
    testing::{Process, Running},
};
use caller_async_std::AsyncStd;
use caller_tokio::Tokio;

use crate::loops::{ON_ASYNC_STD, ON_TOKIO};

fn caller(builder: Builder) -> Running {
    Running(builder.spawn().unwrap())
}

/// The threads with these names. One that is just being born has its parent's.
fn threads(names: &[&str]) -> Vec<PathBuf> {
    let all = fs::read_dir("/proc/self/task").unwrap().map(|task| task.unwrap().path());
    let name = |task: &PathBuf| fs::read_to_string(task.join("comm")).unwrap_or_default();
    let found: Vec<_> = all.filter(|task| names.contains(&name(task).trim())).collect();
    for wanted in names {
        assert!(found.iter().any(|task| name(task).trim() == *wanted), "no thread is named {wanted}");
    }
    found
}

/// What a thread has used since it began: nanoseconds, and how often it slept.
fn used(task: &Path) -> (u64, u64) {
    let times = fs::read_to_string(task.join("schedstat")).unwrap();
    let status = fs::read_to_string(task.join("status")).unwrap();
    let switches = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
    (times.split_whitespace().next().unwrap().parse().unwrap(), switches.unwrap().trim().parse().unwrap())
}

/// True if the thread waits for something.
fn sleeps(task: &Path) -> bool {
    fs::read_to_string(task.join("stat")).unwrap().contains(") S ")
}

fn assert_idle(names: &[&str]) {
    let threads = threads(names);
    // What follows the last call is over when the threads sleep.
    let until = Instant::now() + Duration::from_secs(10);
    while !threads.iter().all(|thread| sleeps(thread)) && Instant::now() < until {
        thread::yield_now();
    }
    let before: Vec<_> = threads.iter().map(|thread| used(thread)).collect();
    // The time is what is measured.
    thread::sleep(Duration::from_secs(2));
    let after = threads.iter().map(|thread| used(thread));
    let (mut time, mut switches) = (0, 0);
    for (before, after) in before.iter().zip(after) {
        time += after.0 - before.0;
        switches += after.1 - before.1;
    }
    let time = Duration::from_nanos(time);
    assert!(time < Duration::from_millis(5) && switches < 10, "{time:?}, {switches} switches");
}

/// Something was done in each runtime, something waits in each for ever, and a timer is far away.
fn settle(caller: &Caller, native: &'static str) {
    let act = async |backend: &str| match backend {
        "tokio" => tokio::time::sleep(Duration::from_millis(1)).await,
        _ => task::sleep(Duration::from_millis(1)).await,
    };
    let wait = || caller.call_soon(async || std::future::pending::<()>().await);
    drop(wait());
    drop(caller.call_later(Duration::from_secs(3600), async || ()));
    caller.call_soon(async move || act(native).await).wait_blocking().unwrap();
}

#[test]
fn i7_a_caller_on_async_std() {
    Process::of(concat!(module_path!(), "::i7_a_caller_on_async_std")).limit(Duration::from_secs(60)).run(
        || {
            let caller = caller(Caller::builder().name("idle").backend(AsyncStd::new()));
            settle(&caller, "async-std");
            assert_idle(&["idle"]);
        },
    );
}

#[test]
fn i7_a_guest_of_tokios() {
    Process::of(concat!(module_path!(), "::i7_a_guest_of_tokios")).limit(Duration::from_secs(60)).run(|| {
        let caller = caller(Caller::builder().name("idle").backend(AsyncStd::new()));
        settle(&caller, "async-std");
        let done = caller.call_using_backend(Tokio::new(), async || {
            tokio::time::sleep(Duration::from_millis(1)).await;
            drop(tokio::task::spawn_local(std::future::pending::<()>()));
        });
        done.unwrap().wait_blocking().unwrap();
        let waits = caller.call_using_backend(Tokio::new(), async || {
            let far = tokio::time::sleep(Duration::from_secs(3600));
            far.await;
        });
        caller.call_soon(async || ()).wait_blocking().unwrap();
        assert_idle(&["idle", "caller-guest"]);
        waits.unwrap().cancel("enough");
    });
}

#[test]
fn i7_a_guest_of_async_stds() {
    Process::of(concat!(module_path!(), "::i7_a_guest_of_async_stds")).limit(Duration::from_secs(60)).run(
        || {
            let caller = caller(Caller::builder().name("idle").backend(Tokio::new()));
            settle(&caller, "tokio");
            let done = caller.call_using_backend(AsyncStd::new(), async || {
                task::sleep(Duration::from_millis(1)).await;
            });
            done.unwrap().wait_blocking().unwrap();
            let waits = caller.call_using_backend(AsyncStd::new(), async || {
                task::sleep(Duration::from_secs(3600)).await;
            });
            caller.call_soon(async || ()).wait_blocking().unwrap();
            assert_idle(&["idle"]);
            waits.unwrap().cancel("enough");
        },
    );
}

#[test]
fn i7_under_a_host() {
    Process::of(concat!(module_path!(), "::i7_under_a_host")).limit(Duration::from_secs(60)).run(|| {
        let on_tokio = caller(Caller::builder().name("idle-a").backend(AsyncStd::new()).host(ON_TOKIO));
        let on_async_std = caller(Caller::builder().name("idle-b").backend(Tokio::new()).host(ON_ASYNC_STD));
        settle(&on_tokio, "async-std");
        settle(&on_async_std, "tokio");
        assert_idle(&["idle-a", "idle-b", "caller-guest"]);
    });
}
