//! Code of users that panics where no call of its own could have the error: whoever stands beside it goes on.
//!
//! A name says whose code panics.

use std::{
    error::Error as StdError,
    fmt,
    future::pending,
    panic::{AssertUnwindSafe, catch_unwind, panic_any},
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    task::{Wake, Waker},
    time::Duration,
};

use futures_core::Stream;

use super::{LONG, eventually, hold_up, receive};
use crate::{
    AsyncEvent, AsyncLock, BoxError, Caller, ContextVar, CountdownEvent, DoneCallback, Pending, PendingGroup,
    PendingHandle, ReentrantAsyncLock, Resolver, SingleConsumerQueue, Tracker, current_pending,
    testing::{
        Fixture,
        probe::{Bomb, CountedBomb, SOON, Wakes, ends_soon, hear_reports, panicking_waker, poll_with, soon},
    },
};

async fn note((to, number): (mpsc::Sender<usize>, usize)) {
    let _nobody = to.send(number);
}

/// Runs `act` beside calls that are in flight, a queue and a child, which all go on behind it; and so does a stop.
fn beside<F: Fixture>(act: impl FnOnce(&F, &Caller)) {
    hear_reports();
    let fixture = F::new();
    let caller = fixture.caller();
    let child = caller.child("bystander").unwrap();
    let (begun, begins) = mpsc::channel();
    let (resolver, gate) = Resolver::<u32>::new();
    let in_flight = caller.call_soon({
        let begun = begun.clone();
        async move || {
            begun.send(()).unwrap();
            gate.await.unwrap()
        }
    });
    let stopped = caller.call_soon(async move || {
        begun.send(()).unwrap();
        pending::<()>().await;
    });
    let (sender, noted) = mpsc::channel();
    caller.queue_call(note, (sender.clone(), 1)).unwrap();
    assert_eq!((receive(&begins), receive(&begins), receive(&noted)), ((), (), 1));
    act(&fixture, &caller);
    let answer = caller.call_soon(async || 7).wait().timeout(SOON).blocking();
    assert_eq!(answer.expect("a new call ends"), 7);
    caller.queue_call(note, (sender, 2)).expect("the queue goes on");
    assert_eq!(noted.recv_timeout(SOON).expect("an item of a queue ends"), 2);
    resolver.resolve(5).unwrap();
    assert_eq!(in_flight.wait().timeout(SOON).blocking().expect("a call in flight ends"), 5);
    let later = caller.call_later(Duration::from_millis(5), async || 8);
    caller.call_soon(async || ()).wait().timeout(SOON).blocking().unwrap();
    fixture.elapse(Duration::from_millis(10));
    assert_eq!(later.wait().timeout(SOON).blocking().expect("a delayed call ends"), 8);
    let of_child = child.call_soon(async || 9).wait().timeout(SOON).blocking();
    assert_eq!(of_child.expect("a call of a child ends"), 9);
    caller.stop();
    soon("the end of the caller", || caller.stopped().is_past());
    assert!(stopped.is_done() && child.stopped().is_past());
}

/// As `beside`, and the stop itself is what the act prepared for.
fn stops_beside<F: Fixture>(prepare: impl FnOnce(&Caller) -> Vec<PendingHandle>) {
    hear_reports();
    let fixture = F::new();
    let caller = fixture.caller();
    let child = caller.child("bystander").unwrap();
    let before = caller.call_soon(async || pending::<()>().await);
    caller.call_soon(async || ()).wait_blocking().unwrap();
    let handles = prepare(&caller);
    let behind = caller.call_soon(async || pending::<()>().await);
    let delayed = caller.call_later(LONG, async || ());
    caller.stop();
    soon("the end of the caller", || caller.stopped().is_past());
    let all = [before.handle(), behind.handle(), delayed.handle()].into_iter().chain(handles);
    assert_eq!(all.filter(|call| !call.is_done()).count(), 0, "unfinished calls");
    assert!(child.stopped().is_past());
}

// Values of a call.

pub fn a_result_that_nobody_took<F: Fixture>() {
    beside::<F>(|_, caller| {
        let (resolver, gate) = Resolver::<()>::new();
        drop(caller.call_soon(async move || {
            gate.await.unwrap();
            Bomb::default()
        }));
        // It begins, and ends when nobody but its scheduler has it.
        caller.call_soon(async || ()).wait_blocking().unwrap();
        let go_on = hold_up(caller);
        resolver.resolve(()).unwrap();
        drop(go_on);
    });
}

/// An error whose destructor panics.
#[derive(Debug)]
struct Explosive(#[allow(dead_code, reason = "it is dropped")] Bomb);

impl fmt::Display for Explosive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("explosive")
    }
}

impl StdError for Explosive {}

pub fn an_error_that_nobody_took<F: Fixture>() {
    beside::<F>(|_, caller| {
        let (resolver, gate) = Resolver::<()>::new();
        drop(caller.try_call_soon(async move || {
            gate.await.unwrap();
            Err::<(), _>(Explosive(Bomb::default()))
        }));
        // It begins, and ends when nobody but its scheduler has it.
        caller.call_soon(async || ()).wait_blocking().unwrap();
        let go_on = hold_up(caller);
        resolver.resolve(()).unwrap();
        drop(go_on);
    });
}

pub fn a_payload_of_a_panic_that_nobody_took<F: Fixture>() {
    beside::<F>(|_, caller| {
        let (resolver, gate) = Resolver::<()>::new();
        drop(caller.call_soon(async move || {
            gate.await.unwrap();
            panic_any(Bomb::default());
        }));
        // It begins, and ends when nobody but its scheduler has it.
        caller.call_soon(async || ()).wait_blocking().unwrap();
        let go_on = hold_up(caller);
        resolver.resolve(()).unwrap();
        drop(go_on);
    });
}

static HELD: ContextVar<Bomb> = ContextVar::new();

pub fn a_context_value_of_a_call_that_was_cancelled_before_it_began<F: Fixture>() {
    beside::<F>(|_, caller| {
        let go_on = hold_up(caller);
        let call = HELD.sync_scope(Bomb::default(), || caller.call_soon(async || ()));
        assert!(call.cancel("changed my mind"));
        drop(call);
        drop(go_on);
    });
}

pub fn a_context_value_of_a_delayed_call_that_was_cancelled<F: Fixture>() {
    beside::<F>(|_, caller| {
        let call = HELD.sync_scope(Bomb::default(), || caller.call_later(LONG, async || ()));
        // Its scheduler keeps it.
        caller.call_soon(async || ()).wait_blocking().unwrap();
        assert!(call.cancel("changed my mind"));
        drop(call);
    });
}

pub fn a_context_value_of_a_call_that_a_stop_refused<F: Fixture>() {
    stops_beside::<F>(|caller| {
        // Released by nobody but its own patience, so that the stop finds what is behind it.
        let (sender, begun) = mpsc::channel();
        let stopping = caller.clone();
        caller.call_direct(move || {
            sender.send(()).unwrap();
            eventually("the stop", || stopping.stopping().is_past());
        });
        receive(&begun);
        (0..3).for_each(|_| drop(HELD.sync_scope(Bomb::default(), || caller.call_soon(async || ()))));
        vec![caller.call_soon(async || ()).handle()]
    });
}

async fn set_in_item((to, number): (mpsc::Sender<usize>, usize)) {
    HELD.set(Bomb::default()).unwrap();
    let _nobody = to.send(number);
}

pub fn a_context_value_that_an_item_of_a_queue_set<F: Fixture>() {
    beside::<F>(|_, caller| {
        let (sender, seen) = mpsc::channel();
        for number in 0..3 {
            caller.queue_call(set_in_item, (sender.clone(), number)).unwrap();
        }
        drop(sender);
        let seen: Vec<_> = (0..3).map_while(|_| seen.recv_timeout(SOON).ok()).collect();
        assert_eq!(seen, [0, 1, 2], "the next item runs");
    });
}

/// Arguments that the queue has in its hand when it is closed.
pub fn arguments_of_a_closed_queue<F: Fixture>() {
    /// Panics when it is dropped, even while its thread unwinds.
    #[derive(Debug)]
    struct Ruthless;
    impl Drop for Ruthless {
        fn drop(&mut self) {
            panic_any("a destructor, on purpose");
        }
    }
    beside::<F>(|_, caller| {
        let (begun, begins) = mpsc::channel();
        let queue = caller.queue(async move |argument: Option<Ruthless>| {
            std::mem::forget(argument);
            begun.send(()).unwrap();
            pending::<()>().await;
        });
        // All of them are taken at once.
        let go_on = hold_up(caller);
        queue.call(None).unwrap();
        (0..3).for_each(|_| queue.call(Some(Ruthless)).unwrap());
        drop(go_on);
        receive(&begins);
        // And these lie in the queue.
        (0..3).for_each(|_| queue.call(Some(Ruthless)).unwrap());
        let pending = queue.pending().unwrap();
        queue.close();
        soon("the end of the queue", || pending.is_done());
    });
}

// Wakers.

pub fn a_waker_of_a_call<F: Fixture>() {
    beside::<F>(|_, caller| {
        let (resolver, gate) = Resolver::<()>::new();
        let call = caller.call_soon(async move || gate.await.unwrap());
        let handle = call.handle();
        let (mut first, mut behind) = (Box::pin(handle.wait()), Box::pin(handle.wait()));
        let wakes = Wakes::default();
        assert!(poll_with(first.as_mut(), &panicking_waker()).is_pending());
        assert!(poll_with(behind.as_mut(), &wakes.waker()).is_pending());
        let mut owner = Box::pin(call.wait());
        assert!(poll_with(owner.as_mut(), &wakes.waker()).is_pending());
        resolver.resolve(()).unwrap();
        soon("the wakes of those behind", || wakes.count() == 2);
    });
}

/// The last clone of a waker is dropped by the scheduler.
pub fn a_destructor_of_a_waker<F: Fixture>() {
    struct Explosive(#[allow(dead_code, reason = "it is dropped")] Bomb);
    impl Wake for Explosive {
        fn wake(self: Arc<Self>) {}
    }
    beside::<F>(|_, caller| {
        let (resolver, gate) = Resolver::<()>::new();
        let handle = caller.call_soon(async move || gate.await.unwrap()).handle();
        let (mut first, mut behind) = (Box::pin(handle.wait()), Box::pin(handle.wait()));
        let wakes = Wakes::default();
        let waker = Waker::from(Arc::new(Explosive(Bomb::default())));
        assert!(poll_with(first.as_mut(), &waker).is_pending());
        drop(waker);
        assert!(poll_with(behind.as_mut(), &wakes.waker()).is_pending());
        resolver.resolve(()).unwrap();
        soon("the wake of the one behind", || wakes.count() == 1);
    });
}

pub fn a_waker_of_a_call_that_a_stop_ended<F: Fixture>() {
    // They go on waiting.
    let mut waits = Vec::new();
    stops_beside::<F>(|caller| {
        let handles: Vec<_> =
            (0..3).map(|_| caller.call_soon(async || pending::<()>().await).handle()).collect();
        caller.call_soon(async || ()).wait_blocking().unwrap();
        for handle in &handles {
            let mut wait = Box::pin(handle.wait());
            assert!(poll_with(wait.as_mut(), &panicking_waker()).is_pending());
            waits.push(wait);
        }
        handles
    });
}

pub fn a_waker_of_a_timeout<F: Fixture>() {
    beside::<F>(|fixture, caller| {
        let (_resolver, never) = Resolver::<()>::new();
        let never = never.handle();
        let time = Duration::from_millis(30);
        let (polled, polls) = mpsc::channel();
        let waits = caller.call_soon(async move || {
            // What a `select!` of another library's would do with wakers of its own.
            let mut foreign = Box::pin(never.wait().timeout(time));
            assert!(poll_with(foreign.as_mut(), &panicking_waker()).is_pending());
            let own = never.wait().timeout(time);
            polled.send(()).unwrap();
            own.await.unwrap_err().is_timeout()
        });
        receive(&polls);
        // The wait of the call itself begins after the message.
        caller.call_soon(async || ()).wait_blocking().unwrap();
        fixture.elapse(2 * time);
        let waited = waits.wait().timeout(SOON).blocking();
        assert!(waited.expect("the timeout behind comes"));
    });
}

pub fn a_waker_of_an_event<F: Fixture>() {
    beside::<F>(|_, caller| {
        let event = AsyncEvent::new();
        let (mut first, mut behind) = (Box::pin(event.wait()), Box::pin(event.wait()));
        let wakes = Wakes::default();
        assert!(poll_with(first.as_mut(), &panicking_waker()).is_pending());
        assert!(poll_with(behind.as_mut(), &wakes.waker()).is_pending());
        let sets = event.clone();
        let call = caller.call_soon(async move || sets.set());
        assert!(call.wait().timeout(SOON).blocking().is_ok(), "setting it is no failure");
        assert!(event.is_set() && wakes.count() == 1, "those behind are woken");
    });
}

pub fn a_waker_of_a_countdown<F: Fixture>() {
    beside::<F>(|_, caller| {
        let count = CountdownEvent::new(1);
        let (mut first, mut behind) = (Box::pin(count.wait()), Box::pin(count.wait()));
        let wakes = Wakes::default();
        assert!(poll_with(first.as_mut(), &panicking_waker()).is_pending());
        assert!(poll_with(behind.as_mut(), &wakes.waker()).is_pending());
        let call = caller.call_soon(async move || count.down().unwrap());
        assert_eq!(call.wait().timeout(SOON).blocking().expect("counting down is no failure"), 0);
        assert_eq!(wakes.count(), 1, "those behind are woken");
    });
}

/// Wakers of moments: each is followed by one that counts.
fn watch(moment: impl Fn() -> crate::Moment) -> (Vec<Pin<Box<crate::Moment>>>, Wakes) {
    let wakes = Wakes::default();
    let mut waits = vec![Box::pin(moment()), Box::pin(moment())];
    assert!(poll_with(waits[0].as_mut(), &panicking_waker()).is_pending());
    assert!(poll_with(waits[1].as_mut(), &wakes.waker()).is_pending());
    (waits, wakes)
}

pub fn a_waker_of_the_moment_a_caller_started<F: Fixture>() {
    let caller = F::new().builder().build().unwrap();
    let (_waits, wakes) = watch(|| caller.started());
    caller.start().unwrap();
    assert_eq!(caller.call_soon(async || 7).wait().timeout(SOON).blocking().expect("it runs"), 7);
    assert_eq!(wakes.count(), 1);
    caller.stop();
    soon("the end of the caller", || caller.stopped().is_past());
}

pub fn a_waker_of_the_moment_a_stop_began<F: Fixture>() {
    let caller = F::new().caller();
    let child = caller.child("child").unwrap();
    let call = caller.call_soon(async || pending::<()>().await);
    caller.call_soon(async || ()).wait_blocking().unwrap();
    let (_waits, wakes) = watch(|| caller.stopping());
    caller.stop();
    soon("the end of the caller", || caller.stopped().is_past());
    assert!(call.is_done() && child.stopped().is_past() && wakes.count() == 1);
}

pub fn a_waker_of_the_moment_a_child_stopped<F: Fixture>() {
    let parent = F::new().caller();
    let child = parent.child("child").unwrap();
    child.call_soon(async || ()).wait_blocking().unwrap();
    let (_waits, wakes) = watch(|| child.stopped());
    parent.stop();
    soon("the end of the parent", || parent.stopped().is_past());
    assert_eq!(wakes.count(), 1);
}

/// Its parent, which is not stopped, goes on; and so does a stop of that.
pub fn a_waker_of_the_moment_a_child_stopped_by_itself<F: Fixture>() {
    let parent = F::new().caller();
    let child = parent.child("child").unwrap();
    child.call_soon(async || ()).wait_blocking().unwrap();
    let (_waits, wakes) = watch(|| child.stopped());
    child.stop();
    soon("the wake of the one behind", || wakes.count() == 1);
    assert_eq!(parent.call_soon(async || 7).wait().timeout(SOON).blocking().unwrap(), 7);
    parent.stop();
    soon("the end of the parent", || parent.stopped().is_past());
}

pub fn a_waker_of_a_request_to_cancel<F: Fixture>() {
    beside::<F>(|_, caller| {
        let (sender, began) = mpsc::channel();
        let call = caller.call_soon(async move || {
            sender.send(current_pending().unwrap()).unwrap();
            pending::<()>().await;
        });
        let handle = receive(&began);
        let (mut first, mut behind) =
            (Box::pin(handle.cancel_requested()), Box::pin(handle.cancel_requested()));
        let wakes = Wakes::default();
        assert!(poll_with(first.as_mut(), &panicking_waker()).is_pending());
        assert!(poll_with(behind.as_mut(), &wakes.waker()).is_pending());
        assert!(handle.cancel("enough"), "cancelling is no failure");
        soon("the end of the call", || call.is_done());
        assert_eq!(wakes.count(), 1);
    });
}

pub fn a_waker_of_a_resolver<F: Fixture>() {
    beside::<F>(|_, caller| {
        let (resolver, pending) = Resolver::<u32>::new();
        let handle = pending.handle();
        let (mut first, mut behind) = (Box::pin(handle.wait()), Box::pin(handle.wait()));
        let wakes = Wakes::default();
        assert!(poll_with(first.as_mut(), &panicking_waker()).is_pending());
        assert!(poll_with(behind.as_mut(), &wakes.waker()).is_pending());
        let call = caller.call_soon(async move || resolver.resolve(7).is_ok());
        assert!(call.wait().timeout(SOON).blocking().expect("resolving is no failure"));
        assert_eq!(wakes.count(), 1);
        assert_eq!(pending.wait_blocking().unwrap(), 7);
    });
}

pub fn a_waker_of_a_lock<F: Fixture>() {
    beside::<F>(|_, caller| {
        let lock = Arc::new(AsyncLock::new(0));
        let (held, (resolver, gate)) = (lock.clone(), Resolver::<()>::new());
        let (sender, began) = mpsc::channel();
        let holds = caller.call_soon(async move || {
            held.with(async |value| {
                sender.send(()).unwrap();
                gate.await.unwrap();
                *value += 1;
            })
            .await
            .unwrap();
        });
        receive(&began);
        let mut foreign = Box::pin(lock.lock_arc());
        assert!(poll_with(foreign.as_mut(), &panicking_waker()).is_pending());
        let behind = {
            let lock = lock.clone();
            caller.call_soon(async move || lock.with(async |value| *value += 1).await.unwrap())
        };
        caller.call_soon(async || ()).wait_blocking().unwrap();
        resolver.resolve(()).unwrap();
        holds.wait().timeout(SOON).blocking().expect("giving it back is no failure");
        // Whoever does not come when it is woken, and leaves, passes it on.
        drop(foreign);
        behind.wait().timeout(SOON).blocking().expect("the one behind has it");
        assert_eq!(lock.try_with(|value| *value), Some(2));
    });
}

pub fn a_waker_of_a_reentrant_lock<F: Fixture>() {
    beside::<F>(|_, caller| {
        let lock = Arc::new(ReentrantAsyncLock::new(AtomicUsize::new(0)));
        let (held, (resolver, gate)) = (lock.clone(), Resolver::<()>::new());
        let (sender, began) = mpsc::channel();
        let holds = caller.call_soon(async move || {
            let guard = held.lock().await.unwrap();
            sender.send(()).unwrap();
            gate.await.unwrap();
            guard.fetch_add(1, Ordering::SeqCst);
        });
        receive(&began);
        let mut foreign = Box::pin(lock.lock_arc());
        assert!(poll_with(foreign.as_mut(), &panicking_waker()).is_pending());
        let behind = {
            let lock = lock.clone();
            caller.call_soon(async move || {
                lock.with(async |value| value.fetch_add(1, Ordering::SeqCst)).await.unwrap()
            })
        };
        caller.call_soon(async || ()).wait_blocking().unwrap();
        resolver.resolve(()).unwrap();
        holds.wait().timeout(SOON).blocking().expect("leaving it is no failure");
        drop(foreign);
        assert_eq!(behind.wait().timeout(SOON).blocking().expect("the one behind has it"), 1);
    });
}

pub fn a_waker_of_one_who_waits_for_room<F: Fixture>() {
    beside::<F>(|_, caller| {
        let (resolver, gate) = Resolver::<()>::new();
        let gate = gate.shared();
        let (begun, begins) = mpsc::channel();
        let queue = caller
            .bounded_queue(1, async move |number: usize| {
                begun.send(number).unwrap();
                gate.wait().protect().await.unwrap();
            })
            .unwrap();
        queue.call(0).unwrap();
        receive(&begins);
        queue.call(1).unwrap();
        let mut foreign = Box::pin(queue.call_when_room(77));
        assert!(poll_with(foreign.as_mut(), &panicking_waker()).is_pending());
        let behind = {
            let queue = queue.clone();
            caller.to_thread(async move || queue.call_when_room(2).await.map_err(|(_, error)| error))
        };
        resolver.resolve(()).unwrap();
        soon("the second item", || begins.try_recv() == Ok(1));
        drop(foreign);
        behind.wait().timeout(SOON).blocking().expect("the wait ends").expect("there is room");
        soon("the third item", || begins.try_recv() == Ok(2));
    });
}

pub fn a_waker_of_a_group<F: Fixture>() {
    beside::<F>(|_, caller| {
        let (resolver, gate) = Resolver::<u32>::new();
        let group = caller.group().build();
        let mut run = Box::pin(group.run(async |group: Arc<PendingGroup>| {
            group.call_soon(async move || gate.await.unwrap()).handle()
        }));
        assert!(poll_with(run.as_mut(), &panicking_waker()).is_pending());
        let member = group.pendings().remove(0);
        let (mut behind, wakes) = (Box::pin(member.wait()), Wakes::default());
        assert!(poll_with(behind.as_mut(), &wakes.waker()).is_pending());
        resolver.resolve(7).unwrap();
        soon("the wake of the one behind", || wakes.count() == 1);
        assert!(poll_with(run.as_mut(), Waker::noop()).is_ready());
    });
}

pub fn a_waker_of_as_completed<F: Fixture>() {
    beside::<F>(|_, caller| {
        let (resolver, gate) = Resolver::<u32>::new();
        let call = caller.call_soon(async move || gate.await.unwrap());
        let handle = call.handle();
        let mut completed = Box::pin(caller.as_completed([call]));
        let mut cx = std::task::Context::from_waker(Waker::noop());
        let waker = panicking_waker();
        let first = completed.as_mut().poll_next(&mut std::task::Context::from_waker(&waker));
        assert!(first.is_pending());
        resolver.resolve(7).unwrap();
        soon("the end of the call", || handle.is_done());
        soon("what is completed", || completed.as_mut().poll_next(&mut cx).is_ready());
    });
}

pub fn a_waker_of_the_consumer_of_a_queue<F: Fixture>() {
    beside::<F>(|_, caller| {
        let queue = SingleConsumerQueue::new();
        let mut consumer = queue.consume();
        {
            let mut next = Box::pin(consumer.next());
            assert!(poll_with(next.as_mut(), &panicking_waker()).is_pending());
        }
        let adds = queue.clone();
        let call = caller.call_soon(async move || adds.push_back(7));
        assert!(call.wait().timeout(SOON).blocking().expect("adding is no failure"));
        let mut next = Box::pin(consumer.next());
        assert!(poll_with(next.as_mut(), Waker::noop()).is_ready());
    });
}

// Errors that nobody waits for.

/// Whose code of an error panics.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Panics {
    Into,
    Display,
    Drop,
}

/// An error that panics when it is made one of any call's, shown, or dropped.
#[derive(Debug)]
struct Nasty(Panics);

impl fmt::Display for Nasty {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == Panics::Display {
            panic_any("the text of an error, on purpose");
        }
        Ok(())
    }
}

impl Drop for Nasty {
    fn drop(&mut self) {
        if self.0 == Panics::Drop && !std::thread::panicking() {
            panic_any("the destructor of an error, on purpose");
        }
    }
}

impl StdError for Nasty {}

/// An error as a function returns it.
struct Raw(Panics);

impl From<Raw> for BoxError {
    fn from(raw: Raw) -> Self {
        if raw.0 == Panics::Into {
            panic_any("the conversion of an error, on purpose");
        }
        Box::new(Nasty(raw.0))
    }
}

fn an_error_of_a_direct_call<F: Fixture>(panics: Panics) {
    beside::<F>(|_, caller| caller.call_direct(move || Err::<(), _>(Raw(panics))));
}

pub fn the_text_of_an_error_of_a_direct_call<F: Fixture>() {
    an_error_of_a_direct_call::<F>(Panics::Display);
}

pub fn the_destructor_of_an_error_of_a_direct_call<F: Fixture>() {
    an_error_of_a_direct_call::<F>(Panics::Drop);
}

fn an_error_of_an_awaited_direct_call<F: Fixture>(panics: Panics) {
    beside::<F>(|_, caller| {
        caller.call_direct_async(async move || {
            super::yield_now().await;
            Err::<(), _>(Raw(panics))
        });
    });
}

pub fn the_text_of_an_error_of_an_awaited_direct_call<F: Fixture>() {
    an_error_of_an_awaited_direct_call::<F>(Panics::Display);
}

pub fn the_destructor_of_an_error_of_an_awaited_direct_call<F: Fixture>() {
    an_error_of_an_awaited_direct_call::<F>(Panics::Drop);
}

async fn fail((to, panics): (mpsc::Sender<usize>, Option<Panics>)) -> Result<(), Raw> {
    to.send(0).unwrap();
    match panics {
        Some(panics) => Err(Raw(panics)),
        None => Ok(()),
    }
}

fn an_error_of_an_item<F: Fixture>(panics: Panics) {
    beside::<F>(|_, caller| {
        let (sender, seen) = mpsc::channel();
        for panics in [Some(panics), Some(panics), None] {
            caller.queue_call(fail, (sender.clone(), panics)).unwrap();
        }
        drop(sender);
        let ran = (0..3).map_while(|_| seen.recv_timeout(SOON).ok()).count();
        assert_eq!(ran, 3, "items: a failure is reported, and the next one runs");
    });
}

pub fn the_conversion_of_an_error_of_an_item<F: Fixture>() {
    an_error_of_an_item::<F>(Panics::Into);
}

pub fn the_text_of_an_error_of_an_item<F: Fixture>() {
    an_error_of_an_item::<F>(Panics::Display);
}

pub fn the_destructor_of_an_error_of_an_item<F: Fixture>() {
    an_error_of_an_item::<F>(Panics::Drop);
}

/// The text of an error becomes the reason for which the others are cancelled.
pub fn the_text_of_an_error_of_a_member_of_a_group<F: Fixture>() {
    beside::<F>(|_, caller| {
        let here = caller.clone();
        let ran = caller.call_soon(async move || {
            let ended = here.group().run(async |group: Arc<PendingGroup>| {
                drop(group.call_soon(async || pending::<()>().await));
                drop(group.try_call_soon(async || Err::<(), _>(Nasty(Panics::Display))));
                pending::<()>().await;
            });
            ended.await.unwrap_err().is_failed()
        });
        assert!(ran.wait().timeout(SOON).blocking().expect("the group ends"));
    });
}

// Functions that the library calls.

pub fn a_canceller_under_a_group<F: Fixture>() {
    beside::<F>(|_, caller| {
        let (first, by_hand) = Resolver::<()>::new();
        first.set_canceller(|_| panic_any("a canceller, on purpose")).unwrap();
        let by_hand = by_hand.handle();
        let group = caller.group().build();
        group.add(&by_hand).unwrap();
        let others: Vec<_> = (0..20).map(|_| group.call_soon(async || pending::<()>().await)).collect();
        caller.call_soon(async || ()).wait_blocking().unwrap();
        let told = group.clone();
        let call = caller.call_soon(async move || told.cancel("enough"));
        assert!(call.wait().timeout(SOON).blocking().expect("cancelling is no failure"));
        soon("the end of the other members", || others.iter().all(Pending::is_done));
        assert!(by_hand.is_cancelled());
    });
}

pub fn a_canceller<F: Fixture>() {
    beside::<F>(|_, caller| {
        let (resolver, by_hand) = Resolver::<()>::new();
        resolver.set_canceller(|_| panic_any("a canceller, on purpose")).unwrap();
        let handle = by_hand.handle();
        let asked = caller.call_soon(async move || handle.cancel("enough"));
        assert!(asked.wait().timeout(SOON).blocking().expect("cancelling is no failure"));
        // A wait that is given up cancels, here in the destructor of what another call holds.
        let (other, given_up) = Resolver::<()>::new();
        other.set_canceller(|_| panic_any("a canceller, on purpose")).unwrap();
        let wait = given_up.wait();
        let call = caller.call_soon(async move || drop(wait));
        assert!(call.wait().timeout(SOON).blocking().is_ok(), "giving up is no failure");
        assert!(by_hand.is_cancelled());
    });
}

struct Broken;

impl Tracker for Broken {
    fn track(&self, _pending: &PendingHandle) {
        panic_any("a tracker, on purpose");
    }
}

/// The call is a member before the other tracker hears of it, or after: either way the group ends.
pub fn a_tracker_beside_a_group<F: Fixture>() {
    beside::<F>(|fixture, caller| {
        let here = caller.clone();
        let ran = caller.call_soon(async move || {
            let broken = Arc::new(Broken);
            let ended = here.group().run(async |_: Arc<PendingGroup>| {
                type Verb = fn(&Caller);
                let verbs: [Verb; 5] = [
                    |caller| drop(caller.call_soon(async || ())),
                    |caller| drop(caller.call_later(Duration::ZERO, async || ())),
                    |caller| drop(caller.to_thread(async || ())),
                    |caller| drop(caller.call_soon_local(async || ())),
                    |caller| drop(caller.schedule_call(async || ()).submit()),
                ];
                for verb in verbs {
                    let _panicked = catch_unwind(AssertUnwindSafe(|| broken.sync_scope(|| verb(&here))));
                }
            });
            ended.await.is_ok()
        });
        let until = std::time::Instant::now() + SOON;
        while !ran.is_done() && std::time::Instant::now() < until {
            // The delayed call is a member too.
            fixture.elapse(Duration::from_millis(1));
        }
        assert!(ran.is_done(), "the group does not end");
    });
}

pub fn a_tracker_of_a_local_call<F: Fixture>() {
    beside::<F>(|_, caller| {
        let drops = super::Drops::default();
        let (here, held) = (caller.clone(), drops.watch());
        let made = caller.call_soon(async move || {
            let made = catch_unwind(AssertUnwindSafe(|| {
                Arc::new(Broken).sync_scope(|| {
                    here.call_soon_local(async move || {
                        let _held = held;
                    })
                    .map(drop)
                })
            }));
            made.is_ok()
        });
        let _reported_or_not = made.wait().timeout(SOON).blocking().unwrap();
        soon("the end of the local call's future", || drops.count() == 1);
    });
}

pub fn a_lazy_iterator<F: Fixture>() {
    beside::<F>(|_, caller| {
        let calls = [1, 2].map(|number| caller.call_soon(async move || number));
        let mut calls = calls.into_iter();
        let items = std::iter::from_fn(move || {
            Some(calls.next().unwrap_or_else(|| panic_any("an iterator, on purpose")))
        });
        let completed = caller.as_completed_lazy(items);
        assert_eq!(the_good_ones(completed), [1, 2]);
    });
}

pub fn a_stream<F: Fixture>() {
    struct Two(std::vec::IntoIter<Pending<u32>>);
    impl Stream for Two {
        type Item = Pending<u32>;

        fn poll_next(
            mut self: Pin<&mut Self>,
            _cx: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Option<Pending<u32>>> {
            let next = self.0.next();
            std::task::Poll::Ready(Some(next.unwrap_or_else(|| panic_any("a stream, on purpose"))))
        }
    }
    beside::<F>(|_, caller| {
        let calls = [1, 2].map(|number| caller.call_soon(async move || number));
        let items = Two(calls.into_iter().collect::<Vec<_>>().into_iter());
        assert_eq!(the_good_ones(caller.as_completed_stream(items)), [1, 2]);
    });
}

/// What came before the source panicked, asked for as a call does, which ends with the first panic.
fn the_good_ones(stream: impl Stream<Item = Pending<u32>> + Unpin + Send + 'static) -> Vec<u32> {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let see = seen.clone();
    ends_soon("the stream", move || {
        let _panicked = catch_unwind(AssertUnwindSafe(|| {
            futures::executor::block_on(async {
                let mut stream = stream;
                while let Some(pending) = std::future::poll_fn(|cx| Pin::new(&mut stream).poll_next(cx)).await
                {
                    if let Ok(number) = pending.await {
                        see.lock().unwrap().push(number);
                    }
                }
            });
        }));
    });
    let mut seen = seen.lock().unwrap().clone();
    seen.sort_unstable();
    seen
}

// What they panic with.

/// Has something of a user's panic with a payload, and waits until that was dropped, whose destructor panics too.
fn payload_of<F: Fixture>(panic: impl FnOnce(&Caller, CountedBomb)) {
    beside::<F>(|_, caller| {
        let payload = CountedBomb::default();
        let dropped = payload.counter();
        panic(caller, payload);
        soon("the end of the payload", || dropped.load(Ordering::SeqCst) == 1);
    });
}

pub fn the_payload_of_a_direct_call<F: Fixture>() {
    payload_of::<F>(|caller, payload| caller.call_direct(move || -> () { panic_any(payload) }));
}

pub fn the_payload_of_an_awaited_direct_call<F: Fixture>() {
    payload_of::<F>(|caller, payload| caller.call_direct_async(async move || -> () { panic_any(payload) }));
}

async fn panic_in_item(payload: CountedBomb) {
    panic_any(payload);
}

pub fn the_payload_of_an_item_of_a_queue<F: Fixture>() {
    payload_of::<F>(|caller, payload| caller.queue_call(panic_in_item, payload).unwrap());
}

pub fn the_payload_of_a_done_callback<F: Fixture>() {
    payload_of::<F>(|caller, payload| {
        let payload = Mutex::new(Some(payload));
        let callback = DoneCallback::new(move |_| {
            let payload = payload.lock().unwrap().take();
            if let Some(payload) = payload {
                panic_any(payload);
            }
        });
        let go_on = hold_up(caller);
        caller.call_soon(async || ()).add_done_callback(&callback);
        drop(go_on);
    });
}

/// Panics with what it has when it is dropped.
struct PanicsWith(Option<CountedBomb>);

impl Drop for PanicsWith {
    fn drop(&mut self) {
        if let Some(payload) = self.0.take() {
            panic_any(payload);
        }
    }
}

pub fn the_payload_of_the_destructor_of_a_cancelled_call<F: Fixture>() {
    payload_of::<F>(|caller, payload| {
        let (sender, began) = mpsc::channel();
        let call = caller.call_soon(async move || {
            let _held = PanicsWith(Some(payload));
            sender.send(()).unwrap();
            pending::<()>().await;
        });
        receive(&began);
        call.cancel("enough");
    });
}

pub fn the_payload_of_the_destructor_of_a_function<F: Fixture>() {
    payload_of::<F>(|caller, payload| {
        let held = PanicsWith(Some(payload));
        let call = caller.call_later(LONG, async move || drop(held));
        call.cancel("enough");
    });
}

pub fn the_payload_of_the_reject_function_of_a_queue<F: Fixture>() {
    payload_of::<F>(|_, payload| {
        let payload = Mutex::new(Some(payload));
        let queue = SingleConsumerQueue::with_reject(move |()| {
            let payload = payload.lock().unwrap().take();
            if let Some(payload) = payload {
                panic_any(payload);
            }
        });
        queue.push_back(());
        queue.stop();
    });
}
