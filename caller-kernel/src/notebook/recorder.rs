//! The front end of a cell that runs without one.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use caller::{Pending, Resolver};

use super::outputs::Sheet;
use crate::shell::{CommMessage, Display, Output, Stream};

/// The outputs of all cells, for all threads.
#[derive(Clone, Debug, Default)]
pub(super) struct SharedSheet(Arc<Mutex<Sheet>>);

impl SharedSheet {
    pub(super) fn new(cells: usize) -> Self {
        Self(Arc::new(Mutex::new(Sheet::new(cells))))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Sheet> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Records the outputs of one cell; also those that come after it has ended, as Jupyter does.
pub(super) struct Recorder {
    sheet: SharedSheet,
    cell: usize,
}

impl Recorder {
    pub(super) fn new(sheet: SharedSheet, cell: usize) -> Arc<Self> {
        Arc::new(Self { sheet, cell })
    }
}

impl Output for Recorder {
    fn stream(&self, stream: Stream, text: &str) {
        self.sheet.lock().stream(self.cell, stream, text);
    }

    fn display(&self, display: Display) {
        self.sheet.lock().display(self.cell, display);
    }

    fn clear_output(&self, wait: bool) {
        self.sheet.lock().clear(self.cell, wait);
    }

    fn input(&self, _prompt: &str, _password: bool) -> Pending<String> {
        let (resolver, pending) = Resolver::new();
        resolver.fail(
            "nobody is there to answer: this notebook runs without a front end; set the value in a cell",
        );
        pending
    }

    // There is no widget to talk to: what a comm would show is not recorded.
    fn comm_open(&self, _id: &str, _target: &str, _message: CommMessage) {}

    fn comm_message(&self, _id: &str, _message: CommMessage) {}

    fn comm_close(&self, _id: &str, _message: CommMessage) {}
}
