//! What a wrapper needs of the types in it, said in its `where`: so the compiler tells of a type that is not `Send` where the
//! user has written it, and a type parameter has to be only where the wrapper is used.

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, quote};
use syn::{GenericArgument, PathArguments, Type, spanned::Spanned};

use crate::{
    function::{Function, Receiver},
    spans,
};

/// Plain data, of which nobody has to be told in a `where` that it can be sent.
const PLAIN: [&str; 24] = [
    "bool", "char", "u8", "u16", "u32", "u64", "u128", "usize", "i8", "i16", "i32", "i64", "i128", "isize",
    "f32", "f64", "String", "Duration", "Instant", "PathBuf", "Vec", "VecDeque", "Option", "Box",
];

/// The `where` of something that is generated: that of the function, and what crosses threads.
///
/// `value` is what a pending gives; without it nobody waits for the result. Where the `impl Trait`s of the arguments have
/// names, `named`, their types can be spoken of too.
pub(crate) fn clause(
    function: &Function,
    krate: &TokenStream,
    named: bool,
    value: Option<&Type>,
) -> TokenStream {
    let given = function.generics.where_clause.iter().flat_map(|clause| &clause.predicates);
    let given = given.map(ToTokens::to_token_stream);
    let mut needed = Vec::new();
    match &function.receiver {
        Receiver::None { .. } => {}
        Receiver::Shared { token, .. } => needed
            .push(spans::at(token.span, quote!(Self: ::core::marker::Send + ::core::marker::Sync + 'static))),
        Receiver::Value { ty, .. } => needed.push(crosses(ty)),
    }
    let arguments = function.arguments.iter().filter(|argument| {
        // What has no name cannot be spoken of; its bounds are with it.
        !is_plain(&argument.named) && (named || !argument.is_anonymous)
    });
    needed.extend(arguments.map(|argument| crosses(&argument.named)));
    let output = function.output();
    match value {
        Some(value) if !is_plain(value) => needed.push(crosses(value)),
        // A `Result` is fine but for its error, which is told of with the call.
        None if function.output.is_some() && !function.returns_result() => {
            let bound = spans::at(output.span(), quote!(#krate::Unattended + 'static));
            needed.push(quote!(#output: #bound));
        }
        _ => {}
    }
    let all: Vec<_> = given.chain(needed).collect();
    if all.is_empty() { TokenStream::new() } else { quote!(where #(#all),*) }
}

fn crosses(ty: &Type) -> TokenStream {
    let bound = spans::at(ty.span(), quote!(::core::marker::Send + 'static));
    quote!(#ty: #bound)
}

/// Whether a type is plain data by its name. One that only bears such a name is told of all the same, at another place.
fn is_plain(ty: &Type) -> bool {
    match ty {
        Type::Tuple(tuple) => tuple.elems.iter().all(is_plain),
        Type::Array(array) => is_plain(&array.elem),
        Type::Group(group) => is_plain(&group.elem),
        Type::Paren(paren) => is_plain(&paren.elem),
        // Always `Send`; and a `for<…>` would be read as one of the whole clause.
        Type::FnPtr(_) => true,
        Type::Reference(reference) => is_named(&reference.elem, "str"),
        Type::Path(path) if path.qself.is_none() => path.path.segments.last().is_some_and(|last| {
            let known = |ident: &Ident| PLAIN.iter().any(|plain| ident == plain);
            known(&last.ident)
                && match &last.arguments {
                    PathArguments::None => true,
                    PathArguments::AngleBracketed(arguments) => arguments
                        .args
                        .iter()
                        .all(|argument| matches!(argument, GenericArgument::Type(ty) if is_plain(ty))),
                    PathArguments::Parenthesized(_) => false,
                }
        }),
        _ => false,
    }
}

fn is_named(ty: &Type, name: &str) -> bool {
    matches!(ty, Type::Path(path) if path.path.is_ident(name))
}
