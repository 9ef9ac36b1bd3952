//! Calls whose results are waited for.

use caller::Caller;
use caller_tokio::Tokio;
use tokio_util::task::LocalPoolHandle;

use crate::{
    floors,
    pin::{pin, unpin},
    rounds::{Size, in_turn},
    submitter::{one_at_a_time, one_worker, pipelined, runtime, yield_once},
    table::Row,
};

pub(crate) fn calls(size: Size, rows: &mut Vec<Row>) {
    let caller = Caller::builder().backend(Tokio::new()).spawn().expect("a caller");
    let pinned = LocalPoolHandle::new(1);
    ready(size, &caller, &pinned, rows);
    yields_once(size, &caller, &pinned, rows);
    round_trip(size, &caller, &pinned, rows);
    to_thread(size, &caller, rows);
    caller.force_stop();
}

/// Calls that end in their first poll.
fn ready(size: Size, caller: &Caller, pinned: &LocalPoolHandle, rows: &mut Vec<Row>) {
    let (runtime, spawner, floor) = (runtime(), one_worker(), floors::closures());
    let count = size.calls;
    let [ours, spawn_pinned, spawn, channel] = in_turn(
        size.rounds,
        count,
        [
            &mut || {
                let call = |n| caller.call_soon(async move || n + 1);
                pipelined(&runtime, count, call, async |p| p.await.unwrap());
            },
            &mut || {
                let call = |n| pinned.spawn_pinned(move || async move { n + 1 });
                pipelined(&runtime, count, call, async |p| p.await.unwrap());
            },
            &mut || {
                let call = |n| spawner.spawn(async move { n + 1 });
                pipelined(&runtime, count, call, async |p| p.await.unwrap());
            },
            &mut || {
                let call = |n| floors::call(&floor, n);
                pipelined(&runtime, count, call, async |p| p.await.unwrap());
            },
        ],
    );
    let name = "call_soon, ready, pipelined";
    rows.push(Row::times(name, "tokio-util spawn_pinned", ours, spawn_pinned, 1.0 / 6.0));
    rows.push(Row::times(name, "tokio spawn, one worker", ours, spawn, 0.5));
    rows.push(Row::times(name, "std mpsc + oneshot", ours, channel, 1.0));
    rows.push(Row::times(name, "the seeds' library (quoted)", ours, 13_000.0, 1.0 / 60.0));
}

fn yields_once(size: Size, caller: &Caller, pinned: &LocalPoolHandle, rows: &mut Vec<Row>) {
    let runtime = runtime();
    let count = size.calls;
    let [ours, theirs] = in_turn(
        size.rounds,
        count,
        [
            &mut || {
                let call = |n| {
                    caller.call_soon(async move || {
                        yield_once().await;
                        n + 1
                    })
                };
                pipelined(&runtime, count, call, async |p| p.await.unwrap());
            },
            &mut || {
                let call = |n| {
                    pinned.spawn_pinned(move || async move {
                        yield_once().await;
                        n + 1
                    })
                };
                pipelined(&runtime, count, call, async |p| p.await.unwrap());
            },
        ],
    );
    let name = "call_soon, yields once, pipelined";
    rows.push(Row::times(name, "tokio-util spawn_pinned", ours, theirs, 0.4));
}

/// One call at a time, with the submitter and the thread that serves it on cores of their own.
fn round_trip(size: Size, caller: &Caller, pinned: &LocalPoolHandle, rows: &mut Vec<Row>) {
    let runtime = runtime();
    let here = pin(0);
    let there = caller.call_soon(async || pin(1)).wait_blocking().expect("it runs");
    let peer = runtime.block_on(pinned.spawn_pinned(|| async { pin(1) })).expect("it runs");
    let trips = size.trips();
    let [ours, theirs] = in_turn(
        size.rounds,
        trips,
        [
            &mut || {
                let call = async |n| caller.call_soon(async move || n + 1).await.unwrap();
                one_at_a_time(&runtime, trips, call);
            },
            &mut || {
                let call = async |n| pinned.spawn_pinned(move || async move { n + 1 }).await.unwrap();
                one_at_a_time(&runtime, trips, call);
            },
        ],
    );
    let name = "call_soon, round trip, pinned";
    rows.push(Row::times(name, "tokio-util spawn_pinned", ours, theirs, 0.8));
    unpin(here);
    caller.call_soon(async move || unpin(there)).wait_blocking().expect("it runs");
    runtime.block_on(pinned.spawn_pinned(move || async move { unpin(peer) })).expect("it runs");
}

fn to_thread(size: Size, caller: &Caller, rows: &mut Vec<Row>) {
    let (runtime, spawner) = (runtime(), one_worker());
    let trips = size.trips();
    let [ours, theirs] = in_turn(
        size.rounds,
        trips,
        [
            &mut || {
                let call = async |n| caller.to_thread(async move || n + 1).await.unwrap();
                one_at_a_time(&runtime, trips, call);
            },
            &mut || {
                let call = async |n| spawner.spawn_blocking(move || n + 1).await.unwrap();
                one_at_a_time(&runtime, trips, call);
            },
        ],
    );
    let name = "to_thread, warm, round trip";
    rows.push(Row::times(name, "tokio spawn_blocking", ours, theirs, 1.0));
}
