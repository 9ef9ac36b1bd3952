//! What a wrapper needs of the types in it, said in its `where`: so the compiler tells of a type that is not `Send` where the
//! user has written it, and a type parameter has to be only where the wrapper is used.

use proc_macro2::{Delimiter, Ident, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::{
    GenericArgument, GenericParam, Generics, PathArguments, Token, Type, TypeParamBound, TypePath,
    WherePredicate, parse_quote, parse_quote_spanned, punctuated::Punctuated, spanned::Spanned,
};

use crate::{
    anonymous::Anonymous,
    function::{Function, Value},
    receiver::Receiver,
    spans,
    tokens::{mentions, name_of},
};

type Bounds = Punctuated<TypeParamBound, Token![+]>;

/// Plain data, of which nobody has to be told in a `where` that it can be sent, but for what it holds.
const PLAIN: [&str; 29] = [
    "bool", "char", "u8", "u16", "u32", "u64", "u128", "usize", "i8", "i16", "i32", "i64", "i128", "isize",
    "f32", "f64", "str", "String", "Duration", "Instant", "PathBuf", "Vec", "VecDeque", "Option", "Box",
    "HashMap", "HashSet", "BTreeMap", "BTreeSet",
];

/// The parameters of something that is generated, and its `where`: those of the function, and what crosses threads.
///
/// `value` is what a pending gives; without it nobody waits for the result. Where the `impl Trait`s of the arguments have
/// names, `named`, their types can be spoken of too.
pub(crate) fn generics(
    function: &Function,
    krate: &TokenStream,
    named: bool,
    value: Option<&Value>,
) -> Generics {
    let mut generics = function.generics.clone();
    if named {
        for Anonymous { name, bounds } in &function.anonymous {
            generics.params.push(parse_quote!(#name: #bounds));
        }
    }
    match &function.receiver {
        Receiver::None { .. } => {}
        Receiver::Shared { token, .. } => {
            let this = parse_quote_spanned!(token.span=> Self);
            require(&mut generics, &this, quote!(::core::marker::Send + ::core::marker::Sync + 'static));
        }
        Receiver::Value { ty, .. } => crosses(&mut generics, ty),
    }
    for argument in &function.arguments {
        parts(&argument.named, &mut |part| {
            // What has no name cannot be spoken of; its bounds are with it.
            if named || !function.is_anonymous(part) {
                crosses(&mut generics, part);
            }
        });
    }
    match value {
        Some(Value { ty, outcome }) => {
            if let Some(outcome) = outcome {
                require(&mut generics, &function.output(), outcome.clone());
            }
            parts(ty, &mut |part| crosses(&mut generics, part));
        }
        // A `Result` is fine but for its error, which is told of with the call.
        None if function.output.is_some() && !function.returns_result() => {
            require(&mut generics, &function.output(), quote!(#krate::Unattended + 'static));
        }
        None => {}
    }
    generics
}

/// A type with a signature in it has lifetimes without a name. Of two such that are one type, bounds are two to the compiler,
/// which then cannot choose; and it tells of no bound that is not met. So the call has to, unless a parameter is in it.
fn crosses(generics: &mut Generics, ty: &Type) {
    let is_param = |ident: &Ident| generics.params.iter().filter_map(name_of).any(|param| param == ident);
    let text = ty.to_token_stream();
    let told_by_call = has_signature(text.clone()) && !mentions(text, &is_param);
    require(
        generics,
        ty,
        if told_by_call { quote!('static) } else { quote!(::core::marker::Send + 'static) },
    );
}

/// Whether there is a `Fn(…)` or `fn(…)` in it: a name with parentheses behind it.
fn has_signature(ty: TokenStream) -> bool {
    let mut after_name = false;
    ty.into_iter().any(|token| {
        let found = match &token {
            TokenTree::Group(group) => {
                after_name && group.delimiter() == Delimiter::Parenthesis || has_signature(group.stream())
            }
            _ => false,
        };
        after_name = matches!(token, TokenTree::Ident(_));
        found
    })
}

/// Adds what is missing of these bounds, where the type has its others: as a person would, so that no lint is against it.
pub(crate) fn require(generics: &mut Generics, ty: &Type, bounds: TokenStream) {
    let bounds = spans::at(ty.span(), bounds);
    let bounds: Bounds = parse_quote!(#bounds);
    let places = places(generics, ty);
    let known: Vec<_> = places.iter().flat_map(|place| place.iter().map(says)).collect();
    let missing: Vec<_> = bounds.into_iter().filter(|bound| !known.contains(&says(bound))).collect();
    if missing.is_empty() {
        return;
    }
    let place = places.into_iter().next();
    match place {
        Some(place) => place.extend(missing),
        None => generics.make_where_clause().predicates.push(parse_quote!(#ty: #(#missing)+*)),
    }
}

/// Where bounds of a type are.
fn places<'a>(generics: &'a mut Generics, ty: &Type) -> Vec<&'a mut Bounds> {
    let text = ty.to_token_stream().to_string();
    let params = generics.params.iter_mut().filter_map(|param| match param {
        GenericParam::Type(param) if param.ident == text && !param.bounds.is_empty() => {
            Some(&mut param.bounds)
        }
        _ => None,
    });
    let clause = generics.where_clause.iter_mut().flat_map(|clause| &mut clause.predicates);
    let clause = clause.filter_map(|predicate| match predicate {
        WherePredicate::Type(predicate)
            if predicate.lifetimes.is_none()
                && predicate.bounded_ty.to_token_stream().to_string() == text =>
        {
            Some(&mut predicate.bounds)
        }
        _ => None,
    });
    params.chain(clause).collect()
}

/// What a bound is, by its name.
fn says(bound: &TypeParamBound) -> String {
    match bound {
        TypeParamBound::Trait(bound) if bound.lifetimes.is_none() => {
            bound.path.segments.last().to_token_stream().to_string()
        }
        bound => bound.to_token_stream().to_string(),
    }
}

/// What in a type is not plain data, part by part, so that each is told of by itself. What only bears the name of plain data
/// is told of all the same, at another place.
fn parts(ty: &Type, found: &mut impl FnMut(&Type)) {
    match ty {
        Type::Tuple(tuple) => tuple.elems.iter().for_each(|part| parts(part, found)),
        Type::Array(array) => parts(&array.elem, found),
        Type::Slice(slice) => parts(&slice.elem, found),
        Type::Group(group) => parts(&group.elem, found),
        Type::Paren(paren) => parts(&paren.elem, found),
        // Always `Send`; and a `for<…>` would be read as one of the whole clause.
        Type::FnPtr(_) => {}
        Type::Reference(reference) if is_named(&reference.elem, "str") => {}
        Type::Path(path) => match held(path) {
            Some(held) => held.into_iter().for_each(|part| parts(part, found)),
            None => found(ty),
        },
        _ => found(ty),
    }
}

/// What plain data holds.
fn held(path: &TypePath) -> Option<Vec<&Type>> {
    let last = path.path.segments.last().filter(|_| path.qself.is_none())?;
    if !PLAIN.iter().any(|plain| last.ident == plain) {
        return None;
    }
    match &last.arguments {
        PathArguments::None => Some(Vec::new()),
        PathArguments::AngleBracketed(arguments) => arguments.args.iter().map(alone).collect(),
        PathArguments::Parenthesized(_) => None,
    }
}

/// A type that can stand by itself in a `where`.
fn alone(argument: &GenericArgument) -> Option<&Type> {
    match argument {
        GenericArgument::Type(ty) if !matches!(ty, Type::TraitObject(_)) => Some(ty),
        _ => None,
    }
}

fn is_named(ty: &Type, name: &str) -> bool {
    matches!(ty, Type::Path(path) if path.path.is_ident(name))
}
