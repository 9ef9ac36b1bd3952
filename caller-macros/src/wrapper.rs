//! What the wrappers of all verbs have in common: the function under the attribute, and what stands in front of it.

use proc_macro2::{Ident, TokenStream};
use quote::quote;
use syn::{Expr, Generics};

use crate::{
    args::{Arg, Args, Attribute},
    attrs::Passed,
    bounds,
    errors::Errors,
    function::{Function, Value},
    item::Item,
};

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
