//! What tests of hostile use are made of: values that panic when they are dropped, wakers that panic or count, and waits
//! with a bound.

use std::{
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind, panic_any, resume_unwind},
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

/// How long something may take that should happen at once. Generous: it is only waited for when it does not.
pub const SOON: Duration = Duration::from_secs(5);

/// Waits until something is true that should be true at once.
///
/// # Panics
///
/// If it is not in time.
#[track_caller]
pub fn soon(what: &str, mut condition: impl FnMut() -> bool) {
    let until = Instant::now() + SOON;
    while !condition() {
        assert!(Instant::now() < until, "{what} did not come");
        thread::yield_now();
    }
}

/// Runs a function in a thread of its own, which is left behind if it does not end.
///
/// # Panics
///
/// If it does not end in time, and where it does.
#[track_caller]
pub fn ends_soon<R: Send + 'static>(what: &str, function: impl FnOnce() -> R + Send + 'static) -> R {
    let (sender, ended) = mpsc::channel();
    thread::spawn(move || {
        let _nobody = sender.send(catch_unwind(AssertUnwindSafe(function)));
    });
    match ended.recv_timeout(SOON) {
        Ok(Ok(output)) => output,
        Ok(Err(payload)) => resume_unwind(payload),
        Err(_) => panic!("{what} did not end"),
    }
}

/// Polls a future once.
pub fn poll_with<F: Future + ?Sized>(future: Pin<&mut F>, waker: &Waker) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(waker))
}

/// Panics when it is dropped, unless its thread unwinds already.
#[derive(Debug, Default)]
pub struct Bomb(());

impl Drop for Bomb {
    fn drop(&mut self) {
        if !thread::panicking() {
            panic_any("a destructor, on purpose");
        }
    }
}

/// Counts how often it is dropped, and then panics, unless its thread unwinds already.
#[derive(Clone, Debug, Default)]
pub struct CountedBomb(Arc<AtomicUsize>);

impl CountedBomb {
    /// How many clones were dropped.
    pub fn counter(&self) -> Arc<AtomicUsize> {
        self.0.clone()
    }
}

impl Drop for CountedBomb {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
        if !thread::panicking() {
            panic_any("a destructor, on purpose");
        }
    }
}

/// Lets everything else in this thread have a turn.
pub async fn yield_now() {
    crate::wake::yield_now().await;
}

/// A waker that panics when it is woken.
pub fn panicking_waker() -> Waker {
    struct Panics;
    impl Wake for Panics {
        fn wake(self: Arc<Self>) {
            panic_any("a waker, on purpose");
        }
    }
    Waker::from(Arc::new(Panics))
}

/// Counts how often its wakers are woken, and knows how many of them are kept.
#[derive(Debug, Default)]
pub struct Wakes(Arc<Count>);

#[derive(Debug, Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Wakes {
    /// A waker that is counted.
    pub fn waker(&self) -> Waker {
        Waker::from(self.0.clone())
    }

    /// How often one of them was woken.
    pub fn count(&self) -> usize {
        self.0.0.load(Ordering::SeqCst)
    }

    /// How many of them there are.
    pub fn kept(&self) -> usize {
        Arc::strong_count(&self.0) - 1
    }
}

/// Has every report formatted, as a program does that logs. Without the feature `tracing` reports go to stderr, and are.
pub fn hear_reports() {
    #[cfg(feature = "tracing")]
    {
        let _known = tracing::subscriber::set_global_default(listener::Listener);
    }
}

#[cfg(feature = "tracing")]
mod listener {
    use std::fmt::Debug;

    use tracing::{
        Event, Metadata, Subscriber,
        field::{Field, Visit},
        span::{Attributes, Id, Record},
    };

    /// Formats events, and forgets them.
    pub(super) struct Listener;

    struct Formatted;

    impl Visit for Formatted {
        fn record_debug(&mut self, _field: &Field, value: &dyn Debug) {
            let _text = format!("{value:?}");
        }
    }

    impl Subscriber for Listener {
        fn enabled(&self, metadata: &Metadata<'_>) -> bool {
            metadata.is_event()
        }

        fn new_span(&self, _span: &Attributes<'_>) -> Id {
            Id::from_u64(1)
        }

        fn record(&self, _span: &Id, _values: &Record<'_>) {}

        fn record_follows_from(&self, _span: &Id, _follows: &Id) {}

        fn event(&self, event: &Event<'_>) {
            event.record(&mut Formatted);
        }

        fn enter(&self, _span: &Id) {}

        fn exit(&self, _span: &Id) {}
    }
}
