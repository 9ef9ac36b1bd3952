//! What cannot go to another thread, or come back, because it is borrowed.

use std::borrow::Cow;

#[caller::queued]
async fn arguments(_one: &str, _many: Vec<&[u8]>, _part: Cow<'_, str>, _shown: impl Iterator<Item = &u8>) {}

#[caller::call_soon]
fn lifetimes<'a, T: 'a>(_: &'a T, _: Box<dyn Fn(&'a str) + 'a>) -> &'a T {
    todo!()
}

#[caller::to_thread]
fn result(_: &String) -> Box<dyn Iterator<Item = &u8>> {
    todo!()
}

#[caller::call_later]
fn anonymous() -> impl Iterator<Item = u8> {
    std::iter::empty()
}

struct Thing;

impl Thing {
    #[caller::queued]
    async fn exclusive(&mut self) {}

    #[caller::queued]
    async fn exclusive_arc(self: &mut std::sync::Arc<Self>) {}

    #[caller::to_thread]
    fn pinned(self: std::pin::Pin<&mut Self>) {}

    #[caller::call_direct]
    fn named<'a>(&'a self) {}

    #[caller::call_soon]
    fn forever(self: &'static Self) {}

    #[caller::call_soon]
    fn inner(&self) -> &u8 {
        todo!()
    }
}

// Borrowing inside of a signature says nothing of who calls.
#[caller::queued]
fn fine(
    _: &'static str,
    _: fn(&str) -> &u8,
    _: Box<dyn Fn(&str) + Send>,
    _: impl for<'a> Fn(&'a str, Cow<'_, str>) -> &'a str + Send + 'static,
    _: for<'b> fn(&'b u8) -> &'b u8,
) {
}

fn main() {}
