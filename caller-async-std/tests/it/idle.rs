//! I7: who is idle uses no CPU; over two seconds, under 5 ms of it and a handful of context switches.

use std::time::Duration;

use async_std::task;
use caller::{
    Builder, Caller,
    testing::{Process, Running, assert_idle},
};
use caller_async_std::AsyncStd;
use caller_tokio::Tokio;

use crate::loops::{ON_ASYNC_STD, ON_TOKIO};

fn caller(builder: Builder) -> Running {
    Running(builder.spawn().unwrap())
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
