//! A main loop of glib's as a host.

use glib::{MainContext, MainLoop, Priority};

use super::Host;
use crate::{backend::LocalFuture, error::BoxError};

/// The host of a glib main loop, as GTK uses it: callers run in the iterations of a [`MainContext`].
///
/// The program has a lower priority than GTK's events and drawing, so that a busy program leaves the window alive. A
/// `gtk::Application` runs its loop itself: its host is `Gio`, with the feature `gio`.
///
/// ```
/// use caller::{Caller, Glib};
/// use caller_tokio::Tokio;
///
/// # fn main() -> caller::Result<()> {
/// let answer = caller::run(Glib::new(), Tokio::new(), async |gui: Caller| {
///     gui.call_soon(async || 6 * 7).await // in the thread of the loop, as this is
/// })??;
/// assert_eq!(answer, 42);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Glib {
    context: Option<MainContext>,
}

impl Glib {
    /// The loop of the default context, which is that of the main thread in most programs.
    pub fn new() -> Self {
        Self::default()
    }

    /// The loop of another context.
    #[must_use]
    pub fn context(mut self, context: MainContext) -> Self {
        self.context = Some(context);
        self
    }
}

impl Host for Glib {
    fn name(&self) -> &'static str {
        "glib"
    }

    fn run(&self, program: LocalFuture<'static>) -> Result<(), BoxError> {
        // Glib's own default, that of GTK. The trait `Default` makes a new one.
        let context = self.context.clone().unwrap_or_else(MainContext::default);
        let main_loop = MainLoop::new(Some(&context), false);
        context.with_thread_default(|| {
            let ended = main_loop.clone();
            context.spawn_local_with_priority(Priority::DEFAULT_IDLE, async move {
                program.await;
                ended.quit();
            });
            main_loop.run();
        })?;
        Ok(())
    }
}
