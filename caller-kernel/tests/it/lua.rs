//! Lua cells, on a caller with the tokio backend.

mod calls;
mod cells;
mod console;
mod exposed;
mod hostile;
mod interrupts;
mod questions;

use std::{cell::Cell as StdCell, sync::Arc};

use caller::{Caller, LocalFuture};
use caller_kernel::{
    lua::{LuaLanguage, LuaShell},
    shell::{Cell, CellError, MimeBundle, Shell},
};
use caller_tokio::Tokio;

use crate::recording::{Recording, bundle};

/// A shell with a front end that writes down what happens.
pub(crate) struct Notebook {
    pub(crate) shell: LuaShell,
    pub(crate) output: Arc<Recording>,
    count: StdCell<u32>,
}

impl Notebook {
    /// One on the caller of this thread.
    pub(crate) fn new(language: &LuaLanguage) -> Self {
        Self { shell: language.make().unwrap(), output: Recording::new(), count: StdCell::new(0) }
    }

    /// The cell as it goes to the shell.
    pub(crate) fn cell(&self, code: &str) -> Cell {
        self.count.set(self.count.get() + 1);
        Cell::new(code, self.count.get(), self.output.clone())
    }

    pub(crate) fn execute(&self, code: &str) -> LocalFuture<'static, Result<Option<MimeBundle>, CellError>> {
        self.shell.execute(self.cell(code))
    }

    /// Runs a cell, and gives all that came of it.
    pub(crate) async fn run(&self, code: &str) -> String {
        match self.execute(code).await {
            Ok(None) => {}
            Ok(Some(result)) => self.output.put(format!("result:{}", bundle(&result))),
            Err(error) => self.output.put(error.traceback.join("\n")),
        }
        self.output.take()
    }

    /// The error that a cell ends with.
    pub(crate) async fn error(&self, code: &str) -> CellError {
        let error = self.execute(code).await.expect_err("the cell should fail");
        self.output.take();
        error
    }
}

/// Runs a test on a caller of its own.
pub(crate) fn on_caller<T: Send + 'static>(test: impl AsyncFnOnce() -> T + Send + 'static) -> T {
    let caller = Caller::builder().name("shell").backend(Tokio::new()).spawn().unwrap();
    let given = caller.call_soon(test).wait_blocking();
    caller.stop();
    caller.stopped().blocking().unwrap();
    given.unwrap()
}

/// Runs a test with a notebook of this language.
pub(crate) fn notebook_of(language: LuaLanguage, test: impl AsyncFnOnce(Notebook) + Send + 'static) {
    on_caller(async move || test(Notebook::new(&language)).await);
}

pub(crate) fn notebook(test: impl AsyncFnOnce(Notebook) + Send + 'static) {
    notebook_of(LuaLanguage::new(), test);
}
