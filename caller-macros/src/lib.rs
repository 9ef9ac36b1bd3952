//! The attribute macros of [`caller-core`](https://docs.rs/caller-core), which is the crate to depend on: it exports
//! them, and is what they expand to.
#![forbid(unsafe_code)]

mod args;
mod bounds;
mod entry;
mod errors;
mod function;
mod item;
mod owned;
mod passed;
mod queued;
mod spans;
mod verbs;

use proc_macro::TokenStream;

use crate::verbs::Verb;

/// Queued.
#[proc_macro_attribute]
pub fn queued(args: TokenStream, item: TokenStream) -> TokenStream {
    queued::expand(args.into(), item.into()).into()
}

/// Soon.
#[proc_macro_attribute]
pub fn call_soon(args: TokenStream, item: TokenStream) -> TokenStream {
    verbs::expand(Verb::CallSoon, args.into(), item.into()).into()
}

/// Later.
#[proc_macro_attribute]
pub fn call_later(args: TokenStream, item: TokenStream) -> TokenStream {
    verbs::expand(Verb::CallLater, args.into(), item.into()).into()
}

/// Direct.
#[proc_macro_attribute]
pub fn call_direct(args: TokenStream, item: TokenStream) -> TokenStream {
    verbs::expand(Verb::CallDirect, args.into(), item.into()).into()
}

/// To thread.
#[proc_macro_attribute]
pub fn to_thread(args: TokenStream, item: TokenStream) -> TokenStream {
    verbs::expand(Verb::ToThread, args.into(), item.into()).into()
}

/// Main.
#[proc_macro_attribute]
pub fn main(args: TokenStream, item: TokenStream) -> TokenStream {
    entry::main(args.into(), item.into()).into()
}

/// Test.
#[proc_macro_attribute]
pub fn test(args: TokenStream, item: TokenStream) -> TokenStream {
    entry::test(args.into(), item.into()).into()
}
