//! I7: who is idle uses no CPU, also with smol in the thread as a guest or as its host.

use std::time::Duration;

use async_io::Timer;
use caller::{
    Backend, Builder, Caller,
    testing::{Process, Running, assert_idle},
};
use caller_async_std::AsyncStd;
use caller_smol::Smol;
use caller_tokio::Tokio;

use crate::loops::{ON_ASYNC_STD, ON_SMOL, ON_TOKIO};

const FAR: Duration = Duration::from_secs(3600);

fn caller(builder: Builder) -> Running {
    let caller = Running(builder.name("idle").spawn().unwrap());
    // Something was done, something waits for ever, and a timer is far away.
    drop(caller.call_soon(async || std::future::pending::<()>().await));
    drop(caller.call_later(FAR, async || ()));
    caller.call_soon(async || ()).wait_blocking().unwrap();
    caller
}

fn alone(test: &str) -> Process {
    Process::of(&format!("{}::{test}", module_path!())).limit(Duration::from_secs(60))
}

#[test]
fn i7_a_caller_on_smol() {
    alone("i7_a_caller_on_smol").run(|| {
        let caller = caller(Caller::builder().backend(Smol::new()));
        let spawned = caller.call_soon(async || {
            Timer::after(Duration::from_millis(1)).await;
            caller_smol::spawn_local(std::future::pending::<()>()).unwrap().detach();
        });
        spawned.wait_blocking().unwrap();
        assert_idle(&["idle"]);
    });
}

/// In the thread of a caller on another backend, a call has ended, another waits for a timer, and a local task for ever.
fn a_guest(host: impl Backend) {
    let caller = caller(Caller::builder().backend(host));
    let done = caller.call_using_backend(Smol::new(), async || {
        Timer::after(Duration::from_millis(1)).await;
        caller_smol::spawn_local(std::future::pending::<()>()).unwrap().detach();
    });
    done.unwrap().wait_blocking().unwrap();
    let waits = caller.call_using_backend(Smol::new(), async || Timer::after(FAR).await);
    caller.call_soon(async || ()).wait_blocking().unwrap();
    // async-io's thread sleeps less and less, until it sleeps for good.
    assert_idle(&["idle"]);
    waits.unwrap().cancel("enough");
}

#[test]
fn i7_a_guest_of_smols_in_tokio() {
    alone("i7_a_guest_of_smols_in_tokio").run(|| {
        a_guest(Tokio::new());
        // Nobody else drives its timers here, and it sleeps as well.
        assert_idle(&["async-io"]);
    });
}

#[test]
fn i7_a_guest_of_smols_in_async_std() {
    alone("i7_a_guest_of_smols_in_async_std").run(|| a_guest(AsyncStd::new()));
}

#[test]
fn i7_a_guest_of_tokios_in_smol() {
    alone("i7_a_guest_of_tokios_in_smol").run(|| {
        let caller = caller(Caller::builder().backend(Smol::new()));
        let done = caller.call_using_backend(Tokio::new(), async || {
            tokio::time::sleep(Duration::from_millis(1)).await;
            drop(tokio::task::spawn_local(std::future::pending::<()>()));
        });
        done.unwrap().wait_blocking().unwrap();
        let waits = caller.call_using_backend(Tokio::new(), async || tokio::time::sleep(FAR).await);
        caller.call_soon(async || ()).wait_blocking().unwrap();
        assert_idle(&["idle", "caller-guest"]);
        waits.unwrap().cancel("enough");
    });
}

#[test]
fn i7_under_a_host() {
    alone("i7_under_a_host").run(|| {
        let _on_tokio = caller(Caller::builder().backend(Smol::new()).host(ON_TOKIO));
        let _on_async_std = caller(Caller::builder().backend(Smol::new()).host(ON_ASYNC_STD));
        let _on_smol = caller(Caller::builder().backend(Tokio::new()).host(ON_SMOL));
        assert_idle(&["idle", "caller-guest"]);
    });
}
