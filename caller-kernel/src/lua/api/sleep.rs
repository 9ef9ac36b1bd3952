//! `sleep`.

use std::{future::poll_fn, task::Poll, time::Duration};

use caller::Resolver;

use super::Api;
use crate::lua::{docs::Doc, raise::Outcome};

/// A number of seconds, as a time.
pub(crate) fn seconds(seconds: f64) -> Outcome<Duration> {
    if seconds.is_nan() {
        return Err("the time is not a number; give seconds".into());
    }
    // A time that cannot be named never comes; one that is past is now.
    Ok(Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(Duration::MAX))
}

/// Ends after a time of the caller's clock, and not before others had a turn.
pub(crate) async fn sleep(time: Duration) {
    if time.is_zero() {
        let mut first = true;
        let turn = poll_fn(|cx| {
            if std::mem::replace(&mut first, false) {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            Poll::Ready(())
        });
        return turn.await;
    }
    let (_resolver, pending) = Resolver::<()>::new();
    let _timed_out = pending.wait().timeout(time).await;
}

/// Makes it known to a state.
pub(crate) fn install(api: &Api<'_>) -> mlua::Result<()> {
    api.lua.globals().set(
        "sleep",
        api.waiting(
            Doc::new("sleep(seconds)", "Waits, and lets the others of this thread go on."),
            |_, time: f64| async move {
                sleep(seconds(time)?).await;
                Ok(())
            },
        )?,
    )
}
