//! A subscriber of tracing's that panics, in each of its methods that a span of a call reaches.

use std::{
    cell::RefCell,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
};

use caller::{
    AsyncEvent, Caller, ContextVar,
    testing::{Manual, Process, Running, probe::yield_now},
};
use tracing::{
    Event, Metadata, Subscriber,
    span::{Attributes, Id, Record},
    subscriber::with_default,
};
use tracing_core::span::Current;

use crate::support::LONG;

const METHODS: [&str; 4] = ["enter", "exit", "clone_span", "try_close"];

static SEEN: ContextVar<usize> = ContextVar::new();

thread_local! {
    static ENTERED: RefCell<Vec<Id>> = const { RefCell::new(Vec::new()) };
}

/// It panics in one of [`METHODS`], once it is told to.
struct Panics {
    next: AtomicU64,
    metadata: OnceLock<&'static Metadata<'static>>,
    /// Counted from one. Zero until it is told.
    at: Arc<AtomicUsize>,
    told: Arc<AtomicBool>,
}

impl Panics {
    fn hear(&self, method: usize) {
        // It may read what the call has, too.
        assert!(SEEN.get().is_none_or(|seen| seen < METHODS.len()));
        if self.at.load(Ordering::SeqCst) == method + 1 {
            self.told.store(true, Ordering::SeqCst);
            panic!("a subscriber in {}, on purpose", METHODS[method]);
        }
    }
}

impl Subscriber for Panics {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let _known = self.metadata.set(span.metadata());
        Id::from_u64(self.next.fetch_add(1, Ordering::SeqCst) + 1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, _: &Event<'_>) {}

    fn enter(&self, id: &Id) {
        ENTERED.with_borrow_mut(|entered| entered.push(id.clone()));
        self.hear(0);
    }

    fn exit(&self, _: &Id) {
        ENTERED.with_borrow_mut(Vec::pop);
        self.hear(1);
    }

    fn current_span(&self) -> Current {
        let id = ENTERED.with_borrow(|entered| entered.last().cloned());
        match (id, self.metadata.get()) {
            (Some(id), Some(metadata)) => Current::new(id, metadata),
            _ => Current::none(),
        }
    }

    fn clone_span(&self, id: &Id) -> Id {
        self.hear(2);
        id.clone()
    }

    fn try_close(&self, _: Id) -> bool {
        self.hear(3);
        false
    }
}

/// Calls and items with a span whose subscriber panics: all of them run to their end.
#[test]
fn a_subscriber_that_panics_costs_nobody_anything() {
    Process::of(concat!(module_path!(), "::a_subscriber_that_panics_costs_nobody_anything")).run(|| {
        let caller = Running(Caller::builder().backend(Manual::new()).spawn().unwrap());
        (0..METHODS.len()).for_each(|method| panics_in(method, &caller));
    });
}

fn panics_in(number: usize, caller: &Caller) {
    let method = METHODS[number];
    let (at, told) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    let queue = caller.queue(async |tell: Option<AsyncEvent>| {
        yield_now().await;
        tell.iter().for_each(AsyncEvent::set);
    });
    let subscriber =
        Panics { next: AtomicU64::new(0), metadata: OnceLock::new(), at: at.clone(), told: told.clone() };
    let go = AsyncEvent::new();
    let wait = go.clone();
    let arm = || at.store(number + 1, Ordering::SeqCst);
    let call = with_default(subscriber, || {
        tracing::info_span!("a span").in_scope(|| {
            // It is cloned here, and nowhere else.
            if method == "clone_span" {
                arm();
            }
            queue.call(None).map_err(|(_, error)| error).expect("it is open");
            caller.call_soon(async move || {
                wait.wait().await;
                SEEN.set(number).expect("it is a call");
                for _ in 0..3 {
                    yield_now().await;
                }
                number
            })
        })
    });
    arm();
    go.set();
    let ended = call.wait().timeout(LONG).blocking();
    assert!(matches!(ended, Ok(ended) if ended == number), "{method}: {ended:?}");
    assert!(told.load(Ordering::SeqCst), "{method} was not called");
    let served = AsyncEvent::new();
    let tell = served.clone();
    queue.call(Some(tell)).map_err(|(_, error)| error).expect("it is open");
    served.wait().timeout(LONG).blocking().expect("the next item runs");
}
