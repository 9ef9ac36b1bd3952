//! Attributes that go on from the function to what is generated beside it.

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, quote};
use syn::{
    Attribute, Meta, Token,
    ext::IdentExt,
    parse::{ParseStream, Parser},
    punctuated::Punctuated,
};

/// Those that say where an item is, or what the compiler says of it. All others stay with the function: what they do
/// to it once must not be done to a wrapper again.
const CONDITIONS: [&str; 1] = ["cfg"];
const LINTS: [&str; 4] = ["allow", "warn", "deny", "forbid"];

/// What goes on to every generated item.
pub(crate) struct Passed {
    /// `cfg`, and lints.
    pub(crate) always: TokenStream,
    /// `doc` and `deprecated`, which the wrapper has too.
    pub(crate) docs: TokenStream,
}

impl Passed {
    pub(crate) fn new(attrs: &[Attribute]) -> Self {
        let mut always: TokenStream = attrs.iter().filter_map(|attr| only(attr, &is_always)).collect();
        if attrs.iter().any(|attr| only(attr, &|name| name == "deprecated").is_some()) {
            // Calling the wrapper is what is told of, and not that it calls the function.
            always.extend(quote!(#[allow(deprecated)]));
        }
        Self { always, docs: attrs.iter().filter_map(|attr| only(attr, &is_doc)).collect() }
    }
}

fn is_always(name: &Ident) -> bool {
    CONDITIONS.iter().chain(&LINTS).any(|known| name == known)
}

fn is_doc(name: &Ident) -> bool {
    name == "doc" || name == "deprecated"
}

/// The attribute, if its name is wanted; of a `cfg_attr` what is wanted inside.
fn only(attr: &Attribute, wanted: &impl Fn(&Ident) -> bool) -> Option<TokenStream> {
    if attr.path().get_ident().is_some_and(wanted) {
        return Some(attr.to_token_stream());
    }
    let Meta::List(list) = &attr.meta else { return None };
    if !list.path.is_ident("cfg_attr") {
        return None;
    }
    let parts = |input: ParseStream<'_>| {
        let condition: Meta = input.parse()?;
        input.parse::<Token![,]>()?;
        Ok((condition, Punctuated::<Part, Token![,]>::parse_terminated(input)?))
    };
    let (condition, parts) = parts.parse2(list.tokens.clone()).ok()?;
    let kept = parts.iter().filter(|part| wanted(&part.name)).map(|part| &part.tokens);
    let kept: Vec<_> = kept.collect();
    (!kept.is_empty()).then(|| quote!(#[cfg_attr(#condition, #(#kept),*)]))
}

/// An attribute inside a `cfg_attr`.
struct Part {
    name: Ident,
    tokens: TokenStream,
}

impl syn::parse::Parse for Part {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let name = input.fork().call(Ident::parse_any)?;
        let mut tokens = TokenStream::new();
        while !input.is_empty() && !input.peek(Token![,]) {
            tokens.extend([input.parse::<proc_macro2::TokenTree>()?]);
        }
        Ok(Self { name, tokens })
    }
}

/// What is generated has as many arguments as the function asks for, says its bounds again, and some of them only to show
/// where a type is wrong.
pub(crate) fn lints() -> TokenStream {
    quote! {
        #[allow(
            trivial_bounds,
            clippy::multiple_bound_locations,
            clippy::too_many_arguments,
            clippy::trait_duplication_in_bounds,
            clippy::type_complexity,
            clippy::type_repetition_in_bounds
        )]
    }
}
