//! Calls of a resident: a value in its thread, beside others that own one, and beside a call without a value.

use std::future::Future;

use caller::{Caller, Resident};
use caller_tokio::Tokio;
use futures::future::join_all;
use rusqlite::Connection;
use tokio::runtime::Runtime;

use crate::{
    owners::{Actix, Deadpool, Kameo, TokioRusqlite, select},
    rounds::{Size, in_turn},
    submitter::{REQUEST, one_at_a_time, pipelined, runtime},
    table::Row,
};

/// How many calls are in flight.
const SOME: usize = 1_000;
/// How many are outstanding beside calls without a value.
const MANY: usize = 5_000;

pub(crate) fn residents(size: Size, rows: &mut Vec<Row>) {
    let caller = Caller::builder().backend(Tokio::new()).spawn().expect("a caller");
    let sum = caller.resident(async || 0_u64).wait_blocking().expect("it can be made");
    beside_others(size, &sum, rows);
    statements(size, &caller, rows);
    let (runtime, share) = (runtime(), |number| share(&sum, number));
    let [ours, plain] = in_turn(
        size.rounds,
        MANY,
        [&mut || pipelined(&runtime, MANY, share, async |call| call.await.unwrap()), &mut || {
            let call = |number| caller.call_soon(async move || number + 1);
            pipelined(&runtime, MANY, call, async |call| call.await.unwrap());
        }],
    );
    rows.push(Row::times("resident: call, 5,000 outstanding", "call_soon", ours, plain, 1.25));
    caller.force_stop();
}

/// The same work, with a value that something else owns.
fn beside_others(size: Size, sum: &Resident<u64>, rows: &mut Vec<Row>) {
    let runtime = runtime();
    // Deadpool's value is dropped by a thread of the runtime that is current.
    let _entered = runtime.enter();
    let (kameo, actix) = (Kameo::start(), Actix::start());
    let (sqlite, deadpool) = (TokioRusqlite::start(&runtime), Deadpool::start(&runtime));
    let (alone, shared) = (|number| alone(sum, number), |number| share(sum, number));
    let flight = size.calls;
    let [alone_in_flight, shared_in_flight, theirs @ ..] = in_turn(
        size.rounds,
        flight,
        [
            &mut || in_flight(&runtime, flight, async |number| alone(number).await.unwrap()),
            &mut || in_flight(&runtime, flight, async |number| shared(number).await.unwrap()),
            &mut || in_flight(&runtime, flight, |number| kameo.add(number)),
            &mut || in_flight(&runtime, flight, |number| actix.add(number)),
            &mut || in_flight(&runtime, flight, |number| sqlite.add(number)),
            &mut || in_flight(&runtime, flight, |number| deadpool.add(number)),
        ],
    );
    for (peer, theirs) in PEERS.into_iter().zip(theirs) {
        rows.push(Row::times("resident: call_mut, 1,000 in flight", peer, alone_in_flight, theirs, 0.8));
        rows.push(Row::times("resident: call, 1,000 in flight", peer, shared_in_flight, theirs, 0.8));
    }
    let trips = size.trips();
    let [alone_trip, shared_trip, theirs @ ..] = in_turn(
        size.rounds,
        trips,
        [
            &mut || one_at_a_time(&runtime, trips, async |number| alone(number).await.unwrap()),
            &mut || one_at_a_time(&runtime, trips, async |number| shared(number).await.unwrap()),
            &mut || one_at_a_time(&runtime, trips, |number| kameo.add(number)),
            &mut || one_at_a_time(&runtime, trips, |number| actix.add(number)),
            &mut || one_at_a_time(&runtime, trips, |number| sqlite.add(number)),
            &mut || one_at_a_time(&runtime, trips, |number| deadpool.add(number)),
        ],
    );
    for (peer, theirs) in PEERS.into_iter().zip(theirs) {
        rows.push(Row::times("resident: call_mut, round trip", peer, alone_trip, theirs, 1.0));
        rows.push(Row::times("resident: call, round trip", peer, shared_trip, theirs, 1.0));
    }
}

/// In the order of the sides above.
const PEERS: [&str; 4] = ["kameo ask", "actix send", "tokio-rusqlite call", "deadpool interact"];

/// A connection, and the least that SQLite can do.
fn statements(size: Size, caller: &Caller, rows: &mut Vec<Row>) {
    let runtime = runtime();
    let theirs = TokioRusqlite::start(&runtime);
    let ours = caller.resident_builder().own_thread("sqlite");
    let ours = ours.try_build(async || Connection::open_in_memory()).wait_blocking().expect("it opens");
    let call = |number| ours.try_call(async move |connection| select(connection, number));
    let [ours, theirs] = in_turn(
        size.rounds,
        size.calls,
        [&mut || in_flight(&runtime, size.calls, async |number| call(number).await.unwrap()), &mut || {
            in_flight(&runtime, size.calls, |number| theirs.select(number))
        }],
    );
    rows.push(Row::times("resident: SELECT 1, 1,000 in flight", "tokio-rusqlite call", ours, theirs, 1.0));
}

fn alone(sum: &Resident<u64>, number: u64) -> caller::Pending<u64> {
    sum.call_mut(async move |sum| {
        *sum += number;
        number + 1
    })
}

fn share(sum: &Resident<u64>, number: u64) -> caller::Pending<u64> {
    sum.call(async move |_| number + 1)
}

/// Keeps some calls in flight, all of which are awaited together.
fn in_flight<F: Future<Output = u64>>(runtime: &Runtime, count: usize, call: impl Fn(u64) -> F) {
    let sum: u64 = runtime.block_on(REQUEST.scope(7, async {
        let mut sum = 0;
        for first in (0..count as u64).step_by(SOME) {
            let some = (first..first + SOME as u64).map(&call);
            sum += join_all(some).await.into_iter().sum::<u64>();
        }
        sum
    }));
    assert_eq!(sum, (1..=count as u64).sum::<u64>());
}
