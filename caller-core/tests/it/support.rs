//! What several tests need: bounds, and wakers that can be looked at.

use std::{
    future::Future,
    panic::resume_unwind,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    task::{Context, Poll, Wake, Waker},
    thread,
    time::{Duration, Instant},
};

use caller::{
    Caller,
    testing::{Manual, Running, probe::yield_now},
};

/// How long a test waits for what should come at once.
pub(crate) const LONG: Duration = Duration::from_secs(20);

/// How late something may be that goes by the machine's clock.
const SOON: Duration = Duration::from_millis(250);

/// A caller whose time is that of `manual`.
pub(crate) fn caller(manual: &Manual) -> Running {
    Running(Caller::builder().backend(manual.clone()).spawn().expect("a caller can be started"))
}

/// What comes within `LONG`.
pub(crate) fn receive<T>(from: &mpsc::Receiver<T>) -> T {
    from.recv_timeout(LONG).expect("something should have come")
}

/// Waits at most for `LONG` until something is true.
pub(crate) fn eventually(what: &str, condition: impl Fn() -> bool) {
    let until = Instant::now() + LONG;
    while !condition() {
        assert!(Instant::now() < until, "{what} did not come");
        thread::yield_now();
    }
}

/// Runs `body` in a thread of its own, and fails if it has not ended within `LONG`. The thread is left behind then.
pub(crate) fn in_time<T: Send + 'static>(what: &str, body: impl FnOnce() -> T + Send + 'static) -> T {
    let (sender, ended) = mpsc::channel();
    let thread = thread::spawn(move || {
        let _ended = sender.send(body());
    });
    match ended.recv_timeout(LONG) {
        Ok(value) => value,
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("{what}: nothing goes on any more"),
        Err(mpsc::RecvTimeoutError::Disconnected) => match thread.join() {
            Err(payload) => resume_unwind(payload),
            Ok(()) => unreachable!("it sends when it ends"),
        },
    }
}

/// Runs `body` in a call on virtual time, and hands on what panics in it. The time is the body's to move.
pub(crate) fn in_a_call<T: Send + 'static>(
    manual: &Manual,
    body: impl AsyncFnOnce(Caller) -> T + Send + 'static,
) -> T {
    let caller = caller(manual);
    let this = caller.0.clone();
    let ran = caller.call_soon(async move || body(this).await).wait().timeout(LONG).blocking();
    ran.unwrap_or_else(|error| panic!("{error}"))
}

/// Gives the scheduler of this thread some turns, in which it does what it can do by now.
pub(crate) async fn turns() {
    for _ in 0..4 {
        yield_now().await;
    }
}

/// As `turns`, of a caller in another thread.
pub(crate) fn turns_of(caller: &Caller) {
    caller.call_soon(turns).wait().timeout(LONG).blocking().expect("the caller goes on");
}

/// Asserts that something takes at least `time` by the machine's clock, and ends soon after that. A machine that is busy
/// is late at times, so the best of some tries counts.
pub(crate) fn on_time(what: &str, time: Duration, mut act: impl FnMut()) {
    let mut best = Duration::MAX;
    for _ in 0..20 {
        let begun = Instant::now();
        act();
        let took = begun.elapsed();
        assert!(took >= time, "{what} came after {took:?}, before its time of {time:?}");
        best = best.min(took);
        if best <= time + SOON {
            return;
        }
    }
    panic!("{what} came after {best:?} at best, long after its time of {time:?}");
}

/// Counts how often a waker was woken.
#[derive(Default)]
pub(crate) struct Wakes(AtomicUsize);

impl Wakes {
    pub(crate) fn new() -> (Arc<Self>, Waker) {
        let wakes = Arc::new(Self::default());
        (wakes.clone(), Waker::from(wakes))
    }

    pub(crate) fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// Polls a future with a waker.
pub(crate) fn poll<F: Future + ?Sized>(future: &mut Pin<Box<F>>, waker: &Waker) -> Poll<F::Output> {
    future.as_mut().poll(&mut Context::from_waker(waker))
}
