//! The `self` of a function.

use proc_macro2::Span;
use quote::ToTokens;
use syn::{GenericArgument, PathArguments, ReceiverKind, Type, parse_quote_spanned};

use crate::{
    borrows::{Borrows, POINTER},
    errors::Errors,
    tokens::mentions,
};

/// How `self` goes along.
pub(crate) enum Receiver {
    /// There is none; `associated` is what says that the function stands in an `impl` all the same.
    None { associated: Option<Span> },
    /// The wrapper takes `&Arc<Self>`, and the method gets what it asks for.
    Shared { token: syn::Token![self], pass: Pass },
    /// It is the first of the arguments. The type is written if it is not `Self`.
    Value { token: syn::Token![self], ty: Box<Type>, written: bool },
}

/// What a method with a shared `self` asks for.
pub(crate) enum Pass {
    Reference,
    ArcReference,
    Arc,
}

impl Receiver {
    /// Reads a `self`, and collects what is wrong with it in `errors`.
    pub(crate) fn new(found: syn::Receiver, errors: &mut Errors) -> Self {
        const SHARED: &str = "a method runs while others may hold the object; take `&self`, and keep what changes in a `Mutex` or an atomic";
        const LIFETIME: &str =
            "the wrapper takes `&Arc<Self>`, so the method has no lifetime to name; write `&self`";
        let token = found.self_token;
        match found.kind {
            ReceiverKind::Reference(_, lifetime, mutability) => {
                if let Some(lifetime) = lifetime {
                    errors.at(lifetime, LIFETIME);
                }
                if let Some(mutability) = mutability {
                    errors.at(mutability, SHARED);
                }
                Receiver::Shared { token, pass: Pass::Reference }
            }
            ReceiverKind::Value => {
                Receiver::Value { token, ty: parse_quote_spanned!(token.span=> Self), written: false }
            }
            ReceiverKind::Typed(_, ty) => match *ty {
                Type::Reference(reference) => {
                    if let Some(lifetime) = &reference.lifetime {
                        errors.at(lifetime, LIFETIME);
                    }
                    if let Some(mutability) = &reference.mutability {
                        errors.at(mutability, SHARED);
                    }
                    let (pass, object) = match in_arc(&reference.elem) {
                        Some(object) => (Pass::ArcReference, object),
                        None => (Pass::Reference, &*reference.elem),
                    };
                    if !is_object(object) {
                        errors.at(&reference, POINTER);
                    }
                    Receiver::Shared { token, pass }
                }
                mut ty => match in_arc(&ty) {
                    Some(object) => {
                        if !is_object(object) {
                            errors.at(&ty, POINTER);
                        }
                        Receiver::Shared { token, pass: Pass::Arc }
                    }
                    None => {
                        Borrows::new(errors).receiver(&mut ty);
                        Receiver::Value { token, ty: Box::new(ty), written: true }
                    }
                },
            },
            // Forms that Rust does not have yet.
            _ => {
                errors.at(token, "expected `&self`, `self`, or `self` with a type");
                Receiver::None { associated: Some(token.span) }
            }
        }
    }
}

/// What is in an `Arc`.
fn in_arc(ty: &Type) -> Option<&Type> {
    match ty {
        Type::Group(group) => in_arc(&group.elem),
        Type::Paren(paren) => in_arc(&paren.elem),
        Type::Path(path) => {
            let arc = path.path.segments.last().filter(|last| last.ident == "Arc")?;
            let PathArguments::AngleBracketed(arguments) = &arc.arguments else { return None };
            match arguments.args.first()? {
                GenericArgument::Type(ty) => Some(ty),
                _ => None,
            }
        }
        _ => None,
    }
}

/// Whether it is `Self` under some name, and not what points to it.
fn is_object(ty: &Type) -> bool {
    match ty {
        Type::Group(group) => is_object(&group.elem),
        Type::Paren(paren) => is_object(&paren.elem),
        Type::Path(path) => {
            let points = path.path.segments.last().is_some_and(|last| {
                let is_pointer = ["Arc", "Box", "Pin", "Rc"].iter().any(|pointer| last.ident == pointer);
                is_pointer && !last.arguments.is_empty()
                    || mentions(last.arguments.to_token_stream(), &|ident| ident == "Self")
            });
            !points
        }
        _ => false,
    }
}
