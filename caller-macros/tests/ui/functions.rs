//! What the attributes do not go on, and functions that they do not take.

use std::{rc::Rc, sync::Arc};

#[caller::queued]
struct NoFunction;

trait Declares {
    #[caller::call_soon]
    fn declared(&self);
}

struct Thing;

#[caller::to_thread]
impl Thing {
    fn method() {}
}

#[caller::queued]
const fn constant() {}

#[caller::queued]
unsafe fn not_safe() {}

#[caller::call_soon]
extern "C" fn foreign() {}

#[caller::call_direct]
unsafe extern "C" fn variadic(_: u8, ...) {}

#[caller::queued]
fn left_out<#[cfg(any())] T, #[cfg_attr(any(), may_dangle)] const N: u8>(#[cfg(any())] _one: u8) {}

#[caller::queued(name = same)]
fn same() {}

struct Pointed;

impl Pointed {
    #[caller::queued]
    fn rc(self: &Rc<Self>) {}

    #[caller::queued]
    fn boxed(self: &Box<Pointed>) {}

    #[caller::call_soon]
    fn pinned(self: &std::pin::Pin<Arc<Self>>) {}

    #[caller::call_direct]
    fn arc(self: Arc<Box<Self>>) {}

    #[caller::call_soon]
    fn reference(self: &&Self) {}

    #[caller::call_soon]
    fn fine(self: &std::sync::Arc<Pointed>) {}
}

#[caller::queued]
const unsafe extern "C" fn all_at_once<'a>(_: &'a str) -> impl Sized {}

fn main() {}
