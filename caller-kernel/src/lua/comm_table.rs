//! The comms of a state: which are open, and which targets have handlers.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

use mlua::Function;

use crate::shell::CommInfo;

/// The comms of a state.
#[derive(Default)]
pub(crate) struct CommTable {
    pub(super) targets: RefCell<BTreeMap<String, Function>>,
    pub(super) open: RefCell<BTreeMap<String, Rc<Comm>>>,
}

/// An open comm, and its handlers.
pub(super) struct Comm {
    pub(super) id: String,
    pub(super) target: String,
    pub(super) on_message: RefCell<Option<Function>>,
    pub(super) on_close: RefCell<Option<Function>>,
}

impl CommTable {
    pub(crate) fn list(&self, target: Option<&str>) -> Vec<CommInfo> {
        let open = self.open.borrow();
        let wanted = open.values().filter(|comm| target.is_none_or(|target| comm.target == target));
        wanted.map(|comm| CommInfo { id: comm.id.clone(), target: comm.target.clone() }).collect()
    }

    pub(super) fn add(&self, id: &str, target: &str) -> Rc<Comm> {
        let comm = Rc::new(Comm {
            id: id.to_owned(),
            target: target.to_owned(),
            on_message: RefCell::default(),
            on_close: RefCell::default(),
        });
        self.open.borrow_mut().insert(id.to_owned(), comm.clone());
        comm
    }
}
