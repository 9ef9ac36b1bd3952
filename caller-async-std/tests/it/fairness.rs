//! Nobody keeps a thread for himself: a call that never lets go is cut short by tokio's budget, wherever it runs.

use std::{thread, time::Duration};

use async_std::task;
use caller::{Backend, Caller, Host, testing::Running};
use caller_async_std::AsyncStd;
use caller_tokio::Tokio;

use crate::loops::ON_ASYNC_STD;

const PATIENCE: Duration = Duration::from_secs(20);

/// Runs as long as it has budget, and then again.
async fn greedy() {
    loop {
        tokio::task::consume_budget().await;
    }
}

fn caller(backend: impl Backend, host: Option<impl Host>) -> Running {
    let builder = Caller::builder().backend(backend);
    let builder = match host {
        Some(host) => builder.host(host),
        None => builder,
    };
    Running(builder.spawn().unwrap())
}

fn others_have_their_turn(caller: &Caller) {
    let one = caller.call_soon(async || 1).wait().timeout(PATIENCE).blocking();
    assert_eq!(one.unwrap(), 1);
    let later = caller.call_later(Duration::from_millis(1), async || 2).wait().timeout(PATIENCE).blocking();
    assert_eq!(later.unwrap(), 2);
}

#[test]
fn a_greedy_call_leaves_the_others_their_turn() {
    let caller = caller(Tokio::new(), None::<crate::loops::Loop>);
    let calls = [caller.call_soon(greedy), caller.call_soon(greedy)];
    others_have_their_turn(&caller);
    for call in calls {
        call.cancel("enough");
        assert!(call.wait_blocking().unwrap_err().is_cancelled());
    }
}

#[test]
fn and_in_a_guest() {
    let caller = caller(AsyncStd::new(), None::<crate::loops::Loop>);
    let call = caller.call_using_backend(Tokio::new(), greedy).unwrap();
    others_have_their_turn(&caller);
    call.cancel("enough");
    assert!(call.wait_blocking().unwrap_err().is_cancelled());
    let call = caller.call_using_backend(Tokio::new(), greedy).unwrap();
    caller.force_stop();
    assert!(call.wait_blocking().unwrap_err().is_closed());
}

#[test]
fn and_under_a_host() {
    let caller = caller(Tokio::new(), Some(ON_ASYNC_STD));
    let call = caller.call_soon(greedy);
    others_have_their_turn(&caller);
    let ticks = caller.call_using_backend(AsyncStd::new(), async || {
        task::sleep(Duration::from_millis(1)).await;
        thread::current().id()
    });
    ticks.unwrap().wait().timeout(PATIENCE).blocking().unwrap();
    call.cancel("enough");
    assert!(call.wait_blocking().unwrap_err().is_cancelled());
}
