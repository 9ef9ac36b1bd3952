//! `main` and `test`: the body of a function, on a caller of its own.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::{Expr, ReturnType, Signature, Type, ext::IdentExt, spanned::Spanned};

use crate::{
    args::{Arg, Args, Attribute, Labelled, missing},
    errors::Errors,
    item::Item,
    spans,
    tokens::{hygienic, mentions},
};

pub(crate) const MAIN: Attribute =
    Attribute { name: "main", takes: &[Arg::Backend, Arg::Host, Arg::CallerName, Arg::Crate] };

pub(crate) const TEST: Attribute =
    Attribute { name: "test", takes: &[Arg::Backend, Arg::Backends, Arg::Timeout, Arg::Crate] };

/// A function that is not async, in which the one that was written runs on a caller.
pub(crate) fn main(args: TokenStream, item: TokenStream) -> TokenStream {
    let written = item.clone();
    expand_main(args, item).unwrap_or_else(|errors| beside(errors, written))
}

/// The same, as a test for each backend.
pub(crate) fn test(args: TokenStream, item: TokenStream) -> TokenStream {
    let written = item.clone();
    expand_test(args, item).unwrap_or_else(|errors| beside(errors, written))
}

/// What was written, and what is wrong with it. A `main` of the program that is async, or takes something, would be one more
/// error; so would a second attribute that makes a test.
fn beside(errors: Errors, item: TokenStream) -> TokenStream {
    let errors = errors.into_tokens();
    let Ok(Item { mut attrs, vis, mut sig, body }) = Item::parse(item.clone(), "") else {
        return quote!(#item #errors);
    };
    attrs.retain(|attr| !makes_a_test(attr));
    if sig.ident != "main" {
        return quote!(#(#attrs)* #vis #sig #body #errors);
    }
    sig.constness = None;
    quote! {
        #(#attrs)*
        #vis fn main() {
            #sig #body
        }
        #errors
    }
}

fn expand_main(args: TokenStream, item: TokenStream) -> Result<TokenStream, Errors> {
    let mut errors = Errors::default();
    let args = Args::parse(args, &MAIN, &mut errors);
    if !args.has(Arg::Backend) {
        missing(
            &mut errors,
            "a caller needs a backend to run on; write `#[caller::main(backend = expression)]`, as in `backend = Tokio::new()`",
        );
    }
    let item = read(item, &MAIN, &mut errors)?;
    let (Some(backend), true) = (&args.backend, errors.is_empty()) else { return Err(errors) };
    let krate = args.krate();
    let (Item { attrs, vis, sig, .. }, body) = (&item, closure(&item));
    let Signature { ident, output, .. } = sig;
    let text = ident.unraw().to_string();
    let name = args.caller_name.as_ref().map_or_else(|| text.to_token_stream(), ToTokens::to_token_stream);
    let host = args.host.as_ref().map(|host| quote!(.host(#host)));
    Ok(quote! {
        #(#attrs)*
        #vis fn #ident() #output {
            #krate::__private::main(#krate::Caller::builder().name(#name).backend(#backend)#host, #body)
        }
    })
}

fn expand_test(args: TokenStream, item: TokenStream) -> Result<TokenStream, Errors> {
    let mut errors = Errors::default();
    let args = Args::parse(args, &TEST, &mut errors);
    match (args.token(Arg::Backend), args.token(Arg::Backends)) {
        (None, None) => missing(
            &mut errors,
            "a test needs a backend to run on; write `#[caller::test(backend = expression)]`, as in \
             `backend = Tokio::new()`, or `backends = [expression, …]` for a test on each",
        ),
        (Some(_), Some(both)) => {
            errors.at(both, "`backend` and `backends` say the same; put all into `backends`")
        }
        _ => {}
    }
    let item = read(item, &TEST, &mut errors)?;
    for second in item.attrs.iter().filter(|attr| makes_a_test(attr)) {
        errors.at(second, "`#[caller::test]` makes it a test already; leave this one out");
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    Ok(match &args.backend {
        Some(backend) => one(&args, &item, &item.sig.ident, backend),
        None => each(&args, &item),
    })
}

/// A test for each backend.
fn each(args: &Args, item: &Item) -> TokenStream {
    let mut known: Vec<String> = Vec::new();
    let tests = args.backends.iter().enumerate().map(|(at, Labelled { label, backend })| {
        let mut label = label.as_ref().map_or_else(|| label_of(backend), |label| label.unraw().to_string());
        if known.contains(&label) {
            label = format!("{label}_{}", at + 1);
        }
        let ident = &item.sig.ident;
        let name = format_ident!("{}_{label}", ident.unraw(), span = ident.span());
        known.push(label);
        one(args, item, &name, backend)
    });
    tests.collect()
}

fn one(args: &Args, item: &Item, name: &Ident, backend: &Expr) -> TokenStream {
    let (krate, body) = (args.krate(), closure(item));
    let Item { attrs, vis, sig, .. } = item;
    let text = name.unraw().to_string();
    let limit = args
        .timeout
        .as_ref()
        .map_or_else(|| quote!(#krate::__private::TEST_TIMEOUT), ToTokens::to_token_stream);
    // Where it is told of that a test cannot give what it gives.
    let place = match &sig.output {
        ReturnType::Default => name.span(),
        ReturnType::Type(_, ty) => ty.span(),
    };
    let test = spans::at(place, quote!(#krate::__private::test));
    let call = quote_spanned!(place.resolved_at(Span::call_site())=> #test(#backend, #text, #limit, #body));
    // A test that should panic may return nothing but `()`.
    let (output, semicolon) = match &sig.output {
        ReturnType::Default => (None, Some(quote!(;))),
        ReturnType::Type(_, ty) if matches!(&**ty, Type::Tuple(tuple) if tuple.elems.is_empty()) => {
            (None, Some(quote!(;)))
        }
        ReturnType::Type(..) => (Some(quote!(-> ::std::process::ExitCode)), None),
    };
    quote! {
        #[::core::prelude::v1::test]
        #(#attrs)*
        #vis fn #name() #output {
            #call #semicolon
        }
    }
}

/// The function as a closure: so it knows the `Self` around it, and the attributes of the function are around it too.
fn closure(Item { sig, body, .. }: &Item) -> TokenStream {
    let ty = match &sig.output {
        ReturnType::Default => return quote!(async || -> () #body),
        // A closure cannot say so, and need not.
        ReturnType::Type(_, ty) if mentions(ty.to_token_stream(), &|ident| ident == "impl") => {
            return quote!(async || #body);
        }
        // No value has it.
        ReturnType::Type(_, ty) if matches!(**ty, Type::Never(_)) => return quote!(async || -> #ty #body),
        ReturnType::Type(_, ty) => ty,
    };
    // A function knows from its beginning what it gives, and turns other types into that; a closure is told by its first
    // `return`.
    let value = hygienic("value");
    quote! {
        async || -> #ty {
            if let ::core::option::Option::Some(#value) = ::core::option::Option::None::<#ty> {
                return #value;
            }
            #body
        }
    }
}

fn makes_a_test(attr: &syn::Attribute) -> bool {
    attr.path().segments.last().is_some_and(|last| last.ident == "test")
}

fn read(item: TokenStream, attribute: &Attribute, errors: &mut Errors) -> Result<Item, Errors> {
    let item = match Item::parse(item, attribute.name) {
        Ok(item) => item,
        Err(error) => {
            errors.add(error);
            return Err(std::mem::take(errors));
        }
    };
    let Signature { constness, asyncness, abi, ident, generics, inputs, variadic, fn_token, .. } = &item.sig;
    let form = format!("`async fn {ident}()`");
    if asyncness.is_none() {
        errors.at(fn_token, format_args!("the body runs on a caller, so it is async; write {form}"));
    }
    if let Some(token) = constness {
        errors.at(token, format_args!("the body runs on a caller, which `const` forbids; write {form}"));
    }
    if let syn::Safety::Unsafe(token) = &item.sig.safety {
        errors.at(token, format_args!("nobody promises what `unsafe` asks for; write {form}"));
    }
    if let Some(abi) = abi {
        errors.at(abi, format_args!("it is called by Rust alone; write {form}"));
    }
    if !generics.params.is_empty() || generics.where_clause.is_some() {
        errors.at(generics, format_args!("nobody says what is generic here; write {form}"));
    }
    if !inputs.is_empty() {
        errors.at(
            inputs,
            format_args!(
                "nobody gives it arguments; write {form}, and ask `Caller::current()` for the caller"
            ),
        );
    }
    if let Some(variadic) = variadic {
        errors.at(variadic, format_args!("nobody gives it arguments; write {form}"));
    }
    Ok(item)
}

/// A name for a backend, made of the expression: `Tokio::new()` is `tokio`.
fn label_of(backend: &Expr) -> String {
    let name = match backend {
        Expr::Call(call) => return label_of(&call.func),
        Expr::MethodCall(call) => return label_of(&call.receiver),
        Expr::Reference(reference) => return label_of(&reference.expr),
        Expr::Group(group) => return label_of(&group.expr),
        Expr::Paren(paren) => return label_of(&paren.expr),
        Expr::Struct(value) => value.path.segments.last().map(|last| last.ident.unraw().to_string()),
        Expr::Path(path) => {
            let names = path.path.segments.iter().map(|segment| segment.ident.unraw().to_string());
            let names: Vec<_> = names.collect();
            // The type, if there is one: `new` says nothing.
            let ty = names.iter().rev().find(|name| name.starts_with(char::is_uppercase));
            ty.or(names.last()).cloned()
        }
        _ => None,
    };
    name.map_or_else(|| "backend".to_owned(), |name| snake_case(&name))
}

fn snake_case(name: &str) -> String {
    let mut snake = String::new();
    let mut before_lower = false;
    for letter in name.chars() {
        if letter.is_uppercase() && before_lower {
            snake.push('_');
        }
        before_lower = letter.is_lowercase() || letter.is_numeric();
        snake.extend(letter.to_lowercase());
    }
    snake
}
