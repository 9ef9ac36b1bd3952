//! Hosts that are runtimes.

use caller::{BoxError, Host, LocalFuture};
use tokio::runtime::{Builder, Runtime};

/// A host that is a runtime.
#[derive(Debug)]
pub(crate) struct Loop(&'static str, fn(LocalFuture<'static>));

impl Host for Loop {
    fn name(&self) -> &'static str {
        self.0
    }

    fn run(&self, program: LocalFuture<'static>) -> Result<(), BoxError> {
        (self.1)(program);
        Ok(())
    }
}

pub(crate) const ON_TOKIO: Loop = Loop("on tokio", |program| runtime().block_on(program));

pub(crate) const ON_ASYNC_STD: Loop = Loop("on async-std", async_std::task::block_on);

pub(crate) const ON_SMOL: Loop = Loop("on smol", async_io::block_on);

pub(crate) fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("a runtime can be made")
}
