//! The event loop of winit as a host.

use std::{fmt, sync::Arc};

use scoped_tls::scoped_thread_local;
use winit::{
    application::ApplicationHandler,
    error::EventLoopError,
    event::{DeviceEvent, DeviceId, StartCause, WindowEvent},
    event_loop::{ActiveEventLoop, ControlFlow, EventLoop},
    window::WindowId,
};

use super::{Host, pump::Pump};
use crate::{backend::LocalFuture, error::BoxError};

scoped_thread_local!(static ACTIVE: ActiveEventLoop);

/// The host of a winit event loop. It needs the main thread, and most systems allow one such loop a process.
///
/// Windows are made by the handler of the program ([`with_handler`](Self::with_handler)) or by any call that runs in the
/// loop ([`event_loop`](Self::event_loop)). What the handler does that ends the loop ends it under the program, which is an
/// error: on a close, have the body end, for instance by an [`AsyncEvent`](crate::AsyncEvent) that it waits for.
///
/// The program has its turn in each turn of the loop, for two milliseconds or so, after the events and the drawing, so that a
/// busy program leaves the window alive. A window may have to be drawn once more when the program has closed it already: a handler
/// that draws a [`Resident`](crate::Resident) takes no error of one that has ended for its own.
///
/// ```no_run
/// use caller::{Caller, Winit, winit::window::Window};
/// use caller_tokio::Tokio;
///
/// # fn main() -> caller::Result<()> {
/// caller::run(Winit::new(), Tokio::new(), async |gui: Caller| {
///     let window = Winit::event_loop(|active| active.create_window(Window::default_attributes()));
///     let window = window.expect("in the loop").expect("a window");
///     let digest = gui.to_thread(async || 6 * 7).await; // a worker; the window is drawn meanwhile
///     window.set_title(&format!("{digest:?}"));
/// })?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Default)]
pub struct Winit {
    handler: Option<Arc<dyn Fn() -> Box<dyn ApplicationHandler> + Send + Sync>>,
}

impl Winit {
    /// A loop whose events nobody hears.
    pub fn new() -> Self {
        Self::default()
    }

    /// A loop whose events go to a handler, which is made in the thread of the loop, when that starts.
    pub fn with_handler<H: ApplicationHandler + 'static>(
        make: impl Fn() -> H + Send + Sync + 'static,
    ) -> Self {
        Self { handler: Some(Arc::new(move || Box::new(make()))) }
    }

    /// Calls `function` with the loop, to make windows or look at monitors. `None` if the code that asks does not run in
    /// the loop of such a host, as calls of its caller do.
    pub fn event_loop<R>(function: impl FnOnce(&ActiveEventLoop) -> R) -> Option<R> {
        ACTIVE.is_set().then(|| ACTIVE.with(function))
    }
}

impl fmt::Debug for Winit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Winit").field("handler", &self.handler.is_some()).finish()
    }
}

impl Host for Winit {
    fn name(&self) -> &'static str {
        "winit"
    }

    fn needs_main_thread(&self) -> bool {
        true
    }

    fn run(&self, program: LocalFuture<'static>) -> Result<(), BoxError> {
        let event_loop = EventLoop::<Woken>::with_user_event().build().map_err(no_loop)?;
        event_loop.set_control_flow(ControlFlow::Wait);
        let proxy = event_loop.create_proxy();
        // A loop that has ended has nothing to be told.
        let program = Pump::new(program, move || drop(proxy.send_event(Woken)));
        let handler = self.handler.as_ref().map(|make| make());
        event_loop.run_app(&mut Running { program, handler })?;
        Ok(())
    }
}

/// Says what to do where there is no display.
fn no_loop(error: EventLoopError) -> BoxError {
    let EventLoopError::Os(os) = &error else { return error.into() };
    // It begins with the place in winit's source at which it was made.
    let text = os.to_string();
    let why = text.strip_prefix("os error at ").and_then(|text| text.split_once(": "));
    let why = why.map_or(&*text, |(_place, why)| why).trim_end_matches('.');
    format!("no display can be reached: {why}; run it in a graphical session, or under `xvfb-run`").into()
}

/// Somebody woke the program.
#[derive(Debug)]
struct Woken;

/// The program and the user's handler, as one handler.
struct Running {
    program: Pump,
    handler: Option<Box<dyn ApplicationHandler>>,
}

impl Running {
    /// Hands an event to the user's handler, which may make calls of its own, and finds the loop where those would.
    fn hand(&mut self, active: &ActiveEventLoop, event: impl FnOnce(&mut dyn ApplicationHandler)) {
        if let Some(handler) = &mut self.handler {
            ACTIVE.set(active, || event(&mut **handler));
        }
    }
}

impl ApplicationHandler<Woken> for Running {
    fn new_events(&mut self, active: &ActiveEventLoop, cause: StartCause) {
        self.hand(active, |handler| handler.new_events(active, cause));
    }

    fn resumed(&mut self, active: &ActiveEventLoop) {
        self.hand(active, |handler| handler.resumed(active));
    }

    /// It only had to wake the loop.
    fn user_event(&mut self, _active: &ActiveEventLoop, _woken: Woken) {}

    fn window_event(&mut self, active: &ActiveEventLoop, window: WindowId, event: WindowEvent) {
        self.hand(active, |handler| handler.window_event(active, window, event));
    }

    fn device_event(&mut self, active: &ActiveEventLoop, device: DeviceId, event: DeviceEvent) {
        self.hand(active, |handler| handler.device_event(active, device, event));
    }

    fn about_to_wait(&mut self, active: &ActiveEventLoop) {
        self.hand(active, |handler| handler.about_to_wait(active));
        // Here and not where the loop hears of a wake: it hears of all of them before it draws.
        let goes_on = ACTIVE.set(active, || self.program.turn());
        if !goes_on {
            active.exit();
        }
    }

    fn suspended(&mut self, active: &ActiveEventLoop) {
        self.hand(active, |handler| handler.suspended(active));
    }

    fn exiting(&mut self, active: &ActiveEventLoop) {
        self.hand(active, |handler| handler.exiting(active));
    }

    fn memory_warning(&mut self, active: &ActiveEventLoop) {
        self.hand(active, |handler| handler.memory_warning(active));
    }
}
