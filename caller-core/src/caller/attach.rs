//! A caller in the thread of a loop that somebody else runs.

use std::{fmt, sync::Arc};

use super::{
    builder::Builder,
    inner::Caller,
    lifecycle::{Finish, StopOnDrop},
};
use crate::{
    backend::LocalFuture,
    error::{BoxError, Error, Kind, Result},
    guard::{self, Place},
    host::{Host, Pump, Under},
};

impl Builder {
    /// Makes it in this thread, whose loop is run by somebody else: a widget toolkit that keeps its loop to itself, a game
    /// engine, a library. `wake` has the loop call [`Attached::turn`] soon. It is called from any thread, once at most
    /// between two turns, and may not block. `loop_name` stands for the loop in texts, as the name of a [`Host`] does.
    ///
    /// ```
    /// use caller::Caller;
    /// use caller_tokio::Tokio;
    /// use std::sync::mpsc;
    ///
    /// # fn main() -> caller::Result<()> {
    /// // The loop: it has messages, and somebody else runs it.
    /// let (proxy, messages) = mpsc::channel();
    /// let mut attached = Caller::builder()
    ///     .backend(Tokio::new())
    ///     .attach("messages", move || _ = proxy.send("a turn is wanted"))?;
    ///
    /// let gui = attached.caller().clone();
    /// let answer = gui.to_thread(async || 6 * 7); // a worker on tokio
    /// let shown = gui.call_soon(async move || answer.await); // in this thread
    /// while attached.turn() && !shown.is_done() {
    ///     messages.recv().expect("it wakes the loop"); // and then there is a turn
    /// }
    /// assert_eq!(shown.wait_blocking()??, 42);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Toolkits have such a function: `Context::request_repaint` of egui, with a turn in `App::logic` of eframe; Slint's
    /// `invoke_from_event_loop`, Qt's `QMetaObject::invokeMethod`, `PostMessage` of Windows.
    ///
    /// - The turn belongs where the loop also comes while its window is hidden or minimised. Where it only draws, calls wait
    ///   until the window is seen again.
    /// - A call that is made in this thread may call `wake` there. So no call may be made while the toolkit holds a lock that
    ///   `wake` takes, as egui does inside of `Ui::input` and `Context::memory_mut`: the thread would wait for itself.
    ///
    /// # Errors
    ///
    /// Those of [`build`](Self::build). [`is_mismatch`](Error::is_mismatch) if this thread has a caller or a host already, if
    /// a [`host`](Self::host) was given, which has a loop of its own, if the backend cannot be a guest, or if the parent has
    /// a child of this name that runs; [`is_host`](Error::is_host) if the guest cannot be made.
    pub fn attach(
        self,
        loop_name: &'static str,
        wake: impl Fn() + Send + Sync + 'static,
    ) -> Result<Attached> {
        if let Some(host) = &self.host {
            return Err(Error::new(Kind::HasHost { host: host.name().to_owned(), loop_name }));
        }
        let host: Arc<dyn Host> = Arc::new(Foreign(loop_name));
        let (caller, new) = self.shared_host(host.clone()).find_or_make()?;
        // One that could not run would be found by its name, and its calls would wait for ever.
        let stop = new.then(|| StopOnDrop::new(&caller));
        let attached = caller.attach(&host, wake)?;
        stop.into_iter().for_each(StopOnDrop::disarm);
        Ok(attached)
    }
}

impl Caller {
    fn attach(&self, host: &Arc<dyn Host>, wake: impl Fn() + Send + Sync + 'static) -> Result<Attached> {
        let finish = self.0.take_thread()?;
        let inner = self.0.clone();
        let program = |runtime| -> LocalFuture<'static> {
            Box::pin(async move { inner.run_root(runtime, false).await })
        };
        let under = Under::begin(host, &self.0.backend, program);
        let under = under.inspect_err(|error| self.0.fail(error.to_string()))?;
        let pump = Pump::new(under.program(), wake);
        let mut attached =
            Attached { caller: self.clone(), running: Some((pump, under)), finish: Some(finish) };
        // It is the caller of this thread from now on, and not from the first message on.
        attached.turn();
        Ok(attached)
    }
}

/// A caller in the thread of a loop that somebody else runs, made by [`Builder::attach`]. It belongs to this thread: it is kept
/// where the loop finds it, such as in the application's own value.
///
/// Dropping it stops the caller: its calls are cancelled and dropped, its runtime ends with all of its tasks, and its children
/// are stopped.
#[must_use = "dropping it stops the caller"]
pub struct Attached {
    caller: Caller,
    /// None when the caller has ended.
    running: Option<(Pump, Under<()>)>,
    finish: Option<Finish>,
}

impl Attached {
    /// The caller. It takes calls from the start; they run in the turns.
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// Does what there is to do now, if the loop was asked for a turn. False when the caller has stopped.
    ///
    /// A busy caller ends its turn after two milliseconds or so, and asks for the next: what the loop does in between, such
    /// as drawing, has its time.
    pub fn turn(&mut self) -> bool {
        let goes_on = self.running.as_mut().is_some_and(|(pump, _)| pump.turn());
        if !goes_on {
            self.end();
        }
        goes_on
    }

    fn end(&mut self) {
        if let Some((pump, under)) = self.running.take() {
            guard::discard_now(Place::Host, pump);
            if let Some(Err(panic)) = under.end() {
                self.caller.0.fail(format!("it panicked: {}", panic.message()));
            }
        }
        // The runtime is gone.
        drop(self.finish.take());
    }
}

impl Drop for Attached {
    fn drop(&mut self) {
        self.end();
    }
}

impl fmt::Debug for Attached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attached").field("caller", &self.caller).finish_non_exhaustive()
    }
}

/// A loop that we do not run.
#[derive(Debug)]
struct Foreign(&'static str);

impl Host for Foreign {
    fn name(&self) -> &'static str {
        self.0
    }

    fn run(&self, _program: LocalFuture<'static>) -> std::result::Result<(), BoxError> {
        Err("its loop is run by somebody else; use `attach` in its thread".into())
    }
}
