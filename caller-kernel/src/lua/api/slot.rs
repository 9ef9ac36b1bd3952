//! Where the values of a call stay that ran in this state.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    sync::Arc,
};

use caller::PendingGroup;
use mlua::MultiValue;

use crate::{
    lua::{
        callable::Given,
        failure::{Failure, SentFailure},
    },
    shell::{Output, Stream},
};

/// Where a call that runs in this state leaves what it gives.
pub(crate) struct Slot {
    values: RefCell<Option<Result<MultiValue, Failure>>>,
    /// Whether somebody asked.
    asked: Cell<bool>,
    /// Where a failure goes that nobody asked for.
    output: Option<Arc<dyn Output>>,
}

impl Slot {
    pub(crate) fn new() -> Rc<Self> {
        // What fails in a group is told by the group.
        let asked = Cell::new(PendingGroup::current().is_some());
        Rc::new(Self { values: RefCell::default(), asked, output: <dyn Output>::current() })
    }

    /// Leaves it there, and says what its pending is to say.
    pub(crate) fn put(&self, outcome: Result<MultiValue, Failure>) -> Result<Given, SentFailure> {
        let told = outcome.as_ref().err().map(|failure| SentFailure(failure.clone().into_cell_error()));
        *self.values.borrow_mut() = Some(outcome);
        told.map_or(Ok(Given::Here), Err)
    }

    /// Takes it, for somebody who asks.
    pub(super) fn take(&self) -> Option<Result<MultiValue, Failure>> {
        self.asked.set(true);
        self.values.take()
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if let (Some(Err(failure)), false, Some(output)) =
            (self.values.take(), self.asked.get(), &self.output)
        {
            let lines = failure.into_cell_error().traceback.join("\n");
            output.stream(Stream::Stderr, &format!("a call failed, and nobody waited for it\n{lines}\n"));
        }
    }
}
