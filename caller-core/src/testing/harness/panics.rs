//! A panic of user code at each place of the guard, beside calls that must go on.

use std::{
    fmt, io,
    panic::panic_any,
    rc::Rc,
    sync::Arc,
    task::{Wake, Waker},
    time::{Duration, Instant},
};

use super::{Bystanders, LONG, is_done_soon, trying};
use crate::{
    AsyncEvent, BoxError, Caller, ContextVar, DoneCallback, Pending, PendingGroup, PendingHandle, Resolver,
    SingleConsumerQueue, Tracker,
    backend::{Backend, Guest, LocalFuture, Runtime},
    host::Host,
    testing::{
        Fixture, Place, Running,
        probe::{Bomb, hear_reports, panicking_waker, poll_with},
    },
    timer::Clock,
};

/// Has user code panic at every [`Place`] of the guard, on a caller where another call is under way: that call ends as if
/// nothing had happened, new calls run, and what the panic belongs to is done.
///
/// The cases are made from the table of places: a place without a case does not compile.
///
/// # Panics
///
/// Where one of these does not hold, with the name of the place.
pub fn panics_at_every_place<F: Fixture>() {
    hear_reports();
    for place in Place::ALL {
        let what = format!("{place:?}");
        trying(&what);
        let fixture = F::new();
        let bystanders = Bystanders::new(&fixture);
        let working = bystanders.working();
        let caller = &bystanders.caller;
        panics_at(*place, &fixture, caller, &what);
        working.goes_on(&what, caller);
        // It can end, too.
        caller.force_stop();
        assert!(caller.stopped().timeout(LONG).blocking().is_ok(), "{what}: {} does not stop", caller.0);
    }
}

const HOUR: Duration = Duration::from_secs(3600);

static VALUE: ContextVar<Bomb> = ContextVar::new();

/// An error that panics where it is told to.
#[derive(Debug)]
struct Nasty {
    text: bool,
    drop: Option<Bomb>,
}

impl fmt::Display for Nasty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.text {
            panic!("a text, on purpose");
        }
        write!(f, "{}", self.drop.is_some())
    }
}

impl std::error::Error for Nasty {}

/// Panics when it becomes an error.
#[derive(Debug)]
struct NoError;

impl From<NoError> for BoxError {
    fn from(_: NoError) -> Self {
        panic!("a conversion, on purpose");
    }
}

fn nasty_text() -> Nasty {
    Nasty { text: true, drop: None }
}

fn nasty_drop() -> Nasty {
    Nasty { text: false, drop: Some(Bomb::default()) }
}

fn panics(what: &str) {
    panic!("{what}, on purpose");
}

/// A call that has begun, and never ends by itself.
fn begun(caller: &Caller, holds: impl Send + 'static) -> Pending<()> {
    let event = AsyncEvent::new();
    let tell = event.clone();
    let call = caller.call_soon(async move || {
        let _holds = holds;
        tell.set();
        std::future::pending().await
    });
    event.wait().timeout(LONG).blocking().expect("the call begins");
    call
}

/// Fails in every way in which nobody waits for the result: a direct call, its async form, an item of a queue; then shows
/// that the next item runs.
fn fails_unobserved(caller: &Caller, what: &str, error: fn() -> Nasty) {
    caller.call_direct(move || Err::<(), _>(error()));
    caller.call_direct_async(async move || Err::<(), _>(error()));
    let served = AsyncEvent::new();
    let tell = served.clone();
    let queue = caller.queue(async move |last: bool| {
        if last {
            tell.set();
        }
        Err::<(), _>(error())
    });
    queue.call(false).map_err(|(_, error)| error).expect("it is open");
    queue.call(true).map_err(|(_, error)| error).expect("it is open");
    let next = served.wait().timeout(LONG).blocking();
    assert!(next.is_ok(), "{what}: the next item of a queue did not run");
}

/// Fails as a member of a group, beside another member.
fn fails_in_a_group(caller: &Caller, what: &str, error: fn() -> Nasty) {
    let this = caller.clone();
    let ran = caller.call_soon(async move || {
        let group = PendingGroup::builder().build();
        let ran = group
            .run(async |_| {
                let failing = this.try_call_soon(async move || Err::<(), _>(error()));
                let other = this.call_soon(async || std::future::pending::<()>().await);
                drop((failing, other));
            })
            .await;
        ran.is_err_and(|error| error.is_failed() && error.failures().len() == 1)
    });
    let failed = ran.wait().timeout(LONG).blocking();
    assert!(matches!(failed, Ok(true)), "{what}: the group: {failed:?}");
}

fn panics_at<F: Fixture>(place: Place, fixture: &F, caller: &Caller, what: &str) {
    match place {
        Place::Body => {
            let panics = caller.call_soon(async || panic!("a body, on purpose"));
            assert!(
                panics.wait().timeout(LONG).blocking().is_err_and(|error: crate::Error| error.is_panic())
            );
            let later = caller.call_soon(async || {
                crate::wake::yield_now().await;
                panic!("a body, on purpose")
            });
            assert!(later.wait().timeout(LONG).blocking().is_err_and(|error: crate::Error| error.is_panic()));
        }
        Place::FutureDrop => {
            let call = begun(caller, Bomb::default());
            let handle = call.handle();
            call.cancel("enough");
            is_done_soon(what, &handle);
            assert!(handle.error().expect("it is done").is_some_and(|error| error.is_cancelled()));
        }
        Place::FunctionDrop => {
            let bomb = Bomb::default();
            let call = caller.call_later(HOUR, async move || drop(bomb));
            assert!(call.cancel("enough") && call.is_done());
            let bomb = Bomb::default();
            let direct = move || drop(bomb);
            let built = fixture.builder().build().expect("a caller can be built");
            built.call_direct(direct);
            built.force_stop();
            assert!(built.stopped().timeout(LONG).blocking().is_ok(), "{what}: {built}");
        }
        Place::ErrorConversion => {
            let fails = caller.try_call_soon(async || Err::<(), _>(NoError));
            assert!(fails.wait().timeout(LONG).blocking().is_err_and(|error| error.is_panic()));
            caller.call_direct(|| Err::<(), _>(NoError));
        }
        Place::ErrorText => {
            fails_unobserved(caller, what, nasty_text);
            fails_in_a_group(caller, what, nasty_text);
        }
        Place::ErrorDrop => {
            let fails = caller.try_call_soon(async || Err::<(), _>(nasty_drop()));
            let handle = fails.handle();
            drop(fails);
            is_done_soon(what, &handle);
            drop(handle);
            fails_unobserved(caller, what, nasty_drop);
            fails_in_a_group(caller, what, nasty_drop);
        }
        Place::ResultDrop => {
            let call = caller.call_soon(async || Bomb::default());
            let handle = call.handle();
            drop(call);
            is_done_soon(what, &handle);
            // One that comes after cancelling was asked for.
            let (go, wait) = (AsyncEvent::new(), AsyncEvent::new());
            let (begin, until) = (wait.clone(), go.clone());
            let call = caller.call_soon(async move || {
                begin.set();
                until.wait().blocking();
                Bomb::default()
            });
            wait.wait().timeout(LONG).blocking().expect("it begins");
            call.cancel("enough");
            go.set();
            is_done_soon(what, &call.handle());
        }
        Place::PayloadDrop => {
            drop(caller.call_soon(async || panic_any(Bomb::default())));
            caller.call_direct(|| -> () { panic_any(Bomb::default()) });
        }
        Place::ContextDrop => {
            let go = AsyncEvent::new();
            let wait = go.clone();
            let call =
                VALUE.sync_scope(Bomb::default(), || caller.call_soon(async move || wait.wait().await));
            // Only now, so that the call has the last of the value.
            go.set();
            assert!(call.wait().timeout(LONG).blocking().is_ok(), "{what}");
            let call = caller.call_soon(async || {
                VALUE.set(Bomb::default()).expect("it is a call");
                std::future::pending::<()>().await;
            });
            call.cancel("enough");
            is_done_soon(what, &call.handle());
        }
        // There is none without the feature `tracing`: a test of its own has it.
        Place::Subscriber => {}
        Place::Wake => wakes(caller, what, &panicking_waker()),
        Place::WakerDrop => {
            struct Drops(Bomb);
            impl Wake for Drops {
                fn wake(self: Arc<Self>) {}
            }
            let waker = Waker::from(Arc::new(Drops(Bomb::default())));
            wakes(caller, what, &waker);
            // The last reference, which is ours.
            std::mem::forget(waker);
        }
        Place::ResidentDrop => {
            let made = caller.resident(async || Bomb::default()).wait().timeout(LONG).blocking();
            let one = made.expect("it can be made");
            assert!(one.close().wait().timeout(LONG).blocking().is_ok(), "{what}");
            let made = caller.resident(async || Bomb::default()).wait().timeout(LONG).blocking();
            let two = made.expect("it can be made");
            let gone = two.gone();
            drop(two);
            gone.timeout(LONG).blocking().expect("it ends with its last handle");
            // One that ends with the caller.
            let three = caller.resident(async || Bomb::default()).wait().timeout(LONG).blocking();
            std::mem::forget(three.expect("it can be made"));
        }
        Place::DoneCallback => {
            let call = begun(caller, ());
            let told = AsyncEvent::new();
            let tell = told.clone();
            call.add_done_callback(&DoneCallback::new(|_| panic!("a callback, on purpose")));
            let bomb = Bomb::default();
            call.add_done_callback(&DoneCallback::new(move |_| drop(format!("{bomb:?}"))));
            call.add_done_callback(&DoneCallback::new(move |_| tell.set()));
            call.cancel("enough");
            assert!(told.wait().timeout(LONG).blocking().is_ok(), "{what}: the next callback");
        }
        Place::Canceller => {
            let (resolver, pending) = Resolver::<u8>::new();
            resolver.set_canceller(|_| panic!("a canceller, on purpose")).expect("it has none");
            let handle = pending.handle();
            let group = PendingGroup::builder().build();
            group.add(&handle).expect("it has not ended");
            let member = begun(caller, ());
            group.add(&member.handle()).expect("it has not ended");
            group.cancel("enough");
            is_done_soon(what, &member.handle());
            drop(resolver);
            is_done_soon(what, &handle);
        }
        Place::Tracker => {
            struct Panics;
            impl Tracker for Panics {
                fn track(&self, _: &PendingHandle) {
                    panic!("a tracker, on purpose");
                }
            }
            let tracker = Arc::new(Panics);
            let call = tracker.sync_scope(|| caller.call_soon(async || ()));
            is_done_soon(what, &call.handle());
            let this = caller.clone();
            let local = caller.call_soon(async move || {
                let local = tracker.sync_scope(|| this.call_soon_local(async || ()));
                local.map(|local| local.handle())
            });
            let local = local.wait().timeout(LONG).blocking().expect("it ends").expect("it is here");
            is_done_soon(what, &local);
        }
        Place::DirectCall => {
            caller.call_direct(|| -> () { panic!("a direct call, on purpose") });
            caller.call_direct_async(async || -> () { panic!("a direct call, on purpose") });
            caller.call_direct_async(async || {
                crate::wake::yield_now().await;
                panics("a direct call");
            });
        }
        Place::QueueItem => {
            let served = AsyncEvent::new();
            let tell = served.clone();
            let queue = caller.queue(async move |last: bool| {
                if last {
                    tell.set();
                }
                panics("an item");
            });
            queue.call(false).map_err(|(_, error)| error).expect("it is open");
            queue.call(true).map_err(|(_, error)| error).expect("it is open");
            assert!(served.wait().timeout(LONG).blocking().is_ok(), "{what}: the next item");
        }
        Place::ArgumentDrop => {
            let queue = caller.queue(async |_: Bomb| std::future::pending::<()>().await);
            for _ in 0..3 {
                queue.call(Bomb::default()).map_err(|(_, error)| error).expect("it is open");
            }
            let pending = queue.pending().expect("it runs");
            queue.close();
            is_done_soon(what, &pending);
        }
        Place::Reject => {
            let queue = SingleConsumerQueue::with_reject(|_: u8| panic!("a rejection, on purpose"));
            assert!(queue.push_back(1) && queue.push_back(2));
            queue.stop();
            assert!(!queue.push_back(3) && queue.is_empty());
        }
        Place::Source => {
            let this = caller.clone();
            let call = caller.call_soon(async move || {
                let source =
                    (0..5).map(|n| if n < 2 { this.call_soon(async move || n) } else { panic!("a source") });
                let collected: Vec<_> = futures::StreamExt::collect(this.as_completed_lazy(source)).await;
                collected.len()
            });
            is_done_soon(what, &call.handle());
        }
        Place::Clock => {
            let broken = wrapped(fixture, Broken { clock: true, runtime: false });
            let later = broken.call_later(Duration::from_millis(1), async || ());
            let waits = broken.call_soon(async || std::future::pending::<()>().await);
            assert!(waits.wait().timeout(Duration::from_millis(1)).blocking().is_err());
            later.cancel("enough");
            is_done_soon(what, &later.handle());
            assert!(matches!(broken.call_soon(async || 1).wait().timeout(LONG).blocking(), Ok(1)), "{what}");
        }
        Place::Runtime => {
            let broken = wrapped(fixture, Broken { clock: false, runtime: true });
            let later = broken.call_later(Duration::from_millis(1), async || 1);
            assert!(matches!(broken.call_soon(async || 1).wait().timeout(LONG).blocking(), Ok(1)), "{what}");
            later.cancel("enough");
            is_done_soon(what, &later.handle());
        }
        Place::Host => {
            let backend = fixture.backend();
            if backend.can_be_guest() {
                let hosted = fixture.builder().host(PanickingHost).spawn().expect("it is started");
                assert!(hosted.stopped().timeout(LONG).blocking().is_ok(), "{what}: {hosted}");
                assert!(hosted.call_soon(async || ()).wait_blocking().is_err_and(|error| error.is_closed()));
            }
        }
    }
}

/// Waits for many things with one waker, and has all of them happen.
fn wakes(caller: &Caller, what: &str, waker: &Waker) {
    let call = begun(caller, ());
    let (resolver, by_hand) = Resolver::<u8>::new();
    let event = AsyncEvent::new();
    let count = crate::CountdownEvent::new(1);
    let handle = call.handle();
    let mut waits: Vec<LocalFuture<'static>> = vec![
        {
            let done = handle.wait();
            Box::pin(async move { drop(done.await) })
        },
        {
            let asked = handle.cancel_requested();
            Box::pin(asked)
        },
        Box::pin(async move { drop(by_hand.wait().await) }),
        Box::pin(event.wait()),
        Box::pin(count.wait()),
    ];
    for wait in &mut waits {
        assert!(poll_with(wait.as_mut(), waker).is_pending());
    }
    // Behind each of them, one that has to hear of it too.
    let (heard, event_heard) = (handle.wait().timeout(LONG), event.wait().timeout(LONG));
    call.cancel("enough");
    event.set();
    count.down().expect("one is left");
    resolver.resolve(1).expect("it is not done");
    assert!(heard.blocking().is_ok() && event_heard.blocking().is_ok(), "{what}: those behind");
    for wait in &mut waits {
        assert!(poll_with(wait.as_mut(), Waker::noop()).is_ready(), "{what}");
    }
    // The moments of a caller.
    let child = caller.new_child().expect("a child");
    let mut moments = [child.stopping(), child.stopped()];
    for moment in &mut moments {
        assert!(poll_with(std::pin::Pin::new(moment), waker).is_pending());
    }
    child.force_stop();
    assert!(child.stopped().timeout(LONG).blocking().is_ok(), "{what}: {child}");
}

/// A host whose loop panics.
#[derive(Debug)]
struct PanickingHost;

impl Host for PanickingHost {
    fn name(&self) -> &'static str {
        "panicking"
    }

    fn run(&self, _program: LocalFuture<'static>) -> Result<(), BoxError> {
        panic!("a loop, on purpose");
    }
}

/// Which parts of a backend panic.
#[derive(Clone, Copy, Debug)]
struct Broken {
    clock: bool,
    runtime: bool,
}

/// A caller on the backend of the fixture, with parts that panic.
fn wrapped<F: Fixture>(fixture: &F, broken: Broken) -> Running {
    let backend = Wrapped { inner: fixture.backend(), broken };
    Running(Caller::builder().backend(backend).spawn().expect("it is started"))
}

#[derive(Debug)]
struct Wrapped<B> {
    inner: B,
    broken: Broken,
}

impl<B: Backend> Backend for Wrapped<B> {
    fn name(&self) -> &'static str {
        "broken"
    }

    fn is_same(&self, _other: &dyn Backend) -> bool {
        false
    }

    fn run(&self, root: LocalFuture<'_>) -> io::Result<()> {
        self.inner.run(root)
    }

    fn runtime(&self) -> crate::Result<Rc<dyn Runtime>> {
        let inner = self.inner.runtime()?;
        Ok(if self.broken.runtime { Rc::new(BrokenRuntime(inner)) } else { inner })
    }

    fn drives_here(&self) -> bool {
        self.inner.drives_here()
    }

    fn guest(&self) -> io::Result<Rc<dyn Guest>> {
        self.inner.guest()
    }

    fn clock(&self) -> Arc<dyn Clock> {
        if self.broken.clock { Arc::new(BrokenClock) } else { self.inner.clock() }
    }
}

struct BrokenClock;

impl Clock for BrokenClock {
    fn now(&self) -> Instant {
        panic!("a clock, on purpose");
    }
}

struct BrokenRuntime(Rc<dyn Runtime>);

impl Runtime for BrokenRuntime {
    fn enter(&self, function: &mut dyn FnMut()) {
        self.0.enter(function);
        panic!("a runtime, on purpose");
    }

    fn sleep_until(&self, _at: Instant) -> LocalFuture<'static> {
        panic!("a runtime, on purpose");
    }

    fn may_poll(&self) -> bool {
        panic!("a runtime, on purpose");
    }

    fn other_tasks(&self) -> Option<usize> {
        panic!("a runtime, on purpose");
    }
}
