//! The span that a call inherits, with the feature `tracing`. A subscriber is code of the program's, so each of its methods
//! is called behind the boundary.

#[cfg(feature = "tracing")]
mod with_tracing {
    use std::sync::Arc;

    use tracing::{Dispatch, level_filters::LevelFilter, span::Id};

    use crate::guard::{self, Guarded, Place};

    /// A span. It is shared, so that a copy of a context asks no subscriber for a copy of it.
    #[derive(Clone)]
    pub(crate) struct Span(Arc<Guarded<tracing::Span>>);

    impl Span {
        /// The span that this thread is in.
        pub(crate) fn current() -> Option<Self> {
            // Where nobody listens there is none, and asking for it costs more than all else that is captured.
            if LevelFilter::current() == LevelFilter::OFF {
                return None;
            }
            let span = guard::quietly(Place::Subscriber, tracing::Span::current)?;
            (!span.is_disabled()).then(|| Self(Arc::new(Guarded::new(Place::Subscriber, span))))
        }

        pub(crate) fn enter(&self) {
            self.tell(Dispatch::enter);
        }

        pub(crate) fn exit(&self) {
            self.tell(Dispatch::exit);
        }

        /// Whether a subscriber takes the two for one.
        pub(crate) fn is(&self, other: &Self) -> bool {
            let id = |span: &Self| span.0.get().and_then(tracing::Span::id);
            id(self) == id(other)
        }

        fn tell(&self, what: impl FnOnce(&Dispatch, &Id)) {
            let tell = || self.0.get()?.with_subscriber(|(id, subscriber)| what(subscriber, id));
            let _told = guard::quietly(Place::Subscriber, tell);
        }
    }
}

#[cfg(not(feature = "tracing"))]
mod without_tracing {
    /// There is none.
    #[derive(Clone)]
    pub(crate) enum Span {}

    impl Span {
        pub(crate) fn current() -> Option<Self> {
            None
        }

        pub(crate) fn enter(&self) {
            match *self {}
        }

        pub(crate) fn exit(&self) {
            match *self {}
        }

        pub(crate) fn is(&self, _other: &Self) -> bool {
            match *self {}
        }
    }
}

#[cfg(feature = "tracing")]
pub(super) use with_tracing::Span;
#[cfg(not(feature = "tracing"))]
pub(super) use without_tracing::Span;
