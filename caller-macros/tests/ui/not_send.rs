//! What is not `Send` and `'static` is told of the user's own type.

use std::{cell::Cell, collections::HashMap, pin::Pin, rc::Rc, sync::Arc};

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

impl Thing {
    #[caller::queued]
    fn arc(self: Arc<Self>) {}

    #[caller::call_soon]
    fn arc_reference(self: &Arc<Self>) {}
}

struct Local(Rc<u8>);

impl Local {
    #[caller::queued]
    fn moved(self) {}

    #[caller::to_thread]
    fn moved_pinned(self: Pin<Box<Self>>) {}
}

// Each in its own place, also where another part has no name.
#[caller::queued]
fn parts(_: (impl Clone, Rc<u8>), _: Vec<(u8, Rc<u16>)>) {}

#[caller::call_soon]
fn parts_soon(_: (impl Clone, Rc<u8>), _: [HashMap<u8, (impl Clone, Rc<u16>)>; 2]) {}

struct Holds<T>(T);

#[caller::queued]
fn held(_: Holds<(impl Clone, Rc<u8>)>) {}

// What has a signature in it is told of with the call.
#[caller::call_soon]
fn signature(_: Box<dyn Fn(&u8)>) {}

#[caller::queued(pending)]
fn signature_of_result() -> Box<dyn Fn(&u8)> {
    Box::new(|_| ())
}

fn main() {}
