//! Children: who is a worker, who has a name, and who holds those that were never started.

use std::future::pending;

use caller::{
    Caller, Pending, PoolSettings,
    testing::{Manual, Running},
};

use crate::support::{LONG, caller};

fn built(parent: &Caller) -> Caller {
    parent.child_builder().name("clerk").build().unwrap()
}

#[test]
fn a_named_child_keeps_to_the_limit_of_the_pool() {
    let settings = PoolSettings::default().limit(1);
    let caller = Running(Caller::builder().backend(Manual::new()).pool(settings).spawn().unwrap());
    let (parent, child) = (caller.0.clone(), caller.child("db").unwrap());
    let busy = child.call_soon(async move || {
        let one = || parent.to_thread(async || pending::<()>().await);
        (0..4).map(|_| one()).collect::<Vec<_>>()
    });
    let calls = busy.wait().timeout(LONG).blocking().unwrap();
    assert_eq!((caller.workers(), calls.len()), ((1, 0), 4));
}

#[test]
fn a_name_that_was_made_up_gives_no_child() {
    let caller = caller(&Manual::new());
    let worker = caller.to_thread(async || Caller::current().unwrap());
    let worker = worker.wait().timeout(LONG).blocking().unwrap();
    let unnamed = caller.new_child().unwrap();
    for other in [worker, unnamed] {
        let named = caller.child(other.name()).unwrap();
        assert_ne!(named, other);
        assert_eq!(caller.child(other.name()).unwrap(), named);
    }
}

#[test]
fn a_child_that_was_only_built_ends_with_its_last_handle() {
    let parent = caller(&Manual::new());
    let child = built(&parent);
    let mut call: Pending<()> = child.call_soon(async || ());
    assert_eq!(parent.children(), std::slice::from_ref(&child));
    let again = built(&parent);
    assert_eq!(again, child);
    drop(again);
    let stopped = child.stopped();
    drop(child);
    assert!(parent.children().is_empty() && stopped.is_past());
    assert!(call.try_result().unwrap_err().is_closed());
    let next = parent.child("clerk").unwrap().call_soon(async || 1);
    assert_eq!(next.wait().timeout(LONG).blocking().unwrap(), 1, "the name is free");
}

#[test]
fn a_child_that_was_started_outlives_its_handles() {
    let parent = caller(&Manual::new());
    let child = built(&parent);
    child.start().unwrap();
    let call = child.call_soon(async || Caller::current().unwrap().name().to_owned());
    drop(child);
    assert_eq!(call.wait().timeout(LONG).blocking().unwrap(), "clerk");
    assert_eq!(parent.children().len(), 1);
}

#[test]
fn a_stop_ends_a_child_that_was_only_built() {
    let parent = caller(&Manual::new());
    let child = built(&parent);
    let call = child.call_soon(async || ());
    parent.stop();
    parent.stopped().timeout(LONG).blocking().unwrap();
    assert!(child.stopped().is_past() && call.is_done());
}
