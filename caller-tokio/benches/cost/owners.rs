//! The peers of residents: what owns a value elsewhere and does work with it. Each adds a number to a sum, and gives the
//! number and one.

use std::convert::Infallible;

use actix::{
    Actor as _, Addr, ArbiterHandle, Context as ActixContext, Handler, Message as ActixMessage, System,
    SystemRunner,
};
use deadpool_sync::SyncWrapper;
use kameo::{
    Actor,
    actor::{ActorRef, Spawn},
    message::{Context, Message},
};
use tokio::runtime::Runtime;

use crate::submitter::one_worker;

struct Sum(u64);

struct Add(u64);

impl Sum {
    fn add(&mut self, number: u64) -> u64 {
        self.0 += number;
        number + 1
    }
}

/// An actor of kameo's, on one worker of tokio's.
pub(crate) struct Kameo {
    actor: ActorRef<Sum>,
    _runtime: Runtime,
}

impl Actor for Sum {
    type Args = Self;
    type Error = Infallible;

    async fn on_start(sum: Self, _actor: ActorRef<Self>) -> Result<Self, Infallible> {
        Ok(sum)
    }
}

impl Message<Add> for Sum {
    type Reply = u64;

    async fn handle(&mut self, Add(number): Add, _: &mut Context<Self, u64>) -> u64 {
        self.add(number)
    }
}

impl Kameo {
    pub(crate) fn start() -> Self {
        let runtime = one_worker();
        let entered = runtime.enter();
        let actor = <Sum as Spawn>::spawn(Sum(0));
        drop(entered);
        Self { actor, _runtime: runtime }
    }

    pub(crate) async fn add(&self, number: u64) -> u64 {
        self.actor.ask(Add(number)).await.expect("it runs")
    }
}

/// An actor of actix's, in a thread of its own.
pub(crate) struct Actix {
    address: Addr<ActixSum>,
    arbiter: ArbiterHandle,
    _system: SystemRunner,
}

struct ActixSum(Sum);

struct ActixAdd(u64);

impl actix::Actor for ActixSum {
    type Context = ActixContext<Self>;

    fn started(&mut self, context: &mut ActixContext<Self>) {
        // With the sixteen of the default, those in flight would wait for room.
        context.set_mailbox_capacity(0);
    }
}

impl ActixMessage for ActixAdd {
    type Result = u64;
}

impl Handler<ActixAdd> for ActixSum {
    type Result = u64;

    fn handle(&mut self, ActixAdd(number): ActixAdd, _: &mut ActixContext<Self>) -> u64 {
        self.0.add(number)
    }
}

impl Actix {
    pub(crate) fn start() -> Self {
        let system = System::new();
        let arbiter = actix::Arbiter::new().handle();
        let address = ActixSum::start_in_arbiter(&arbiter, |_| ActixSum(Sum(0)));
        Self { address, arbiter, _system: system }
    }

    pub(crate) async fn add(&self, number: u64) -> u64 {
        self.address.send(ActixAdd(number)).await.expect("it runs")
    }
}

impl Drop for Actix {
    fn drop(&mut self) {
        self.arbiter.stop();
    }
}

/// A connection of tokio-rusqlite's, in a thread of its own.
pub(crate) struct TokioRusqlite(tokio_rusqlite::Connection);

impl TokioRusqlite {
    pub(crate) fn start(runtime: &Runtime) -> Self {
        let connection = runtime.block_on(tokio_rusqlite::Connection::open_in_memory());
        Self(connection.expect("it opens"))
    }

    /// The connection has no room for a sum.
    pub(crate) async fn add(&self, number: u64) -> u64 {
        self.0.call(move |_| rusqlite::Result::<u64>::Ok(number + 1)).await.expect("it runs")
    }

    pub(crate) async fn select(&self, number: u64) -> u64 {
        self.0.call(move |connection| select(connection, number)).await.expect("it runs")
    }
}

/// `SELECT 1`, and the number.
pub(crate) fn select(connection: &rusqlite::Connection, number: u64) -> rusqlite::Result<u64> {
    let one: u32 = connection.prepare_cached("SELECT 1")?.query_row([], |row| row.get(0))?;
    Ok(number + u64::from(one))
}

/// A value under deadpool's lock, for the threads of `spawn_blocking`.
pub(crate) struct Deadpool(SyncWrapper<Sum>);

impl Deadpool {
    pub(crate) fn start(runtime: &Runtime) -> Self {
        let make = SyncWrapper::new(deadpool_runtime::Runtime::Tokio1, || Ok::<_, Infallible>(Sum(0)));
        Self(runtime.block_on(make).expect("it can be made"))
    }

    pub(crate) async fn add(&self, number: u64) -> u64 {
        self.0.interact(move |sum| sum.add(number)).await.expect("it runs")
    }
}
