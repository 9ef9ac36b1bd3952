//! Harnesses that try a property at every place where it could break, rather than at one: each backend and pairing runs
//! them, in a process of its own.
//!
//! - [`drops_at_every_poll`]: every public future of the library is dropped after its first poll, its second, and so on.
//! - [`panics_at_every_place`]: user code panics at each [`Place`](super::Place) of the guard.
//! - [`calls_back_from_everywhere`]: user code calls back into the object that it is called by.

mod callbacks;
mod drops;
mod panics;

use std::time::{Duration, Instant};

pub use self::{
    callbacks::calls_back_from_everywhere, drops::drops_at_every_poll, panics::panics_at_every_place,
};
use crate::{
    caller::Caller,
    pending::PendingHandle,
    testing::{Fixture, Running},
};

/// How long a harness waits for something that should come at once.
const LONG: Duration = Duration::from_secs(20);

/// Callers that work beside those that are tried, and have to go on whatever happens.
struct Bystanders {
    caller: Running,
}

impl Bystanders {
    fn new<F: Fixture>(fixture: &F) -> Self {
        Self { caller: fixture.caller() }
    }

    /// A call that has begun on the caller that is tried, and ends when it is let go.
    fn working(&self) -> Working {
        let go = crate::AsyncEvent::new();
        let wait = go.clone();
        let begun = crate::AsyncEvent::new();
        let tell = begun.clone();
        let call = self.caller.call_soon(async move || {
            tell.set();
            wait.wait().await;
            7
        });
        begun.wait().timeout(LONG).blocking().expect("the call begins");
        Working { go, call }
    }
}

/// A call that is under way.
struct Working {
    go: crate::AsyncEvent,
    call: crate::Pending<i32>,
}

impl Working {
    /// It goes on, and new calls do.
    fn goes_on(self, what: &str, caller: &Caller) {
        self.go.set();
        let seven = self.call.wait().timeout(LONG).blocking();
        assert!(matches!(seven, Ok(7)), "{what}: a call that was under way: {seven:?}");
        let one = caller.call_soon(async || 1).wait().timeout(LONG).blocking();
        assert!(matches!(one, Ok(1)), "{what}: a new call: {one:?}");
        let direct = crate::AsyncEvent::new();
        let tell = direct.clone();
        caller.call_direct(move || tell.set());
        direct
            .wait()
            .timeout(LONG)
            .blocking()
            .unwrap_or_else(|_| panic!("{what}: a direct call did not run"));
    }
}

/// Ends when `pending` is done, which it is soon.
fn is_done_soon(what: &str, pending: &PendingHandle) {
    let done = pending.wait().timeout(LONG).blocking();
    assert!(done.is_ok(), "{what}: {pending} is not done: {done:?}");
}

/// Says which case is tried, so that a process that aborts has said so.
fn trying(what: &str) {
    eprintln!("trying: {what}");
}

/// Waits until no more wakers are kept than these.
fn nothing_is_kept(what: &str, most: usize) {
    let until = Instant::now() + LONG;
    while super::kept_wakers() > most {
        assert!(Instant::now() < until, "{what}: {} wakers are kept, and not {most}", super::kept_wakers());
        std::thread::yield_now();
    }
}
