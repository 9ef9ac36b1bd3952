//! What needs the real main thread, or a process of its own: a test without a harness.

use std::process::ExitCode;

use caller::{Caller, CallerState};
use caller_tokio::Tokio;
use libtest_mimic::{Arguments, Failed, Trial};

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // With one thread, tests run in the main thread.
    arguments.test_threads = Some(1);
    let tests = vec![
        Trial::test("cal_02_the_main_threads_caller", || on_tokio(cal_02_the_main_threads_caller())),
        Trial::test("cal_14_stop_all", || on_tokio(cal_14_stop_all())),
    ];
    libtest_mimic::run(&arguments, tests).exit_code()
}

fn on_tokio(test: impl Future<Output = ()>) -> Result<(), Failed> {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().build_local(Default::default())?.block_on(test);
    Ok(())
}

async fn cal_02_the_main_threads_caller() {
    assert!(Caller::main_thread().unwrap_err().is_no_caller());
    let caller = Tokio::current().expect("it can be started here");
    assert_eq!(Caller::main_thread().expect("it runs here"), caller);
    let found = caller.to_thread(async || Caller::main_thread()).await.expect("it runs");
    assert_eq!(found.expect("from any thread"), caller);
    caller.stop();
    caller.stopped().await;
    assert!(Caller::main_thread().unwrap_err().is_no_caller());
}

async fn cal_14_stop_all() {
    let builder = || Caller::builder().backend(Tokio::new());
    let plain = builder().spawn().expect("it can be started");
    let child = plain.child("child").expect("it can be started");
    let protected = builder().protected(true).spawn().expect("it can be started");
    let unborn = builder().build().expect("it can be built");
    let own = Tokio::current().expect("it can be started here");
    Caller::stop_all(false);
    for caller in [&plain, &child, &unborn, &own] {
        caller.stopped().await;
        assert_eq!(caller.state(), CallerState::Stopped);
    }
    assert_eq!(protected.call_soon(async || 1).await.expect("it runs on"), 1);
    Caller::stop_all(true);
    protected.stopped().await;
    assert!(Caller::all_existing().is_empty(), "{:?}", Caller::all_existing());
}
