//! Every error that a user can meet: what it is, and what it says.

use std::{
    sync::{Arc, mpsc},
    time::Duration,
};

use caller::{
    AsyncLock, BoxError, Caller, ContextVar, CountdownEvent, Error, Host, LocalFuture, Pending, PendingGroup,
    PendingHandle, PoolSettings, ReentrantAsyncLock, Resolver, Tracker, current_pending, host_named,
    testing::{Manual, Running},
};

fn caller() -> Running {
    Running(Caller::builder().name("clerk").backend(Manual::new()).spawn().expect("a caller can be started"))
}

/// The text, without the line numbers of this file.
fn text(error: &Error) -> String {
    let text = error.to_string();
    let Some((head, tail)) = text.split_once("errors.rs:") else { return text };
    let rest = tail.trim_start_matches(|c: char| c.is_ascii_digit());
    format!("{head}errors.rs:_{rest}")
}

#[test]
fn not_done_taken_abandoned() {
    let (resolver, mut pending) = Resolver::<u32>::new();
    let error = pending.try_result().unwrap_err();
    assert!(error.is_not_done());
    insta::assert_snapshot!(text(&error), @"not done yet; await it, or ask `is_done` first");
    resolver.resolve(1).unwrap();
    pending.try_result().unwrap();
    let error = pending.try_result().unwrap_err();
    assert!(error.is_taken());
    insta::assert_snapshot!(text(&error), @"the result was taken already; use `shared` where several ask for it");
    let (resolver, pending) = Resolver::<u32>::new();
    drop(resolver);
    assert!(pending.wait_blocking().unwrap_err().is_abandoned());
}

#[test]
fn cancelled_and_failed_calls_say_where() {
    let caller = caller();
    let pending = caller.call_soon(async || std::future::pending::<()>().await);
    pending.cancel("the user left");
    let error = pending.wait_blocking().unwrap_err();
    assert!(error.is_cancelled() && !error.is_closed());
    insta::assert_snapshot!(text(&error), @"`it::errors::cancelled_and_failed_calls_say_where` (caller-core/tests/it/errors.rs:_) cancelled: the user left");
    let error = caller.try_call_soon(async || "x".parse::<u32>()).wait_blocking().unwrap_err();
    assert!(error.is_failed() && error.downcast_ref::<std::num::ParseIntError>().is_some());
    insta::assert_snapshot!(text(&error), @"`it::errors::cancelled_and_failed_calls_say_where` (caller-core/tests/it/errors.rs:_) failed: invalid digit found in string");
    let error = caller.call_soon(async || panic!("out of ink")).wait_blocking().unwrap_err();
    assert!(error.is_panic());
    insta::assert_snapshot!(text(&error), @"`it::errors::cancelled_and_failed_calls_say_where` (caller-core/tests/it/errors.rs:_) panicked: out of ink");
    assert!(error.take_panic().is_some());
}

#[derive(Debug)]
struct Loop(bool);

impl Host for Loop {
    fn name(&self) -> &'static str {
        "loop"
    }

    fn needs_main_thread(&self) -> bool {
        self.0
    }

    fn run(&self, _program: LocalFuture<'static>) -> Result<(), BoxError> {
        Ok(())
    }
}

#[test]
fn hosts() {
    let run = |main| caller::run(Loop(main), caller_tokio::Tokio::new(), async |_| ()).unwrap_err();
    let error = run(true);
    assert!(error.is_mismatch());
    insta::assert_snapshot!(error, @r#"the host "loop" needs the main thread; run it there, and have other threads call it"#);
    let error = run(false);
    assert!(error.is_host());
    insta::assert_snapshot!(error, @r#"the loop of the host "loop" ended before the program that it ran; let the body end first, which ends the loop"#);
    let error = caller::run(Loop(false), Manual::new(), async |_| ()).unwrap_err();
    assert!(error.is_mismatch());
    insta::assert_snapshot!(error, @r#"the backend manual cannot be the guest of the host "loop"; use one that can"#);
    let error = host_named("tk").unwrap_err();
    assert!(error.is_unknown_host());
    insta::assert_snapshot!(error, @r#"no host is named "tk" here; there are `winit` and `glib`, each behind the feature of its name"#);
    let built = Caller::builder().name("clerk").backend(caller_tokio::Tokio::new()).host(Loop(false));
    let built = built.build().unwrap();
    let error = caller_tokio::run(async move |_| built.enter(async |_| ()).await.unwrap_err()).unwrap();
    assert!(error.is_mismatch());
    insta::assert_snapshot!(error, @r#"the caller "clerk" has the host "loop", whose loop does not run here; use `run`, or `spawn`"#);
    let nested = caller_tokio::run(async |_| caller_tokio::run(async |_| ()).unwrap_err()).unwrap();
    assert!(nested.is_mismatch());
}

#[test]
fn a_stopped_caller() {
    let caller = caller();
    caller.stop();
    caller.stopped().blocking().unwrap();
    let error = caller.call_soon(async || 1).wait_blocking().unwrap_err();
    assert!(error.is_closed() && error.is_cancelled());
    insta::assert_snapshot!(text(&error), @r#"`it::errors::a_stopped_caller` (caller-core/tests/it/errors.rs:_) cancelled: the caller "clerk" has stopped"#);
    let error = caller.to_thread(async || 1).wait_blocking().unwrap_err();
    assert!(error.is_closed());
    insta::assert_snapshot!(text(&error), @r#"`it::errors::a_stopped_caller` (caller-core/tests/it/errors.rs:_) cancelled: the caller "clerk" has stopped"#);
    async fn nothing((): ()) {}
    let error = caller.queue_call(nothing, ()).unwrap_err();
    assert!(error.is_closed());
    insta::assert_snapshot!(text(&error), @r#"cancelled: the caller "clerk" has stopped"#);
    let error = caller.child("late").unwrap_err();
    assert!(error.is_closed());
    insta::assert_snapshot!(text(&error), @r#"cancelled: the caller "clerk" has stopped"#);
    let error = caller.start().unwrap_err();
    assert!(error.is_closed());
    insta::assert_snapshot!(text(&error), @r#"cancelled: the caller "clerk" was stopped, and cannot be started again; build another"#);
}

#[test]
fn a_wait_that_is_too_long() {
    let (_resolver, mut pending) = Resolver::<u32>::new();
    let error = pending.wait_mut().timeout(Duration::ZERO).blocking().unwrap_err();
    assert!(error.is_timeout());
    insta::assert_snapshot!(text(&error), @"`caller::pending::resolver::Resolver<u32>` (caller-core/tests/it/errors.rs:_) timed out after 0ns");
}

#[test]
fn waiting_for_oneself() {
    let caller = caller();
    let own = caller.call_soon(async || current_pending().unwrap().wait().await.unwrap_err());
    let error = own.wait_blocking().unwrap();
    assert!(error.is_self_wait());
    insta::assert_snapshot!(text(&error), @"`it::errors::waiting_for_oneself` (caller-core/tests/it/errors.rs:_) the call would wait for itself for ever; hand the work to another caller, or do not wait for it here");
    let this = caller.0.clone();
    let blocked = caller.call_soon(async move || this.call_soon(async || 1).wait_blocking().unwrap_err());
    let error = blocked.wait_blocking().unwrap();
    assert!(error.is_self_wait());
    insta::assert_snapshot!(text(&error), @"blocking this thread would wait for itself for ever; hand the work to another caller, or do not wait for it here");
}

#[test]
fn no_caller_and_no_runtime() {
    let error = Caller::current().unwrap_err();
    assert!(error.is_no_caller());
    insta::assert_snapshot!(text(&error), @"no caller runs in this thread; enter one with `Caller::scope`, ask the backend (`Tokio::current`), or call from inside a call");
    let error = Caller::builder().build().unwrap_err();
    assert!(error.is_no_caller());
    insta::assert_snapshot!(text(&error), @"a caller needs a backend to run on; give one to the builder, as in `.backend(Tokio::new())`");
}

#[test]
fn what_does_not_fit() {
    let caller = caller();
    caller.child("desk").unwrap();
    let error = caller.child_builder().name("desk").backend(Manual::new()).spawn().unwrap_err();
    assert!(error.is_mismatch());
    insta::assert_snapshot!(text(&error), @r#"the name "desk" is taken by a caller with other options (backend Manual); use another name, or the same options"#);
    let error = caller.start().unwrap_err();
    assert!(error.is_mismatch());
    insta::assert_snapshot!(text(&error), @r#"the caller "clerk" was started already; a caller is started once, by `start`, `enter` or `scope`"#);
    let error = caller.call_soon_local(async || ()).unwrap_err();
    assert!(error.is_mismatch());
    insta::assert_snapshot!(text(&error), @r#"the caller "clerk" runs in another thread; this can only be done in its own"#);
    let manual = Manual::new();
    let nested = manual.clone();
    let error = manual.block_on(async {
        let outer = Caller::builder().name("outer").backend(manual.clone());
        outer.scope(async |_| Caller::scope(nested, async |_| ()).await.unwrap_err()).await.unwrap()
    });
    assert!(error.is_mismatch());
    insta::assert_snapshot!(text(&error), @r#"the caller "outer" belongs to this thread, and a thread has at most one; use it (`Caller::current`), or start this one in another thread"#);
    static COLOR: ContextVar<u32> = ContextVar::new();
    let error = COLOR.set(1).unwrap_err();
    assert!(error.is_mismatch());
    insta::assert_snapshot!(text(&error), @"a context value or tracker can only be set inside a call, or it would leak into unrelated tasks; use `scope`");
    let (resolver, _pending) = Resolver::<u32>::new();
    resolver.set_canceller(|_| {}).unwrap();
    assert!(resolver.set_canceller(|_| {}).unwrap_err().is_mismatch());
}

/// A backend that is no other's kind.
#[derive(Clone, Debug)]
struct Elsewhere;

impl caller::Backend for Elsewhere {
    fn name(&self) -> &'static str {
        "elsewhere"
    }

    fn is_same(&self, _other: &dyn caller::Backend) -> bool {
        false
    }

    fn run(&self, _root: caller::LocalFuture<'_>) -> std::io::Result<()> {
        Err(std::io::Error::other("there is no elsewhere"))
    }

    fn runtime(&self) -> caller::Result<std::rc::Rc<dyn caller::Runtime>> {
        Err(Error::no_runtime("there is no elsewhere; stay here"))
    }
}

#[test]
fn another_backend() {
    let caller = caller();
    let error = caller.schedule_call(async || ()).backend(Elsewhere).submit().unwrap_err();
    assert!(error.is_mismatch());
    insta::assert_snapshot!(text(&error), @r#"the call names the backend elsewhere, but the caller "clerk" runs manual, and elsewhere cannot be its guest; make a caller of its own for it"#);
    // A runtime that cannot be made is the error of every call, and nothing hangs.
    let broken = Caller::builder().name("broken").backend(Elsewhere).spawn().unwrap();
    broken.stopped().blocking().unwrap();
    let error = broken.call_soon(async || 1).wait_blocking().unwrap_err();
    assert!(error.is_closed());
    insta::assert_snapshot!(text(&error), @r#"`it::errors::another_backend` (caller-core/tests/it/errors.rs:_) cancelled: the caller "broken" could not run: its runtime could not be made: there is no elsewhere"#);
}

#[test]
fn limits_of_zero() {
    let pool = Caller::builder().backend(Manual::new()).pool(PoolSettings::default().limit(0));
    let error = pool.build().unwrap_err();
    assert!(error.is_zero_limit());
    insta::assert_snapshot!(text(&error), @"the limit of the worker pool is zero, so nothing could ever run; give at least 1");
    let caller = caller();
    let error = caller.as_completed_lazy(Vec::<Pending<()>>::new()).max_concurrent(0).unwrap_err();
    assert!(error.is_zero_limit());
    let error = caller.bounded_queue(0, async |(): ()| ()).unwrap_err();
    assert!(error.is_zero_limit());
    let (sender, begins) = mpsc::channel();
    let queue = caller
        .bounded_queue(1, async move |number: u32| {
            sender.send(number).unwrap();
            std::future::pending::<()>().await;
        })
        .unwrap();
    queue.call(1).unwrap();
    assert_eq!(begins.recv().unwrap(), 1);
    queue.call(2).unwrap();
    let (back, error) = queue.call(3).unwrap_err();
    assert!(back == 3 && error.is_full());
    insta::assert_snapshot!(text(&error), @"the queue is full: 1 items wait in it already; wait for it, or raise its bound");
}

#[test]
fn groups_and_trackers() {
    struct Deaf;
    impl Tracker for Deaf {
        fn track(&self, _pending: &PendingHandle) {}
    }
    let deaf = Arc::new(Deaf);
    let error = deaf.activate().unwrap_err();
    assert!(error.is_mismatch());
    insta::assert_snapshot!(error, @"a context value or tracker can only be set inside a call, or it would leak into unrelated tasks; use `scope`");
    let caller = caller();
    let call = caller.call_soon(async move || {
        let (first, second) = (deaf.activate().unwrap(), Arc::new(Deaf).activate().unwrap());
        let error = first.deactivate().unwrap_err();
        second.deactivate().unwrap();
        error
    });
    let error = call.wait_blocking().unwrap();
    assert!(error.is_mismatch());
    insta::assert_snapshot!(error, @"the tracker is not the active one of its type here; deactivate it in the call that activated it, the last one first");
    let call = caller.call_soon(async || {
        let group = PendingGroup::builder().build();
        group.run(async |_| ()).await.unwrap();
        let again = group.run(async |_| ()).await.unwrap_err();
        let late = group.add(&current_pending().unwrap()).unwrap_err();
        let own = PendingGroup::builder().build();
        own.add(&current_pending().unwrap()).unwrap();
        (again, late, own.run(async |_| ()).await.unwrap_err())
    });
    let (again, late, own) = call.wait_blocking().unwrap();
    assert!(again.is_mismatch() && late.is_closed() && own.is_self_wait());
    insta::assert_snapshot!(again, @"the group was run already; a group is run once, build another");
    insta::assert_snapshot!(late, @"cancelled: the group has ended");
    insta::assert_snapshot!(own, @"the group would wait for itself for ever; hand the work to another caller, or do not wait for it here");
}

#[test]
fn locks_and_counts() {
    let count = CountdownEvent::new(0);
    let error = count.down().unwrap_err();
    assert!(error.is_mismatch());
    insta::assert_snapshot!(error, @"the count is zero already; count in with `up`, or with the number it begins at, what is counted down");
    let lock = AsyncLock::new(7);
    let held = lock.try_with(|_| lock.with_blocking(|_| ()).unwrap_err()).unwrap();
    assert!(held.is_self_wait());
    insta::assert_snapshot!(held, @"the lock is held here already, so taking it would wait for ever; use what it gave, or a lock that is reentrant");
    insta::assert_debug_snapshot!(lock, @r#"AsyncLock(
    7,
)"#);
    let guard = lock.try_lock().unwrap();
    insta::assert_debug_snapshot!(lock, @"AsyncLock(<locked>)");
    insta::assert_debug_snapshot!(guard, @"7");
    let again = ReentrantAsyncLock::new(7);
    let _in = again.try_lock();
    insta::assert_debug_snapshot!(again, @"ReentrantAsyncLock(count=1, value=7)");
    insta::assert_debug_snapshot!(CountdownEvent::new(3), @"CountdownEvent(3) count=3 waiting=0");
}
