//! What each attribute expands to, as people read it.

use proc_macro2::TokenStream;
use quote::quote;

use crate::{entry, queued, resident, verbs, verbs::Verb};

fn pretty(tokens: TokenStream) -> String {
    let file = syn::parse2(tokens).expect("what is generated can be read");
    numbered_alike(&prettyplease::unparse(&file))
}

/// The number of a guard is that of no other, so every run of a test has another.
fn numbered_alike(text: &str) -> String {
    let mut parts = text.split("_ITSELF");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| {
        let end = part.find(|end: char| !end.is_ascii_alphanumeric() && end != '_').unwrap_or(part.len());
        let (name, rest) = part.split_at(end);
        text + "_ITSELF" + name.trim_end_matches(|digit: char| digit.is_ascii_digit()) + "0" + rest
    })
}

#[test]
fn queued_function() {
    let item = quote! {
        /// Prints a line.
        #[cfg(feature = "print")]
        #[must_use]
        pub(crate) async fn report(line: String, (left, _): (u8, Thing)) {}
    };
    insta::assert_snapshot!(pretty(queued::expand(TokenStream::new(), item)));
}

#[test]
fn queued_generic_pending() {
    let item = quote! {
        fn all<T: Display, const N: usize>(first: [T; N], mut rest: Vec<impl Clone>, _: u8) -> io::Result<T>
        where
            T: Copy,
        {
            body
        }
    };
    insta::assert_snapshot!(pretty(queued::expand(quote!(pending, name = every, crate = other::path), item)));
}

#[test]
fn queued_method() {
    // An attribute sees the method alone.
    let method = quote!(
        /// Adds.
        ///
        /// # Errors
        ///
        /// If it is full.
        fn add(&self, number: u32) -> Result<(), Failure> {}
    );
    let expanded = queued::expand(quote!(caller = &self.caller), method);
    insta::assert_snapshot!(pretty(quote!(impl Thing { #expanded })));
}

#[test]
fn queued_moved_self() {
    let method = quote!(
        async fn send(mut self, to: Address) {}
    );
    let expanded = queued::expand(TokenStream::new(), method);
    insta::assert_snapshot!(pretty(quote!(impl Message { #expanded })));
}

#[test]
fn call_soon() {
    let item = quote!(
        pub async fn read(path: PathBuf) -> io::Result<String> {}
    );
    insta::assert_snapshot!(pretty(verbs::expand(Verb::CallSoon, TokenStream::new(), item)));
}

#[test]
fn call_later_method() {
    let method = quote!(
        fn wake(self: Arc<Self>, delay: u8) -> Thing {}
    );
    let expanded = verbs::expand(Verb::CallLater, quote!(caller = &self.caller), method);
    insta::assert_snapshot!(pretty(quote!(impl Sleeper { #expanded })));
}

#[test]
fn call_direct() {
    let item = quote!(
        #[deprecated]
        fn note(number: u32) -> Result<(), Full> {}
    );
    insta::assert_snapshot!(pretty(verbs::expand(Verb::CallDirect, TokenStream::new(), item)));
}

#[test]
fn to_thread_associated() {
    let method = quote!(
        async fn make<T>(of: T) {}
    );
    let expanded = verbs::expand(Verb::ToThread, quote!(associated, caller = POOL.clone()), method);
    insta::assert_snapshot!(pretty(quote!(impl Thing { #expanded })));
}

#[test]
fn main() {
    let item = quote!(
        #[allow(unused)]
        async fn main() -> caller::Result<()> {
            body
        }
    );
    insta::assert_snapshot!(pretty(entry::main(quote!(backend = Tokio::new(), name = "program"), item)));
}

#[test]
fn main_under_a_host() {
    let item = quote!(
        async fn main() {}
    );
    insta::assert_snapshot!(pretty(entry::main(quote!(host = Winit::new(), backend = Tokio::new()), item)));
}

#[test]
fn test_on_one_backend() {
    let item = quote!(
        #[should_panic]
        async fn works() {
            body
        }
    );
    insta::assert_snapshot!(pretty(entry::test(quote!(backend = Tokio::new()), item)));
}

#[test]
fn test_on_several_backends() {
    let item = quote!(
        #[ignore]
        #[cfg(unix)]
        async fn works() -> Result<(), Error> {
            body
        }
    );
    let args = quote!(
        backends = [
            Tokio::new(),
            caller_async_std::AsyncStd::default().stack_size(1),
            Tokio::new(),
            other = make(),
            make()
        ],
        timeout = SECOND
    );
    insta::assert_snapshot!(pretty(entry::test(args, item)));
}

#[test]
fn resident_of_a_block() {
    let item = quote!(
        /// Keeps lines.
        #[cfg(unix)]
        impl Store {
            const MOST: usize = 3;

            /// Opens it.
            pub(crate) async fn open(path: PathBuf) -> io::Result<Self> {}

            fn empty(_: [u8; Self::MOST]) -> Self {}

            #[must_use]
            pub fn count(&self) -> usize {}

            #[caller::resident(name = put, fallible = false)]
            #[deprecated]
            async fn add(&mut self, line: String, (left, _): (u8, Self)) -> Result<(), Full> {}

            /// Another.
            fn fork(&self) -> Store {}

            fn close(mut self) -> Result<usize, Failure> {}

            fn helper(text: &str) -> usize {}
        }
    );
    insta::assert_snapshot!(pretty(resident::expand(quote!(crate = other::path), item)));
}

#[test]
fn resident_generic() {
    let item = quote!(
        impl<T: Clone, const N: usize> module::Shelf<T, N>
        where
            T: Display,
        {
            pub fn of(caller: T, b: u8, c: u8, d: u8, e: u8, f: u8, g: u8) -> Self {}

            fn map<U: Eq>(&self, keys: Vec<U>, make: impl Fn(&T) -> U) -> Outcome<U>
            where
                Self: Sized,
            {
            }

            #[caller::resident(fallible = true)]
            fn all(&self) -> Outcome<T> {}
        }
    );
    insta::assert_snapshot!(pretty(resident::expand(quote!(name = Shelves, vis = pub(crate)), item)));
}

#[test]
fn resident_with_mistakes() {
    let item = quote!(
        impl Store {
            fn show(&self, text: &str) -> String {}
        }
    );
    insta::assert_snapshot!(pretty(resident::expand(TokenStream::new(), item)));
}
