//! An application of gio's as a host: a `gtk::Application`, most of all.

use std::{
    cell::{Cell, RefCell},
    fmt, mem,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
};

use gio::{Application, ApplicationHoldGuard, prelude::*};
use glib::{ExitCode, MainContext, Priority};

use super::Host;
use crate::{backend::LocalFuture, error::BoxError};

/// The host of a [`gio::Application`], such as `gtk::Application`: the program runs in the loop of the application, in its
/// primary instance, from its `startup` on.
///
/// ```no_run
/// # use caller::gio;
/// use caller::{Caller, Gio};
/// use caller_tokio::Tokio;
/// use gio::prelude::*;
/// use std::process::ExitCode;
///
/// fn application() -> gio::Application {
///     // With GTK: `gtk::Application::new(Some("org.example.Clock"), Default::default())`.
///     let application = gio::Application::new(Some("org.example.Clock"), Default::default());
///     application.connect_activate(|_| println!("somebody started it, perhaps again"));
///     application
/// }
///
/// fn main() -> caller::Result<ExitCode> {
///     Gio::new(application).run(Tokio::new(), async |gui: Caller| {
///         let answer = gui.to_thread(async || 6 * 7).await; // a worker; windows are drawn meanwhile
///         println!("{answer:?}");
///     })
/// }
/// ```
///
/// # Its end
///
/// When the program ends, the application quits. It ends before the program as GTK has it: when the last window is closed
/// and nobody holds it, and by `quit`. [`run`](Self::run) takes that for an ordinary end; the program is dropped, and all
/// calls of its callers are cancelled. From the first activation the host holds the application until the program first
/// waits, so that it can open a window; a program that opens its window later, or has none, holds the application itself
/// (`Application::hold`).
///
/// Where there is no display, GTK ends the process when the application starts, and says so.
///
/// Started again, a program with an application id finds that it runs already: the first instance is activated, and the
/// second ends without its program.
#[derive(Clone)]
pub struct Gio {
    make: Arc<dyn Fn() -> Application + Send + Sync>,
    arguments: Option<Vec<String>>,
    code: Arc<AtomicU8>,
}

impl Gio {
    /// An application, which is made in the thread of the loop, when that starts.
    pub fn new<A: IsA<Application>>(make: impl Fn() -> A + Send + Sync + 'static) -> Self {
        let make = Arc::new(move || make().upcast());
        Self { make, arguments: None, code: Arc::new(AtomicU8::new(ExitCode::SUCCESS.get())) }
    }

    /// The command line for the application, with the name of the program; unless given, that of the process.
    #[must_use]
    pub fn arguments<S: Into<String>>(mut self, arguments: impl IntoIterator<Item = S>) -> Self {
        self.arguments = Some(arguments.into_iter().map(Into::into).collect());
        self
    }

    /// What the application gave when it ended last, such as the result of its handler of command lines.
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::new(self.code.load(Ordering::Relaxed))
    }
}

impl fmt::Debug for Gio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gio").field("arguments", &self.arguments).finish_non_exhaustive()
    }
}

/// The hold of the host on its application.
enum Hold {
    /// It is held once it is activated. Not before: a command line that does not activate it has an exit code, and that is
    /// lost if the loop runs.
    Wanted,
    Held(#[expect(dead_code, reason = "held")] ApplicationHoldGuard),
    /// It ends when nobody else holds it.
    Free,
}

thread_local! {
    /// The application whose loop runs in this thread, and the hold.
    static RUNNING: RefCell<Option<(Application, Hold)>> = const { RefCell::new(None) };
}

/// Changes the hold. The former one is let go of outside of the borrow.
fn set_hold(change: impl FnOnce(&Application, &Hold) -> Option<Hold>) {
    let former = RUNNING.with_borrow_mut(|running| {
        let (application, hold) = running.as_mut()?;
        let next = change(application, hold)?;
        Some(mem::replace(hold, next))
    });
    drop(former);
}

/// Somebody activated the application.
fn activated(_application: &Application) {
    set_hold(|application, hold| matches!(hold, Hold::Wanted).then(|| Hold::Held(application.hold())));
}

impl Host for Gio {
    fn name(&self) -> &'static str {
        "gio"
    }

    fn run(&self, program: LocalFuture<'static>) -> Result<(), BoxError> {
        let context = MainContext::default();
        // Its loop is that of the default context, whoever calls.
        let _ours = context.acquire()?;
        let application = (self.make)();
        let (program, task) = (Cell::new(Some(program)), Rc::new(Cell::new(None)));
        application.connect_startup({
            let task = task.clone();
            move |application| {
                let Some(program) = program.take() else { return };
                let ends = application.clone();
                let whole = async move {
                    program.await;
                    ends.quit();
                };
                task.set(Some(
                    MainContext::default().spawn_local_with_priority(Priority::DEFAULT_IDLE, whole),
                ));
            }
        });
        application.connect_activate(activated);
        application.connect_open(|application, _, _| activated(application));
        RUNNING.set(Some((application.clone(), Hold::Wanted)));
        let code = match &self.arguments {
            Some(arguments) => application.run_with_args(arguments),
            None => application.run(),
        };
        drop(RUNNING.take());
        self.code.store(code.get(), Ordering::Relaxed);
        if let Some(task) = task.take() {
            task.abort();
        }
        Ok(())
    }

    fn keep(&self, keep: bool) {
        set_hold(|application, _| Some(if keep { Hold::Held(application.hold()) } else { Hold::Free }));
    }
}
