//! Loops that are not runtimes: a caller's runtime is their guest, in their thread.

mod pump;

#[cfg(feature = "gio")]
mod gio;
#[cfg(feature = "glib")]
mod glib;
#[cfg(feature = "winit")]
mod winit;

mod named;

use std::{
    any::Any,
    cell::RefCell,
    fmt,
    future::{Future, poll_fn},
    panic::resume_unwind,
    pin::{Pin, pin},
    rc::Rc,
    sync::Arc,
    task::{Context as TaskContext, Poll},
};

#[cfg(feature = "gio")]
pub use self::gio::Gio;
#[cfg(feature = "glib")]
pub use self::glib::Glib;
#[cfg(feature = "winit")]
pub use self::winit::Winit;
pub use self::{named::host_named, pump::Pump};
use crate::{
    backend::{Backend, Guest, LocalFuture, Runtime},
    error::{BoxError, Error, Kind, Result},
    guard::{self, Place},
    report,
    root::Root,
    this_thread,
};

/// A loop that owns a thread, such as that of a GUI. A caller with a host runs in the thread of that loop: its runtime is
/// the guest of the loop, and all of its work is done in callbacks of it.
///
/// Anything can be a host that can run something soon, when it is asked to from any thread: that is what the waker does
/// with which it polls the program. With feature `winit` there is `Winit`, with feature `glib` there is
/// `Glib`. A program whose loop is run by somebody else attaches a caller to it:
/// [`Builder::attach`](crate::Builder::attach). A host of your own is a dozen lines:
///
/// ```
/// use std::sync::mpsc;
/// use caller::{BoxError, Caller, Host, LocalFuture, Pump};
/// use caller_tokio::Tokio;
///
/// /// A loop over messages. This one has no other messages than those that wake the program.
/// #[derive(Debug)]
/// struct Messages;
///
/// impl Host for Messages {
///     fn name(&self) -> &'static str {
///         "messages"
///     }
///
///     fn run(&self, program: LocalFuture<'static>) -> Result<(), BoxError> {
///         let (sender, messages) = mpsc::channel();
///         let mut program = Pump::new(program, move || _ = sender.send(()));
///         while program.turn() {
///             messages.recv()?;
///         }
///         Ok(())
///     }
/// }
///
/// # fn main() -> caller::Result<()> {
/// let answer = caller::run(Messages, Tokio::new(), async |gui: Caller| {
///     assert_eq!(caller::current_host().unwrap().name(), "messages");
///     gui.to_thread(async || 6 * 7).await // a worker on tokio, awaited in the thread of the loop
/// })??;
/// assert_eq!(answer, 42);
/// # Ok(())
/// # }
/// ```
pub trait Host: Any + fmt::Debug + Send + Sync {
    /// The name, as it stands in texts: `"winit"`.
    fn name(&self) -> &'static str;

    /// Whether the loop can only run in the main thread, as those of most GUIs. Elsewhere it is not started, and an error
    /// says so.
    fn needs_main_thread(&self) -> bool {
        false
    }

    /// Runs the loop in this thread until `program` has ended. The program is polled in the loop's callbacks: once at the
    /// start, and then soon after each wake, which comes from any thread.
    ///
    /// A loop that ends before is an error of the program, which is dropped, and all of its calls are cancelled. The
    /// program never panics: a panic goes on when the loop has ended.
    ///
    /// # Errors
    ///
    /// If the loop cannot be run, or failed.
    fn run(&self, program: LocalFuture<'static>) -> Result<(), BoxError>;

    /// Whether the program needs the loop even if nothing else does. It does from its start until its body first waits, when
    /// this is called with false, and from the end of its body, when this is called with true, until it has ended. A loop
    /// that ends by itself, when no window is open, say, has to know. It is called in the thread of the loop.
    fn keep(&self, _keep: bool) {}
}

/// Runs the body of a program, and tells its host whether the loop is needed.
pub(crate) async fn telling<F: Future>(host: Arc<dyn Host>, body: F) -> F::Output {
    let (mut body, mut kept) = (pin!(body), true);
    poll_fn(|cx| {
        let polled = body.as_mut().poll(cx);
        let keep = polled.is_ready();
        if keep != kept {
            guard::quietly(Place::Host, || host.keep(keep));
            kept = keep;
        }
        polled
    })
    .await
}

thread_local! {
    /// The host whose loop runs in this thread.
    static HERE: RefCell<Option<Arc<dyn Host>>> = const { RefCell::new(None) };
}

/// The host whose loop runs in this thread, if one does. None in the destructors of thread-locals, once the thread has let
/// go of it.
pub fn current_host() -> Option<Arc<dyn Host>> {
    HERE.try_with(|here| here.borrow().clone()).ok().flatten()
}

/// Whether a host's loop may be started in this thread.
pub(crate) fn check_here(host: &dyn Host) -> Result<()> {
    if let Some(running) = current_host() {
        return Err(Error::new(Kind::HostRuns(running.name().to_owned())));
    }
    if host.needs_main_thread() && !this_thread::is_main() {
        return Err(Error::new(Kind::MainThread(host.name().to_owned())));
    }
    Ok(())
}

/// Runs the host's loop in this thread until `program` has ended, with the backend as its guest.
///
/// # Panics
///
/// Goes on with a panic of the loop, when everything has ended.
pub(crate) fn run_under<T: 'static>(
    host: &Arc<dyn Host>,
    backend: &Arc<dyn Backend>,
    program: impl FnOnce(Rc<dyn Runtime>) -> LocalFuture<'static, T>,
) -> Result<T> {
    let under = Under::begin(host, backend, program)?;
    let ran = guard::run(|| host.run(under.program()));
    let ended = under.end();
    let ran = ran.unwrap_or_else(|panic| resume_unwind(panic.into_payload()));
    match (ended, ran) {
        (Some(Ok(output)), Ok(())) => Ok(output),
        (Some(Ok(output)), Err(error)) => {
            report::failure(host.name(), "the loop", &guard::text(&failed(&**host, error)));
            Ok(output)
        }
        (Some(Err(panic)), _) => {
            Err(failed(&**host, format!("its program panicked: {}", panic.message()).into()))
        }
        (None, Ok(())) => Err(Error::new(Kind::HostEnded(host.name().to_owned()))),
        (None, Err(error)) => Err(failed(&**host, error)),
    }
}

fn failed(host: &dyn Host, source: BoxError) -> Error {
    Error::new(Kind::Host { name: host.name().to_owned(), error: source.into() })
}

/// A program under a host, in this thread: from when it can be polled until it has ended.
pub(crate) struct Under<T: 'static> {
    guest: Rc<dyn Guest>,
    root: Root<T>,
    seat: Seat,
    _here: Here,
}

impl<T: 'static> Under<T> {
    /// Makes the guest, and the program in it.
    ///
    /// # Errors
    ///
    /// If a host runs here, or has to run elsewhere; or if the guest cannot be made.
    pub(crate) fn begin(
        host: &Arc<dyn Host>,
        backend: &Arc<dyn Backend>,
        program: impl FnOnce(Rc<dyn Runtime>) -> LocalFuture<'static, T>,
    ) -> Result<Self> {
        check_here(&**host)?;
        let no_guest =
            |error: &str| failed(&**host, format!("{} as its guest: {error}", backend.name()).into());
        let guest = match guard::run(|| backend.guest()) {
            Ok(guest) => guest.map_err(|error| no_guest(&error.to_string()))?,
            Err(panic) => return Err(no_guest(&format!("it panicked: {}", panic.message()))),
        };
        let (mut program, mut root, mut adopted) = (Some(program), None, None);
        let begun = inside(&guest, || {
            // A task of the guest's, where it has tasks.
            let Some(program) = program.take() else { return };
            let root = root.insert(Root::new(program(guest.runtime())));
            adopted = Some(guest.adopt(root.driven()));
        });
        let (root, adopted) = match (begun, root, adopted) {
            (Ok(()), Some(root), Some(adopted)) => (root, adopted),
            (begun, root, adopted) => {
                guard::discard_now(Place::Runtime, adopted);
                let _ended = root.map(|root| root.end());
                guard::discard_now(Place::Runtime, guest);
                return Err(no_guest(&begun.err().unwrap_or_else(|| "it took no program".to_owned())));
            }
        };
        let seat = Rc::new(RefCell::new(Some(Hosted { guest: guest.clone(), future: Some(adopted) })));
        Ok(Self { guest, root, seat, _here: Here::enter(host.clone()) })
    }

    /// What is polled in the thread of the loop.
    pub(crate) fn program(&self) -> LocalFuture<'static> {
        Box::pin(Program(self.seat.clone()))
    }

    /// Ends the program, in its thread and under its host, whatever the loop and the guest did with it. Gives what
    /// [`Root::end`] gives.
    pub(crate) fn end(self) -> Option<std::result::Result<T, guard::Panic>> {
        end(&self.seat);
        let mut ended = None;
        let _entered = inside(&self.guest, || ended = self.root.end());
        let ended = ended.or_else(|| self.root.end());
        guard::discard_now(Place::Runtime, self.guest);
        ended
    }
}

/// Calls `function` inside the guest.
///
/// # Errors
///
/// The text of what went wrong, if the guest panicked or did not call it.
fn inside(guest: &Rc<dyn Guest>, function: impl FnOnce()) -> std::result::Result<(), String> {
    let mut function = Some(function);
    let entered = guard::run(|| {
        guest.enter(&mut || function.take().into_iter().for_each(|function| function()));
    });
    match entered {
        Err(panic) => Err(format!("it panicked: {}", panic.message())),
        Ok(()) if function.is_some() => Err("its `enter` did not call the function".to_owned()),
        Ok(()) => Ok(()),
    }
}

/// While this is, the host is the one of this thread.
struct Here;

impl Here {
    fn enter(host: Arc<dyn Host>) -> Self {
        let before = HERE.try_with(|here| here.replace(Some(host)));
        drop(before);
        Self
    }
}

impl Drop for Here {
    fn drop(&mut self) {
        let host = HERE.try_with(|here| here.take());
        drop(host);
    }
}

/// A future that is polled and dropped inside its guest, which is driven after each poll.
struct Hosted {
    guest: Rc<dyn Guest>,
    future: Option<LocalFuture<'static>>,
}

impl Future for Hosted {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<()> {
        let Self { guest, future } = &mut *self;
        let mut polled = Poll::Pending;
        let entered = inside(guest, || {
            if let Some(future) = future {
                polled = future.as_mut().poll(cx);
            }
        });
        if let Err(error) = entered {
            // It would never be polled.
            report::failure("host", "the guest", &error);
            return Poll::Ready(());
        }
        guest.drive(cx);
        polled
    }
}

impl Drop for Hosted {
    fn drop(&mut self) {
        let future = &mut self.future;
        let _entered = inside(&self.guest, || guard::discard_now(Place::Runtime, future.take()));
        guard::discard_now(Place::Runtime, self.future.take());
    }
}

/// None while it is polled, and when it was ended.
type Seat = Rc<RefCell<Option<Hosted>>>;

fn end(seat: &Seat) {
    let hosted = seat.borrow_mut().take();
    guard::discard_now(Place::Host, hosted);
}

/// The program as its host sees it. What panics in it was caught where it ran: this is for the runtime's own sake.
struct Program(Seat);

impl Future for Program {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<()> {
        let Some(mut hosted) = self.0.borrow_mut().take() else { return Poll::Ready(()) };
        match guard::run(|| Pin::new(&mut hosted).poll(cx)) {
            Ok(Poll::Pending) => {
                self.0.replace(Some(hosted));
                return Poll::Pending;
            }
            Ok(Poll::Ready(())) => {}
            Err(panic) => guard::report_panic(Place::Host, &panic),
        }
        guard::discard_now(Place::Host, hosted);
        Poll::Ready(())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        end(&self.0);
    }
}
