//! How a kernel starts and stops.

use std::{
    fs, mem,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::AtomicU64},
    time::Duration,
};

use caller::{AsyncEvent, Caller, Context, Pending};
use caller_tokio::Tokio;

use super::{
    comms::Comms,
    dispatch::{self, Dispatch},
    error::KernelError,
    history::History,
    open_work::OpenWork,
    options::Options,
    shared::{Counter, OpenShells, Shared},
    signals::{self, Signals},
    stdin::Stdin,
    usage::Usage,
};
use crate::{
    connection::Connection,
    registration::Registration,
    shell::{CellError, ShellHandle},
    sockets::{Closer, Sockets},
};

/// How long a stop waits for a cell that cannot be stopped, as it is in a function of the program that does not return.
const GRACE: Duration = Duration::from_secs(5);

/// How long a front end may take to answer a registration.
const PATIENCE: Duration = Duration::from_secs(30);

/// A kernel that was started.
pub(crate) struct Life {
    pub(crate) shared: Arc<Shared>,
    pub(crate) connection: Connection,
    /// The caller in whose thread the sockets are. It stops last.
    pub(crate) sockets: Caller,
}

/// The kernel of this process.
static CURRENT: Mutex<Slot> = Mutex::new(Slot::Empty);

enum Slot {
    Empty,
    Taken,
    Running(Arc<Life>),
}

fn slot() -> MutexGuard<'static, Slot> {
    CURRENT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The kernel of this process, if it has one.
pub(crate) fn current() -> Option<Arc<Life>> {
    match &*slot() {
        Slot::Running(life) => Some(Arc::clone(life)),
        Slot::Empty | Slot::Taken => None,
    }
}

/// The right to be the kernel of this process, until it is dropped.
struct Claim;

impl Claim {
    fn take() -> Result<Self, KernelError> {
        let mut slot = slot();
        match *slot {
            Slot::Empty => {
                *slot = Slot::Taken;
                Ok(Self)
            }
            Slot::Taken | Slot::Running(_) => Err(KernelError::Running),
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let old = mem::replace(&mut *slot(), Slot::Empty);
        drop(old);
    }
}

/// Callers that are stopped again unless the start succeeds.
struct Started(Vec<Caller>);

impl Started {
    fn add(&mut self, caller: Caller) -> Caller {
        self.0.push(caller.clone());
        caller
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        for caller in &self.0 {
            caller.force_stop();
        }
        for caller in &self.0 {
            // In its own thread, where this cannot be, it would wait for ever.
            let _stopped = caller.stopped().blocking();
        }
    }
}

/// Starts the kernel of this process.
pub(crate) fn start(options: Options) -> Result<Arc<Life>, KernelError> {
    // It is no part of whatever call starts it.
    Context::new().run(|| start_apart(options))
}

fn start_apart(options: Options) -> Result<Arc<Life>, KernelError> {
    let Options {
        name,
        language,
        connection,
        connection_file,
        callers,
        history,
        cell_timeout,
        quiet,
        stop_on_signals,
        limits,
    } = options;
    let claim = Claim::take()?;
    let history = match history {
        None => History::in_memory(),
        Some(path) => History::open(&path).map_err(|source| KernelError::History { path, source })?,
    };
    let file = connection_file.map(ConnectionFile::new);
    // A front end that asks for it is told where we listen, and finds no file.
    let registration = match (&connection, &file) {
        (None, Some(file)) if file.was_there => Registration::read(&file.path)?,
        _ => None,
    };
    let file = file.filter(|_| registration.is_none());
    let wanted = match (connection, &file) {
        (Some(connection), _) => connection,
        (None, None) if registration.is_some() => {
            registration.as_ref().map(Registration::connection).unwrap_or_default()
        }
        (None, Some(file)) if file.was_there => Connection::read(&file.path)?,
        (None, _) => Connection::new(),
    };

    let mut started = Started(Vec::new());
    let make = |what: &str| {
        let name = format!("{name}{what}");
        Caller::builder().name(name).backend(Tokio::new()).protected(true).spawn()
    };
    let sockets = started.add(make("Sockets")?);
    // From here on a signal does not end the process before it is cleaned up.
    let signals = stop_on_signals.then(|| sockets.call_soon(async || Signals::new()).wait_blocking());
    let signals = signals.transpose()?.transpose().map_err(KernelError::Signals)?;
    let bound = sockets.call_soon({
        let wanted = wanted.clone();
        async move || Sockets::bind_with(wanted, limits).await
    });
    let shell = started.add(make("Shell")?);
    let open = OpenWork::default();
    let (handle, made) = ShellHandle::resident(&shell, &language, open.begin());
    let control = shell.child_builder().name(format!("{name}Control")).protected(true).spawn()?;
    let Sockets { shell: requests, control: urgent, stdin, iopub, subscriptions, closer } =
        bound.wait_blocking()??;
    made.wait_blocking().map_err(|error| match error.downcast_ref::<CellError>() {
        Some(error) => KernelError::Shell(error.clone()),
        None => KernelError::Caller(error),
    })?;

    let connection = closer.connection().clone();
    let shared = Arc::new(Shared {
        name,
        language,
        iopub: iopub.clone(),
        stdin: Stdin::new(stdin.sender().clone()),
        history,
        comms: Comms::default(),
        shells: OpenShells::default(),
        usage: Usage::default(),
        counter: Counter::default(),
        running: OpenWork::default(),
        interrupted: AtomicU64::new(0),
        open,
        cell_timeout,
        quiet,
        callers,
        shell: shell.clone(),
        control: control.clone(),
        stop: AsyncEvent::new(),
    });
    if let Some(signals) = signals {
        let shared = Arc::clone(&shared);
        drop(sockets.call_soon(async move || signals::serve(signals, shared).await));
    }
    let dispatch = Dispatch::new(&shared, handle);
    drop(control.call_soon(async move || dispatch::welcome(iopub, subscriptions).await));
    let reading = dispatch::start(&sockets, &dispatch, [requests, urgent], stdin);
    drop(dispatch);
    if let Some(registration) = registration {
        let (connection, shared) = (connection.clone(), Arc::clone(&shared));
        let registered = async move || {
            tokio::select! {
                registered = registration.register(&connection, PATIENCE) => registered.map_err(KernelError::from),
                // By a signal. What follows ends what is there.
                () = shared.stop.wait() => Ok(()),
            }
        };
        sockets.call_soon(registered).wait_blocking()??;
    }
    // Written when somebody listens.
    if let Some(file) = &file {
        file.write(&wanted, &connection)?;
    }
    let life = Arc::new(Life { shared: Arc::clone(&shared), connection, sockets: sockets.clone() });
    let ending = Ending { shell, sockets: sockets.clone(), file, _claim: claim };
    *slot() = Slot::Running(Arc::clone(&life));
    started.0.clear();
    drop(sockets.call_soon(async move || supervise(shared, reading, closer, ending).await));
    Ok(life)
}

/// Waits for the end, and brings it about, in the thread of the sockets.
async fn supervise(shared: Arc<Shared>, reading: [Pending<()>; 3], closer: Closer, ending: Ending) {
    tokio::select! {
        () = shared.stop.wait() => {}
        // By force, from elsewhere.
        () = shared.shell.stopping() => {}
        () = shared.control.stopping() => {}
    }
    shared.interrupt();
    for one in &reading {
        one.cancel("the kernel ends");
    }
    shared.shell.force_stop();
    let ended = async {
        shared.shell.stopped().await;
        // Those in callers of the program too: their replies are on the way.
        shared.open.none().await;
    };
    if tokio::time::timeout(GRACE, ended).await.is_err() {
        tracing::warn!("a cell does not stop; the kernel ends without it");
    }
    closer.close().await;
    drop(ending);
}

/// What is left to do when a kernel ends, even if its callers are stopped from elsewhere.
struct Ending {
    shell: Caller,
    sockets: Caller,
    file: Option<ConnectionFile>,
    /// The last: another kernel may start then.
    _claim: Claim,
}

impl Drop for Ending {
    fn drop(&mut self) {
        self.file.take();
        self.shell.force_stop();
        self.sockets.force_stop();
    }
}

/// The file by which clients find the kernel. One that we made is removed when this is dropped.
struct ConnectionFile {
    path: PathBuf,
    was_there: bool,
    /// What it says, if we made it.
    made: Mutex<Option<Connection>>,
}

impl ConnectionFile {
    fn new(path: PathBuf) -> Self {
        let was_there = path.exists();
        Self { path, was_there, made: Mutex::default() }
    }

    fn write(&self, wanted: &Connection, connection: &Connection) -> Result<(), KernelError> {
        if self.was_there && wanted == connection && says(&self.path, connection) {
            return Ok(());
        }
        connection.write(&self.path)?;
        if !self.was_there {
            *self.made.lock().unwrap_or_else(PoisonError::into_inner) = Some(connection.clone());
        }
        Ok(())
    }
}

impl Drop for ConnectionFile {
    fn drop(&mut self) {
        let made = self.made.lock().unwrap_or_else(PoisonError::into_inner).take();
        // Another kernel may have written its own there.
        if made.is_some_and(|connection| says(&self.path, &connection)) {
            let _gone = fs::remove_file(&self.path);
        }
    }
}

/// Whether a connection file says this.
fn says(path: &Path, connection: &Connection) -> bool {
    Connection::read(path).is_ok_and(|known| known == *connection)
}
