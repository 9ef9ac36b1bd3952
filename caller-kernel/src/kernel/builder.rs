//! The options of a kernel.

use std::{collections::BTreeMap, fmt, path::PathBuf, sync::Arc, time::Duration};

use caller::Caller;

use super::{Kernel, error::KernelError, life, options::Options};
use crate::{
    connection::Connection,
    lua::{Exposed, LuaLanguage},
    shell::{Language, SharedLanguage},
    zmtp::Limits,
};

/// Options of a kernel; made by [`Kernel::builder`].
#[must_use = "a builder does nothing until `start`"]
pub struct KernelBuilder {
    name: String,
    language: Option<SharedLanguage>,
    exposed: Exposed,
    connection: Option<Connection>,
    connection_file: Option<PathBuf>,
    callers: BTreeMap<String, Caller>,
    history: Option<PathBuf>,
    cell_timeout: Option<Duration>,
    quiet: bool,
    stop_on_signals: bool,
    limits: Limits,
}

impl Kernel {
    /// Options of a kernel to start.
    pub fn builder() -> KernelBuilder {
        KernelBuilder::new()
    }
}

impl KernelBuilder {
    fn new() -> Self {
        Self {
            name: String::new(),
            language: None,
            exposed: Exposed::new(),
            connection: None,
            connection_file: None,
            callers: BTreeMap::new(),
            history: None,
            cell_timeout: None,
            quiet: true,
            stop_on_signals: false,
            limits: Limits::default(),
        }
    }

    /// What the names of the kernel's callers begin with, and so those of its threads: with `db`, the shell's is
    /// `db Shell`. Nothing unless set.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// The language of cells: [`LuaLanguage`] unless set.
    pub fn language(mut self, language: impl Language) -> Self {
        self.language = Some(Arc::new(language));
        self
    }

    /// Adds functions and values of the program, for cells in Lua. A [`language`](Self::language) that is given has its
    /// own way to them.
    pub fn expose(mut self, exposed: Exposed) -> Self {
        self.exposed = self.exposed.and(exposed);
        self
    }

    /// Where to listen. Unless set, what the connection file says if it is there, and else ports of this machine that are
    /// free, with a key of its own.
    pub fn connection(mut self, connection: Connection) -> Self {
        self.connection = Some(connection);
        self
    }

    /// The file by which clients find the kernel. One that is not there is written, for its owner alone, and removed when the
    /// kernel stops; a program that ends without stopping it leaves it behind. One that is there says where to listen; it stays, and is written if there was something to choose.
    pub fn connection_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.connection_file = Some(path.into());
        self
    }

    /// Lets cells be sent to one of the program's callers, by this name: `-- caller name=gui` as their first line. They
    /// run in its thread, in a shell that stays there until the kernel or that caller stops.
    pub fn caller(mut self, name: impl Into<String>, caller: &Caller) -> Self {
        self.callers.insert(name.into(), caller.clone());
        self
    }

    /// The file in which the history of cells is kept, as JSON, a line for each. Several kernels may share it. In memory alone
    /// unless set.
    pub fn history(mut self, path: impl Into<PathBuf>) -> Self {
        self.history = Some(path.into());
        self
    }

    /// How long a cell may take, unless it says so itself (`timeout=2.5` in its first line or as a tag, in seconds). No limit
    /// unless set.
    pub fn cell_timeout(mut self, time: Duration) -> Self {
        self.cell_timeout = Some(time);
        self
    }

    /// Whether what cells print goes to front ends alone. If not, it is written to the program's own stdout and stderr too.
    /// On unless set.
    pub fn quiet(mut self, quiet: bool) -> Self {
        self.quiet = quiet;
        self
    }

    /// Has signals of the process mean the kernel, for a process that is nothing else: SIGINT interrupts the cell that runs,
    /// or stops the kernel if there is none; SIGTERM and SIGHUP stop it. On Windows, so do Ctrl-C, and the end of the
    /// console and of the system. Off unless set.
    ///
    /// It holds from before there is anything to clean up, and for the life of the process: these signals do not end it any
    /// more, even after the kernel has stopped.
    pub fn stop_on_signals(mut self, stop: bool) -> Self {
        self.stop_on_signals = stop;
        self
    }

    /// What a front end may leave unread: little, so that a test need not print much.
    #[cfg(test)]
    pub(crate) fn unread(mut self, unread: [usize; 3]) -> Self {
        self.limits.unread = unread;
        self
    }

    /// Starts it beside what runs, in threads of its own. When this returns, it listens.
    ///
    /// # Blocking
    ///
    /// For some milliseconds, until it listens and the shell is there. No runtime is needed in this thread.
    ///
    /// # Errors
    ///
    /// [`KernelError::Running`] if this process has a kernel; otherwise what could not be had. Then nothing is left of it,
    /// and another can be started.
    pub fn start(self) -> Result<Kernel, KernelError> {
        let Self { exposed, language, .. } = self;
        let language = language.unwrap_or_else(|| Arc::new(LuaLanguage::new().expose(exposed)));
        let life = life::start(Options {
            name: if self.name.is_empty() { String::new() } else { format!("{} ", self.name) },
            language,
            connection: self.connection,
            connection_file: self.connection_file,
            callers: self.callers,
            history: self.history,
            cell_timeout: self.cell_timeout,
            quiet: self.quiet,
            stop_on_signals: self.stop_on_signals,
            limits: self.limits,
        })?;
        Ok(Kernel(life))
    }
}

impl fmt::Debug for KernelBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KernelBuilder")
            .field("name", &self.name)
            .field("connection", &self.connection)
            .field("connection_file", &self.connection_file)
            .field("callers", &self.callers)
            .finish_non_exhaustive()
    }
}
