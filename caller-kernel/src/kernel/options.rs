//! What a kernel is started with.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use caller::Caller;

use crate::{connection::Connection, shell::SharedLanguage, zmtp::Limits};

/// What a kernel is started with.
pub(crate) struct Options {
    pub(crate) name: String,
    pub(crate) language: SharedLanguage,
    pub(crate) connection: Option<Connection>,
    pub(crate) connection_file: Option<PathBuf>,
    pub(crate) callers: BTreeMap<String, Caller>,
    pub(crate) history: Option<PathBuf>,
    pub(crate) cell_timeout: Option<Duration>,
    pub(crate) quiet: bool,
    pub(crate) stop_on_signals: bool,
    pub(crate) limits: Limits,
}
