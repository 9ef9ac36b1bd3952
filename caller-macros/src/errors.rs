//! Everything that is wrong, told together.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};

/// The errors of one attribute, each at its token.
#[derive(Default)]
pub(crate) struct Errors(Option<syn::Error>);

impl Errors {
    /// Adds one, at `tokens`.
    pub(crate) fn at(&mut self, tokens: impl ToTokens, message: impl std::fmt::Display) {
        self.add(syn::Error::new_spanned(tokens, message));
    }

    pub(crate) fn add(&mut self, error: syn::Error) {
        match &mut self.0 {
            Some(errors) => errors.combine(error),
            none => *none = Some(error),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.iter().flatten().count()
    }

    /// As [`into_tokens`](Self::into_tokens), each behind these attributes: the `cfg`s of what is wrong.
    pub(crate) fn into_tokens_behind(self, attributes: &TokenStream) -> TokenStream {
        let errors = self.0.into_iter().flatten().map(syn::Error::into_compile_error);
        errors.map(|error| quote!(#attributes #error)).collect()
    }

    /// What is emitted beside the item as it was written, so that one mistake gives one message.
    pub(crate) fn into_tokens(self) -> TokenStream {
        self.0.map(syn::Error::into_compile_error).unwrap_or_default()
    }
}
