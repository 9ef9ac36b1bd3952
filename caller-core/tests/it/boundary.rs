//! Two pieces of user code that panic one inside the other: neither costs anybody else anything, where one alone would not.

use std::sync::Arc;

use caller::{
    Caller, ContextVar, PendingHandle, Tracker,
    testing::{
        Manual, Process,
        probe::{Bomb, hear_reports, yield_now},
    },
};

use crate::support::{LONG, caller};

static BOMB: ContextVar<Bomb> = ContextVar::new();

/// Runs `body` with a caller in a process of its own, since it may abort. A call beside it has to go on.
fn beside(test: &str, body: impl FnOnce(&Caller)) {
    Process::of(test).run(|| {
        hear_reports();
        let caller = caller(&Manual::new());
        let go = caller::AsyncEvent::new();
        let wait = go.clone();
        let bystander = caller.call_soon(async move || wait.wait().await);
        body(&caller);
        go.set();
        bystander.wait().timeout(LONG).blocking().unwrap();
        assert_eq!(caller.call_soon(async || 7).wait().timeout(LONG).blocking().unwrap(), 7);
    });
}

macro_rules! beside {
    ($($(#[$doc:meta])* fn $name:ident($caller:ident) $body:block)*) => {
        $(
            $(#[$doc])*
            #[test]
            fn $name() {
                beside(concat!(module_path!(), "::", stringify!($name)), |$caller| $body);
            }
        )*
    };
}

/// The destructor of a tracker panics.
struct Bad;

impl Tracker for Bad {
    fn track(&self, _: &PendingHandle) {}
}

impl Drop for Bad {
    fn drop(&mut self) {
        panic!("a tracker, on purpose");
    }
}

async fn fails(_: u32) {
    yield_now().await;
    panic!("an item, on purpose");
}

async fn sets_and_fails(_: u32) {
    BOMB.set(Bomb::default()).unwrap();
    panic!("an item, on purpose");
}

beside! {
    fn a_body_of_a_scope_and_the_value_of_that_scope(caller) {
        let call = caller.call_soon(async || BOMB.scope(Bomb::default(), async { panic!("a body, on purpose") }).await);
        let error: caller::Error = call.wait().timeout(LONG).blocking().unwrap_err();
        assert!(error.is_panic());
    }

    fn a_body_that_runs_in_a_context_and_a_value_of_it(caller) {
        let call = caller.call_soon(async || {
            BOMB.sync_scope(Bomb::default(), || panic!("a body, on purpose"));
        });
        assert!(call.wait().timeout(LONG).blocking().unwrap_err().is_panic());
    }

    fn a_body_of_a_group_and_a_value_that_it_set(caller) {
        let here = caller.clone();
        let call = caller.call_soon(async move || {
            let body = async |_| {
                BOMB.set(Bomb::default()).unwrap();
                panic!("a body, on purpose");
            };
            here.group().build().run(body).await.is_err()
        });
        let ended = call.wait().timeout(LONG).blocking();
        assert!(ended.is_err_and(|error| error.is_panic()));
    }

    fn an_item_and_a_value_that_it_set(caller) {
        caller.queue_call(sets_and_fails, 1).unwrap();
        let here = caller.clone();
        let in_a_group = caller.call_soon(async move || {
            let caller = here.clone();
            let ran = here.group().build().run(async |_| caller.queue_call(sets_and_fails, 2)).await;
            ran.is_ok()
        });
        assert!(in_a_group.wait().timeout(LONG).blocking().unwrap());
    }

    fn an_item_and_the_tracker_that_it_was_queued_under(caller) {
        let tracker = Arc::new(Bad);
        tracker.sync_scope(|| caller.queue_call(fails, 1)).unwrap();
        // The item's context has the last one.
        let _panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(tracker)));
    }

    fn the_function_and_the_context_of_a_call_that_is_cancelled(caller) {
        let bomb = Bomb::default();
        let call = BOMB.sync_scope(Bomb::default(), || {
            caller.call_later(LONG, async move || drop(bomb))
        });
        assert!(call.cancel("enough") && call.is_done());
        let bomb = Bomb::default();
        let unstarted = Caller::builder().backend(Manual::new()).build().unwrap();
        let call = BOMB.sync_scope(Bomb::default(), || unstarted.call_soon(async move || drop(bomb)));
        assert!(call.cancel("enough") && call.is_done());
    }
}
