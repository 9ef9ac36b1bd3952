//! Facts about the current thread that no single caller owns: whether it is the main thread, and which caller's body is
//! being polled in it.

use std::{cell::Cell, thread};

use crate::caller_id::CallerId;

// Neither has a destructor, so both can be used in the destructors of other thread-locals.
thread_local! {
    /// This thread was spawned by this crate.
    static SPAWNED: Cell<bool> = const { Cell::new(false) };
    static BODY: Cell<Body> = const { Cell::new(Body { caller: None, awaits_end: false }) };
}

/// Records that this crate spawned the current thread, which is therefore not the main thread.
pub(crate) fn mark_spawned() {
    SPAWNED.set(true);
}

/// Whether this is the main thread of the process.
///
/// Linux says so: the id of the main thread is that of the process. Elsewhere, and without `/proc`, the name decides:
/// std names the main thread `main`. A thread that this crate spawned is never the main thread, but one that the
/// program spawned under that name is then taken for it.
pub(crate) fn is_main() -> bool {
    if SPAWNED.get() {
        return false;
    }
    is_main_by_id().unwrap_or_else(|| thread::current().name() == Some("main"))
}

#[cfg(target_os = "linux")]
fn is_main_by_id() -> Option<bool> {
    // A link to `<process>/task/<thread>`, with the ids of the same namespace.
    let link = std::fs::read_link("/proc/thread-self").ok()?;
    let (process, thread) = link.to_str()?.split_once("/task/")?;
    Some(process == thread)
}

#[cfg(not(target_os = "linux"))]
fn is_main_by_id() -> Option<bool> {
    None
}

/// The body of a scope or run that is being polled in this thread.
#[derive(Clone, Copy)]
struct Body {
    caller: Option<CallerId>,
    /// It awaits the end of its own caller.
    awaits_end: bool,
}

/// Runs `poll` as a poll of the body of a caller. The second value tells whether the body awaits the end of its caller.
pub(crate) fn as_body_of<R>(caller: CallerId, poll: impl FnOnce() -> R) -> (R, bool) {
    struct Restore(Body);

    impl Drop for Restore {
        fn drop(&mut self) {
            BODY.set(self.0);
        }
    }

    let _outer = Restore(BODY.replace(Body { caller: Some(caller), awaits_end: false }));
    let polled = poll();
    (polled, BODY.get().awaits_end)
}

/// Tells the body that is being polled, if it is the body of this caller, that it awaits the end of the caller.
pub(crate) fn awaits_end_of(caller: CallerId) {
    let body = BODY.get();
    if body.caller == Some(caller) {
        BODY.set(Body { awaits_end: true, ..body });
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn no_test_thread_is_the_main_thread() {
        let spawned = |name: &str| thread::Builder::new().name(name.into()).spawn(is_main).unwrap().join();
        assert!(!spawned("worker").unwrap());
        if cfg!(target_os = "linux") {
            assert!(!spawned("main").unwrap());
        }
        let marked = thread::Builder::new().name("main".into()).spawn(|| {
            mark_spawned();
            is_main()
        });
        assert!(!marked.unwrap().join().unwrap());
    }
}
