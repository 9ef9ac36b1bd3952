//! Work without a result: direct calls and queued ones.

use std::cell::Cell;

use caller::Caller;
use caller_tokio::Tokio;
use kameo::{
    actor::{ActorRef, Spawn},
    mailbox,
    message::{Context, Message},
};
use tokio::{runtime::Runtime, sync::oneshot};

use crate::{
    floors::{Minimal, closures},
    rounds::{Size, in_turn},
    submitter::{REQUEST, one_worker, runtime},
    table::Row,
};

pub(crate) fn without_results(size: Size, rows: &mut Vec<Row>) {
    let caller = Caller::builder().backend(Tokio::new()).spawn().expect("a caller");
    direct(size, &caller, rows);
    queued(size, &caller, rows);
    caller.force_stop();
}

fn direct(size: Size, caller: &Caller, rows: &mut Vec<Row>) {
    let (runtime, closures, minimal) = (runtime(), closures(), Minimal::start());
    let count = size.calls;
    let [plain, asynchronous, channel, least] = in_turn(
        size.rounds,
        count,
        [
            &mut || until_the_last(&runtime, count, |item| caller.call_direct(move || item.run())),
            &mut || {
                until_the_last(&runtime, count, |item| caller.call_direct_async(async move || item.run()));
            },
            &mut || {
                until_the_last(&runtime, count, |item| {
                    closures.send(Box::new(move || item.run())).expect("the thread runs");
                });
            },
            &mut || until_the_last(&runtime, count, |item| minimal.send(Box::new(move || item.run()))),
        ],
    );
    // std's channel is twice as fast in some runs, for the whole run, when its two sides happen not to meet.
    for (peer, theirs, goal) in
        [("std mpsc of boxed closures", channel, 1.0), ("the least: a locked list", least, 1.2)]
    {
        rows.push(Row::times("call_direct", peer, plain, theirs, goal));
        rows.push(Row::times("call_direct_async", peer, asynchronous, theirs, 2.0));
    }
}

fn queued(size: Size, caller: &Caller, rows: &mut Vec<Row>) {
    let (runtime, actors) = (runtime(), one_worker());
    let actor = {
        let _entered = actors.enter();
        Counter::spawn_with_mailbox((), mailbox::unbounded())
    };
    let _system = actix_rt::System::new();
    let arbiter = actix_rt::Arbiter::new();
    let count = size.calls;
    let [ours, kameo, actix] = in_turn(
        size.rounds,
        count,
        [
            &mut || until_the_last(&runtime, count, |item| caller.queue_call(serve, item).expect("it runs")),
            &mut || {
                until_the_last(&runtime, count, |item| {
                    actor.tell(item).try_send().map_err(|_| ()).expect("it runs");
                });
            },
            &mut || until_the_last(&runtime, count, |item| assert!(arbiter.spawn(serve(item)))),
        ],
    );
    let name = "queue_call";
    rows.push(Row::times(name, "kameo tell, unbounded", ours, kameo, 0.33));
    rows.push(Row::times(name, "actix Arbiter spawn", ours, actix, 0.33));
    rows.push(Row::times(name, "the seeds' library (quoted)", ours, 3_400.0, 1.0 / 30.0));
    arbiter.stop();
}

/// Submits all, and waits until the last has run.
fn until_the_last(runtime: &Runtime, count: usize, submit: impl Fn(Item)) {
    runtime.block_on(REQUEST.scope(7, async {
        let (sender, done) = oneshot::channel();
        let mut sender = Some(sender);
        for number in 1..=count as u64 {
            let last = if number == count as u64 { sender.take() } else { None };
            submit(Item { number, last });
        }
        assert_eq!(done.await.expect("the last item runs"), (1..=count as u64).sum::<u64>());
    }));
}

/// The captures of a piece of work. It adds to a sum in the consumer's thread: a sum that both threads touched would
/// cost more than the work.
struct Item {
    number: u64,
    last: Option<oneshot::Sender<u64>>,
}

thread_local! {
    static SUM: Cell<u64> = const { Cell::new(0) };
}

impl Item {
    fn run(self) {
        SUM.set(SUM.get() + self.number);
        if let Some(last) = self.last {
            let _gone = last.send(SUM.take());
        }
    }
}

async fn serve(item: Item) {
    item.run();
}

/// An actor that does the same.
struct Counter;

impl kameo::Actor for Counter {
    type Args = ();
    type Error = kameo::error::Infallible;

    async fn on_start((): (), _actor: ActorRef<Self>) -> Result<Self, Self::Error> {
        Ok(Self)
    }
}

impl Message<Item> for Counter {
    type Reply = ();

    async fn handle(&mut self, item: Item, _context: &mut Context<Self, ()>) {
        item.run();
    }
}
