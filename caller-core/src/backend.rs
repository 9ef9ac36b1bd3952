//! What a runtime has to supply. Everything that decides is in this crate.

use std::{
    any::Any,
    fmt,
    future::Future,
    io,
    pin::Pin,
    rc::Rc,
    sync::{Arc, OnceLock},
    task::Context,
    thread,
    time::Instant,
};

use crate::{
    error::Result,
    timer::{Clock, SystemClock},
};

/// A future that stays in its thread.
pub type LocalFuture<'a, T = ()> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// A kind of runtime, with its options as fields of its value. Children of a caller inherit the value.
///
/// An implementation has no policy: it does as told. [`testing`](crate::testing) has the suite that says whether
/// it does (feature `test-util`).
pub trait Backend: Any + fmt::Debug + Send + Sync {
    /// The name, as it stands in texts: `"tokio"`.
    fn name(&self) -> &'static str;

    /// Whether the other backend is of the same kind with the same options.
    fn is_same(&self, other: &dyn Backend) -> bool;

    /// Makes a runtime in this thread, and drives `root` to its end in it. Then the runtime is gone, with all of
    /// its tasks.
    ///
    /// # Errors
    ///
    /// If the runtime cannot be made.
    fn run(&self, root: LocalFuture<'_>) -> io::Result<()>;

    /// The runtime that surrounds this code in this thread.
    ///
    /// # Errors
    ///
    /// [`is_no_caller`](crate::Error::is_no_caller) if there is none of this kind, with a text that says what to
    /// do; make it with [`Error::no_runtime`](crate::Error::no_runtime).
    fn runtime(&self) -> Result<Rc<dyn Runtime>>;

    /// Whether a runtime of this kind drives this thread: it would stand still if another were run here. That is so where
    /// there is one to be had, unless the parts of the kind work anywhere.
    fn drives_here(&self) -> bool {
        self.runtime().is_ok()
    }

    /// Whether it can be the guest of another runtime, in a thread that the other drives; see [`guest`](Self::guest).
    fn can_be_guest(&self) -> bool {
        false
    }

    /// Makes a runtime that is the guest of whatever drives this thread.
    ///
    /// # Errors
    ///
    /// If it cannot be made, or this kind cannot be a guest.
    fn guest(&self) -> io::Result<Rc<dyn Guest>> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// The clock that this backend's timers go by.
    fn clock(&self) -> Arc<dyn Clock> {
        Arc::new(SystemClock)
    }

    /// How much the operating system should give the stack of a thread that is made for this backend, in bytes.
    fn stack_size(&self) -> Option<usize> {
        None
    }
}

/// A runtime that is the guest of another in this thread. Dropping it, in this thread, ends it with all of its tasks.
///
/// Calls that name it are polled and dropped inside [`enter`](Self::enter), with wakers of their caller's. What they spawn
/// besides is driven by [`drive`](Self::drive).
pub trait Guest {
    /// Calls `function` with the guest current, so that its timers, sockets and tasks can be made.
    fn enter(&self, function: &mut dyn FnMut());

    /// Takes in the future of a call, inside `enter`, and gives one that ends when it has. Dropping that one drops the
    /// call's, in this thread. A guest in which a task has an identity or a budget makes it one of its tasks, by
    /// [`GuestTask`](crate::GuestTask); for others it is the call's own.
    fn adopt(&self, call: LocalFuture<'static>) -> LocalFuture<'static> {
        call
    }

    /// The guest as the runtime of a caller, whose thread is driven by a [`Host`](crate::Host).
    fn runtime(&self) -> Rc<dyn Runtime>;

    /// Goes on with the guest's own tasks of this thread. `cx` is woken when there is more to do.
    fn drive(&self, cx: &mut Context<'_>);
}

/// A runtime that runs in this thread.
pub trait Runtime {
    /// Calls `function` with this runtime current, so that its timers, sockets and tasks can be made.
    fn enter(&self, function: &mut dyn FnMut());

    /// A future that ends at `at`, by the backend's clock.
    ///
    /// Delayed calls and timeouts come by it. One that ends before its time is made anew, and one that panics is replaced by
    /// the machine's clock; but one that never ends cannot be told from a clock that stands still, and nothing comes that
    /// waits for it.
    fn sleep_until(&self, at: Instant) -> LocalFuture<'static>;

    /// Whether another call may be polled before the runtime has its turn.
    fn may_poll(&self) -> bool {
        true
    }

    /// How many tasks the runtime has beside what it was given by its caller, if it can say. Where there are none, the
    /// caller may watch its queue for some microseconds before the thread sleeps.
    fn other_tasks(&self) -> Option<usize> {
        None
    }
}

/// Whether the system gives this process a thread: for a backend whose runtime starts threads of its own when it is first
/// used, and panics without them. Only the first success is found out; later ones are remembered.
///
/// # Errors
///
/// If it gives none.
pub fn check_threads() -> io::Result<()> {
    static FOUND: OnceLock<()> = OnceLock::new();
    if FOUND.get().is_none() {
        let _ended = thread::Builder::new().name("caller-probe".to_owned()).spawn(|| ())?.join();
        let _first = FOUND.set(());
    }
    Ok(())
}
