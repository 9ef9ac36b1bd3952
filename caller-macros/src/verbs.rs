//! `call_soon`, `call_later`, `call_direct` and `to_thread`: a wrapper that hands the function to a caller.

use proc_macro2::{Ident, Span, TokenStream};
use quote::quote;

use crate::{
    args::{Arg, Args, Attribute},
    attrs::Passed,
    errors::Errors,
    function::Function,
    guard::Guard,
    receiver::Receiver,
    spans,
    tokens::hygienic,
    wrapper::{Head, read},
};

/// A verb, as its attribute has it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    CallSoon,
    CallLater,
    CallDirect,
    ToThread,
}

impl Verb {
    pub(crate) const fn attribute(self) -> Attribute {
        const PENDING: &[Arg] = &[Arg::Caller, Arg::Name, Arg::Fallible, Arg::Associated, Arg::Crate];
        match self {
            Self::CallSoon => Attribute { name: "call_soon", takes: PENDING },
            Self::CallLater => Attribute { name: "call_later", takes: PENDING },
            Self::ToThread => Attribute { name: "to_thread", takes: PENDING },
            Self::CallDirect => Attribute {
                name: "call_direct",
                takes: &[Arg::Caller, Arg::Name, Arg::Associated, Arg::Crate],
            },
        }
    }

    const fn suffix(self) -> &'static str {
        match self {
            Self::CallSoon => "soon",
            Self::CallLater => "later",
            Self::CallDirect => "direct",
            Self::ToThread => "to_thread",
        }
    }

    fn summary(self, name: &Ident) -> String {
        match self {
            Self::CallSoon => {
                format!("Calls `{name}` in the caller's thread, and gives a pending of what it returns.")
            }
            Self::CallLater => format!(
                "Calls `{name}` in the caller's thread after a delay, and gives a pending of what it returns."
            ),
            Self::CallDirect => format!(
                "Has the caller's scheduler call `{name}` itself, in order with the calls around it. A failure is only reported."
            ),
            Self::ToThread => {
                format!(
                    "Calls `{name}` in a worker of the caller's pool, and gives a pending of what it returns."
                )
            }
        }
    }

    /// The function of the crate that does it.
    fn function(self, fallible: bool, is_async: bool) -> Ident {
        let name = match (self, fallible) {
            (Self::CallSoon, false) => "call_soon",
            (Self::CallSoon, true) => "try_call_soon",
            (Self::CallLater, false) => "call_later",
            (Self::CallLater, true) => "try_call_later",
            (Self::ToThread, false) => "to_thread",
            (Self::ToThread, true) => "try_to_thread",
            (Self::CallDirect, _) if is_async => "call_direct_async",
            (Self::CallDirect, _) => "call_direct",
        };
        Ident::new(name, Span::call_site())
    }
}

/// The function as it was written, and what the verb adds to it.
pub(crate) fn expand(verb: Verb, args: TokenStream, item: TokenStream) -> TokenStream {
    let added = added(verb, args, item.clone()).unwrap_or_else(Errors::into_tokens);
    quote!(#item #added)
}

fn added(verb: Verb, args: TokenStream, item: TokenStream) -> Result<TokenStream, Errors> {
    let mut errors = Errors::default();
    let attribute = verb.attribute();
    let mut args = Args::parse(args, &attribute, &mut errors);
    let (function, head) = read(&mut args, &attribute, item, &mut errors)?;
    let wrapper = wrapper(verb, &args, &function, &head);
    let errors = errors.into_tokens();
    Ok(quote!(#wrapper #errors))
}

fn wrapper(verb: Verb, args: &Args, function: &Function, head: &Head) -> TokenStream {
    let (krate, caller) = (args.krate(), args.caller());
    let fallible = verb != Verb::CallDirect && head.is_fallible(args, function);
    let name = args.name.clone().unwrap_or_else(|| function.beside(verb.suffix()));
    let Head { passed: Passed { always, docs, .. }, vis, .. } = head;

    let here = hygienic("caller");
    let this = hygienic("this");
    let delay = (verb == Verb::CallLater).then(|| hygienic("delay"));
    let inputs = function.wrapper_inputs(delay.as_ref().map(|delay| quote!(#delay: ::core::time::Duration)));
    // A shared `self` goes along as the first of two values, one of its own goes with the arguments.
    let (pattern, values) = match &function.receiver {
        Receiver::None { .. } => (function.values(&this), function.values(&this)),
        Receiver::Value { token, .. } => (function.values(&this), function.values(token)),
        Receiver::Shared { token, .. } => {
            let arguments = function.values(&this);
            (quote!((#this, #arguments)), quote!((::core::clone::Clone::clone(#token), #arguments)))
        }
    };
    let call = function.call(&this);
    let does = verb.function(fallible, function.is_async);
    let closure = match verb {
        Verb::CallDirect if !function.is_async => quote!(|#pattern| #call),
        _ => quote!(async |#pattern| #call),
    };
    // One more than the function has, which people are told of if it is the eighth.
    let lints = (delay.is_some() && function.arguments.len() + usize::from(function.has_self()) >= 7)
        .then(|| quote!(#[allow(clippy::too_many_arguments)]));
    let delay = delay.map(|delay| quote!(#delay,));
    let value = (verb != Verb::CallDirect).then(|| function.value(fallible, &krate));
    let output = value.as_ref().map(|value| function.pending(&krate, value));
    let output = output.map(|pending| quote!(-> #pending));
    let generics = head.generics(function, &krate, false, value.as_ref());
    let where_clause = &generics.where_clause;
    let body = quote!(#krate::__private::#does(#here, #delay #closure, #values));
    let body = spans::at(function.place(), body);
    let semicolon = (verb == Verb::CallDirect).then(|| quote!(;));
    let summary = verb.summary(&function.name);
    let Guard { told, asked } = Guard::new(function, always);
    let body = head.body(quote! {
        #asked
        let #here = #krate::__private::caller(#caller);
        #body #semicolon
    });
    quote! {
        #told
        #always
        #[doc = #summary]
        #[doc = ""]
        #docs
        #lints
        #[track_caller]
        #vis fn #name #generics(#inputs) #output #where_clause { #body }
    }
}
