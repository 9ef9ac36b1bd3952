//! `queued`: a wrapper that puts a call into the function's queue, and a handle of that queue.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::{Generics, ext::IdentExt};

use crate::{
    args::{Arg, Args, Attribute},
    attrs::Passed,
    errors::Errors,
    function::{Function, Value},
    guard::Guard,
    receiver::Receiver,
    spans,
    tokens::hygienic,
    wrapper::{Head, read},
};

pub(crate) const QUEUED: Attribute = Attribute {
    name: "queued",
    takes: &[Arg::Caller, Arg::Name, Arg::Pending, Arg::Fallible, Arg::Associated, Arg::Crate],
};

/// The function as it was written, and its queue.
pub(crate) fn expand(args: TokenStream, item: TokenStream) -> TokenStream {
    let added = added(args, item.clone()).unwrap_or_else(Errors::into_tokens);
    quote!(#item #added)
}

fn added(args: TokenStream, item: TokenStream) -> Result<TokenStream, Errors> {
    let mut errors = Errors::default();
    let mut args = Args::parse(args, &QUEUED, &mut errors);
    if let (Some(fallible), false) = (args.token(Arg::Fallible), args.has(Arg::Pending)) {
        errors.at(fallible, "`fallible` says what the pending gives; write `pending` beside it");
    }
    let (function, head) = read(&mut args, &QUEUED, item, &mut errors)?;
    let queued = Queued::new(&args, &function, &head);
    let (wrapper, handle) = (queued.wrapper(), queued.handle());
    let (item, errors) = ((!head.is_stub).then(|| queued.item()), errors.into_tokens());
    Ok(quote!(#wrapper #handle #item #errors))
}

/// The three functions share what one function of them, and one closure in it, says: the type of that is the key of the
/// queue.
struct Queued<'a> {
    args: &'a Args,
    function: &'a Function,
    head: &'a Head,
    krate: TokenStream,
    name: Ident,
    item: Ident,
    pending: bool,
    fallible: bool,
}

impl<'a> Queued<'a> {
    fn new(args: &'a Args, function: &'a Function, head: &'a Head) -> Self {
        let name = args.name.clone().unwrap_or_else(|| function.beside("queued"));
        let item = hidden(&name);
        let pending = args.has(Arg::Pending);
        let fallible = pending && head.is_fallible(args, function);
        Self { args, function, head, krate: args.krate(), name, item, pending, fallible }
    }

    /// What the pending gives, if there is one.
    fn value(&self) -> Option<Value> {
        self.pending.then(|| self.function.value(self.fallible, &self.krate))
    }

    fn generics(&self, named: bool) -> Generics {
        self.head.generics(self.function, &self.krate, named, self.value().as_ref())
    }

    fn is_method(&self) -> bool {
        matches!(self.function.receiver, Receiver::Shared { .. })
    }

    fn wrapper(&self) -> TokenStream {
        let Self { args, function, krate, name, .. } = self;
        let Head { passed: Passed { always, docs, .. }, vis, .. } = self.head;
        let generics = self.generics(false);
        let where_clause = &generics.where_clause;
        let (inputs, caller) = (function.wrapper_inputs(None), args.caller());
        let here = hygienic("caller");
        let (object, values) = match &function.receiver {
            Receiver::None { .. } => (None, function.values(TokenStream::new())),
            Receiver::Value { token, .. } => (None, function.values(token)),
            Receiver::Shared { token, .. } => (Some(quote!(#token,)), function.values(TokenStream::new())),
        };
        let does = match (self.is_method(), self.pending, self.fallible) {
            (false, false, _) => "queue_call",
            (true, false, _) => "queue_method",
            (false, true, false) => "queue_call_pending",
            (false, true, true) => "try_queue_call_pending",
            (true, true, false) => "queue_method_pending",
            (true, true, true) => "try_queue_method_pending",
        };
        let does = Ident::new(does, Span::call_site());
        let output = match self.value() {
            Some(value) => function.pending(krate, &value),
            None => quote!(#krate::Result<()>),
        };
        let errors = "`is_no_caller` if there is no caller here, and `is_closed` if it has stopped.";
        // At the name, as lints do not read what stands where a macro made the attribute.
        let errors = quote_spanned! {function.name.span()=>
            #[doc = ""] #[doc = "# Errors"] #[doc = ""] #[doc = #errors]
        };
        let errors = (!self.pending && !docs.to_string().contains("# Errors")).then_some(errors);
        let summary = format!(
            "Queues a call of `{}`: its calls run one at a time, in the order queued.",
            function.name
        );
        let item = hygienic("item");
        let body = quote!(#krate::__private::#does(#here, #item, #object #values));
        let body = spans::at(function.place(), body);
        let found = self.found(false);
        let Guard { told, asked } = Guard::new(function, always);
        let body = self.head.body(quote! {
            #asked
            let #here = #krate::__private::caller(#caller);
            let #item = #found;
            #body
        });
        quote! {
            #told
            #always
            #[doc = #summary]
            #[doc = ""]
            #docs
            #errors
            #[track_caller]
            #vis fn #name #generics(#inputs) -> #output #where_clause { #body }
        }
    }

    /// Looks the queue up.
    fn handle(&self) -> TokenStream {
        let Self { args, function, krate, .. } = self;
        let Head { passed: Passed { always, .. }, vis, .. } = self.head;
        let generics = self.generics(true);
        let where_clause = &generics.where_clause;
        let name = match &args.name {
            Some(name) => format_ident!("{}_queue", name.unraw(), span = name.span()),
            None => function.beside("queue"),
        };
        let caller = args.caller();
        let (inputs, object) = match &function.receiver {
            Receiver::Shared { token, .. } => (quote!(#token: &::std::sync::Arc<Self>), quote!(, #token)),
            // The queue is the same for all, but the caller may be said by it.
            Receiver::Value { token, .. } => (quote!(&#token), TokenStream::new()),
            Receiver::None { .. } => (TokenStream::new(), TokenStream::new()),
        };
        let does = match (self.is_method(), self.pending) {
            (false, false) => quote!(queue),
            (true, false) => quote!(method_queue),
            (false, true) => quote!(queue_of_pending),
            (true, true) => quote!(method_queue_of_pending),
        };
        let found = self.found(true);
        let here = hygienic("caller");
        let path_of_wrapper = if function.is_in_impl() { "Self::" } else { "" };
        let body = self.head.body(quote! {
            let #here = #krate::__private::caller(#caller);
            #krate::__private::#does(#here, #found #object)
        });
        let summary = format!("The queue of [`{path_of_wrapper}{}`], while it runs.", self.name);
        quote! {
            #always
            #[doc = #summary]
            #[must_use]
            #vis fn #name #generics(#inputs) -> ::core::option::Option<#krate::QueueHandle> #where_clause { #body }
        }
    }

    /// How the two others find that. At one place in both, so that what is wrong with it is told once.
    fn found(&self, by_name: bool) -> TokenStream {
        let (path, turbofish) = (self.function.path(&self.item), self.function.named_turbofish(by_name));
        spans::at(self.function.place_of_anonymous(), quote!(#path #turbofish()))
    }

    /// What the queue runs. It captures nothing, so its type is all there is of it.
    fn item(&self) -> TokenStream {
        let Self { function, item, .. } = self;
        let always = &self.head.passed.always;
        let generics = self.generics(true);
        let where_clause = &generics.where_clause;
        let this = hygienic("this");
        let (types, values, output) = (function.types(), function.values(&this), function.output());
        let call = function.call(&this);
        let (object, this) = if self.is_method() {
            (Some(quote!(::std::sync::Arc<Self>,)), Some(quote!(#this: ::std::sync::Arc<Self>,)))
        } else {
            (None, None)
        };
        quote! {
            #always
            #[doc(hidden)]
            fn #item #generics()
            -> impl ::core::ops::AsyncFn(#object #types) -> #output + ::core::marker::Send + 'static
            #where_clause
            {
                async |#this #values: #types| #call
            }
        }
    }
}

/// The hidden name of what a wrapper queues. What stands before our part of it is what people are shown.
fn hidden(name: &Ident) -> Ident {
    format_ident!("{}__queued_item", name.unraw(), span = Span::call_site())
}
