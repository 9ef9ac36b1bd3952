//! Bytes that an outstanding call holds, and allocations that a ready call makes, beside the peer's.
//!
//! They have a process of their own: an allocator that counts adds contended counters to every allocation, which would
//! be in all times. `cargo xtask bench` runs it. It prints a table and writes `target/bench.json`.

#[path = "cost/table.rs"]
mod table;

use std::{
    alloc::System,
    future::Future,
    hint::black_box,
    iter::repeat_with,
    mem::forget,
    pin::Pin,
    task::{Context, Poll},
};

use caller::Caller;
use caller_tokio::Tokio;
use stats_alloc::StatsAlloc;
use tokio::runtime::{Builder, Runtime};
use tokio_util::task::LocalPoolHandle;

use self::table::{Row, median};

#[global_allocator]
static ALLOCATOR: StatsAlloc<System> = StatsAlloc::system();

const CALLS: usize = 10_000;
const ROUNDS: usize = 5;
const GOAL: f64 = 0.5;

fn main() {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let mut rows = Vec::new();
    bytes::<0>("bytes of an outstanding call", &runtime, &mut rows);
    bytes::<64>("bytes of an outstanding call, captures 64", &runtime, &mut rows);
    bytes::<256>("bytes of an outstanding call, captures 256", &runtime, &mut rows);
    bytes::<1024>("bytes of an outstanding call, captures 1024", &runtime, &mut rows);
    allocations::<0>("allocations of a ready call", &runtime, &mut rows);
    allocations::<64>("allocations of a ready call, captures 64", &runtime, &mut rows);
    allocations::<256>("allocations of a ready call, captures 256", &runtime, &mut rows);
    allocations::<1024>("allocations of a ready call, captures 1024", &runtime, &mut rows);
    residents(&runtime, &mut rows);
    table::show(&rows);
}

/// The future of a call: it keeps what the function captured, and is ready at once or never.
struct Captured<const N: usize, const READY: bool>([u8; N]);

impl<const N: usize, const READY: bool> Future for Captured<N, READY> {
    type Output = u64;

    fn poll(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<u64> {
        black_box(&self.0);
        if READY { Poll::Ready(1) } else { Poll::Pending }
    }
}

/// Calls that wait for ever, of a function that captures `N` bytes.
fn bytes<const N: usize>(name: &'static str, runtime: &Runtime, rows: &mut Vec<Row>) {
    let captured = [0; N];
    let [ours, theirs] = in_turn(|caller, pinned| {
        let ours = held(
            || caller.call_soon(move || Captured::<N, false>(captured)),
            || caller.call_soon(async || ()).wait_blocking().expect("it runs"),
        );
        let theirs = held(
            || pinned.spawn_pinned(move || Captured::<N, false>(captured)),
            || runtime.block_on(pinned.spawn_pinned(|| async {})).expect("it runs"),
        );
        [ours, theirs]
    });
    rows.push(Row { name, peer: "tokio-util spawn_pinned", ours, theirs, goal: GOAL, unit: "bytes" });
}

/// Pipelined calls that end in their first poll, of a function that captures `N` bytes.
fn allocations<const N: usize>(name: &'static str, runtime: &Runtime, rows: &mut Vec<Row>) {
    let captured = [0; N];
    let [ours, theirs] = in_turn(|caller, pinned| {
        let ours = made(
            runtime,
            || caller.call_soon(move || Captured::<N, true>(captured)),
            async |call| call.await.unwrap(),
        );
        let theirs = made(
            runtime,
            || pinned.spawn_pinned(move || Captured::<N, true>(captured)),
            async |call| call.await.unwrap(),
        );
        [ours, theirs]
    });
    rows.push(Row { name, peer: "tokio-util spawn_pinned", ours, theirs, goal: GOAL, unit: "allocations" });
}

/// Calls of a resident, which wait for ever or end in their first poll.
fn residents(runtime: &Runtime, rows: &mut Vec<Row>) {
    let value = |caller: &Caller| caller.resident(async || 0_u64).wait_blocking().expect("it can be made");
    let [ours, theirs] = in_turn(|caller, pinned| {
        let value = value(caller);
        let ours = held(
            || value.call(async |_| Captured::<0, false>([]).await),
            || caller.call_soon(async || ()).wait_blocking().expect("it runs"),
        );
        let theirs = held(
            || pinned.spawn_pinned(|| Captured::<0, false>([])),
            || runtime.block_on(pinned.spawn_pinned(|| async {})).expect("it runs"),
        );
        forget(value);
        [ours, theirs]
    });
    let (name, peer) = ("bytes of an outstanding call of a resident", "tokio-util spawn_pinned");
    rows.push(Row { name, peer, ours, theirs, goal: 1.0, unit: "bytes" });
    let [ours, theirs] = in_turn(|caller, pinned| {
        let value = value(caller);
        let ours = made(
            runtime,
            || value.call(async |_| Captured::<0, true>([]).await),
            async |call| call.await.unwrap(),
        );
        let theirs = made(
            runtime,
            || pinned.spawn_pinned(|| Captured::<0, true>([])),
            async |call| call.await.unwrap(),
        );
        [ours, theirs]
    });
    let name = "allocations of a ready call of a resident";
    rows.push(Row { name, peer, ours, theirs, goal: 0.25, unit: "allocations" });
}

/// The medians of several rounds, each with a caller and a pool of its own.
fn in_turn(round: impl Fn(&Caller, &LocalPoolHandle) -> [f64; 2]) -> [f64; 2] {
    let mut costs = [Vec::new(), Vec::new()];
    for _ in 0..ROUNDS {
        let caller = Caller::builder().backend(Tokio::new()).spawn().expect("a caller");
        let pinned = LocalPoolHandle::new(1);
        for (costs, cost) in costs.iter_mut().zip(round(&caller, &pinned)) {
            costs.push(cost);
        }
        // They stay until the process ends: what one side frees late would be missing from the other side's bytes.
        forget((caller, pinned));
    }
    costs.map(median)
}

/// Bytes for each call that are allocated and not freed when all calls have been polled.
fn held<C>(call: impl Fn() -> C, until_polled: impl Fn()) -> f64 {
    let bytes = || {
        let stats = ALLOCATOR.stats();
        stats.bytes_allocated - stats.bytes_deallocated
    };
    // The threads have started.
    until_polled();
    let mut calls = Vec::with_capacity(CALLS);
    let before = bytes();
    calls.extend(repeat_with(call).take(CALLS));
    until_polled();
    // The thread frees the list that the calls came in when its turn ends, which is before its next one.
    until_polled();
    let held = bytes() - before;
    forget(calls);
    held as f64 / CALLS as f64
}

/// Allocations for each call, from its making to its result.
fn made<C, F: Future<Output = u64>>(runtime: &Runtime, call: impl Fn() -> C, wait: impl Fn(C) -> F) -> f64 {
    let allocations = || {
        let stats = ALLOCATOR.stats();
        stats.allocations + stats.reallocations
    };
    let mut calls = Vec::with_capacity(CALLS);
    let mut run = || {
        runtime.block_on(async {
            calls.extend(repeat_with(&call).take(CALLS));
            let mut sum = 0;
            for call in calls.drain(..) {
                sum += wait(call).await;
            }
            assert_eq!(sum, CALLS as u64);
        });
    };
    // The lists and queues have grown.
    run();
    let before = allocations();
    run();
    (allocations() - before) as f64 / CALLS as f64
}
