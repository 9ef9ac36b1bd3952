//! `call_soon`, `call_later`, `call_direct` and `to_thread`: a wrapper that hands the function to a caller.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote};
use syn::{Expr, Generics};

use crate::{
    args::{Arg, Args, Attribute},
    attrs::Passed,
    bounds,
    errors::Errors,
    function::{Function, Value},
    guard::Guard,
    item::Item,
    receiver::Receiver,
    spans,
    tokens::own,
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

/// The function under an attribute that wraps it.
pub(crate) fn read(
    args: &mut Args,
    attribute: &Attribute,
    item: TokenStream,
    errors: &mut Errors,
) -> Result<(Function, Head), Errors> {
    let item = match Item::parse(item, attribute.name) {
        Ok(item) => item,
        Err(error) => {
            errors.add(error);
            return Err(std::mem::take(errors));
        }
    };
    let Item { attrs, vis, sig, body: _ } = item;
    let function = Function::new(sig, args.token(Arg::Associated), errors);
    if let Some(name) = args.name.take_if(|name| *name == function.name) {
        errors.at(name, "the function itself has this name; give its wrapper another");
    }
    if let Some(root) = args.caller.as_ref().and_then(root)
        && function.arguments.iter().any(|argument| argument.name == *root)
    {
        errors.at(root, "the arguments are not there where the caller is asked for; write `caller = expression` with `self`, or with what is there without the function");
    }
    let is_stub = !errors.is_empty();
    Ok((function, Head { passed: Passed::new(&attrs), vis, is_stub }))
}

/// The name that an expression begins with, if that is all there is of its path.
fn root(expr: &Expr) -> Option<&Ident> {
    match expr {
        Expr::Path(path) => path.path.get_ident(),
        Expr::Reference(reference) => root(&reference.expr),
        Expr::Field(field) => root(&field.base),
        Expr::MethodCall(call) => root(&call.receiver),
        _ => None,
    }
}

/// What stands in front of a function.
pub(crate) struct Head {
    pub(crate) passed: Passed,
    pub(crate) vis: syn::Visibility,
    /// Whether something is wrong. Then what is generated only stands there, so that nobody misses it where it is used.
    pub(crate) is_stub: bool,
}

impl Head {
    /// The parameters of something that is generated, for which see `bounds::generics`.
    pub(crate) fn generics(
        &self,
        function: &Function,
        krate: &TokenStream,
        named: bool,
        value: Option<&Value>,
    ) -> Generics {
        if self.is_stub { function.generics.clone() } else { bounds::generics(function, krate, named, value) }
    }

    /// Whether an `Err` of the function is a failure of its call. What only stands there asks nothing of the type.
    pub(crate) fn is_fallible(&self, args: &Args, function: &Function) -> bool {
        args.fallible
            .filter(|fallible| !(*fallible && self.is_stub))
            .unwrap_or_else(|| function.returns_result())
    }

    /// What stands in its braces.
    pub(crate) fn body(&self, body: TokenStream) -> TokenStream {
        if self.is_stub { quote!(::core::unimplemented!()) } else { body }
    }
}

fn wrapper(verb: Verb, args: &Args, function: &Function, head: &Head) -> TokenStream {
    let (krate, caller) = (args.krate(), args.caller());
    let fallible = verb != Verb::CallDirect && head.is_fallible(args, function);
    let name = args.name.clone().unwrap_or_else(|| function.beside(verb.suffix()));
    let Head { passed: Passed { always, docs, .. }, vis, .. } = head;

    let here = own("caller");
    let this = own("this");
    let delay = (verb == Verb::CallLater).then(|| own("delay"));
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

/// The hidden name of what a wrapper queues. What stands before our part of it is what people are shown.
pub(crate) fn hidden(name: &Ident) -> Ident {
    use syn::ext::IdentExt;
    format_ident!("{}__queued_item", name.unraw(), span = Span::call_site())
}
