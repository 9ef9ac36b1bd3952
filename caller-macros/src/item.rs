//! The function under an attribute: its head is read, its body is left as it was written.

use proc_macro2::{Span, TokenStream};
use syn::{
    AttrStyle, Attribute, Signature, Token, Visibility,
    parse::{ParseStream, Parser},
    token::Brace,
};

/// A function, without having looked into it.
pub(crate) struct Item {
    pub(crate) attrs: Vec<Attribute>,
    pub(crate) vis: Visibility,
    pub(crate) sig: Signature,
    /// The block, as tokens, without the attributes inside, which are with the others.
    pub(crate) body: TokenStream,
}

impl Item {
    /// Reads one.
    ///
    /// # Errors
    ///
    /// If it is not a function with a body.
    pub(crate) fn parse(tokens: TokenStream, attribute: &str) -> syn::Result<Self> {
        let item = |input: ParseStream<'_>| {
            let attrs = input.call(Attribute::parse_outer)?;
            let vis: Visibility = input.parse()?;
            if !is_function(input) {
                let found = if input.peek(Token![impl]) || input.peek(Token![trait]) {
                    "; put it on the functions inside"
                } else {
                    ""
                };
                let message =
                    format_args!("`#[caller::{attribute}]` goes on a function: `fn name() {{ … }}`{found}");
                return Err(input.error(message));
            }
            Self::behind(attrs, vis, input, attribute)
        };
        item.parse2(tokens)
    }

    /// Reads the function behind its attributes and its visibility.
    pub(crate) fn behind(
        mut attrs: Vec<Attribute>,
        vis: Visibility,
        input: ParseStream<'_>,
        attribute: &str,
    ) -> syn::Result<Self> {
        let sig: Signature = input.parse()?;
        if !input.peek(Brace) {
            let message = format_args!(
                "`#[caller::{attribute}]` needs a function with a body: `fn {}() {{ … }}`; a method that a \
                     trait only declares has none",
                sig.ident
            );
            return Err(input.error(message));
        }
        let content;
        let brace = syn::braced!(content in input);
        // It may stand where braces need not be, of which the user is not to hear.
        let brace = Brace(brace.span.join().resolved_at(Span::call_site()));
        for mut inner in content.call(Attribute::parse_inner)? {
            inner.style = AttrStyle::Outer;
            attrs.push(inner);
        }
        let inside: TokenStream = content.parse()?;
        let mut body = TokenStream::new();
        brace.surround(&mut body, |body| body.extend(inside));
        Ok(Self { attrs, vis, sig, body })
    }
}

pub(crate) fn is_function(input: ParseStream<'_>) -> bool {
    let ahead = input.fork();
    while ahead.peek(Token![const])
        || ahead.peek(Token![async])
        || ahead.peek(Token![unsafe])
        || ahead.peek(Token![extern])
    {
        // The abi of `extern "C"` goes with it.
        let _keyword = ahead.parse::<proc_macro2::TokenTree>();
        let _abi = ahead.parse::<Option<syn::LitStr>>();
    }
    ahead.peek(Token![fn])
}
