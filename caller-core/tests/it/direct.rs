//! Direct calls that are awaited.

use std::{sync::mpsc, time::Duration};

use caller::{AsyncEvent, testing::Manual};

use crate::support::{LONG, caller, receive};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn an_awaited_direct_call_cannot_wait_for_what_is_behind_it() {
    let caller = caller(&Manual::new());
    let here = caller.0.clone();
    let (sender, waited) = mpsc::channel();
    caller.call_direct_async(async move || {
        let call = here.call_soon(async || ());
        let watched = call.handle().wait().await;
        let ended = [call.await, here.call_later(SECOND, async || ()).await];
        let shared = here.call_soon(async || ()).shared();
        sender.send((watched, ended, shared.wait().await)).unwrap();
    });
    let (watched, ended, shared) = receive(&waited);
    for result in [watched, shared].into_iter().chain(ended) {
        assert!(result.unwrap_err().is_self_wait());
    }
    assert_eq!(caller.call_soon(async || 2).wait().timeout(LONG).blocking().unwrap(), 2);
}

#[test]
fn an_awaited_direct_call_waits_for_what_has_begun() {
    let manual = Manual::new();
    let (caller, other) = (caller(&manual), caller(&manual));
    let (event, before) = (AsyncEvent::new(), AsyncEvent::new());
    let wait = event.clone();
    let begun = caller.call_soon(async move || {
        wait.wait().await;
        1
    });
    let delayed = caller.call_later(SECOND, async || 2);
    let elsewhere = other.clone();
    let (sender, waited) = mpsc::channel();
    let began = before.clone();
    caller.call_direct_async(async move || {
        before.set();
        let third = elsewhere.call_soon(async || 3).await;
        sender.send((begun.await, delayed.await, third)).unwrap();
    });
    began.wait().timeout(LONG).blocking().unwrap();
    event.set();
    manual.advance(SECOND);
    let (begun, delayed, elsewhere) = receive(&waited);
    assert_eq!((begun.unwrap(), delayed.unwrap(), elsewhere.unwrap()), (1, 2, 3));
}
