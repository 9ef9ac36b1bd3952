//! The lock beside other locks, alone and contended, as a guard and as a scope.

use std::{future::Future, sync::Arc};

use caller::AsyncLock;
use tokio::{
    runtime::{Builder, Runtime},
    task::JoinSet,
};

use crate::{
    rounds::{Size, in_turn},
    submitter::{runtime, yield_once},
    table::Row,
};

pub(crate) fn locks(size: Size, rows: &mut Vec<Row>) {
    alone(size, rows);
    contended(size, rows);
}

/// One task takes a lock that nobody else wants.
fn alone(size: Size, rows: &mut Vec<Row>) {
    let runtime = runtime();
    let (ours, tokio, smol) =
        (AsyncLock::new(0_u64), tokio::sync::Mutex::new(0_u64), async_lock::Mutex::new(0_u64));
    let count = size.calls;
    let [guard, scope, tokio, smol] = in_turn(
        5 * size.rounds, // A round takes a few milliseconds.
        count,
        [
            &mut || repeat(&runtime, count, async || *ours.lock().await.unwrap() += 1),
            &mut || repeat(&runtime, count, async || ours.with(async |value| *value += 1).await.unwrap()),
            &mut || repeat(&runtime, count, async || *tokio.lock().await += 1),
            &mut || repeat(&runtime, count, async || *smol.lock().await += 1),
        ],
    );
    for (name, ours, goal) in [("lock, alone", guard, 1.0), ("lock as a scope, alone", scope, 2.0)] {
        rows.push(Row::times(name, "tokio Mutex", ours, tokio, goal));
        rows.push(Row::times(name, "async-lock Mutex", ours, smol, goal));
    }
}

fn repeat(runtime: &Runtime, count: usize, take: impl AsyncFn()) {
    runtime.block_on(async {
        for _ in 0..count {
            take().await;
        }
    });
}

/// Eight tasks on two threads take a lock, and await under it.
fn contended(size: Size, rows: &mut Vec<Row>) {
    let runtime = Builder::new_multi_thread().worker_threads(2).build().expect("a runtime");
    let ours = Arc::new(AsyncLock::new(0_u64));
    let tokio = Arc::new(tokio::sync::Mutex::new(0_u64));
    let smol = Arc::new(async_lock::Mutex::new(0_u64));
    let count = size.calls / 4;
    let [guard, scope, tokio, smol] = in_turn(
        5 * size.rounds, // A round takes a few milliseconds.
        count,
        [
            &mut || {
                in_tasks(&runtime, count, &ours, async |lock| {
                    let mut value = lock.lock().await.unwrap();
                    yield_once().await;
                    *value += 1;
                });
            },
            &mut || {
                in_tasks(&runtime, count, &ours, async |lock| {
                    let under = lock.with(async |value| {
                        yield_once().await;
                        *value += 1;
                    });
                    under.await.unwrap();
                });
            },
            &mut || {
                in_tasks(&runtime, count, &tokio, async |lock| {
                    let mut value = lock.lock().await;
                    yield_once().await;
                    *value += 1;
                });
            },
            &mut || {
                in_tasks(&runtime, count, &smol, async |lock| {
                    let mut value = lock.lock().await;
                    yield_once().await;
                    *value += 1;
                });
            },
        ],
    );
    for (name, ours, goal) in
        [("lock, 8 tasks contending", guard, 1.0), ("lock as a scope, 8 tasks", scope, 2.0)]
    {
        rows.push(Row::times(name, "tokio Mutex", ours, tokio, goal));
        rows.push(Row::times(name, "async-lock Mutex", ours, smol, goal));
    }
}

const TASKS: usize = 8;

/// Takes the lock `count` times, shared out among the tasks.
fn in_tasks<L, F>(
    runtime: &Runtime,
    count: usize,
    lock: &Arc<L>,
    take: impl Fn(Arc<L>) -> F + Copy + Send + 'static,
) where
    L: Send + Sync + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    runtime.block_on(async {
        let mut tasks = JoinSet::new();
        for _ in 0..TASKS {
            let lock = lock.clone();
            tasks.spawn(async move {
                for _ in 0..count / TASKS {
                    take(lock.clone()).await;
                }
            });
        }
        tasks.join_all().await;
    });
}
