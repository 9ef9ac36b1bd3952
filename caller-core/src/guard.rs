//! The one boundary at which code of a user runs.
//!
//! A body, a destructor, a waker, a callback, a `Display`, an iterator, a clock: each may panic, and each may call back
//! into the object that called it. So each runs through a function of this file, with no lock held and no `RefCell`
//! borrowed. A panic there is the error of the call that it belongs to, or it is reported; everybody else goes on.
//!
//! [`Place`] lists the places. The panic tests are generated from that list.

mod nest;

use std::{
    any::Any,
    fmt::{self, Display},
    mem,
    panic::{AssertUnwindSafe, catch_unwind},
    task::Waker,
};

pub(crate) use self::nest::{catch_up, nested};
use crate::report;

macro_rules! places {
    ($($(#[doc = $doc:literal])* $name:ident = $text:literal,)*) => {
        /// A place at which code of a user runs: a panic there costs the call that it belongs to, and nothing else.
        #[cfg_attr(
            not(feature = "test-util"),
            allow(unreachable_pub, dead_code, reason = "the panic tests are generated from the table")
        )]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Place {
            $($(#[doc = $doc])* $name,)*
        }

        #[cfg_attr(
            not(feature = "test-util"),
            allow(unreachable_pub, dead_code, reason = "the panic tests are generated from the table")
        )]
        impl Place {
            /// Every place.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The place as reports name it.
            pub fn text(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }
        }
    };
}

places! {
    /// The function of a call, or its future while it is polled. The panic is the error of the call.
    Body = "a call",
    /// The destructor of a call's future.
    FutureDrop = "the destructor of a cancelled call",
    /// The destructor of what a function captured that never ran.
    FunctionDrop = "the destructor of a function that was never called",
    /// The conversion of a function's error into that of its call.
    ErrorConversion = "the conversion of an error",
    /// The text of an error.
    ErrorText = "the text of an error",
    /// The destructor of an error.
    ErrorDrop = "the destructor of an error",
    /// The destructor of a result that nobody took.
    ResultDrop = "the destructor of a result",
    /// The destructor of a panic's payload.
    PayloadDrop = "the destructor of a panic's payload",
    /// The destructor of a value of a context.
    ContextDrop = "the destructor of a context",
    /// A waker that is woken.
    Wake = "a waker",
    /// A waker that is dropped.
    WakerDrop = "the destructor of a waker",
    /// A function that is called when a pending is done.
    DoneCallback = "a done callback",
    /// A function that is told that cancelling was asked for.
    Canceller = "a canceller",
    /// A tracker that hears of a new pending.
    Tracker = "a tracker",
    /// A function of `call_direct`, or its future.
    DirectCall = "call_direct",
    /// An item of the queue of a function.
    QueueItem = "a queued call",
    /// The destructor of the value of a resident.
    ResidentDrop = "the destructor of a resident",
    /// The destructor of an argument that a queue did not serve.
    ArgumentDrop = "the destructor of a queued argument",
    /// The function of a single-consumer queue that gets what nobody will consume.
    Reject = "the reject function of a queue",
    /// An iterator or a stream that calls come from.
    Source = "a source of calls",
    /// A subscriber that hears of the span of a call.
    Subscriber = "a tracing subscriber",
    /// The clock of a backend.
    Clock = "the clock of a backend",
    /// The runtime of a backend.
    Runtime = "the runtime of a backend",
    /// The loop of a host, and a program that runs in it.
    Host = "a program under a host",
}

/// What a piece of user code panicked with. Dropping it never panics.
pub(crate) struct Panic(Option<Box<dyn Any + Send>>);

impl Panic {
    /// The text of the panic, if it has one.
    pub(crate) fn message(&self) -> &str {
        let payload = self.0.as_deref();
        let text = payload.and_then(|payload| {
            payload
                .downcast_ref::<&'static str>()
                .copied()
                .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        });
        text.unwrap_or("a value that is no text")
    }

    /// The payload, to go on with the panic elsewhere.
    pub(crate) fn into_payload(mut self) -> Box<dyn Any + Send> {
        self.0.take().unwrap_or_else(|| Box::new(()))
    }
}

impl From<Box<dyn Any + Send>> for Panic {
    fn from(payload: Box<dyn Any + Send>) -> Self {
        Self(Some(payload))
    }
}

impl fmt::Debug for Panic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Panic").field(&self.message()).finish()
    }
}

impl Drop for Panic {
    fn drop(&mut self) {
        /// A payload whose destructor panics with another such payload has to end somewhere.
        const ATTEMPTS: usize = 8;
        let mut payload = self.0.take();
        for _ in 0..ATTEMPTS {
            let Some(current) = payload.take() else { return };
            payload = catch_unwind(AssertUnwindSafe(|| drop(current))).err();
        }
        mem::forget(payload);
    }
}

/// Runs code of a user's. The error is what it panicked with.
#[inline]
pub(crate) fn run<R>(code: impl FnOnce() -> R) -> Result<R, Panic> {
    catch_unwind(AssertUnwindSafe(code)).map_err(Panic::from)
}

/// Runs code of a user's that belongs to no call: a panic is reported.
#[inline]
pub(crate) fn quietly<R>(place: Place, code: impl FnOnce() -> R) -> Option<R> {
    match run(code) {
        Ok(done) => Some(done),
        Err(panic) => {
            report_panic(place, &panic);
            None
        }
    }
}

/// Drops a value of a user's. A panic of its destructor is reported. A destructor that drops another such value, which drops
/// another, nests only so deep.
#[inline]
pub(crate) fn discard<T: 'static>(place: Place, value: T) {
    if mem::needs_drop::<T>() {
        nested(value, move |value| {
            quietly(place, || drop(value));
        });
    }
}

/// Drops a value of a user's now, however deep the stack is: it borrows, or what follows needs it gone.
#[inline]
pub(crate) fn discard_now<T>(place: Place, value: T) {
    if mem::needs_drop::<T>() {
        quietly(place, || drop(value));
    }
}

/// Wakes a task. A waker that runs code at once, which wakes another, nests only so deep.
#[inline]
pub(crate) fn wake(waker: Waker) {
    nest::waking(move || {
        quietly(Place::Wake, || waker.wake());
    });
}

/// Drops a waker that is no longer needed: it may be the last reference to a task.
#[inline]
pub(crate) fn discard_waker(waker: impl Into<Option<Waker>>) {
    if let Some(waker) = waker.into() {
        discard(Place::WakerDrop, waker);
    }
}

/// The text of a user's value.
pub(crate) fn text(value: &dyn Display) -> String {
    run(|| value.to_string()).unwrap_or_else(|panic| {
        report_panic(Place::ErrorText, &panic);
        format!("a value whose text panicked: {}", panic.message())
    })
}

/// Reports a panic that is the error of no call.
#[cold]
pub(crate) fn report_panic(place: Place, panic: &Panic) {
    report::panicked(place.text(), panic.message());
}

/// A value of a user's that is dropped behind the boundary, wherever its owner is dropped.
pub(crate) struct Guarded<T: 'static>(Option<T>, Place);

impl<T> Guarded<T> {
    pub(crate) fn new(place: Place, value: T) -> Self {
        Self(Some(value), place)
    }

    pub(crate) fn get(&self) -> Option<&T> {
        self.0.as_ref()
    }
}

impl<T> Drop for Guarded<T> {
    fn drop(&mut self) {
        if let Some(value) = self.0.take() {
            discard(self.1, value);
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    /// A payload whose destructor panics with another of its kind, `0` times.
    struct Matryoshka(usize);

    impl Drop for Matryoshka {
        fn drop(&mut self) {
            if let Some(left) = self.0.checked_sub(1) {
                std::panic::panic_any(Self(left));
            }
        }
    }

    #[test]
    fn a_payload_whose_destructor_panics_is_dropped_quietly() {
        for depth in [0, 1, 3, 100] {
            drop(run(|| std::panic::panic_any(Matryoshka(depth))).unwrap_err());
        }
    }

    #[test]
    fn every_place_has_a_text_of_its_own() {
        let texts: std::collections::HashSet<_> = Place::ALL.iter().map(|place| place.text()).collect();
        assert_eq!(texts.len(), Place::ALL.len());
    }

    #[test]
    fn a_text_that_panics_is_replaced() {
        struct Mute;
        impl Display for Mute {
            fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
                panic!("no words")
            }
        }
        assert!(text(&Mute).contains("no words"));
    }
}
