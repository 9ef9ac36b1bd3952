//! Names for each `impl Trait` of the arguments.

use proc_macro2::{Ident, Span};
use quote::format_ident;
use syn::{
    Type, TypeParamBound, parse_quote,
    punctuated::Punctuated,
    visit_mut::{self, VisitMut},
};

/// An `impl Trait` of the arguments, and the parameter that stands for it where it has to have a name.
pub(crate) struct Anonymous {
    pub(crate) name: Ident,
    pub(crate) bounds: Punctuated<TypeParamBound, syn::Token![+]>,
}

/// Gives each `impl Trait` of an argument a name.
pub(crate) struct Names(pub(crate) Vec<Anonymous>);

impl VisitMut for Names {
    fn visit_type_mut(&mut self, ty: &mut Type) {
        visit_mut::visit_type_mut(self, ty);
        if let Type::ImplTrait(anonymous) = ty {
            let name = format_ident!("__Impl{}", self.0.len(), span = Span::call_site());
            let bounds = std::mem::take(&mut anonymous.bounds);
            *ty = parse_quote!(#name);
            self.0.push(Anonymous { name, bounds });
        }
    }
}
