//! Scopes that are dropped where a waker panics, and from inside.

use std::{
    cell::RefCell,
    future::{Future, pending},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
};

use super::{Drops, yield_now};
use crate::{
    Caller, PendingHandle, Resolver,
    testing::{
        Fixture,
        probe::{panicking_waker, poll_with},
    },
};

/// What of a call in a dropped scope was dropped, and is done.
fn dropped_though_wakers_panic<F: Fixture>(calls: usize, panicking: usize) {
    let fixture = F::new();
    let drops = Drops::default();
    let (resolver, mut known) = Resolver::<Vec<PendingHandle>>::new();
    let handles = fixture.block_on(async {
        let mut scope = Box::pin(Caller::scope(fixture.backend(), async |caller: Caller| {
            let calls = (0..calls).map(|_| {
                let held = drops.watch();
                let call = caller.call_soon(async move || {
                    let _held = held;
                    pending::<()>().await;
                });
                call.handle()
            });
            let calls = calls.collect();
            caller.call_soon(async || ()).await.unwrap();
            resolver.resolve(calls).unwrap();
            pending::<()>().await;
        }));
        while !known.is_done() {
            assert!(poll_with(scope.as_mut(), Waker::noop()).is_pending());
            yield_now().await;
        }
        let handles = known.try_result().unwrap();
        let mut waits: Vec<_> = handles[..panicking].iter().map(|call| Box::pin(call.wait())).collect();
        for wait in &mut waits {
            assert!(poll_with(wait.as_mut(), &panicking_waker()).is_pending());
        }
        // Whether the panic goes on is not what this is about.
        let _panicked = catch_unwind(AssertUnwindSafe(|| drop(scope)));
        handles
    });
    assert_eq!(drops.count(), calls, "every future is dropped");
    assert_eq!(handles.iter().filter(|call| !call.is_done()).count(), 0, "unfinished calls");
    assert!(Caller::current().is_err(), "the thread has its caller still");
}

pub fn a_dropped_scope_drops_every_call_though_a_waker_panics<F: Fixture>() {
    dropped_though_wakers_panic::<F>(3, 1);
}

pub fn a_dropped_scope_drops_every_call_though_all_wakers_panic<F: Fixture>() {
    dropped_though_wakers_panic::<F>(3, 3);
}

type Scope = Rc<RefCell<Option<Pin<Box<dyn Future<Output = ()>>>>>>;

thread_local! {
    /// The scope that a call may drop from inside, where the runtime polls calls beside it.
    static SCOPE: Scope = Scope::default();
}

#[derive(Default)]
struct Seen {
    polled: AtomicBool,
    dropped: AtomicUsize,
    dropped_while_polled: AtomicBool,
    tried: AtomicBool,
}

/// Drops the scope that it runs in at its `at`-th poll, if that can be reached, and ends, or waits for ever.
struct Ends {
    seen: Arc<Seen>,
    at: usize,
    ends: bool,
}

impl Future for Ends {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let (seen, ends) = (self.seen.clone(), self.ends);
        if self.at > 0 {
            self.at -= 1;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        if seen.tried.swap(true, Ordering::SeqCst) {
            return Poll::Pending;
        }
        seen.polled.store(true, Ordering::SeqCst);
        let scope = SCOPE.with(|scope| scope.try_borrow_mut().ok().and_then(|mut scope| scope.take()));
        drop(scope);
        seen.polled.store(false, Ordering::SeqCst);
        if ends { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl Drop for Ends {
    fn drop(&mut self) {
        self.seen.dropped.fetch_add(1, Ordering::SeqCst);
        if self.seen.polled.load(Ordering::SeqCst) {
            self.seen.dropped_while_polled.store(true, Ordering::SeqCst);
        }
    }
}

/// Runs a call that drops the scope it runs in.
fn dropped_from_inside<F: Fixture>(at: usize, ends: bool) {
    let fixture = F::new();
    let seen = Arc::new(Seen::default());
    let (resolver, mut known) = Resolver::<PendingHandle>::new();
    let inside = Ends { seen: seen.clone(), at, ends };
    fixture.block_on(async {
        let backend = fixture.backend();
        let scope = Caller::scope(backend, async move |caller: Caller| {
            let call = caller.call_soon(async move || inside.await);
            resolver.resolve(call.handle()).unwrap();
            pending::<()>().await;
        });
        let scope: Pin<Box<dyn Future<Output = ()>>> = Box::pin(async move { drop(scope.await) });
        SCOPE.with(|place| place.replace(Some(scope)));
        while !seen.tried.load(Ordering::SeqCst) {
            SCOPE.with(|scope| {
                if let Some(scope) = &mut *scope.borrow_mut() {
                    let _pending = poll_with(scope.as_mut(), Waker::noop());
                }
            });
            yield_now().await;
        }
        // A runtime that keeps tasks has time to drop what is left.
        for _ in 0..10 {
            yield_now().await;
        }
        let scope = SCOPE.with(|scope| scope.take());
        drop(scope);
        for _ in 0..10 {
            yield_now().await;
        }
    });
    assert!(!seen.dropped_while_polled.load(Ordering::SeqCst), "it was dropped while it was polled");
    assert_eq!(seen.dropped.load(Ordering::SeqCst), 1, "a future is dropped once, with its scope");
    let call = known.try_result().unwrap();
    assert!(call.is_done(), "{call}");
}

pub fn a_call_that_drops_its_scope_at_its_first_poll_is_dropped<F: Fixture>() {
    dropped_from_inside::<F>(0, false);
}

pub fn a_call_that_drops_its_scope_later_ends<F: Fixture>() {
    dropped_from_inside::<F>(1, true);
}

pub fn a_call_that_drops_its_scope_later_is_dropped<F: Fixture>() {
    dropped_from_inside::<F>(1, false);
}
