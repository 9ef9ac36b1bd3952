//! Generated code that stands where a token of the user's does, so that what the compiler says of it is said there.

use proc_macro2::{Group, Span, TokenStream, TokenTree};

/// The same tokens, with the names they had, at another place.
pub(crate) fn at(place: Span, tokens: TokenStream) -> TokenStream {
    let moved = tokens.into_iter().map(|mut token| {
        if let TokenTree::Group(group) = &token {
            token = Group::new(group.delimiter(), at(place, group.stream())).into();
        }
        token.set_span(place.resolved_at(token.span()));
        token
    });
    moved.collect()
}
