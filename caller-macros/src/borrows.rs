//! Whether a type can go to another thread as far as its text tells: nothing in it may be borrowed.

use proc_macro2::Ident;
use quote::ToTokens;
use syn::{
    GenericParam, Lifetime, ParenthesizedGenericArguments, TraitBound, Type, TypeFnPtr, TypeImplTrait,
    TypeNever, TypeReference, parse_quote,
    visit_mut::{self, VisitMut},
};

use crate::errors::Errors;

/// What is said of a `self` that is borrowed in some way that a wrapper's is not.
pub(crate) const POINTER: &str =
    "the wrapper takes `&Arc<Self>`; write `&self`, `self: &Arc<Self>` or `self: Arc<Self>`";

/// The message for the type of a resident that borrows.
pub(crate) const RESIDENT: &str = "a resident lives as long as its thread may, so its type borrows nothing; own what it holds, or write `'static`";

/// Looks through types.
pub(crate) struct Borrows<'a> {
    errors: &'a mut Errors,
    position: Position,
    /// The lifetimes of the `for<…>` around.
    bound: Vec<Ident>,
    /// How many signatures are around, in which borrowing says nothing of who calls.
    signatures: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Position {
    Receiver,
    Argument,
    Output,
    Resident,
}

impl<'a> Borrows<'a> {
    pub(crate) fn new(errors: &'a mut Errors) -> Self {
        Self { errors, position: Position::Argument, bound: Vec::new(), signatures: 0 }
    }

    pub(crate) fn receiver(&mut self, ty: &mut Type) {
        self.is_fine(Position::Receiver, ty);
    }

    /// Whether nothing is wrong with it.
    pub(crate) fn argument(&mut self, ty: &mut Type) -> bool {
        self.is_fine(Position::Argument, ty)
    }

    /// The same, of what is given.
    pub(crate) fn output(&mut self, ty: &mut Type) -> bool {
        self.is_fine(Position::Output, ty)
    }

    /// As above, for the type of a resident.
    pub(crate) fn resident(&mut self, ty: &mut Type) -> bool {
        self.is_fine(Position::Resident, ty)
    }

    fn is_fine(&mut self, position: Position, ty: &mut Type) -> bool {
        self.position = position;
        let before = self.errors.len();
        self.visit_type_mut(ty);
        self.errors.len() == before
    }

    fn borrowed(&mut self, at: impl ToTokens) {
        let message = match self.position {
            Position::Receiver => POINTER,
            Position::Argument => {
                "a borrowed argument cannot go to the caller's thread; take an owned value (`String` for `&str`, \
                 `Vec<T>` for `&[T]`), an `Arc`, or a `&'static` reference"
            }
            Position::Output => {
                "what a call gives outlives its arguments, so it cannot borrow; return an owned value, an `Arc`, or \
                 a `&'static` reference"
            }
            Position::Resident => RESIDENT,
        };
        self.errors.at(at, message);
    }

    /// Goes through `inside` where these lifetimes are known.
    fn within(&mut self, lifetimes: &[Ident], signature: bool, inside: impl FnOnce(&mut Self)) {
        let known = self.bound.len();
        self.bound.extend_from_slice(lifetimes);
        self.signatures += usize::from(signature);
        inside(self);
        self.signatures -= usize::from(signature);
        self.bound.truncate(known);
    }
}

fn names(lifetimes: Option<&syn::BoundLifetimes>) -> Vec<Ident> {
    let all = lifetimes.into_iter().flat_map(|bound| &bound.lifetimes);
    all.filter_map(|param| match param {
        GenericParam::Lifetime(param) => Some(param.lifetime.ident.clone()),
        _ => None,
    })
    .collect()
}

impl VisitMut for Borrows<'_> {
    fn visit_lifetime_mut(&mut self, lifetime: &mut Lifetime) {
        let known = lifetime.ident == "static"
            || self.bound.contains(&lifetime.ident)
            || (lifetime.ident == "_" && self.signatures > 0);
        if !known {
            self.borrowed(lifetime);
        }
    }

    fn visit_type_reference_mut(&mut self, reference: &mut TypeReference) {
        if reference.lifetime.is_none() && self.signatures == 0 {
            // Once for the whole type.
            self.borrowed(reference.and_token);
            return;
        }
        visit_mut::visit_type_reference_mut(self, reference);
    }

    fn visit_type_fn_ptr_mut(&mut self, pointer: &mut TypeFnPtr) {
        let lifetimes = names(pointer.lifetimes.as_ref());
        self.within(&lifetimes, true, |this| {
            for input in &mut pointer.inputs {
                this.visit_type_mut(&mut input.ty);
            }
            this.visit_return_type_mut(&mut pointer.output);
        });
    }

    fn visit_parenthesized_generic_arguments_mut(&mut self, signature: &mut ParenthesizedGenericArguments) {
        self.within(&[], true, |this| visit_mut::visit_parenthesized_generic_arguments_mut(this, signature));
    }

    fn visit_trait_bound_mut(&mut self, bound: &mut TraitBound) {
        let lifetimes = names(bound.lifetimes.as_ref());
        self.within(&lifetimes, false, |this| this.visit_path_mut(&mut bound.path));
    }

    fn visit_type_never_mut(&mut self, never: &mut TypeNever) {
        if self.position == Position::Output && self.signatures == 0 {
            self.errors.at(
                never,
                "a call that never ends gives nothing, and `!` is not a type of a value yet; leave `-> !` out",
            );
        }
    }

    fn visit_type_impl_trait_mut(&mut self, ty: &mut TypeImplTrait) {
        if self.position == Position::Output {
            self.errors.at(
                ty,
                "the result of a call has to have a name; return a type that can be written down, or a \
                 `Box<dyn …>`",
            );
            return;
        }
        visit_mut::visit_type_impl_trait_mut(self, ty);
        // The wrapper needs them, and the function might not say so.
        ty.bounds.push(parse_quote!(::core::marker::Send));
        ty.bounds.push(parse_quote!('static));
    }
}
