//! What is not `Send` and `'static` is told of the user's own type.

use std::{cell::Cell, rc::Rc};

#[caller::queued]
async fn queued(_first: String, _second: Rc<u8>) {}

#[caller::queued(pending)]
async fn queued_pending(_: Rc<u8>) {}

#[caller::call_soon]
async fn soon(_first: String, _second: Rc<u8>) {}

#[caller::call_later]
async fn later(_: Rc<u8>) {}

#[caller::to_thread]
async fn to_thread((_, _): (u8, Rc<u8>)) {}

#[caller::call_direct]
fn direct(_: Rc<u8>) {}

#[caller::call_soon]
fn result() -> Rc<u8> {
    Rc::new(1)
}

#[caller::queued(pending)]
fn result_pending() -> Result<Rc<u8>, String> {
    Ok(Rc::new(1))
}

struct Thing(Cell<u8>);

impl Thing {
    #[caller::queued]
    fn queued(&self) {}

    #[caller::call_soon]
    fn soon(&self) {}
}

fn main() {}
