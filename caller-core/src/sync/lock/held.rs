//! A future that is polled, and dropped, with a lock known to be held: what it calls inherits that.

use std::{
    future::poll_fn,
    pin::{Pin, pin},
};

use crate::context::{Hold, Holding};

/// Makes a future and drives it to its end with a lock known to be held.
pub(super) async fn held<F: Future>(hold: Hold, make: impl FnOnce() -> F) -> F::Output {
    let future = pin!(None);
    let mut under = Under { future, hold };
    let mut make = Some(make);
    poll_fn(|cx| {
        // One entry for all that is done in one poll: making it, polling it, and dropping it when it has ended.
        let _holding = Holding::enter(hold);
        if let Some(make) = make.take() {
            under.future.set(Some(make()));
        }
        let polled = match under.future.as_mut().as_pin_mut() {
            Some(future) => future.poll(cx),
            None => unreachable!("it is there until it has ended"),
        };
        if polled.is_ready() {
            under.future.set(None);
        }
        polled
    })
    .await
}

struct Under<'a, F> {
    future: Pin<&'a mut Option<F>>,
    hold: Hold,
}

impl<F> Drop for Under<'_, F> {
    fn drop(&mut self) {
        if self.future.is_some() {
            let _holding = Holding::enter(self.hold);
            self.future.set(None);
        }
    }
}
