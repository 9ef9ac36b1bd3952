//! An application of gio's as a host: a `gtk::Application`, most of all.

use std::{
    cell::{Cell, RefCell},
    fmt,
    future::poll_fn,
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
/// calls of its callers are cancelled. From the first activation the host holds the application until the program has been
/// polled once, so that it can open a window; a program that opens its window later, or has none, holds the application
/// itself (`Application::hold`).
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

/// The hold of the host, until the program has begun.
enum Hold {
    /// The application was not activated yet.
    Wanted,
    Held(#[expect(dead_code, reason = "held")] ApplicationHoldGuard),
    Over,
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
        let (program, task) = (Cell::new(Some(program)), Rc::new(RefCell::new(None)));
        let hold = Rc::new(Cell::new(Hold::Wanted));
        application.connect_startup({
            let (task, hold) = (task.clone(), hold.clone());
            move |application| {
                let Some(mut program) = program.take() else { return };
                let (ends, hold) = (application.clone(), hold.clone());
                let whole = async move {
                    poll_fn(|cx| {
                        let polled = program.as_mut().poll(cx);
                        hold.set(Hold::Over);
                        polled
                    })
                    .await;
                    ends.quit();
                };
                let spawned = MainContext::default().spawn_local_with_priority(Priority::DEFAULT_IDLE, whole);
                task.replace(Some(spawned));
            }
        });
        // Not before: a command line that asks for neither has an exit code, and that is lost if the loop runs.
        let holds = move |application: &Application| {
            let now = match hold.replace(Hold::Over) {
                Hold::Wanted => Hold::Held(application.hold()),
                other => other,
            };
            hold.set(now);
        };
        let opens = holds.clone();
        application.connect_activate(holds);
        application.connect_open(move |application, _, _| opens(application));
        let code = match &self.arguments {
            Some(arguments) => application.run_with_args(arguments),
            None => application.run(),
        };
        self.code.store(code.get(), Ordering::Relaxed);
        let task = task.take();
        if let Some(task) = task {
            task.abort();
        }
        Ok(())
    }
}
