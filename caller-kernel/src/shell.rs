//! A language of cells, as the kernel sees it.
//!
//! A [`Language`] is `Send + Sync`: it describes itself, and makes a [`Shell`] in the thread of the caller that is to run
//! its cells. A shell never leaves that thread. What a cell prints, displays and asks goes through its [`Output`], which
//! travels as context ([`OUTPUT`]): so does what is printed by the calls it makes, on any caller, and later.

mod mime;

mod comm;

mod output;

mod cell;

mod interrupt;

mod replies;

mod run_mode;

mod guard;

mod handle;

pub(crate) mod threads;

use std::{any::Any, fmt, sync::Arc};

use caller::LocalFuture;

pub(crate) use self::{
    cell::INTERRUPTED,
    guard::guarded,
    handle::ShellHandle,
    mime::is_json,
    run_mode::{Mode, RunMode, unknown_caller},
};
pub use self::{
    cell::{Cell, CellError},
    comm::{CommInfo, CommMessage},
    interrupt::{Interrupted, Interrupter},
    mime::{Data, MimeBundle},
    output::{Display, OUTPUT, Output, Stream},
    replies::{Completion, Detail, HelpLink, Inspection, IsComplete, LanguageInfo, Match},
};

/// A language: what it is called, and how a shell of it is made. One value of it serves all threads.
pub trait Language: fmt::Debug + Send + Sync + 'static {
    /// What front ends are told of it: the `language_info` of a `kernel_info_reply`, the banner and the links.
    fn info(&self) -> LanguageInfo;

    /// Makes a shell in this thread, for the caller of this thread.
    ///
    /// # Errors
    ///
    /// If there is no caller here, or the shell cannot be made; the text says why.
    fn shell(&self) -> Result<Box<dyn Shell>, CellError>;
}

/// Makes a [`Language`] into what a kernel keeps.
pub type SharedLanguage = Arc<dyn Language>;

/// Runs cells of one language in the thread it was made in.
///
/// The futures own what they need: they do not borrow the shell, and several of them may be polled in turn. Dropping
/// one ends what it ran, where that awaits.
pub trait Shell: 'static {
    /// Runs a cell, and gives what it ends in: `None` for no result.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future stops the cell where it awaits, and wherever it had been suspended for others to run.
    fn execute(&self, cell: Cell) -> LocalFuture<'static, Result<Option<MimeBundle>, CellError>>;

    /// Evaluates an expression for the `user_expressions` of a cell that has run.
    fn evaluate(&self, expression: &str, cell: &Cell) -> LocalFuture<'static, Result<MimeBundle, CellError>>;

    /// What could stand at the cursor, which is counted in unicode code points.
    fn complete(&self, code: &str, cursor: usize) -> Completion;

    /// What is known about what stands at the cursor, which is counted in unicode code points.
    fn inspect(&self, code: &str, cursor: usize, detail: Detail) -> Option<Inspection>;

    /// Whether the code could be run as it is.
    fn is_complete(&self, code: &str) -> IsComplete;

    /// What the history keeps of a cell that is to run: its text, unless the language knows better, as where it has a secret.
    /// Nothing of it, nor of what it ends in, if it is `None`.
    fn history_input(&self, code: &str) -> Option<String> {
        Some(code.to_owned())
    }

    /// What the history keeps of what a cell ended in: its plain text, unless the language knows better.
    fn history_output(&self, result: &MimeBundle) -> Option<String> {
        result.plain().map(str::to_owned)
    }

    /// A handle that stops what runs here, from any thread.
    fn interrupter(&self) -> Interrupter;

    /// A front end opened a comm. False if nobody here knows its target: then the kernel closes it.
    fn comm_open(&self, id: &str, target: &str, message: CommMessage) -> LocalFuture<'static, bool>;

    /// A front end sent a message on a comm. Messages on unknown comms are ignored.
    fn comm_message(&self, id: &str, message: CommMessage) -> LocalFuture<'static, ()>;

    /// A front end closed a comm.
    fn comm_close(&self, id: &str, message: CommMessage) -> LocalFuture<'static, ()>;

    /// The comms that are open, of one target if it is named.
    fn comms(&self, target: Option<&str>) -> Vec<CommInfo>;

    /// Its globals that are plain data, for a shell of the same language in another thread. `None` if it has no such notion.
    fn snapshot(&self) -> Option<Snapshot> {
        None
    }

    /// Takes over what another shell's [`snapshot`](Self::snapshot) holds. What is not of this language is ignored.
    fn restore(&self, snapshot: &Snapshot) {
        let _ = snapshot;
    }
}

/// The plain data of a shell, on its way to another thread. Cheap to clone.
#[derive(Clone)]
pub struct Snapshot(Arc<dyn Any + Send + Sync>);

impl Snapshot {
    /// Wraps what a shell gives of itself.
    pub fn new<T: Send + Sync + 'static>(data: T) -> Self {
        Self(Arc::new(data))
    }

    /// What it holds, if it is of this type.
    pub fn get<T: 'static>(&self) -> Option<&T> {
        self.0.downcast_ref()
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot").finish_non_exhaustive()
    }
}
