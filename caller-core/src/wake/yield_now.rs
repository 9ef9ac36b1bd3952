//! A future that gives everything else a turn.

use std::{future::poll_fn, mem, task::Poll};

/// Lets everything else in this thread have a turn.
pub(crate) async fn yield_now() {
    let mut yielded = false;
    poll_fn(|cx| {
        if mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
