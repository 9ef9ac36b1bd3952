//! Hosts that are runtimes.

use async_std::task;
use caller::{BoxError, Host, LocalFuture};
use tokio::runtime::{Builder, Runtime};

/// A host that is a runtime, or nothing at all.
#[derive(Debug)]
pub(crate) struct Loop(pub(crate) &'static str, pub(crate) fn(LocalFuture<'static>) -> Result<(), BoxError>);

impl Host for Loop {
    fn name(&self) -> &'static str {
        self.0
    }

    fn run(&self, program: LocalFuture<'static>) -> Result<(), BoxError> {
        (self.1)(program)
    }
}

pub(crate) const ON_TOKIO: Loop = Loop("on tokio", |program| {
    runtime().block_on(program);
    Ok(())
});

pub(crate) const ON_ASYNC_STD: Loop = Loop("on async-std", |program| {
    task::block_on(program);
    Ok(())
});

pub(crate) fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("a runtime can be made")
}
