//! `resident`: a handle whose methods are those of a block, called in the thread where the value lives.

use proc_macro2::{Ident, Spacing, Span, TokenStream, TokenTree};
use quote::{ToTokens, format_ident, quote};
use syn::{
    FnArg, GenericParam, Generics, Meta, ReceiverKind, ReturnType, Safety, Signature, Type, Visibility,
    ext::IdentExt, parse_quote,
};

use crate::{
    args::{Arg, Args, Attribute},
    attrs::Passed,
    block::{Block, is_mark, without_marks},
    borrows::{self, Borrows},
    bounds,
    errors::Errors,
    function::{Function, Value, check_conditions},
    item::Item,
    result::value_or_first,
    spans,
    tokens::hygienic,
    wrapper::Head,
};

pub(crate) const RESIDENT: Attribute =
    Attribute { name: "resident", takes: &[Arg::Name, Arg::Vis, Arg::Crate] };

/// On a method.
const MARK: Attribute = Attribute { name: "resident", takes: &[Arg::Name, Arg::Fallible] };

/// The methods that every handle has.
const OURS: [&str; 8] = ["resident", "clone", "clone_from", "eq", "ne", "hash", "fmt", "from"];

/// What is said of a `cfg` on a parameter of the block.
const CONDITIONAL: &str = "a parameter cannot be left out of the handle; put the `cfg` on the whole `impl`";

/// The block as it was written, and its handle.
pub(crate) fn expand(args: TokenStream, item: TokenStream) -> TokenStream {
    let written = without_marks(item.clone(), MARK.name);
    let added = added(args, item).unwrap_or_else(Errors::into_tokens);
    quote!(#written #added)
}

fn added(args: TokenStream, item: TokenStream) -> Result<TokenStream, Errors> {
    let mut errors = Errors::default();
    let args = Args::parse(args, &RESIDENT, &mut errors);
    let block = match Block::parse(item, RESIDENT.name) {
        Ok(block) => block,
        Err(error) => {
            errors.add(error);
            return Err(errors);
        }
    };
    let Block { attrs, generics, ty, functions } = block;
    let Some(handle) = Handle::new(&args, generics, ty, &mut errors) else { return Err(errors) };
    let mut told = TokenStream::new();
    let methods = functions.into_iter().filter_map(|item| {
        let (mut errors, passed) = (Errors::default(), Passed::new(&item.attrs));
        let method = Method::new(&handle, item, passed.clone(), &mut errors);
        // Nothing is wrong with a method that a `cfg` leaves out.
        told.extend(errors.into_tokens_behind(&passed.conditions));
        method
    });
    let methods: Vec<_> = methods.collect();
    let handle = handle.item(&args, &Passed::new(&attrs), &methods);
    let errors = errors.into_tokens();
    Ok(quote!(#handle #errors #told))
}

/// The handle of a block.
struct Handle {
    krate: TokenStream,
    name: Ident,
    /// The parameters of the block, with `'static` for its types.
    generics: Generics,
    /// The type of the value.
    ty: Type,
    /// The name of that type.
    object: Ident,
}

impl Handle {
    /// Validates the head of a block and collects diagnostics in `errors`. None if a handle cannot be written at all.
    fn new(args: &Args, mut generics: Generics, ty: Type, errors: &mut Errors) -> Option<Self> {
        let mut ty = alone(ty);
        let mut is_fine = true;
        for param in &generics.params {
            let attrs = match param {
                GenericParam::Lifetime(param) => {
                    errors.at(param, borrows::RESIDENT);
                    is_fine = false;
                    &param.attrs
                }
                GenericParam::Type(param) => &param.attrs,
                GenericParam::Const(param) => &param.attrs,
            };
            check_conditions(attrs, CONDITIONAL, errors);
        }
        // A lifetime of the block would be an error a second time in its type.
        if !is_fine || !Borrows::new(errors).resident(&mut ty) {
            return None;
        }
        let last = match &ty {
            Type::Path(path) => path.path.segments.last().filter(|_| path.qself.is_none()),
            _ => None,
        };
        let Some(object) = last.map(|last| last.ident.clone()) else {
            errors.at(&ty, "the handle is named after the type; expected its path: `impl Type { … }`");
            return None;
        };
        let params: Vec<Ident> = generics.type_params().map(|param| param.ident.clone()).collect();
        for param in params {
            bounds::require(&mut generics, &parse_quote!(#param), quote!('static));
        }
        let name = match &args.name {
            Some(name) if *name == object => {
                errors.at(name, "the type itself has this name; give its handle another");
                None
            }
            name => name.clone(),
        };
        let name = name.unwrap_or_else(|| format_ident!("{}Handle", object.unraw(), span = object.span()));
        Some(Self { krate: args.krate(), name, generics, ty, object })
    }

    /// The type of the handle.
    fn handle_type(&self) -> Type {
        let (name, (_, generics, _)) = (&self.name, self.generics.split_for_impl());
        parse_quote!(#name #generics)
    }

    /// Whether this is the type of the value.
    fn is_value(&self, ty: &Type) -> bool {
        alone(ty.clone()).to_token_stream().to_string() == self.ty.to_token_stream().to_string()
    }

    /// Replaces `Self` by the type: in the `impl` of the handle, `Self` is the handle.
    fn without_self(&self, tokens: TokenStream) -> TokenStream {
        let mut out = TokenStream::new();
        let mut tokens = tokens.into_iter().peekable();
        while let Some(token) = tokens.next() {
            match token {
                TokenTree::Ident(this) if this == "Self" => {
                    let ty = &self.ty;
                    let is_path = tokens.peek().is_some_and(begins_path);
                    let ty = if is_path { quote!(<#ty>) } else { quote!(#ty) };
                    out.extend(spans::at(this.span(), ty));
                }
                TokenTree::Group(group) => {
                    let mut inside =
                        proc_macro2::Group::new(group.delimiter(), self.without_self(group.stream()));
                    inside.set_span(group.span());
                    out.extend([TokenTree::Group(inside)]);
                }
                token => out.extend([token]),
            }
        }
        out
    }

    fn item(&self, args: &Args, passed: &Passed, methods: &[Method]) -> TokenStream {
        let Self { krate, name, ty, object, .. } = self;
        let Passed { always, docs, .. } = passed;
        let (generics, arguments, where_clause) = self.generics.split_for_impl();
        let vis = args.vis.clone().unwrap_or_else(|| widest(methods));
        let summary = format!("A handle of a `{object}` that lives in the thread of a caller.");
        let identity = "Handles of the same value are equal. The value is dropped, in its thread, after the last of them.";
        let text = name.unraw().to_string();
        let methods = methods.iter().map(|method| method.item(self));
        let (state, hasher) = (hygienic("state"), hygienic("H"));
        quote! {
            #always
            #[doc = #summary]
            #[doc = ""]
            #[doc = #identity]
            #[doc = ""]
            #docs
            #vis struct #name #generics (#krate::Resident<#ty>) #where_clause;

            #always
            impl #generics #name #arguments #where_clause {
                #(#methods)*

                /// The resident behind the handle: to close it, to wait for its end, or to run other functions with the value.
                // The type may be less visible than the handle, and not every program needs this.
                #[allow(dead_code, private_interfaces)]
                #[must_use]
                #vis fn resident(&self) -> &#krate::Resident<#ty> {
                    &self.0
                }
            }

            #always
            impl #generics ::core::convert::From<#krate::Resident<#ty>> for #name #arguments #where_clause {
                fn from(resident: #krate::Resident<#ty>) -> Self {
                    Self(resident)
                }
            }

            #always
            impl #generics ::core::clone::Clone for #name #arguments #where_clause {
                fn clone(&self) -> Self {
                    Self(::core::clone::Clone::clone(&self.0))
                }
            }

            #always
            impl #generics ::core::cmp::PartialEq for #name #arguments #where_clause {
                fn eq(&self, other: &Self) -> bool {
                    self.0 == other.0
                }
            }

            #always
            impl #generics ::core::cmp::Eq for #name #arguments #where_clause {}

            #always
            impl #generics ::core::hash::Hash for #name #arguments #where_clause {
                fn hash<#hasher: ::core::hash::Hasher>(&self, #state: &mut #hasher) {
                    ::core::hash::Hash::hash(&self.0, #state);
                }
            }

            #always
            impl #generics ::core::fmt::Debug for #name #arguments #where_clause {
                fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                    f.debug_tuple(#text).field(&self.0).finish()
                }
            }
        }
    }
}

/// How a method reaches the value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reach {
    Shared,
    Alone,
    Moved,
}

/// What a method of the handle gives.
enum Gives {
    /// What the method of the value gives.
    Value,
    /// A handle of the value that it makes.
    Handle,
}

/// A method of the handle.
struct Method {
    head: Head,
    name: Ident,
    function: Function,
    /// None for a function that makes a value.
    receiver: Option<(syn::Token![self], Reach)>,
    gives: Gives,
    fallible: bool,
    is_documented: bool,
}

impl Method {
    /// Validates a function of the block and collects diagnostics in `errors`. None if the handle has no method for it.
    fn new(handle: &Handle, item: Item, passed: Passed, errors: &mut Errors) -> Option<Self> {
        let Item { attrs, vis, sig, body: _ } = item;
        let mark = mark(&attrs, errors);
        let mut sig: Signature = match syn::parse2(handle.without_self(sig.to_token_stream())) {
            Ok(sig) => sig,
            Err(error) => {
                errors.add(error);
                return None;
            }
        };
        let receiver = receiver(handle, &mut sig, errors);
        let makes = matches!(&sig.output, ReturnType::Type(_, ty) if handle.is_value(value_or_first(ty)));
        if receiver.is_none() && !makes && mark.fallible != Some(true) {
            for token in [Arg::Name, Arg::Fallible].into_iter().filter_map(|arg| mark.token(arg)) {
                let message = "a function without `self` that does not return `Self` is not in the handle; remove this argument";
                errors.at(token, message);
            }
            return None;
        }
        check_qualifiers(&mut sig, errors);
        let gives = match receiver {
            Some((_, Reach::Alone | Reach::Moved)) if makes => {
                let message = "only a function without `self`, or with `&self`, can make a handle; take `&self`, or move \
                               the method to an `impl` without the attribute";
                errors.at(&sig.output, message);
                Gives::Handle
            }
            Some(_) if !makes => Gives::Value,
            _ => Gives::Handle,
        };
        if let (Gives::Handle, Some(false), Some(token)) = (&gives, mark.fallible, mark.token(Arg::Fallible))
            && matches!(&sig.output, ReturnType::Type(_, ty) if !handle.is_value(ty))
        {
            errors.at(token, "an `Err` leaves no value to make a handle of, so the call always fails; remove this argument");
        }
        let name = mark.name.clone().unwrap_or_else(|| sig.ident.clone());
        if let Some(ours) = OURS.iter().find(|ours| name.unraw() == **ours) {
            let message = format_args!(
                "every handle has a method `{ours}`; rename this one, or write \
                 `#[caller::resident(name = identifier)]` on it to rename it in the handle alone"
            );
            errors.at(&name, message);
            return None;
        }
        let function = Function::new(sig, None, errors);
        let is_stub = !errors.is_empty();
        let is_documented = attrs.iter().any(|attr| attr.path().is_ident("doc"));
        let head = Head { passed, vis, is_stub };
        let fallible = match gives {
            Gives::Value => head.is_fallible(&mark, &function),
            Gives::Handle => !function.output.as_ref().is_some_and(|output| handle.is_value(output)),
        };
        Some(Self { head, name, function, receiver, gives, fallible, is_documented })
    }

    fn item(&self, handle: &Handle) -> TokenStream {
        let Self { head, name, function, .. } = self;
        let Head { passed: Passed { always, docs, .. }, vis, .. } = head;
        let krate = &handle.krate;
        let value = match self.gives {
            Gives::Value => function.value(self.fallible, krate),
            Gives::Handle => Value { ty: handle.handle_type(), outcome: None },
        };
        let output = function.pending(krate, &value);
        // A handle is always `Send`.
        let crosses = match self.gives {
            Gives::Value => value,
            Gives::Handle => Value { ty: parse_quote!(()), outcome: None },
        };
        let mut generics = head.generics(function, krate, false, Some(&crosses));

        let (method, this) = (hygienic("method"), hygienic("this"));
        let (input, place, this) = match self.receiver {
            None => {
                let caller = self.caller();
                // An anonymous lifetime in an `impl Trait` argument is unstable.
                generics.params.insert(0, parse_quote!('a));
                let input = quote!(#caller: impl ::core::convert::Into<#krate::ResidentBuilder<'a>>);
                (input, quote!(::core::convert::Into::into(#caller)), None)
            }
            Some((token, Reach::Moved)) => (quote!(#token), quote!(&#token.0), Some(this)),
            Some((token, _)) => (quote!(&#token), quote!(&#token.0), Some(this)),
        };
        let where_clause = &generics.where_clause;
        let inputs = function.wrapper_inputs(Some(input));
        let arguments = function.arguments.iter().map(|argument| &argument.name);
        let arguments = this.iter().chain(arguments);
        let await_ = function.is_async.then(|| quote!(.await));
        let does = self.does();
        let body = quote! {
            #krate::__private::#does(#place, #method, async move |#this| #method(#(#arguments),*) #await_)
        };
        let body = spans::at(function.place(), body);
        let (object, own_name, turbofish) = (&handle.ty, &function.name, function.turbofish());
        let body = head.body(quote! {
            let #method = <#object>::#own_name #turbofish;
            #body
        });
        // Clippy complains from the eighth argument on, and the caller is one more than the user wrote.
        let lints = (self.receiver.is_none() && function.arguments.len() >= 7)
            .then(|| quote!(#[allow(clippy::too_many_arguments)]));
        let summary = self.summary(handle);
        quote! {
            #always
            #summary
            #docs
            #lints
            #[track_caller]
            #vis fn #name #generics(#inputs) -> #output #where_clause { #body }
        }
    }

    /// The function of `__private` that makes the call.
    fn does(&self) -> Ident {
        let does = match (self.receiver, &self.gives) {
            (None, _) => "resident",
            (Some(_), Gives::Handle) => "resident_derive",
            (Some((_, Reach::Shared)), _) => "resident_call",
            (Some((_, Reach::Alone)), _) => "resident_call_mut",
            (Some((_, Reach::Moved)), _) => "resident_close_with",
        };
        if self.fallible { format_ident!("try_{does}") } else { Ident::new(does, Span::call_site()) }
    }

    /// The name of the first argument of a function that makes a value. Rustdoc shows it, so it has no underscores unless
    /// another argument is called `caller`.
    fn caller(&self) -> Ident {
        let is_taken = self.function.arguments.iter().any(|argument| argument.name == "caller");
        if is_taken { hygienic("caller") } else { Ident::new("caller", Span::mixed_site()) }
    }

    /// The documentation of a method that has none.
    fn summary(&self, handle: &Handle) -> Option<TokenStream> {
        if self.is_documented {
            return None;
        }
        let path = format!("`{}::{}`", handle.object, self.function.name);
        let summary = match (self.receiver, &self.gives) {
            (None, _) => format!("Calls {path} in the caller's thread, and keeps the value there."),
            (Some(_), Gives::Handle) => {
                format!("Calls {path} in the thread of the value, and keeps the new value there too.")
            }
            (Some((_, Reach::Moved)), _) => {
                format!("Calls {path} in the thread of the value. This closes the resident.")
            }
            _ => format!("Calls {path} in the thread of the value."),
        };
        Some(quote!(#[doc = #summary]))
    }
}

/// The arguments of the attribute on a method.
fn mark(attrs: &[syn::Attribute], errors: &mut Errors) -> Args {
    let mut tokens = TokenStream::new();
    for attr in attrs.iter().filter(|attr| is_mark(attr, MARK.name)) {
        match &attr.meta {
            Meta::Path(_) => {}
            Meta::List(list) => {
                let more = &list.tokens;
                tokens.extend(quote!(#more,));
            }
            Meta::NameValue(meta) => {
                errors.at(meta, "write the arguments in parentheses: `#[caller::resident(fallible = false)]`")
            }
        }
    }
    Args::parse(tokens, &MARK, errors)
}

/// Removes `self` from a signature, and returns how it reaches the value.
fn receiver(handle: &Handle, sig: &mut Signature, errors: &mut Errors) -> Option<(syn::Token![self], Reach)> {
    const FORMS: &str =
        "expected `&self`, `&mut self` or `self`; a method of a resident takes no pointer to it";
    const LIFETIME: &str =
        "a call borrows nothing from its handle, so the method has no lifetime to name; write `&self`";
    let mut found = None;
    sig.inputs = std::mem::take(&mut sig.inputs)
        .into_iter()
        .filter_map(|input| match input {
            FnArg::Receiver(receiver) => {
                found = Some(receiver);
                None
            }
            typed => Some(typed),
        })
        .collect();
    let found = found?;
    let borrowed = |mutability: bool| if mutability { Reach::Alone } else { Reach::Shared };
    let reach = match found.kind {
        ReceiverKind::Value => Reach::Moved,
        ReceiverKind::Reference(_, lifetime, mutability) => {
            if let Some(lifetime) = lifetime {
                errors.at(lifetime, LIFETIME);
            }
            borrowed(mutability.is_some())
        }
        ReceiverKind::Typed(_, ty) => match alone(*ty) {
            Type::Reference(reference) if handle.is_value(&reference.elem) => {
                if let Some(lifetime) = &reference.lifetime {
                    errors.at(lifetime, LIFETIME);
                }
                borrowed(reference.mutability.is_some())
            }
            ty if handle.is_value(&ty) => Reach::Moved,
            ty => {
                errors.at(ty, FORMS);
                Reach::Shared
            }
        },
        // Forms that Rust does not have yet.
        _ => {
            errors.at(found.self_token, FORMS);
            Reach::Shared
        }
    };
    Some((found.self_token, reach))
}

/// Removes `const`, which the method of the handle cannot be, and `unsafe`, which is an error.
fn check_qualifiers(sig: &mut Signature, errors: &mut Errors) {
    sig.constness = None;
    if let Safety::Unsafe(token) = std::mem::take(&mut sig.safety) {
        errors.at(
            token,
            "safe code could call the method of the handle; write a safe `fn` around the unsafe one, and move the \
             unsafe one to an `impl` without the attribute",
        );
    }
}

/// The widest visibility of the methods.
fn widest(methods: &[Method]) -> Visibility {
    let visibilities = methods.iter().map(|method| &method.head.vis);
    visibilities.max_by_key(|vis| reach_of(vis)).cloned().unwrap_or(Visibility::Inherited)
}

/// Orders visibilities. Each names the module of the block or one around it, so a shorter path from the crate root is wider.
fn reach_of(vis: &Visibility) -> (u8, isize) {
    match vis {
        Visibility::Public(_) => (4, 0),
        Visibility::Restricted(vis) => {
            let length = isize::try_from(vis.path.segments.len()).unwrap_or(isize::MAX);
            match vis.path.segments.first() {
                Some(first) if first.ident == "crate" => (if length == 1 { 3 } else { 2 }, -length),
                Some(first) if first.ident == "super" => (1, length),
                _ => (0, 1),
            }
        }
        Visibility::Inherited => (0, 0),
    }
}

/// Whether this is the first of two colons.
fn begins_path(token: &TokenTree) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == ':' && punct.spacing() == Spacing::Joint)
}

/// A type without what macros put around it.
fn alone(ty: Type) -> Type {
    match ty {
        Type::Group(group) => alone(*group.elem),
        Type::Paren(paren) => alone(*paren.elem),
        ty => ty,
    }
}
