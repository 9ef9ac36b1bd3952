//! Parses the `impl` under an attribute: its head and the signatures of its functions. Bodies stay tokens.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use quote::quote;
use syn::{
    AttrStyle, Attribute, Generics, ItemImpl, Signature, Token, Type, Visibility,
    ext::IdentExt,
    parse::{ParseStream, Parser},
};

use crate::item::{Item, is_function};

/// An inherent `impl`.
pub(crate) struct Block {
    pub(crate) attrs: Vec<Attribute>,
    pub(crate) generics: Generics,
    pub(crate) ty: Type,
    pub(crate) functions: Vec<Item>,
}

impl Block {
    /// Reads one.
    ///
    /// # Errors
    ///
    /// If it is not an `impl`, or that of a trait.
    pub(crate) fn parse(tokens: TokenStream, attribute: &str) -> syn::Result<Self> {
        check_impl.parse2(tokens.clone()).map_err(|error| {
            let message =
                format_args!("`#[caller::{attribute}]` goes on an `impl`: `impl Type {{ … }}`{error}");
            syn::Error::new(error.span(), message)
        })?;
        let mut tokens: Vec<_> = tokens.into_iter().collect();
        let inside = match tokens.pop() {
            Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => group.stream(),
            last => {
                return Err(syn::Error::new_spanned(
                    last,
                    format_args!("`#[caller::{attribute}]` needs an `impl` with a body: `impl Type {{ … }}`"),
                ));
            }
        };
        let head: ItemImpl = syn::parse2(quote!(#(#tokens)* {}))?;
        if let Some((path, _)) = &head.trait_ {
            let message = format_args!(
                "`#[caller::{attribute}]` goes on an `impl` of the type itself: `impl Type {{ … }}`; write \
                 the methods there, and call them from the `impl` of the trait"
            );
            return Err(syn::Error::new_spanned(path, message));
        }
        let (inner, functions) = (|input: ParseStream<'_>| inside_of(input, attribute)).parse2(inside)?;
        let attrs = head.attrs.into_iter().chain(inner).collect();
        Ok(Self { attrs, generics: head.generics, ty: *head.self_ty, functions })
    }
}

/// The block as it was written, without the attributes of its functions that `is_mark` knows: they are read with the block.
pub(crate) fn without_marks(tokens: TokenStream, mark: &str) -> TokenStream {
    let mut tokens: Vec<_> = tokens.into_iter().collect();
    if let Some(TokenTree::Group(block)) = tokens.last_mut()
        && block.delimiter() == Delimiter::Brace
    {
        let mut stripped = Group::new(Delimiter::Brace, strip(block.stream(), mark));
        stripped.set_span(block.span());
        *block = stripped;
    }
    tokens.into_iter().collect()
}

/// Whether this attribute of a function belongs to the attribute of the block. The crate may have any name, so the last name
/// of the path decides.
pub(crate) fn is_mark(attr: &Attribute, mark: &str) -> bool {
    attr.path().segments.last().is_some_and(|last| last.ident == mark)
}

fn strip(tokens: TokenStream, mark: &str) -> TokenStream {
    let mut kept = Vec::new();
    for token in tokens {
        let hash = |token: &TokenTree| matches!(token, TokenTree::Punct(punct) if punct.as_char() == '#');
        match token {
            TokenTree::Group(group)
                if group.delimiter() == Delimiter::Bracket
                    && kept.last().is_some_and(hash)
                    && last_name(group.stream()).is_some_and(|name| name == mark) =>
            {
                kept.pop();
            }
            token => kept.push(token),
        }
    }
    kept.into_iter().collect()
}

/// The last name in the path of an attribute.
fn last_name(attribute: TokenStream) -> Option<proc_macro2::Ident> {
    let mut last = None;
    for token in attribute {
        match token {
            TokenTree::Ident(name) => last = Some(name),
            TokenTree::Punct(punct) if punct.as_char() == ':' => {}
            _ => break,
        }
    }
    last
}

/// Checks for an `impl`. The text of the error is a hint for what was found instead.
fn check_impl(input: ParseStream<'_>) -> syn::Result<()> {
    let _attrs = input.call(Attribute::parse_outer)?;
    let at = input.span();
    let is_impl = input.peek(Token![impl])
        || (input.peek(Token![unsafe]) || input.peek(syn::Ident::peek_any)) && input.peek2(Token![impl]);
    let _vis: Visibility = input.parse()?;
    let help = if is_function(input) {
        "; on a function it needs the attribute on the block around it too"
    } else {
        ""
    };
    let _rest: TokenStream = input.parse()?;
    if is_impl { Ok(()) } else { Err(syn::Error::new(at, help)) }
}

/// Reads the inner attributes of a block, and its functions.
fn inside_of(input: ParseStream<'_>, attribute: &str) -> syn::Result<(Vec<Attribute>, Vec<Item>)> {
    let mut inner = input.call(Attribute::parse_inner)?;
    for attr in &mut inner {
        attr.style = AttrStyle::Outer;
    }
    let mut functions = Vec::new();
    while !input.is_empty() {
        let attrs = input.call(Attribute::parse_outer)?;
        let vis: Visibility = input.parse()?;
        // A function without a body is an error of the compiler's own.
        if is_function(input) && !is_declaration(input) {
            functions.push(Item::behind(attrs, vis, input, attribute)?);
        } else {
            skip_item(input)?;
        }
    }
    Ok((inner, functions))
}

fn is_declaration(input: ParseStream<'_>) -> bool {
    let ahead = input.fork();
    ahead.parse::<Signature>().is_ok() && ahead.peek(Token![;])
}

/// Skips a constant, a type or a macro call.
fn skip_item(input: ParseStream<'_>) -> syn::Result<()> {
    let is_value = input.peek(Token![const]) || input.peek(Token![type]);
    while !input.is_empty() {
        match input.parse()? {
            TokenTree::Punct(punct) if punct.as_char() == ';' => break,
            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace && !is_value => break,
            _ => {}
        }
    }
    Ok(())
}
