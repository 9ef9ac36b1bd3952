//! What needs the real main thread, or a process of its own: a test without a harness.

use caller::{Caller, CallerState};
use caller_tokio::Tokio;

type Test = fn(&tokio::runtime::LocalRuntime);

const TESTS: [(&str, Test); 2] = [
    ("cal_02_the_main_threads_caller", cal_02_the_main_threads_caller),
    ("cal_14_stop_all", cal_14_stop_all),
];

/// Speaks as much of the language of test harnesses as nextest needs: it lists, and runs what is named, or all.
fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let given = |argument: &str| arguments.iter().any(|given| given == argument);
    if given("--list") {
        if !given("--ignored") {
            TESTS.iter().for_each(|(name, _)| println!("{name}: test"));
        }
        return;
    }
    let named = TESTS.iter().any(|(name, _)| given(name));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build_local(Default::default());
    let runtime = runtime.expect("a runtime can be made");
    let chosen: Vec<_> = TESTS.iter().filter(|(name, _)| !named || given(name)).collect();
    chosen.iter().for_each(|(_, test)| test(&runtime));
    println!("{} passed, 0 failed", chosen.len());
}

fn cal_02_the_main_threads_caller(runtime: &tokio::runtime::LocalRuntime) {
    assert!(Caller::main_thread().unwrap_err().is_no_caller());
    runtime.block_on(async {
        let caller = Tokio::current().expect("it can be started here");
        assert_eq!(Caller::main_thread().expect("it runs here"), caller);
        let found = caller.to_thread(async || Caller::main_thread()).await.expect("it runs");
        assert_eq!(found.expect("from any thread"), caller);
        caller.stop();
        caller.stopped().await;
        assert!(Caller::main_thread().unwrap_err().is_no_caller());
    });
}

fn cal_14_stop_all(runtime: &tokio::runtime::LocalRuntime) {
    runtime.block_on(async {
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
    });
}
