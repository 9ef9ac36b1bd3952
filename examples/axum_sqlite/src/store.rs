//! The database, in its thread.

use std::path::PathBuf;

use caller::{Caller, current_pending};
use rusqlite::{Connection, ErrorCode};
use serde::Serialize;

/// How many instructions of SQLite's machine run between two looks: some microseconds.
const INSTRUCTIONS: i32 = 1_000;

/// A row.
#[derive(Debug, Serialize)]
pub struct Note {
    /// Its number.
    pub id: i64,
    /// Its text.
    pub text: String,
}

/// Notes in a SQLite database. Its connection stays in one thread; a [`StoreHandle`] goes everywhere, and has the same
/// methods, each of which gives a pending.
#[derive(Debug)]
pub struct Store {
    connection: Connection,
}

#[caller::resident]
impl Store {
    /// Opens a file, or a database in memory.
    ///
    /// # Errors
    ///
    /// Those of SQLite.
    pub fn open(file: Option<PathBuf>) -> rusqlite::Result<Self> {
        let connection = match file {
            Some(file) => Connection::open(file)?,
            None => Connection::open_in_memory()?,
        };
        connection.execute_batch(
            "CREATE TABLE IF NOT EXISTS notes (id INTEGER PRIMARY KEY, text TEXT NOT NULL) STRICT",
        )?;
        connection.progress_handler(INSTRUCTIONS, Some(is_given_up))?;
        Ok(Self { connection })
    }

    /// All notes.
    ///
    /// # Errors
    ///
    /// Those of SQLite.
    pub fn notes(&self) -> rusqlite::Result<Vec<Note>> {
        let mut statement = self.connection.prepare_cached("SELECT id, text FROM notes ORDER BY id")?;
        let notes = statement.query_map([], |row| Ok(Note { id: row.get(0)?, text: row.get(1)? }))?;
        notes.collect()
    }

    /// Adds a note, and gives its number.
    ///
    /// # Errors
    ///
    /// Those of SQLite.
    pub fn add(&self, text: String) -> rusqlite::Result<i64> {
        self.connection.prepare_cached("INSERT INTO notes (text) VALUES (?1)")?.insert([text])
    }

    /// Counts in SQL: a query that takes as long as one likes.
    ///
    /// # Errors
    ///
    /// Those of SQLite; it is interrupted when the call is cancelled.
    pub fn count(&self, limit: i64) -> rusqlite::Result<i64> {
        let sql = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1) SELECT max(i) FROM n";
        self.connection.prepare_cached(sql)?.query_row([limit], |row| row.get(0))
    }
}

/// Whether the call that runs here was cancelled, or its caller stops. SQLite asks in the thread of the call.
fn is_given_up() -> bool {
    current_pending().is_some_and(|call| call.is_cancelled())
        || Caller::current().is_ok_and(|caller| !caller.is_running())
}

/// Whether SQLite was interrupted.
pub(crate) fn is_interrupt(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted)
}
