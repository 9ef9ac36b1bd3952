//! ASC: pendings in the order in which they are done.

use std::{
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
};

use futures::{FutureExt, Stream, StreamExt, stream};

use super::Trouble;
use crate::{Pending, Resolver, testing::Fixture};

fn several(count: usize) -> (Vec<Resolver<usize>>, Vec<Pending<usize>>) {
    (0..count).map(|_| Resolver::new()).unzip()
}

pub fn asc_01_in_order_of_completion<F: Fixture>() {
    let fixture = F::new();
    let caller = fixture.caller();
    fixture.block_on(async {
        let (resolvers, pendings) = several(4);
        resolvers[2].resolve(2).unwrap();
        let mut completed = caller.as_completed(pendings);
        for at in [2, 3, 0, 1] {
            let _done_before = resolvers[at].resolve(at);
            let mut pending = completed.next().await.unwrap();
            assert!(pending.is_done());
            assert_eq!(pending.try_result().unwrap(), at);
        }
        assert!(completed.next().await.is_none());
        assert!(caller.as_completed(Vec::<Pending<()>>::new()).next().await.is_none());
    });
}

pub fn asc_02_never_more_than_the_limit<F: Fixture>() {
    let fixture = F::new();
    let caller = fixture.caller();
    for limit in [Some(3), None] {
        let active = Arc::new(AtomicUsize::new(0));
        let most = Arc::new(AtomicUsize::new(0));
        let calls = (0..40).map(|number| {
            let (active, most) = (active.clone(), most.clone());
            let now = active.fetch_add(1, Ordering::SeqCst) + 1;
            most.fetch_max(now, Ordering::SeqCst);
            caller.to_thread(async move || {
                active.fetch_sub(1, Ordering::SeqCst);
                number
            })
        });
        let mut completed = caller.as_completed_lazy(calls);
        if let Some(limit) = limit {
            completed = completed.max_concurrent(limit).unwrap();
        }
        let mut got: Vec<_> =
            fixture.block_on(completed.then(async |pending| pending.await.unwrap()).collect::<Vec<usize>>());
        got.sort_unstable();
        assert_eq!(got, (0..40).collect::<Vec<_>>());
        assert!(most.load(Ordering::SeqCst) <= limit.unwrap_or(10));
    }
}

pub fn asc_03_failures_come_out_too<F: Fixture>() {
    let fixture = F::new();
    let caller = fixture.caller();
    let calls = (0..3).map(|number| {
        caller.try_call_soon(async move || if number == 1 { Err(Trouble) } else { Ok(number) })
    });
    let completed = caller.as_completed(calls.collect::<Vec<_>>());
    let results: Vec<_> = fixture.block_on(completed.then(async |pending| pending.await).collect());
    assert_eq!(results.iter().filter(|result| result.is_err()).count(), 1);
    assert_eq!(results.len(), 3);
}

pub fn asc_04_futures_and_streams<F: Fixture>() {
    let fixture = F::new();
    let caller = fixture.caller();
    fixture.block_on(async {
        let futures = (1..4).map(|number| async move { number * 2 });
        let sum = caller.as_completed(futures).fold(0, async |sum, done| sum + done.await.unwrap());
        assert_eq!(sum.await, 12);
        let calls = stream::iter(1..4).map(|number| caller.call_soon(async move || number * 3));
        let sum = caller.as_completed_stream(calls).fold(0, async |sum, done| sum + done.await.unwrap());
        assert_eq!(sum.await, 18);
        let waited = caller.wait([1, 2].map(|number| async move { number })).await;
        assert_eq!(waited.map(|waited| waited.done.len()).unwrap_or_default(), 2);
    });
}

pub fn asc_05_left_early<F: Fixture>() {
    let fixture = F::new();
    let caller = fixture.caller();
    for cancel in [true, false] {
        let (resolvers, pendings) = several(3);
        let handles: Vec<_> = pendings.iter().map(Pending::handle).collect();
        fixture.block_on(async {
            let mut completed = caller.as_completed(pendings).cancel_unfinished(cancel);
            resolvers[1].resolve(1).unwrap();
            assert!(completed.next().await.is_some());
        });
        let cancelled: Vec<_> = handles.iter().map(|handle| handle.is_cancelled()).collect();
        assert_eq!(cancelled, [cancel, false, cancel]);
    }
}

pub fn asc_zero_limit<F: Fixture>() {
    let caller = F::new().caller();
    let none = caller.as_completed_lazy(Vec::<Pending<()>>::new());
    assert!(none.max_concurrent(0).unwrap_err().is_zero_limit());
}

/// An iterator of two items that panics at the third.
fn two_and_a_panic<T>(items: [T; 2]) -> impl Iterator<Item = T> {
    items.into_iter().chain(std::iter::once_with(|| panic!("an iterator, on purpose")))
}

/// What a stream gives until its end, and how often it panics on the way.
async fn drain(mut stream: impl Stream<Item = Pending<u32>> + Unpin) -> (Vec<u32>, usize) {
    let (mut given, mut panics) = (Vec::new(), 0);
    loop {
        let next = poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| stream.poll_next_unpin(cx))) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(next)) => Poll::Ready(Some(next)),
            Err(_) => Poll::Ready(None),
        });
        match next.await {
            Some(Some(pending)) => given.push(pending.await.unwrap()),
            Some(None) => break,
            None => panics += 1,
        }
    }
    given.sort_unstable();
    (given, panics)
}

pub fn asc_a_source_that_panics<F: Fixture>() {
    let fixture = F::new();
    let caller = fixture.caller();
    let calls = || [1, 2].map(|number| caller.call_soon(async move || number));
    fixture.block_on(async {
        let expected = (vec![1, 2], 1);
        assert_eq!(drain(caller.as_completed_lazy(two_and_a_panic(calls()))).await, expected);
        let one = caller.as_completed_lazy(two_and_a_panic(calls())).max_concurrent(1).unwrap();
        assert_eq!(drain(one).await, expected);
        assert_eq!(drain(caller.as_completed_stream(stream::iter(two_and_a_panic(calls())))).await, expected);
        assert_eq!(drain(caller.as_completed(two_and_a_panic(calls()))).await, expected);
        // One that is left before the end, as a destructor does that runs while a panic unwinds.
        let (resolver, pending) = Resolver::<u32>::new();
        let mut left = caller.as_completed_lazy(two_and_a_panic([caller.call_soon(async || 1), pending]));
        assert_eq!(left.next().await.unwrap().await.unwrap(), 1);
        drop(left);
        assert!(resolver.is_done());
        // `wait` goes on with it when all is done, and gives that when it is polled again.
        let mut wait = caller.wait(two_and_a_panic(calls()));
        let first = poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| wait.poll_unpin(cx))) {
            Ok(polled) => polled.map(|waited| Some(waited.is_ok())),
            Err(_) => Poll::Ready(None),
        });
        assert_eq!(first.await, None);
        assert_eq!(wait.await.unwrap().done.len(), 2);
    });
}

pub fn asc_a_source_that_calls_its_caller<F: Fixture>() {
    let fixture = F::new();
    let caller = fixture.caller();
    let calls = (0..100).map(|number| {
        caller.call_direct(|| ());
        drop(caller.queues());
        caller.call_soon(async move || number)
    });
    let all = caller.as_completed_lazy(calls).max_concurrent(usize::MAX).unwrap();
    assert_eq!(fixture.block_on(drain(all)), ((0..100).collect(), 0));
}

/// A canceller that panics when the stream is dropped keeps none of the others from being cancelled.
pub fn asc_left_with_a_canceller_that_panics<F: Fixture>() {
    let caller = F::new().caller();
    let (resolvers, pendings) = several(3);
    resolvers[0].set_canceller(|_| panic!("a canceller, on purpose")).unwrap();
    let mut completed = caller.as_completed(pendings);
    assert!(completed.poll_next_unpin(&mut Context::from_waker(Waker::noop())).is_pending());
    drop(completed);
    assert!(resolvers.iter().all(Resolver::is_cancelled));
}
