//! What is generated stands anywhere: without a prelude, among names that shadow it, and under every lint.
#![deny(warnings, clippy::pedantic)]

/// Nothing is in scope but what the language itself has.
#[no_implicit_prelude]
mod no_prelude {
    struct Tokio;

    impl Tokio {
        fn backend() -> ::caller_tokio::Tokio {
            ::caller_tokio::Tokio::new()
        }
    }

    #[::caller::queued]
    #[::caller::call_soon]
    #[::caller::call_direct]
    #[::caller::call_later]
    #[::caller::to_thread]
    async fn record(_: u8, (left, _right): (u8, u8)) -> ::core::result::Result<(), ::std::string::String> {
        ::tokio::task::yield_now().await;
        ::core::assert_eq!(left, 1);
        ::core::result::Result::Ok(())
    }

    struct Thing(u8);

    impl Thing {
        #[::caller::queued(pending)]
        #[::caller::call_soon]
        #[::caller::call_direct(name = record_all_direct)]
        #[::caller::call_later]
        #[::caller::to_thread]
        fn record<T: ::core::marker::Send + 'static>(&self, all: T) -> T {
            ::core::assert_eq!(self.0, 1);
            all
        }
    }

    struct Store<T>(T);

    #[::caller::resident]
    impl<T: ::core::clone::Clone> Store<T> {
        fn make(caller: T, method: u8, this: u8) -> ::core::result::Result<Self, ::std::string::String> {
            if method != this {
                return ::core::result::Result::Err(::std::string::String::new());
            }
            ::core::result::Result::Ok(Self(caller))
        }

        async fn get(&self, method: u8, this: u8) -> T {
            ::tokio::task::yield_now().await;
            ::core::assert_eq!(method, this);
            self.0.clone()
        }

        fn set(&mut self, caller: T) {
            self.0 = caller;
        }

        fn end(self) -> T {
            self.0
        }
    }

    #[::caller::test(backend = Tokio::backend())]
    async fn keeps() -> ::caller::Result<()> {
        let store = StoreHandle::make(&::caller::Caller::current()?, 1, 2, 2).await?;
        store.set(3).await?;
        ::core::assert_eq!(store.get(2, 2).await?, 3);
        ::core::assert!(store == ::core::clone::Clone::clone(&store));
        ::core::assert_eq!(store.end().await?, 3);
        ::caller::Result::Ok(())
    }

    #[::caller::test(backend = Tokio::backend())]
    async fn runs() -> ::caller::Result<()> {
        record_queued(0, (1, 2))?;
        record_direct(0, (1, 2));
        ::core::assert!(record_queue().is_some());
        record_soon(0, (1, 2)).await?;
        record_later(::core::time::Duration::ZERO, 0, (1, 2)).await?;
        record_to_thread(0, (1, 2)).await?;
        let thing = ::std::sync::Arc::new(Thing(1));
        ::core::assert_eq!(thing.record_queued(5).await?, 5);
        ::core::assert_eq!(thing.record_soon(5).await?, 5);
        thing.record_all_direct(());
        ::core::assert_eq!(thing.record_later(::core::time::Duration::ZERO, 5).await?, 5);
        ::core::assert_eq!(thing.record_to_thread(5).await?, 5);
        ::caller::Result::Ok(())
    }
}

/// What a prelude has means something else here.
mod shadowed {
    #![allow(dead_code, reason = "they are only in the way")]

    pub(super) struct Option;
    pub(super) struct Result;
    pub(super) struct Arc;
    pub(super) struct Pending;
    pub(super) struct Caller;
    pub(super) trait Send {}
    pub(super) trait AsyncFn {}
    pub(super) mod core {}
    pub(super) mod std {}
    pub(super) mod caller {}
    pub(super) fn drop() {}

    /// Prints nothing. The arguments have the names that the wrapper could think of too.
    ///
    /// # Errors
    ///
    /// None.
    #[::caller::queued(pending)]
    #[::caller::call_soon]
    #[::caller::call_later]
    pub(super) async fn report(caller: u8, report: u8, delay: u8, this: u8, answer: u8, r#type: u8) -> u8 {
        ::tokio::task::yield_now().await;
        caller + report + delay + this + answer + r#type
    }

    /// Names that are raw and need not be.
    #[::caller::queued(pending)]
    #[::caller::call_later]
    pub(super) fn raw(
        r#caller: u8,
        r#delay: u8,
        r#this: u8,
        r#item: u8,
        r#arg5: u8,
        (last, _): (u8, u8),
    ) -> u8 {
        caller + delay + this + item + arg5 + last
    }

    /// Has a name that is a word of the language.
    #[::caller::queued]
    #[::caller::call_direct]
    pub(super) fn r#move(r#move: u8) {
        assert_eq!(r#move, 1);
    }

    #[::caller::test(backend = ::caller_tokio::Tokio::new())]
    async fn runs() {
        assert_eq!(report_queued(1, 1, 1, 1, 1, 1).await.unwrap(), 6);
        assert_eq!(report_soon(1, 1, 1, 1, 1, 1).await.unwrap(), 6);
        assert_eq!(report_later(::core::time::Duration::ZERO, 1, 1, 1, 1, 1, 1).await.unwrap(), 6);
        assert_eq!(raw_queued(1, 1, 1, 1, 1, (1, 0)).await.unwrap(), 6);
        assert_eq!(raw_later(::core::time::Duration::ZERO, 1, 1, 1, 1, 1, (1, 0)).await.unwrap(), 6);
        move_queued(1).unwrap();
        move_direct(1);
        assert!(move_queue().is_some());
    }
}

/// What is called as our own bindings could be.
mod statics {
    #![allow(dead_code, non_upper_case_globals, reason = "so are they called")]

    const caller: u8 = 1;
    static item: u8 = 1;
    const this: u8 = 1;
    static delay: u8 = 1;
    const arg0: u8 = 1;

    struct Thing(u8);

    impl Thing {
        #[caller::queued(pending)]
        #[caller::call_later]
        fn add(&self, (left, right): (u8, u8)) -> u8 {
            self.0 + left + right
        }
    }

    #[caller::test(backend = caller_tokio::Tokio::new())]
    async fn runs() {
        let thing = std::sync::Arc::new(Thing(0));
        assert_eq!(thing.add_queued((1, 2)).await.unwrap(), 3);
        assert_eq!(thing.add_later(std::time::Duration::ZERO, (1, 2)).await.unwrap(), 3);
    }
}

/// Two arguments may have one name, if one of them is a macro's.
mod twice {
    macro_rules! pair {
        ($left:ident) => {
            #[caller::queued(pending)]
            #[caller::call_soon]
            fn pair($left: u8, right: u8) -> (u8, u8) {
                ($left, right)
            }
        };
    }

    pair!(right);

    #[caller::test(backend = caller_tokio::Tokio::new())]
    async fn runs() {
        assert_eq!(pair_queued(1, 2).await.unwrap(), (1, 2));
        assert_eq!(pair_soon(1, 2).await.unwrap(), (1, 2));
    }
}

/// Nothing is allowed, as it is where `allow` itself is an error.
mod forbidden {
    #![forbid(trivial_bounds, unused, nonstandard_style, clippy::all, clippy::pedantic)]
    #![forbid(clippy::trait_duplication_in_bounds, clippy::type_repetition_in_bounds)]

    use std::{fmt::Display, sync::Arc};

    #[derive(Clone)]
    pub(super) struct Thing(u8);

    impl Thing {
        #[caller::queued]
        #[caller::call_soon]
        #[caller::call_direct]
        pub(super) fn shared(&self, others: Vec<Self>) {
            assert!(others.into_iter().all(|other| other.0 == self.0));
        }

        #[caller::queued(pending)]
        #[caller::to_thread]
        pub(super) fn moved(self, other: Self) -> (Self, Self) {
            (self, other)
        }

        #[caller::queued(pending, associated)]
        #[caller::call_soon(associated)]
        pub(super) fn found(things: Vec<Thing>) -> Result<Thing, String> {
            things.into_iter().next().ok_or_else(String::new)
        }
    }

    pub(super) struct Holds<T>(T);

    impl<T: Clone + Send + Sync + 'static> Holds<T> {
        #[caller::queued(pending)]
        #[caller::call_soon]
        pub(super) fn get(self: Arc<Self>, _: T) -> T {
            self.0.clone()
        }
    }

    #[caller::queued(pending)]
    #[caller::call_later]
    pub(super) fn bounds<T: Display + Send, U, V: Clone>(
        one: T,
        many: Vec<T>,
        _: U,
        (last, _): (V, Option<V>),
        _: impl Clone + Send,
        _: Vec<(impl Clone, Thing)>,
    ) -> (T, V)
    where
        U: Send + 'static,
    {
        drop(many);
        (one, last)
    }

    #[caller::test(backends = [caller_tokio::Tokio::new()])]
    async fn runs() {
        let thing = Arc::new(Thing(1));
        thing.shared_queued(vec![Thing(1)]).unwrap();
        thing.shared_soon(Vec::new()).await.unwrap();
        thing.shared_direct(Vec::new());
        assert!(thing.shared_queue().is_some());
        Thing(1).moved_queued(Thing(1)).await.unwrap();
        Thing(1).moved_to_thread(Thing(1)).await.unwrap();
        assert!(Thing(1).moved_queue().is_some());
        assert!(Thing::found_queued(Vec::new()).await.is_err());
        assert!(Thing::found_soon(vec![Thing(1)]).await.is_ok());
        assert!(Thing::found_queue().is_some());
        let holds = Arc::new(Holds(1));
        assert_eq!(holds.get_queued(2).await.unwrap() + holds.get_soon(2).await.unwrap(), 2);
        assert!(holds.get_queue().is_some());
        bounds_queued(1, Vec::new(), (), (1, None), 'c', vec![(1, Thing(1))]).await.unwrap();
        assert!(bounds_queue::<u8, (), u8, char, u8>().is_none());
        let soon = std::time::Duration::ZERO;
        bounds_later(soon, 1, Vec::new(), (), (1, None), 'c', vec![(1, Thing(1))]).await.unwrap();
    }
}

/// An attribute under ours says of the wrapper what it says of the function.
mod attributes {
    #[caller::queued]
    #[caller::call_soon]
    #[cfg(any())]
    async fn left_out(_: NoSuchType) {}

    #[caller::queued]
    #[cfg_attr(all(), cfg(any()), must_use)]
    async fn left_out_too(_: NoSuchType) {}

    /// Is not to be used.
    #[caller::call_soon]
    #[deprecated = "use another"]
    #[allow(dead_code, reason = "so that nobody has to call it")]
    pub(super) fn old() {}

    /// What is expected of it may be true of the wrapper too.
    #[caller::call_soon]
    #[expect(non_snake_case, reason = "so is it called")]
    #[allow(dead_code, reason = "so that nobody has to call it")]
    pub(super) fn Loud() {}

    #[caller::queued]
    #[cfg_attr(all(), cfg_attr(all(), expect(non_snake_case)), allow(dead_code))]
    pub(super) fn Louder() {}

    #[caller::test(backends = [caller_tokio::Tokio::new()])]
    #[cfg(any())]
    async fn left_out_test(_: NoSuchType) {}
}

/// The crate by another path; `tests/renamed` has it under another name.
mod renamed {
    mod facade {
        pub(super) mod deep {
            pub(crate) use ::caller::*;
        }
    }

    #[::caller::queued(crate = self::facade::deep)]
    #[::caller::call_soon(crate = "facade::deep")]
    #[::caller::call_direct(crate = facade::deep)]
    fn record(_: u8) {}

    #[::caller::test(backend = ::caller_tokio::Tokio::new(), crate = facade::deep)]
    async fn runs() {
        record_queued(1).unwrap();
        record_direct(1);
        record_soon(1).await.unwrap();
    }
}

/// A delay makes one argument more than the user wrote.
mod eighth {
    #[caller::call_later]
    fn seven(_: u8, _: u8, _: u8, _: u8, _: u8, _: u8, last: u8) -> u8 {
        last
    }

    #[caller::test(backend = caller_tokio::Tokio::new())]
    async fn runs() {
        assert_eq!(seven_later(std::time::Duration::ZERO, 1, 2, 3, 4, 5, 6, 7).await.unwrap(), 7);
    }
}

/// What nobody asks for is no news.
mod unused {
    #[caller::queued]
    fn watched(_: u8) {}

    #[caller::test(backend = caller_tokio::Tokio::new())]
    async fn runs() {
        watched_queued(1).unwrap();
    }
}
