//! A function that can be called across threads: the head of an item, looked through.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::{
    Attribute, FnArg, GenericParam, Pat, ReturnType, Safety, Signature, Type, ext::IdentExt, parse_quote,
    parse_quote_spanned, spanned::Spanned, visit_mut::VisitMut,
};

use crate::{
    anonymous::{Anonymous, Names},
    borrows::Borrows,
    errors::Errors,
    receiver::{Pass, Receiver},
    result::{result_path, types_in, value_by_text},
    spans,
    tokens::{hygienic, mentions, name_of},
};

/// One argument, with a name, whatever the pattern was.
pub(crate) struct Argument {
    /// Of the macro's own world: it clashes with nothing, though it reads as the user's.
    pub(crate) name: Ident,
    /// As it was written.
    pub(crate) shown: TokenStream,
    /// Without an `impl Trait`.
    pub(crate) named: Type,
}

/// What a pending gives.
pub(crate) struct Value {
    pub(crate) ty: Type,
    /// The trait through which it is seen, where the text of the result does not tell.
    pub(crate) outcome: Option<TokenStream>,
}

/// The function.
pub(crate) struct Function {
    pub(crate) name: Ident,
    pub(crate) is_async: bool,
    pub(crate) generics: syn::Generics,
    pub(crate) anonymous: Vec<Anonymous>,
    pub(crate) receiver: Receiver,
    pub(crate) arguments: Vec<Argument>,
    /// None where nothing is written.
    pub(crate) output: Option<Type>,
}

impl Function {
    /// Looks a head through. What is wrong is told in `errors`.
    pub(crate) fn new(sig: Signature, associated: Option<&Ident>, errors: &mut Errors) -> Self {
        let in_impl = mentions(sig.to_token_stream(), &|ident| ident == "Self").then(Span::call_site);
        check_qualifiers(&sig, errors);
        check_generics(&sig.generics, errors);
        let mut receiver = Receiver::None { associated: associated.map(Ident::span).or(in_impl) };
        let mut arguments: Vec<Argument> = Vec::new();
        let mut patterns = Vec::new();
        for input in sig.inputs {
            match input {
                FnArg::Receiver(found) => {
                    if let Some(flag) = associated {
                        errors.at(flag, "`associated` is for functions without `self`; leave it out here");
                    }
                    receiver = Receiver::new(found, errors);
                }
                FnArg::Typed(typed) => {
                    check_conditions(&typed.attrs, CONDITIONAL_ARGUMENT, errors);
                    patterns.push((typed.pat, typed.ty));
                }
            }
        }
        let (mut borrows, mut names) = (Borrows::new(errors), Names(Vec::new()));
        for (at, (pat, mut ty)) in patterns.into_iter().enumerate() {
            // Two of one name may differ by the macro that wrote them.
            let is_known = |name: &&Ident| arguments.iter().any(|known| known.name.unraw() == name.unraw());
            let mut name = match plain_name(&pat).filter(|name| !is_known(name)) {
                Some(name) => name.clone(),
                None => hygienic(&format!("arg{at}")),
            };
            // At the type, which is what may be wrong with it.
            name.set_span(ty.span().resolved_at(Span::mixed_site()));
            if !borrows.argument(&mut ty) {
                // Where the errors stand beside it, it takes anything.
                *ty = parse_quote!(impl ::core::marker::Sized);
            }
            let shown = ty.to_token_stream();
            names.visit_type_mut(&mut ty);
            arguments.push(Argument { name, shown, named: *ty });
        }
        let output = match sig.output {
            ReturnType::Default => None,
            // One that cannot be given is left out of what the errors stand beside.
            ReturnType::Type(_, mut ty) => borrows.output(&mut ty).then_some(*ty),
        };
        let anonymous = names.0;
        let is_async = sig.asyncness.is_some();
        Self { name: sig.ident, is_async, generics: sig.generics, anonymous, receiver, arguments, output }
    }

    /// The name of what is generated beside it: that of the function, and what it does.
    pub(crate) fn beside(&self, suffix: &str) -> Ident {
        format_ident!("{}_{suffix}", self.name.unraw(), span = self.name.span())
    }

    /// The type that it returns.
    pub(crate) fn output(&self) -> Type {
        self.output.clone().unwrap_or_else(|| parse_quote!(()))
    }

    /// Whether what it returns is a `Result` by its name, as it nearly always is by nature too.
    pub(crate) fn returns_result(&self) -> bool {
        self.output.as_ref().is_some_and(|ty| result_path(ty).is_some())
    }

    /// What a pending gives: what the `Ok` of the result holds if that is `fallible`.
    pub(crate) fn value(&self, fallible: bool, krate: &TokenStream) -> Value {
        let output = self.output();
        if !fallible {
            return Value { ty: output, outcome: None };
        }
        if let Some(ty) = value_by_text(&output) {
            return Value { ty: ty.clone(), outcome: None };
        }
        let outcome = quote!(#krate::__private::Outcome);
        let told = spans::at(output.span(), outcome.clone());
        Value { ty: parse_quote_spanned!(output.span()=> <#output as #told>::Value), outcome: Some(outcome) }
    }

    /// The pending of a value.
    pub(crate) fn pending(&self, krate: &TokenStream, Value { ty, .. }: &Value) -> TokenStream {
        let pending = spans::at(self.place(), quote!(#krate::Pending));
        quote_spanned!(self.place().resolved_at(Span::call_site())=> #pending<#ty>)
    }

    /// `::<T, N>`: what the function is called with. What stands for an `impl Trait` cannot be said there.
    pub(crate) fn turbofish(&self) -> TokenStream {
        let names: Vec<_> = self.generics.params.iter().filter_map(name_of).collect();
        if names.is_empty() { TokenStream::new() } else { quote!(::<#(#names),*>) }
    }

    /// The same for what has a name for each `impl Trait`: the names, or what the compiler finds out.
    pub(crate) fn named_turbofish(&self, by_name: bool) -> TokenStream {
        let names = self.generics.params.iter().filter_map(name_of).map(ToTokens::to_token_stream);
        let anonymous = self.anonymous.iter().map(|anonymous| {
            let name = &anonymous.name;
            if by_name { quote!(#name) } else { quote!(_) }
        });
        let all: Vec<_> = names.chain(anonymous).collect();
        if all.is_empty() { TokenStream::new() } else { quote!(::<#(#all),*>) }
    }

    /// Whether there is an `impl Trait` in this type of an argument.
    pub(crate) fn is_anonymous(&self, ty: &Type) -> bool {
        mentions(ty.to_token_stream(), &|ident| self.anonymous.iter().any(|one| one.name == *ident))
    }

    pub(crate) fn has_self(&self) -> bool {
        !matches!(self.receiver, Receiver::None { .. })
    }

    pub(crate) fn is_in_impl(&self) -> bool {
        !matches!(self.receiver, Receiver::None { associated: None })
    }

    /// How something that stands beside the function is reached from there. Where there is no `Self`, that is the fault of
    /// who said `associated`.
    pub(crate) fn path(&self, name: &Ident) -> TokenStream {
        let said = match self.receiver {
            Receiver::None { associated: None } => return name.to_token_stream(),
            Receiver::None { associated: Some(said) } => said.resolved_at(Span::call_site()),
            _ => Span::call_site(),
        };
        quote_spanned!(said=> Self::#name)
    }

    /// `name: type` for each argument, as the wrapper has it, the receiver first.
    pub(crate) fn wrapper_inputs(&self, extra: Option<TokenStream>) -> TokenStream {
        let receiver = match &self.receiver {
            Receiver::None { .. } => None,
            Receiver::Shared { token, .. } => Some(quote!(#token: &::std::sync::Arc<Self>)),
            Receiver::Value { token, ty, written: true } => Some(quote!(#token: #ty)),
            Receiver::Value { token, .. } => Some(quote!(#token)),
        };
        let arguments = self.arguments.iter().map(|Argument { name, shown, .. }| quote!(#name: #shown));
        let all = receiver.into_iter().chain(extra).chain(arguments);
        quote!(#(#all),*)
    }

    /// A tuple of the arguments, with `this` for a `self` that is one of them.
    pub(crate) fn values(&self, this: impl ToTokens) -> TokenStream {
        let this = self.moves_self().then(|| this.to_token_stream());
        let names = self.arguments.iter().map(|argument| argument.name.to_token_stream());
        let all = this.into_iter().chain(names);
        quote!((#(#all,)*))
    }

    /// The types of that tuple.
    pub(crate) fn types(&self) -> TokenStream {
        let this = match &self.receiver {
            Receiver::Value { ty, .. } => Some(&**ty),
            _ => None,
        };
        let all = this.into_iter().chain(self.arguments.iter().map(|argument| &argument.named));
        quote!((#(#all,)*))
    }

    /// Where the compiler should tell of what is wrong with the call as a whole: that is its result; of one that is a `Result`
    /// its error, since of the value the `where` tells.
    pub(crate) fn place(&self) -> Span {
        let Some(output) = &self.output else { return self.name.span() };
        let types = result_path(output).and_then(types_in);
        types.as_deref().and_then(|types| types.get(1)).map_or_else(|| output.span(), Spanned::span)
    }

    /// Where it should tell of an argument that only a generated function can speak of, since an `impl Trait` is in it.
    pub(crate) fn place_of_anonymous(&self) -> Span {
        let anonymous = self.arguments.iter().find(|argument| self.is_anonymous(&argument.named));
        anonymous.map_or_else(|| self.place(), |argument| argument.named.span())
    }

    fn moves_self(&self) -> bool {
        matches!(self.receiver, Receiver::Value { .. })
    }

    /// The call of the function itself, with `this` for its `self`.
    pub(crate) fn call(&self, this: &Ident) -> TokenStream {
        let path = self.path(&self.name);
        let turbofish = self.turbofish();
        let receiver = match &self.receiver {
            Receiver::None { .. } => None,
            Receiver::Shared { pass: Pass::Reference, .. } => Some(quote!(&*#this)),
            Receiver::Shared { pass: Pass::ArcReference, .. } => Some(quote!(&#this)),
            Receiver::Shared { pass: Pass::Arc, .. } | Receiver::Value { .. } => Some(quote!(#this)),
        };
        let names = self.arguments.iter().map(|argument| argument.name.to_token_stream());
        let all = receiver.into_iter().chain(names);
        let await_ = self.is_async.then(|| quote!(.await));
        quote!(#path #turbofish(#(#all),*) #await_)
    }
}

fn check_qualifiers(sig: &Signature, errors: &mut Errors) {
    if let Some(token) = &sig.constness {
        errors.at(
            token,
            "a `const fn` cannot be called across threads by an attribute; write `fn` or `async fn`",
        );
    }
    if let Safety::Unsafe(token) = &sig.safety {
        errors.at(token, "the wrapper could be called by safe code; write a safe `fn` around the unsafe one, and annotate that");
    }
    if let Some(abi) = &sig.abi {
        errors.at(
            abi,
            "an `extern` function cannot be called across threads by an attribute; write `fn` or `async fn`",
        );
    }
    if let Some(variadic) = &sig.variadic {
        errors.at(variadic, "variadic arguments cannot go to the caller's thread; take a `Vec` of them");
    }
}

/// What is said of a `cfg` on an argument.
const CONDITIONAL_ARGUMENT: &str =
    "an argument cannot be left out of a wrapper; put the `cfg` on the function";

/// What is said of a `cfg` on a parameter of a function.
const CONDITIONAL_PARAMETER: &str =
    "a parameter cannot be left out of a wrapper; put the `cfg` on the function";

/// Adds an error for each attribute that may leave out what it is on.
pub(crate) fn check_conditions(attrs: &[Attribute], message: &str, errors: &mut Errors) {
    for attr in attrs.iter().filter(|attr| attr.path().is_ident("cfg") || attr.path().is_ident("cfg_attr")) {
        errors.at(attr, message);
    }
}

fn check_generics(generics: &syn::Generics, errors: &mut Errors) {
    for param in &generics.params {
        let attrs = match param {
            GenericParam::Lifetime(param) => &param.attrs,
            GenericParam::Type(param) => &param.attrs,
            GenericParam::Const(param) => &param.attrs,
        };
        check_conditions(attrs, CONDITIONAL_PARAMETER, errors);
        if let GenericParam::Lifetime(param) = param {
            errors.at(
                param,
                "a call outlives whoever makes it, so its function has no lifetimes; take owned values, or `'static` references",
            );
        }
    }
}

/// The name that a pattern is, if it is no more than that.
fn plain_name(pat: &Pat) -> Option<&Ident> {
    match pat {
        // One that begins with an underscore (as our own do) says that it is not used, but the wrapper does.
        Pat::Ident(pat) if pat.subpat.is_none() && !pat.ident.to_string().starts_with('_') => {
            Some(&pat.ident)
        }
        _ => None,
    }
}
