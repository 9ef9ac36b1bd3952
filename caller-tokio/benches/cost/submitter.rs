//! The submitter of most rows: a tokio `current_thread` runtime, and a context with a value in it.

use std::{
    future::{Future, poll_fn},
    task::Poll,
};

use caller::ContextVar;
use tokio::runtime::{Builder, Runtime};

pub(crate) static REQUEST: ContextVar<u64> = ContextVar::new();

pub(crate) fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("a runtime")
}

/// A peer: tokio's multi-thread runtime with one worker.
pub(crate) fn one_worker() -> Runtime {
    Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime")
}

/// Submits all, then waits for all, in a submitter that has a context.
pub(crate) fn pipelined<P, F>(
    runtime: &Runtime,
    count: usize,
    submit: impl Fn(u64) -> P,
    wait: impl Fn(P) -> F,
) where
    F: Future<Output = u64>,
{
    let sum = runtime.block_on(REQUEST.scope(7, async {
        let calls: Vec<P> = (0..count as u64).map(&submit).collect();
        let mut sum = 0;
        for call in calls {
            sum += wait(call).await;
        }
        sum
    }));
    assert_eq!(sum, (1..=count as u64).sum::<u64>());
}

/// One call after the other.
pub(crate) fn one_at_a_time<F: Future<Output = u64>>(
    runtime: &Runtime,
    count: usize,
    call: impl Fn(u64) -> F,
) {
    let sum = runtime.block_on(REQUEST.scope(7, async {
        let mut sum = 0;
        for number in 0..count as u64 {
            sum += call(number).await;
        }
        sum
    }));
    assert_eq!(sum, (1..=count as u64).sum::<u64>());
}

/// Ends after it was polled twice.
pub(crate) async fn yield_once() {
    let mut yielded = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
