//! What a caller is built with, and where it stands in its life.

use std::{fmt, time::Duration};

/// What a caller was built with, beside its name and backend.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Options {
    pub(crate) protected: bool,
    pub(crate) pool: PoolSettings,
    /// Its parent's pool has made it.
    pub(crate) worker: bool,
}

/// How many workers serve [`Caller::to_thread`](crate::Caller::to_thread), and how long they stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PoolSettings {
    /// How many workers there are at most; calls beyond wait in order. 512 unless set. Calls made from the pool's
    /// own workers may exceed it, since their callers may wait for them.
    pub limit: usize,
    /// How many idle workers are kept. 10 unless set.
    pub max_idle: usize,
    /// How long an idle worker is kept, at least. 60 s unless set; zero keeps it for good.
    pub idle_time: Duration,
}

impl Default for PoolSettings {
    fn default() -> Self {
        Self { limit: 512, max_idle: 10, idle_time: Duration::from_secs(60) }
    }
}

impl PoolSettings {
    /// Sets how many workers there are at most.
    #[must_use]
    pub fn limit(mut self, limit: usize) -> Self {
        self.limit = limit;
        self
    }

    /// Sets how many idle workers are kept.
    #[must_use]
    pub fn max_idle(mut self, max_idle: usize) -> Self {
        self.max_idle = max_idle;
        self
    }

    /// Sets how long an idle worker is kept; zero keeps it for good.
    #[must_use]
    pub fn idle_time(mut self, idle_time: Duration) -> Self {
        self.idle_time = idle_time;
        self
    }
}

/// Where a caller stands in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CallerState {
    /// It was built and does not run. Calls wait.
    Initial,
    /// It runs calls.
    Running,
    /// It refuses calls, and ends those that it has.
    Stopping,
    /// Everything has ended.
    Stopped,
}

impl fmt::Display for CallerState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Initial => "not running",
            Self::Running => "running",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
        })
    }
}
