//! Code of users that asks the object that it is called from.

use std::{
    error::Error as StdError,
    fmt,
    future::pending,
    sync::{Arc, mpsc},
};

use crate::{
    Caller, ContextVar, PendingGroup, PoolSettings, Resolver,
    testing::{Fixture, Running, probe::SOON},
};

type Ask = fn(&Arc<PendingGroup>);

/// An error that asks its group something when it is shown.
struct Asks {
    group: Arc<PendingGroup>,
    ask: Ask,
}

impl fmt::Debug for Asks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Asks")
    }
}

impl fmt::Display for Asks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (self.ask)(&self.group);
        f.write_str("asked")
    }
}

impl StdError for Asks {}

/// A group whose member fails with such an error ends, and its caller goes on.
fn an_error_asks<F: Fixture>(ask: Ask) {
    let caller = F::new().caller();
    let here = caller.0.clone();
    let ran = caller.call_soon(async move || {
        let ended = here.group().run(async move |group: Arc<PendingGroup>| {
            drop(group.call_soon(async || pending::<()>().await));
            let own = group.clone();
            drop(group.try_call_soon(async move || Err::<(), _>(Asks { group: own, ask })));
            pending::<()>().await;
        });
        ended.await.unwrap_err().is_failed()
    });
    assert!(ran.wait().timeout(SOON).blocking().expect("the group ends"));
    assert_eq!(caller.call_soon(async || 7).wait().timeout(SOON).blocking().expect("a new call ends"), 7);
}

pub fn an_error_asks_how_large_its_group_is<F: Fixture>() {
    an_error_asks::<F>(|group| assert!(group.len() <= 1));
}

pub fn an_error_shows_its_group<F: Fixture>() {
    an_error_asks::<F>(|group| assert!(group.to_string().contains("PendingGroup")));
}

pub fn an_error_cancels_its_group<F: Fixture>() {
    an_error_asks::<F>(|group| assert!(group.cancel("from the error")));
}

/// A destructor in the context of a call that waited for a worker asks about the pool.
pub fn a_destructor_asks_about_the_pool_that_drops_it<F: Fixture>() {
    struct Asks(Caller, mpsc::Sender<()>);
    impl Drop for Asks {
        fn drop(&mut self) {
            let _workers = self.0.workers();
            let _nobody = self.1.send(());
        }
    }
    static HELD: ContextVar<Asks> = ContextVar::new();
    let fixture = F::new();
    let pool = PoolSettings::default().limit(1);
    let caller = Running(fixture.builder().pool(pool).spawn().unwrap());
    let (resolver, gate) = Resolver::<()>::new();
    let busy = caller.to_thread(async move || gate.await.unwrap());
    let (sender, dropped) = mpsc::channel();
    let asks = Asks(caller.0.clone(), sender);
    let waits = HELD.sync_scope(asks, || caller.to_thread(async || ()));
    assert!(waits.cancel("changed my mind"));
    drop(waits);
    resolver.resolve(()).unwrap();
    busy.wait().timeout(SOON).blocking().expect("the worker is given back");
    dropped.recv_timeout(SOON).expect("the call that waited is freed");
    assert_eq!(caller.to_thread(async || 7).wait().timeout(SOON).blocking().expect("a worker is free"), 7);
}
