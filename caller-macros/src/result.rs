//! The text of a type that is a `Result`, and of the types in it.

use syn::{GenericArgument, PathArguments, Type};

/// The path of a type whose last name is `Result`.
pub(crate) fn result_path(ty: &Type) -> Option<&syn::Path> {
    match ty {
        Type::Group(group) => result_path(&group.elem),
        Type::Paren(paren) => result_path(&paren.elem),
        Type::Path(path) => {
            Some(&path.path).filter(|path| path.segments.last().is_some_and(|last| last.ident == "Result"))
        }
        _ => None,
    }
}

/// The type itself, or the first of the types in a `Result`.
pub(crate) fn value_or_first(ty: &Type) -> &Type {
    result_path(ty).and_then(types_in).and_then(|types| types.first().copied()).unwrap_or(ty)
}

/// The first parameter of a `Result`, if there are two, or the path is one of those whose only one is the value. An alias may
/// have others.
pub(crate) fn value_by_text(ty: &Type) -> Option<&Type> {
    const MODULES: [&str; 4] = ["anyhow", "caller", "eyre", "io"];
    let path = result_path(ty)?;
    let is_known = || {
        let module = path.segments.iter().rev().nth(1);
        module.is_some_and(|module| MODULES.iter().any(|known| module.ident == known))
    };
    match types_in(path)?[..] {
        [value, _] => Some(value),
        [value] if is_known() => Some(value),
        _ => None,
    }
}

/// The types in the brackets of a path, if there is nothing else in them.
pub(crate) fn types_in(path: &syn::Path) -> Option<Vec<&Type>> {
    let PathArguments::AngleBracketed(arguments) = &path.segments.last()?.arguments else { return None };
    let types = arguments.args.iter().map(|argument| match argument {
        GenericArgument::Type(ty) => Some(ty),
        _ => None,
    });
    types.collect()
}
