//! The kernel: dispatch between the sockets and the shells.
//!
//! ```text
//! client ─▶ socket ─▶ Request ─▶ queue of its group ─▶ handler ─▶ reply, idle
//!           read in the           in Control's thread,
//!           sockets' thread       or in that of the shell
//! ```

mod open_work;

mod comms;

mod history;

mod stdin;

mod usage;

mod shared;

mod request;

mod stop_on_error;

mod output;

mod shell_state;

mod handlers;

mod shell_queues;

mod subshells;

mod thread_cells;

mod dispatch;

mod error;

mod options;

mod signals;

mod life;

mod stream;

mod builder;

use std::{fmt, sync::Arc};

use caller::Moment;

pub use self::{builder::KernelBuilder, error::KernelError, stdin::InputError, stream::KernelStream};
use self::{life::Life, output::CellOutput};
use crate::{
    connection::Connection,
    shell::{Output, Stream},
    wire::Json,
};

/// A Jupyter kernel in this process, beside what else runs in it.
///
/// It has threads of its own, each of them a caller: `Shell` runs the cells; `Control` answers what needs no shell, so the
/// kernel stays responsive while a cell computes; `Sockets` has the connections, and hands each request on. They are
/// protected: a cell cannot stop them. A process has at most one kernel at a time.
///
/// This is a handle: cheap to clone, `Send` and `Sync`. Dropping the last stops nothing: the kernel runs until
/// [`stop`](Self::stop), a `shutdown_request`, or the end of the process. The program runs on when it stops. Nothing is done to the
/// signals of the process unless [asked for](KernelBuilder::stop_on_signals).
///
/// ```
/// use caller_kernel::{Kernel, lua::Exposed};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let kernel = Kernel::builder()
///     .expose(Exposed::new().function("double", "double(n)\nTwice the number.", |n: f64| 2.0 * n))
///     .start()?;
/// println!("listening at port {}", kernel.connection().shell_port);
/// // Here the program does its work, and front ends come and go.
/// kernel.stop();
/// kernel.stopped().blocking()?;
/// # Ok(())
/// # }
/// ```
///
/// # How cells are run
///
/// The first line of a cell says how, as a comment (`-- thread`, or `# thread`), or a tag of the cell does (`thread`):
///
/// | mode | runs the cell |
/// | --- | --- |
/// | `queue` | in the shell's thread, after those before it; this is what is done without any |
/// | `task` | in the shell's thread, at once, beside others that wait |
/// | `thread` | in a worker; with `name=…` in a thread of that name, which stays |
/// | `caller name=gui` | in the thread of the program's [caller](KernelBuilder::caller) of that name, one at a time |
///
/// `timeout=2.5`, behind a mode or as a tag, is the time in seconds that the cell may take.
///
/// Cells of the modes `queue` and `task` share the globals of their shell. A `thread` cell has a shell of its own, which
/// begins with those globals of the main shell that are plain data. In a caller of the program, and in a subshell, globals
/// persist from cell to cell; a subshell begins with a copy of the main shell's.
///
/// A failing cell ends those that wait behind it (`stop_on_error`), unless it ran out of time.
#[derive(Clone)]
pub struct Kernel(Arc<Life>);

impl Kernel {
    /// The kernel of this process.
    ///
    /// # Errors
    ///
    /// [`KernelError::NotRunning`] if there is none.
    pub fn current() -> Result<Self, KernelError> {
        life::current().map(Self).ok_or(KernelError::NotRunning)
    }

    /// Where it listens, and its key. No port is 0.
    #[must_use]
    pub fn connection(&self) -> &Connection {
        &self.0.connection
    }

    /// Stops what runs in all of its shells, which keep their state. It returns at once.
    pub fn interrupt(&self) {
        self.0.shared.interrupt();
    }

    /// Whether a cell runs or waits, or something else runs that an interrupt would stop: a handler of a comm, or a call that
    /// computes.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        self.0.shared.is_busy()
    }

    /// Stops it, and returns at once. What runs is stopped, replies on their way are sent, the ports are free again, and the
    /// connection file is removed if it was made. A cell in a function of the program that does not return is left behind
    /// after five seconds.
    pub fn stop(&self) {
        self.0.shared.stop.set();
    }

    /// The moment all of that is done: another kernel can be started. Await it, or block on it, in any thread but the
    /// kernel's own.
    pub fn stopped(&self) -> Moment {
        self.0.sockets.stopped()
    }

    /// Writes to the stdout of the cell that the code runs for.
    #[must_use]
    pub fn stdout(&self) -> KernelStream {
        self.stream(Stream::Stdout)
    }

    /// Writes to the stderr of the cell that the code runs for.
    #[must_use]
    pub fn stderr(&self) -> KernelStream {
        self.stream(Stream::Stderr)
    }

    fn stream(&self, stream: Stream) -> KernelStream {
        let elsewhere: Arc<dyn Output> = CellOutput::new(&self.0.shared, 0, &Json::empty(), None);
        KernelStream::new(stream, elsewhere)
    }
}

impl fmt::Debug for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kernel")
            .field("connection", &self.0.connection)
            .field("stopped", &self.stopped().is_past())
            .finish_non_exhaustive()
    }
}
