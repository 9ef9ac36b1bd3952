//! Whether a function stands alone or in an `impl`, which an attribute cannot see.

use std::sync::atomic::{AtomicUsize, Ordering};

use proc_macro2::{Ident, Span, TokenStream};
use quote::quote;

use crate::function::Function;

/// A constant beside a wrapper. People see its name where it cannot be, or is not found; so the name says what to do.
pub(crate) struct Guard {
    pub(crate) told: TokenStream,
    /// What the wrapper begins with.
    pub(crate) asked: TokenStream,
}

impl Guard {
    /// That of a wrapper of `function`.
    ///
    /// In an `impl`, the names in a wrapper of a function without `self` would be looked for outside, and another function of
    /// that name be called. So the wrapper asks for a constant beside it, which it finds only if both stand alone. It bears a
    /// number, since nothing else may be called so: not what stands beside a function of the same name, nor what the same
    /// tokens of a `macro_rules!` made elsewhere.
    pub(crate) fn new(function: &Function, always: &TokenStream) -> Self {
        static GUARDS: AtomicUsize = AtomicUsize::new(0);
        let number = GUARDS.fetch_add(1, Ordering::Relaxed);
        let (says, asks) = if function.is_in_impl() {
            ("WRITE_IT_IN_AN_IMPL_OF_THE_TYPE_ITSELF", false)
        } else {
            ("IN_AN_IMPL_OF_THE_TYPE_ITSELF_SAY_ASSOCIATED", true)
        };
        let name = |span| Ident::new(&format!("__{says}_{number}"), span);
        let told = name(Span::call_site());
        let asked = name(function.name.span().resolved_at(Span::call_site()));
        Self {
            told: quote!(#always #[doc(hidden)] const #told: () = ();),
            asked: if asks { quote!(let () = #asked;) } else { TokenStream::new() },
        }
    }
}
