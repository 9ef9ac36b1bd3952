//! The arguments of the attributes: `name`, or `name = value`, with commas between.

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::{
    Expr, LitBool, LitStr, Path, Token, Visibility,
    ext::IdentExt,
    parse::{ParseStream, Parser},
};

use crate::errors::Errors;

/// An argument that some attribute takes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arg {
    Backend,
    Backends,
    Caller,
    Host,
    Name,
    CallerName,
    Pending,
    Fallible,
    Associated,
    Timeout,
    Vis,
    Crate,
}

impl Arg {
    const fn name(self) -> &'static str {
        match self {
            Self::Backend => "backend",
            Self::Backends => "backends",
            Self::Caller => "caller",
            Self::Host => "host",
            Self::Name | Self::CallerName => "name",
            Self::Pending => "pending",
            Self::Fallible => "fallible",
            Self::Associated => "associated",
            Self::Timeout => "timeout",
            Self::Vis => "vis",
            Self::Crate => "crate",
        }
    }

    /// As it is written, with its value.
    const fn form(self) -> &'static str {
        match self {
            Self::Backend => "`backend = expression`",
            Self::Backends => "`backends = [expression, …]`",
            Self::Caller => "`caller = expression`",
            Self::Host => "`host = expression`",
            Self::Name => "`name = identifier`",
            Self::CallerName => "`name = expression`",
            Self::Pending => "`pending`",
            Self::Fallible => "`fallible = true` or `fallible = false`",
            Self::Associated => "`associated`",
            Self::Timeout => "`timeout = expression`",
            Self::Vis => "`vis = visibility`",
            Self::Crate => "`crate = path`",
        }
    }

    const fn is_flag(self) -> bool {
        matches!(self, Self::Pending | Self::Associated)
    }
}

/// An attribute: how it is called, and what it takes.
pub(crate) struct Attribute {
    pub(crate) name: &'static str,
    pub(crate) takes: &'static [Arg],
}

impl Attribute {
    fn forms(&self) -> String {
        let forms: Vec<_> = self.takes.iter().map(|arg| arg.form()).collect();
        forms.join(", ")
    }
}

/// One backend of a test, with the name that the test has for it.
pub(crate) struct Labelled {
    pub(crate) label: Option<Ident>,
    pub(crate) backend: Expr,
}

/// What was given.
#[derive(Default)]
pub(crate) struct Args {
    given: Vec<(Arg, Ident)>,
    krate: Option<Path>,
    pub(crate) caller: Option<Expr>,
    pub(crate) host: Option<Expr>,
    pub(crate) name: Option<Ident>,
    pub(crate) caller_name: Option<Expr>,
    pub(crate) fallible: Option<bool>,
    pub(crate) backend: Option<Expr>,
    pub(crate) backends: Vec<Labelled>,
    pub(crate) timeout: Option<Expr>,
    pub(crate) vis: Option<Visibility>,
}

impl Args {
    /// Reads them. What is wrong is told in `errors`, and left out.
    pub(crate) fn parse(tokens: TokenStream, attribute: &Attribute, errors: &mut Errors) -> Self {
        let mut args = Self::default();
        let all = |input: ParseStream<'_>| {
            while !input.is_empty() {
                if let Err(error) = args.one(input, attribute, errors) {
                    errors.add(error);
                    skip_to_comma(input);
                }
                let _comma = input.parse::<Option<Token![,]>>();
            }
            Ok(())
        };
        // What is left of a value that could not be read is no second mistake.
        if let Err(error) = all.parse2(tokens)
            && errors.is_empty()
        {
            errors.add(error);
        }
        args
    }

    fn one(&mut self, input: ParseStream<'_>, attribute: &Attribute, errors: &mut Errors) -> syn::Result<()> {
        if !input.peek(syn::Ident::peek_any) {
            return Err(input.error(format_args!(
                "expected the name of an argument; `#[caller::{}]` takes {}",
                attribute.name,
                attribute.forms()
            )));
        }
        let name = input.call(Ident::parse_any)?;
        let Some(arg) = attribute.takes.iter().copied().find(|arg| name == arg.name()) else {
            let message = format_args!(
                "unknown argument `{name}`; `#[caller::{}]` takes {}",
                attribute.name,
                attribute.forms()
            );
            errors.at(&name, message);
            skip_to_comma(input);
            return Ok(());
        };
        if self.has(arg) {
            errors.at(&name, format_args!("`{name}` is given twice; give {} once", arg.form()));
            skip_to_comma(input);
            return Ok(());
        }
        self.given.push((arg, name.clone()));
        if arg.is_flag() {
            if !at_end(input) {
                return Err(input.error(format_args!("`{name}` takes no value; write {}", arg.form())));
            }
            return Ok(());
        }
        if !input.peek(Token![=]) {
            return Err(syn::Error::new(
                name.span(),
                format_args!("`{name}` needs a value; write {}", arg.form()),
            ));
        }
        input.parse::<Token![=]>()?;
        if at_end(input) {
            return Err(syn::Error::new(
                name.span(),
                format_args!("`{name}` needs a value; write {}", arg.form()),
            ));
        }
        self.value(arg, input)?;
        if !at_end(input) {
            return Err(input.error(format_args!("expected `,` behind {}", arg.form())));
        }
        Ok(())
    }

    fn value(&mut self, arg: Arg, input: ParseStream<'_>) -> syn::Result<()> {
        let wrong =
            |error: syn::Error| syn::Error::new(error.span(), format_args!("{error}; write {}", arg.form()));
        match arg {
            Arg::Backend => self.backend = Some(input.parse().map_err(wrong)?),
            Arg::Caller => self.caller = Some(input.parse().map_err(wrong)?),
            Arg::Host => self.host = Some(input.parse().map_err(wrong)?),
            Arg::CallerName => self.caller_name = Some(input.parse().map_err(wrong)?),
            Arg::Timeout => self.timeout = Some(input.parse().map_err(wrong)?),
            Arg::Vis if !input.peek(Token![pub]) => {
                return Err(
                    input.error("expected `pub`, `pub(crate)` or the like; `pub(self)` is a private one")
                );
            }
            Arg::Vis => self.vis = Some(input.parse().map_err(wrong)?),
            Arg::Name => self.name = Some(input.parse().map_err(wrong)?),
            Arg::Fallible => self.fallible = Some(input.parse::<LitBool>().map_err(wrong)?.value),
            Arg::Crate if input.peek(LitStr) => {
                self.krate = Some(input.parse::<LitStr>()?.parse_with(Path::parse_mod_style).map_err(wrong)?)
            }
            Arg::Crate => self.krate = Some(input.call(Path::parse_mod_style).map_err(wrong)?),
            Arg::Backends => {
                let list: Expr = input.parse().map_err(wrong)?;
                let Expr::Array(list) = list else {
                    return Err(syn::Error::new_spanned(
                        list,
                        format_args!("expected a list; write {}", arg.form()),
                    ));
                };
                if list.elems.is_empty() {
                    let message = format_args!("a test needs a backend; write {}", arg.form());
                    return Err(syn::Error::new_spanned(list, message));
                }
                for element in list.elems {
                    self.backends.push(labelled(element)?);
                }
            }
            Arg::Pending | Arg::Associated => {}
        }
        Ok(())
    }

    pub(crate) fn has(&self, arg: Arg) -> bool {
        self.token(arg).is_some()
    }

    /// The name of an argument that was given, to point at.
    pub(crate) fn token(&self, arg: Arg) -> Option<&Ident> {
        self.given.iter().find(|(given, _)| *given == arg).map(|(_, name)| name)
    }

    /// The path of the crate `caller`.
    pub(crate) fn krate(&self) -> TokenStream {
        self.krate.as_ref().map_or_else(|| quote!(::caller), ToTokens::to_token_stream)
    }

    /// The caller that is named.
    pub(crate) fn caller(&self) -> TokenStream {
        let krate = self.krate();
        self.caller.as_ref().map_or_else(|| quote!(#krate::Caller::current()), ToTokens::to_token_stream)
    }
}

/// `backend`, or `label = backend`.
fn labelled(element: Expr) -> syn::Result<Labelled> {
    let Expr::Assign(assign) = element else { return Ok(Labelled { label: None, backend: element }) };
    let label = syn::parse2(assign.left.to_token_stream()).map_err(|error| {
        syn::Error::new(error.span(), "expected an identifier that names the backend: `label = expression`")
    })?;
    Ok(Labelled { label: Some(label), backend: *assign.right })
}

/// Whether an argument ends here.
fn at_end(input: ParseStream<'_>) -> bool {
    input.is_empty() || input.peek(Token![,])
}

fn skip_to_comma(input: ParseStream<'_>) {
    while !at_end(input) {
        let _skipped = input.parse::<TokenTree>();
    }
}

/// Where an argument is missing that nothing stands for.
pub(crate) fn missing(errors: &mut Errors, message: &str) {
    errors.add(syn::Error::new(Span::call_site(), message));
}
