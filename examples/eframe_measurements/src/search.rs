//! A search while one types: the next one cancels the one before.

use std::{cell::Cell, time::Duration};

use caller::{Caller, PendingHandle, Resident, Result};
use tokio::time::sleep;

use crate::{
    chart::Distribution,
    database::{Database, Query},
    view::View,
};

/// How long the query has to stay the same.
const TYPING: Duration = Duration::from_millis(150);

/// What begins and cancels searches, in the window's thread.
pub(crate) struct Search {
    gui: Caller,
    view: Resident<View>,
    database: Resident<Database>,
    running: Cell<Option<PendingHandle>>,
}

impl Search {
    pub(crate) fn new(gui: &Caller, view: &Resident<View>, database: &Resident<Database>) -> Self {
        let (gui, view, database) = (gui.clone(), view.clone(), database.clone());
        Self { gui, view, database, running: Cell::new(None) }
    }

    /// Begins a search, and cancels the one that runs.
    pub(crate) fn begin(&self, query: Query) {
        self.cancel("the query is another");
        let (gui, view, database) = (self.gui.clone(), self.view.clone(), self.database.clone());
        let search = self.gui.call_soon_local(async move || {
            let ended = search(&gui, &view, &database, query).await;
            // A view that has ended shows nothing.
            let _shown = view.with_mut(|view| match ended {
                Ok(distribution) => view.finish(distribution),
                Err(error) => view.fail(&error.to_string()),
            });
        });
        self.running.set(search.ok().map(|search| search.handle()));
    }

    /// Cancels the search that runs, if one does: its future is dropped, which cancels the call of the database, and that
    /// has SQLite interrupted.
    pub(crate) fn cancel(&self, reason: &str) {
        if self.running.take().is_some_and(|running| running.cancel(reason)) {
            let _shown = self.view.with_mut(View::cancel);
        }
    }
}

async fn search(
    gui: &Caller,
    view: &Resident<View>,
    database: &Resident<Database>,
    query: Query,
) -> Result<Distribution> {
    sleep(TYPING).await;
    let number = view.with_mut(View::begin)?;
    let shows = view.clone();
    let found = database.try_call(async move |database| {
        database.search(&query, |page| drop(shows.run(move |view| view.add_found(number, page))))
    });
    let temperatures = found.await?;
    // It sorts all of them: this is for a worker.
    gui.to_thread(async move || Distribution::of(temperatures)).await
}
