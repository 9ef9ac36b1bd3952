//! What the wrapper needs of a type parameter is asked of whoever calls it.

use std::rc::Rc;

#[caller::queued]
async fn queued<T>(_: T) {}

#[caller::call_soon]
async fn anonymous(_: Vec<impl Clone>) {}

fn calls() {
    let _ = queued_queued(Rc::new(1));
    let _ = anonymous_soon(vec![Rc::new(1)]);
}

fn main() {}
