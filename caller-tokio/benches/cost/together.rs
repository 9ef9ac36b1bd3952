//! Many calls that are waited for together. Every side receives and adds the value of every call.

use caller::{Caller, PendingGroup};
use caller_tokio::Tokio;
use futures::{StreamExt, stream::FuturesUnordered};
use tokio::task::JoinSet;

use crate::{
    rounds::{Size, in_turn},
    submitter::{REQUEST, one_worker, runtime},
    table::Row,
};

const CALLS: usize = 10_000;

pub(crate) fn together(size: Size, rows: &mut Vec<Row>) {
    let (runtime, spawner) = (runtime(), one_worker());
    let caller = Caller::builder().backend(Tokio::new()).spawn().expect("a caller");
    let numbers = || 0..CALLS as u64;
    let call = |number| caller.call_soon(async move || number + 1);
    let expected: u64 = numbers().map(|number| number + 1).sum();
    let [group, completed, joined, unordered] = in_turn(
        5 * size.rounds, // A round takes a few milliseconds.
        CALLS,
        [
            &mut || {
                let sum = runtime.block_on(REQUEST.scope(7, async {
                    let body = async |_| numbers().map(call).collect::<Vec<_>>();
                    let calls = PendingGroup::builder().run(body).await.expect("no call fails");
                    let mut sum = 0;
                    for call in calls.expect("the group was not cancelled") {
                        sum += call.await.unwrap();
                    }
                    sum
                }));
                assert_eq!(sum, expected);
            },
            &mut || {
                let sum = runtime.block_on(REQUEST.scope(7, async {
                    let calls = caller.as_completed(numbers().map(call));
                    calls.fold(0, async |sum, call| sum + call.await.unwrap()).await
                }));
                assert_eq!(sum, expected);
            },
            &mut || {
                let sum = runtime.block_on(async {
                    let mut set = JoinSet::new();
                    for number in numbers() {
                        set.spawn_on(async move { number + 1 }, spawner.handle());
                    }
                    let mut sum = 0;
                    while let Some(joined) = set.join_next().await {
                        sum += joined.unwrap();
                    }
                    sum
                });
                assert_eq!(sum, expected);
            },
            &mut || {
                let spawn = |number| spawner.spawn(async move { number + 1 });
                let set: FuturesUnordered<_> = numbers().map(spawn).collect();
                let sum = runtime.block_on(set.fold(0, async |sum, joined| sum + joined.unwrap()));
                assert_eq!(sum, expected);
            },
        ],
    );
    for (name, ours) in [("group of 10,000", group), ("as_completed of 10,000", completed)] {
        rows.push(Row::times(name, "tokio JoinSet", ours, joined, 1.0));
        rows.push(Row::times(name, "FuturesUnordered of spawn", ours, unordered, 1.0));
    }
    caller.force_stop();
}
