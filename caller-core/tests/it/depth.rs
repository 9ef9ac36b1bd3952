//! What holds the next of its kind, and so on: a chain of any length needs no deep stack, and nobody waits for what was put
//! off because the stack was deep.

use std::{
    any::Any,
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use caller::{
    AsyncEvent, Context, ContextVar, DoneCallback, Error, Pending, PendingHandle, Resolver,
    testing::{Manual, Process},
};

use crate::support::{LONG, caller, in_time};

const DEEP: usize = 100_000;

/// A test in a process of its own, since it may overflow its stack.
macro_rules! alone {
    ($($(#[$doc:meta])* fn $name:ident() $body:block)*) => {
        $(
            $(#[$doc])*
            #[test]
            fn $name() {
                Process::of(concat!(module_path!(), "::", stringify!($name))).limit(LONG * 3).run(|| $body);
            }
        )*
    };
}

/// A chain of callbacks, each of which resolves the next pending, with a last one. Gives what sets it off.
fn chain(links: usize, last: impl Fn() + Send + Sync + 'static) -> Resolver<()> {
    let (mut next, pending) = Resolver::new();
    pending.add_done_callback(&DoneCallback::new(move |_| last()));
    for _ in 1..links {
        let (resolver, pending) = Resolver::new();
        let then = Mutex::new(Some(next));
        pending.add_done_callback(&DoneCallback::new(move |_| {
            if let Some(next) = then.lock().unwrap().take() {
                let _gone = next.resolve(());
            }
        }));
        next = resolver;
    }
    next
}

#[test]
fn a_thread_that_waits_is_woken_from_any_depth() {
    struct Joins(AsyncEvent, Option<thread::JoinHandle<()>>);
    impl Drop for Joins {
        fn drop(&mut self) {
            self.0.set();
            self.1.take().unwrap().join().unwrap();
        }
    }
    for links in [1, 31, 32, 33, 34, 100, 1000] {
        in_time(&format!("a chain of {links}"), move || {
            let event = AsyncEvent::new();
            let waits = event.clone();
            let joins = Joins(event, Some(thread::spawn(move || waits.wait().blocking())));
            let joins = Mutex::new(Some(joins));
            chain(links, move || drop(joins.lock().unwrap().take())).resolve(()).unwrap();
        });
    }
}

#[test]
fn a_call_is_waited_for_at_any_depth() {
    let manual = Manual::new();
    let db = caller(&manual);
    let calls: Arc<Mutex<Vec<usize>>> = Arc::default();
    let seen = calls.clone();
    let db = db.0.clone();
    in_time("calls from callbacks", move || {
        let (first, mut last) = Resolver::<()>::new();
        for step in 0..100 {
            let (resolver, next) = Resolver::<()>::new();
            let (db, calls, resolver) = (db.clone(), calls.clone(), Mutex::new(Some(resolver)));
            last.add_done_callback(&DoneCallback::new(move |_| {
                let answer = db.call_soon(async move || step).wait().timeout(LONG).blocking();
                calls.lock().unwrap().extend(answer);
                let _gone = resolver.lock().unwrap().take().unwrap().resolve(());
            }));
            last = next;
        }
        first.resolve(()).unwrap();
    });
    assert_eq!(*seen.lock().unwrap(), (0..100).collect::<Vec<_>>());
}

#[test]
fn what_was_put_off_is_done_before_the_thread_blocks() {
    // Deep inside, a callback of a pending is put off; whoever blocks there waits for what it does.
    in_time("a wait for a callback", || {
        let next = chain(40, || {
            let told = AsyncEvent::new();
            let tell = told.clone();
            let (resolver, pending) = Resolver::<()>::new();
            pending.add_done_callback(&DoneCallback::new(move |_| tell.set()));
            resolver.resolve(()).unwrap();
            told.wait().timeout(LONG).blocking().unwrap();
        });
        next.resolve(()).unwrap();
    });
}

static HELD: ContextVar<Arc<Held>> = ContextVar::new();

struct Held {
    _context: Option<Context>,
}

alone! {
    fn results_that_hold_the_next_pending() {
        let mut value: Box<dyn Any + Send> = Box::new(());
        for _ in 0..DEEP {
            let (resolver, pending) = Resolver::<Box<dyn Any + Send>>::new();
            assert!(resolver.resolve(value).is_ok());
            value = Box::new(pending);
        }
        drop(value);
    }

    fn results_of_calls_that_hold_the_next() {
        struct Node(#[expect(dead_code, reason = "it is held")] Option<Pending<Node>>);
        let caller = caller(&Manual::new());
        let mut last = None;
        for _ in 0..DEEP {
            let call = caller.call_soon(async move || Node(last));
            call.handle().wait().timeout(LONG).blocking().unwrap();
            last = Some(call);
        }
        // In a caller's thread, whose stack is smaller.
        caller.call_soon(async move || drop(last)).wait().timeout(LONG).blocking().unwrap();
    }

    fn callbacks_that_are_added_to_what_is_done() {
        fn add(left: usize, pending: &PendingHandle, end: &AsyncEvent) {
            let end = end.clone();
            pending.add_done_callback(&DoneCallback::new(move |pending| match left {
                0 => end.set(),
                _ => add(left - 1, pending, &end),
            }));
        }
        let (resolver, pending) = Resolver::new();
        resolver.resolve(()).unwrap();
        let end = AsyncEvent::new();
        add(DEEP, &pending.handle(), &end);
        assert!(end.is_set());
    }

    fn contexts_with_a_value_that_has_the_next() {
        let mut last = Context::new();
        for _ in 0..DEEP {
            last = Context::new().with(&HELD, Arc::new(Held { _context: Some(last) }));
        }
        drop(last);
    }

    /// `?` hands an error from call to call.
    fn the_text_of_an_error_that_came_far() {
        let caller = caller(&Manual::new());
        let mut last: Pending<()> = caller.try_call_soon(async || Err("the first"));
        for _ in 0..DEEP {
            let before = last;
            last = caller.try_call_soon(async move || before.await);
        }
        let handle = last.handle();
        let group = caller.clone();
        let ran = caller.call_soon(async move || {
            let group = group.group().build();
            group.run(async |group| group.add(&handle)).await.err()
        });
        let error = ran.wait().timeout(LONG).blocking().unwrap().unwrap();
        let text = error.to_string();
        assert!(text.ends_with("the first") && text.len() > DEEP * 20, "{} bytes", text.len());
        assert!(std::error::Error::source(&error).is_none());
        let error: Error = last.wait().timeout(LONG).blocking().unwrap_err();
        assert!(std::error::Error::source(&error).is_none());
        let text = caller.call_soon(async move || error.to_string().len());
        assert!(text.wait().timeout(LONG).blocking().unwrap() > DEEP * 20);
    }
}

#[test]
fn a_wait_deep_inside_ends_on_time() {
    in_time("a timeout", || {
        let next = chain(40, || {
            let never = AsyncEvent::new();
            assert!(never.wait().timeout(Duration::from_millis(20)).blocking().is_err());
        });
        next.resolve(()).unwrap();
    });
}
