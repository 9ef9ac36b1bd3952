//! The pending of a call, as an object of Lua.

use std::{cell::RefCell, fmt, rc::Rc};

use caller::{Pending, PendingHandle};
use mlua::{IntoLua, Lua, MultiValue, Value};

use super::slot::Slot;
use crate::lua::{
    callable::Given,
    message::error_text,
    raise::{Outcome, Raise},
};

/// A pending of Lua.
pub(crate) struct PendingObject {
    pub(super) handle: PendingHandle,
    pending: RefCell<Option<Pending<Given>>>,
    slot: Option<Rc<Slot>>,
    outcome: RefCell<Option<Result<MultiValue, Value>>>,
}

impl PendingObject {
    pub(crate) fn new(pending: Pending<Given>, slot: Option<Rc<Slot>>) -> Self {
        Self {
            handle: pending.handle(),
            pending: RefCell::new(Some(pending)),
            slot,
            outcome: RefCell::default(),
        }
    }

    /// The outcome, which all who ask get. None if there is none yet.
    pub(super) fn outcome(&self, lua: &Lua) -> Option<Result<MultiValue, Value>> {
        if let Some(outcome) = &*self.outcome.borrow() {
            return Some(outcome.clone());
        }
        if !self.handle.is_done() {
            return None;
        }
        let given = self.pending.take()?.try_result();
        let here = self.slot.as_ref().and_then(|slot| slot.take());
        let as_value = |text: String| text.into_lua(lua).unwrap_or(Value::Nil);
        let outcome = match (given, here) {
            (Ok(Given::Made(make)), _) => make(lua).map_err(|error| as_value(error.to_string())),
            (Ok(Given::Here), Some(outcome)) => outcome.map_err(|failure| failure.value),
            (Ok(Given::Here), None) => Ok(MultiValue::new()),
            (Err(_), Some(Err(failure))) => Err(failure.value),
            (Err(error), _) => Err(as_value(error_text(&error))),
        };
        *self.outcome.borrow_mut() = Some(outcome.clone());
        Some(outcome)
    }

    pub(super) fn result(&self, lua: &Lua) -> Outcome<MultiValue> {
        match self.outcome(lua) {
            Some(outcome) => outcome.map_err(Raise::Value),
            None => Err("not done yet; use `wait`, or ask `done` first".into()),
        }
    }

    fn state(&self) -> &'static str {
        match (self.handle.is_done(), self.handle.is_cancelled()) {
            (true, true) => "cancelled",
            (true, false) if matches!(self.handle.error(), Ok(Some(_))) => "failed",
            (true, false) => "done",
            (false, true) => "cancelling",
            (false, false) => "pending",
        }
    }
}

impl fmt::Display for PendingObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<pending: {}>", self.state())
    }
}
