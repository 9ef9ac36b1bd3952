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
        fn record<T: ::core::marker::Send + 'static>(&self, all: T) -> T {
            ::core::assert_eq!(self.0, 1);
            all
        }
    }

    #[::caller::test(backend = Tokio::backend())]
    async fn runs() -> ::caller::Result<()> {
        record_queued(0, (1, 2))?;
        record_direct(0, (1, 2));
        ::core::assert!(record_queue().is_some());
        record_soon(0, (1, 2)).await?;
        record_later(::core::time::Duration::ZERO, 0, (1, 2)).await?;
        record_to_thread(0, (1, 2)).await?;
        ::core::assert_eq!(::std::sync::Arc::new(Thing(1)).record_queued(5).await?, 5);
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

/// What nobody asks for is no news.
mod unused {
    #[caller::queued]
    fn watched(_: u8) {}

    #[caller::test(backend = caller_tokio::Tokio::new())]
    async fn runs() {
        watched_queued(1).unwrap();
    }
}
