//! A future that is polled, and dropped, with a lock known to be held: what it calls inherits that.

use std::{
    future::poll_fn,
    pin::{Pin, pin},
};

use crate::context::{Hold, Holding};

/// Makes a future and drives it to its end with a lock known to be held.
pub(super) async fn under<F: Future>(hold: Hold, make: impl FnOnce() -> F) -> F::Output {
    let future = {
        let _holding = Holding::enter(hold);
        make()
    };
    let future = pin!(Some(future));
    let mut under = Under { future, hold };
    poll_fn(|cx| {
        let _holding = Holding::enter(hold);
        match under.future.as_mut().as_pin_mut() {
            Some(future) => future.poll(cx),
            None => unreachable!("it is there until it is dropped"),
        }
    })
    .await
}

struct Under<'a, F> {
    future: Pin<&'a mut Option<F>>,
    hold: Hold,
}

impl<F> Drop for Under<'_, F> {
    fn drop(&mut self) {
        let _holding = Holding::enter(self.hold);
        self.future.set(None);
    }
}
