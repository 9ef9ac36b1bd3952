//! The measurements in SQLite, in its thread.

use std::{
    path::PathBuf,
    time::{SystemTime, UNIX_EPOCH},
};

use caller::{Caller, current_pending};
use rusqlite::Connection;

/// How many instructions of SQLite's machine run between two looks: some microseconds.
const INSTRUCTIONS: i32 = 1_000;

/// How many rows a search gives at once.
const PAGE: usize = 4_000;

/// How long ago the measurement before was made, in the history that is made up.
const SECONDS_BETWEEN: i64 = 20;

/// Where it is measured.
pub(crate) const STATIONS: [&str; 8] =
    ["Aldborough", "Brecon", "Carnforth", "Dunbar", "Ely", "Falmouth", "Glossop", "Harwich"];

/// A measurement.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Measurement {
    /// When, in seconds since 1970.
    pub(crate) time: i64,
    /// Which of the stations.
    pub(crate) station: u8,
    /// The temperature, in degrees Celsius.
    pub(crate) value: f32,
}

impl Measurement {
    pub(crate) fn now(station: u8, value: f32) -> Self {
        let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        Self { time: time.try_into().unwrap_or_default(), station, value }
    }

    pub(crate) fn station(self) -> &'static str {
        STATIONS.get(usize::from(self.station)).copied().unwrap_or("elsewhere")
    }
}

/// What is searched for.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Query {
    /// A part of the station's name.
    pub(crate) station: String,
    /// The least temperature.
    pub(crate) least: f32,
}

/// A connection, which stays in one thread.
pub(crate) struct Database {
    connection: Connection,
}

impl Database {
    /// Opens a file, or a database in memory. An empty one gets a history of so many rows.
    pub(crate) fn open(file: Option<PathBuf>, rows: u32) -> rusqlite::Result<Self> {
        let connection = match file {
            Some(file) => Connection::open(file)?,
            None => Connection::open_in_memory()?,
        };
        connection.execute_batch(
            "CREATE TABLE IF NOT EXISTS measurements
                (id INTEGER PRIMARY KEY, time INTEGER NOT NULL, station INTEGER NOT NULL, value REAL NOT NULL) STRICT",
        )?;
        connection.progress_handler(INSTRUCTIONS, Some(is_given_up))?;
        let mut database = Self { connection };
        database.fill(rows)?;
        Ok(database)
    }

    fn fill(&mut self, rows: u32) -> rusqlite::Result<()> {
        let is_empty = "SELECT NOT EXISTS (SELECT * FROM measurements)";
        if !self.connection.query_row(is_empty, [], |row| row.get(0))? {
            return Ok(());
        }
        let transaction = self.connection.transaction()?;
        {
            let mut insert = transaction.prepare(INSERT)?;
            let mut weather = Weather::default();
            for ago in (0..i64::from(rows)).rev() {
                let now = weather.measure();
                insert.insert((now.time - ago * SECONDS_BETWEEN, now.station, now.value))?;
            }
        }
        transaction.commit()
    }

    /// Adds a measurement.
    pub(crate) fn add(&self, new: Measurement) -> rusqlite::Result<()> {
        self.connection.prepare_cached(INSERT)?.insert((new.time, new.station, new.value)).map(drop)
    }

    /// Searches, the newest first, and gives what it finds to `found`, page by page. Gives all temperatures.
    ///
    /// It is interrupted when the call that it runs in is cancelled.
    pub(crate) fn search(
        &self,
        query: &Query,
        mut found: impl FnMut(Vec<Measurement>),
    ) -> rusqlite::Result<Vec<f32>> {
        let wanted = query.station.to_lowercase();
        let stations = STATIONS.iter().map(|name| name.to_lowercase().contains(&wanted));
        let stations = stations.rev().fold(0_u32, |all, wanted| all << 1 | u32::from(wanted));
        let mut select = self.connection.prepare_cached(
            "SELECT time, station, value FROM measurements WHERE (?1 >> station) & 1 AND value >= ?2 ORDER BY id DESC",
        )?;
        let (mut values, mut page) = (Vec::new(), Vec::new());
        let mut rows = select.query((stations, query.least))?;
        while let Some(row) = rows.next()? {
            let next = Measurement { time: row.get(0)?, station: row.get(1)?, value: row.get(2)? };
            values.push(next.value);
            page.push(next);
            if page.len() == PAGE {
                found(std::mem::take(&mut page));
            }
        }
        found(page);
        Ok(values)
    }
}

const INSERT: &str = "INSERT INTO measurements (time, station, value) VALUES (?1, ?2, ?3)";

/// Whether the call that runs here was cancelled, or its caller stops. SQLite asks in the thread of the call.
fn is_given_up() -> bool {
    current_pending().is_some_and(|call| call.is_cancelled())
        || Caller::current().is_ok_and(|caller| !caller.is_running())
}

/// Weather that is made up: each station has its own, and it changes slowly.
#[derive(Default)]
pub(crate) struct Weather {
    next: u8,
    deviations: [f32; STATIONS.len()],
}

impl Weather {
    /// Measures at the next station.
    pub(crate) fn measure(&mut self) -> Measurement {
        let station = self.next;
        self.next = (station + 1) % STATIONS.len() as u8;
        let deviation = &mut self.deviations[usize::from(station)];
        *deviation = 0.96 * *deviation + 2.4 * (fastrand::f32() - 0.5);
        Measurement::now(station, 8.0 + 1.5 * f32::from(station) + *deviation)
    }
}
