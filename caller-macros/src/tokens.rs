//! Names among tokens.

use proc_macro2::{Ident, Span, TokenStream};
use quote::format_ident;
use syn::GenericParam;

/// The name of a parameter that is no lifetime.
pub(crate) fn name_of(param: &GenericParam) -> Option<&Ident> {
    match param {
        GenericParam::Type(param) => Some(&param.ident),
        GenericParam::Const(param) => Some(&param.ident),
        GenericParam::Lifetime(_) => None,
    }
}

/// A name of our own. No argument of a wrapper begins like that, and no static should, which a binding cannot be called as.
pub(crate) fn hygienic(name: &str) -> Ident {
    format_ident!("__{name}", span = Span::mixed_site())
}

/// Whether such a name is somewhere among tokens.
pub(crate) fn mentions(tokens: TokenStream, wanted: &impl Fn(&Ident) -> bool) -> bool {
    tokens.into_iter().any(|token| match token {
        proc_macro2::TokenTree::Ident(ident) => wanted(&ident),
        proc_macro2::TokenTree::Group(group) => mentions(group.stream(), wanted),
        _ => false,
    })
}
