//! Attributes that go on from the function to what is generated beside it.

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, quote};
use syn::{
    Attribute, Meta, Token,
    ext::IdentExt,
    parse::{Parse, ParseStream, Parser},
    punctuated::Punctuated,
};

/// What goes on to every generated item.
#[derive(Clone)]
pub(crate) struct Passed {
    /// `cfg` alone.
    pub(crate) conditions: TokenStream,
    /// `cfg`, and lints.
    pub(crate) always: TokenStream,
    /// `doc` and `deprecated`, which the wrapper has too.
    pub(crate) docs: TokenStream,
}

impl Passed {
    /// All others stay with the function: what they do to it once must not be done to a wrapper again.
    pub(crate) fn new(attrs: &[Attribute]) -> Self {
        let all = |passed: fn(&Ident) -> Option<Ident>| -> TokenStream {
            let kept = attrs.iter().filter_map(|attr| kept(attr.meta.to_token_stream(), passed));
            kept.map(|kept| quote!(#[#kept])).collect()
        };
        let (conditions, mut always, docs) = (all(conditions), all(always), all(docs));
        if !all(|name| (name == "deprecated").then(|| name.clone())).is_empty() {
            // Calling the wrapper is what is told of, and not that it calls the function.
            always.extend(quote!(#[allow(deprecated)]));
        }
        Self { conditions, always, docs }
    }
}

/// An attribute that may leave out what it is on.
fn conditions(name: &Ident) -> Option<Ident> {
    (name == "cfg").then(|| name.clone())
}

/// What an attribute is called that goes on to every item.
fn always(name: &Ident) -> Option<Ident> {
    match name.to_string().as_str() {
        "cfg" | "allow" | "warn" | "deny" | "forbid" => Some(name.clone()),
        // What is expected of the function may be true of nothing else.
        "expect" => Some(Ident::new("allow", name.span())),
        _ => None,
    }
}

fn docs(name: &Ident) -> Option<Ident> {
    (name == "doc" || name == "deprecated").then(|| name.clone())
}

/// What is inside of an attribute, under the name that it goes on by; of a `cfg_attr` those inside of it that go on.
fn kept(meta: TokenStream, passed: fn(&Ident) -> Option<Ident>) -> Option<TokenStream> {
    let parts = |input: ParseStream<'_>| Ok((input.call(Ident::parse_any)?, input.parse::<TokenStream>()?));
    let (name, rest) = parts.parse2(meta).ok()?;
    if name != "cfg_attr" {
        // A longer path is that of no attribute of these.
        return passed(&name).map(|name| quote!(#name #rest));
    }
    let parts = |input: ParseStream<'_>| {
        let content;
        syn::parenthesized!(content in input);
        let condition: Meta = content.parse()?;
        content.parse::<Token![,]>()?;
        Ok((condition, Punctuated::<Part, Token![,]>::parse_terminated(&content)?))
    };
    let (condition, parts) = parts.parse2(rest).ok()?;
    let kept: Vec<_> = parts.into_iter().filter_map(|Part(meta)| kept(meta, passed)).collect();
    (!kept.is_empty()).then(|| quote!(cfg_attr(#condition, #(#kept),*)))
}

/// An attribute inside a `cfg_attr`.
struct Part(TokenStream);

impl Parse for Part {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let mut tokens = TokenStream::new();
        while !input.is_empty() && !input.peek(Token![,]) {
            tokens.extend([input.parse::<proc_macro2::TokenTree>()?]);
        }
        Ok(Self(tokens))
    }
}
