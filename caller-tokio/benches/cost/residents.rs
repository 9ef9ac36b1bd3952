//! Calls of a resident: `&mut` to a value in its thread, beside an actor's `ask` and beside a call without a value.

use std::future::{Future, IntoFuture};

use caller::Caller;
use caller_tokio::Tokio;
use futures::future::join_all;
use kameo::{
    Actor,
    actor::{ActorRef, Spawn},
    error::Infallible,
    message::{Context, Message},
};
use tokio::runtime::Runtime;

use crate::{
    rounds::{Size, in_turn},
    submitter::{REQUEST, one_at_a_time, one_worker, pipelined, runtime},
    table::Row,
};

/// How many calls are in flight.
const SOME: usize = 1_000;
/// How many are outstanding beside calls without a value.
const MANY: usize = 5_000;

struct Sum(u64);

impl Actor for Sum {
    type Args = Self;
    type Error = Infallible;

    async fn on_start(sum: Self, _actor: ActorRef<Self>) -> Result<Self, Infallible> {
        Ok(sum)
    }
}

struct Add(u64);

impl Message<Add> for Sum {
    type Reply = u64;

    async fn handle(&mut self, Add(number): Add, _: &mut Context<Self, u64>) -> u64 {
        self.0 += number;
        number + 1
    }
}

pub(crate) fn residents(size: Size, rows: &mut Vec<Row>) {
    let caller = Caller::builder().backend(Tokio::new()).spawn().expect("a caller");
    let sum = caller.resident(async || 0_u64).wait_blocking().expect("it can be made");
    let (runtime, actors) = (runtime(), one_worker());
    let actor = {
        let _entered = actors.enter();
        Sum::spawn(Sum(0))
    };
    let add = |number: u64| {
        sum.call_mut(async move |sum| {
            *sum += number;
            number + 1
        })
    };
    let share = |number: u64| sum.call(async move |_| number + 1);
    let ask = |number: u64| actor.ask(Add(number));
    let name = "resident: call_mut, 1,000 in flight";
    let [alone, together, theirs] =
        in_turn(
            size.rounds,
            size.calls,
            [
                &mut || in_flight(&runtime, size.calls, |number| async move { add(number).await.unwrap() }),
                &mut || in_flight(&runtime, size.calls, |number| async move { share(number).await.unwrap() }),
                &mut || {
                    in_flight(&runtime, size.calls, |number| async move {
                        ask(number).into_future().await.unwrap()
                    })
                },
            ],
        );
    rows.push(Row::times(name, "kameo ask", alone, theirs, 0.8));
    rows.push(Row::times("resident: call, 1,000 in flight", "kameo ask", together, theirs, 0.8));
    let trips = size.trips();
    let [ours, theirs] = in_turn(
        size.rounds,
        trips,
        [&mut || one_at_a_time(&runtime, trips, async |number| add(number).await.unwrap()), &mut || {
            one_at_a_time(&runtime, trips, async |number| ask(number).await.unwrap())
        }],
    );
    rows.push(Row::times("resident: call_mut, round trip", "kameo ask", ours, theirs, 1.0));
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
