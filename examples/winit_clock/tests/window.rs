//! A window of winit that is looked at: its host is made as everybody makes it, and what counts is what stands on the
//! screen. It needs the main thread, and Xvfb for a display.

use std::{
    num::NonZeroU32,
    process::{Command, ExitCode},
    sync::{Arc, OnceLock},
};

use caller::{
    Caller, Resident, Winit,
    winit::{
        application::ApplicationHandler,
        dpi::PhysicalSize,
        event::WindowEvent,
        event_loop::{ActiveEventLoop, OwnedDisplayHandle},
        window::{Window, WindowId},
    },
};
use caller_screen::{Color, Paint, Painted, Screen, Test, Tests, looks_alive};
use caller_tokio::Tokio;
use softbuffer::{Context, Surface};

const TESTS: [Test; 3] = [
    ("the_window_is_drawn_and_goes_on_under_load", the_window_is_drawn_and_goes_on_under_load),
    ("the_clock_is_drawn", the_clock_is_drawn),
    ("without_a_display_there_is_an_error", without_a_display_there_is_an_error),
];

fn without_a_display_there_is_an_error() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_winit_clock"));
    let output = command.env_remove("DISPLAY").output().expect("it runs");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success(), "{text}");
    assert!(text.contains("no display can be reached") && text.contains("xvfb-run"), "{text}");
    assert!(!text.contains(".rs") && !text.contains("panicked"), "{text}");
}

fn main() -> ExitCode {
    Tests::new(&TESTS).main()
}

/// A window of one color.
struct Face {
    surface: Surface<OwnedDisplayHandle, Window>,
    paint: Paint,
}

impl Painted for Face {
    fn paint(&self) -> &Paint {
        &self.paint
    }
}

impl Face {
    fn open() -> Self {
        let made = Winit::event_loop(|active| {
            let size = PhysicalSize::new(200, 200);
            let attributes = Window::default_attributes().with_inner_size(size).with_decorations(false);
            let window = active.create_window(attributes).expect("a window can be made");
            let context = Context::new(active.owned_display_handle()).expect("the display has surfaces");
            Surface::new(&context, window).expect("the window has a surface")
        });
        Self { surface: made.expect("this is the loop"), paint: Paint::new(Color::RED) }
    }

    /// Draws a frame, and asks for the next one.
    fn draw(&mut self) {
        let size = self.surface.window().inner_size();
        let whole = |length| NonZeroU32::new(length).expect("the window is not empty");
        self.surface.resize(whole(size.width), whole(size.height)).expect("it has that size");
        let mut buffer = self.surface.buffer_mut().expect("it can be drawn on");
        buffer.fill(self.paint.next().to_pixel());
        buffer.present().expect("it can be shown");
        self.surface.window().request_redraw();
    }
}

/// Draws the face whenever the window is to be drawn.
struct App(Arc<OnceLock<Resident<Face>>>);

impl ApplicationHandler for App {
    fn resumed(&mut self, _active: &ActiveEventLoop) {}

    fn window_event(&mut self, _active: &ActiveEventLoop, _window: WindowId, event: WindowEvent) {
        if matches!(event, WindowEvent::RedrawRequested)
            && let Some(face) = self.0.get()
            && let Err(error) = face.with_mut(Face::draw)
        {
            // The last event may come after the end of the window.
            assert!(error.is_closed(), "{error}");
        }
    }
}

fn the_window_is_drawn_and_goes_on_under_load() {
    let screen = Screen::open();
    let window = Arc::new(OnceLock::new());
    let host = Winit::with_handler({
        let window = window.clone();
        move || App(window.clone())
    });
    let ran = caller::run(host, Tokio::new(), async move |gui: Caller| {
        let face = gui.resident_local(Face::open()).expect("this is its thread");
        let face = window.get_or_init(|| face);
        looks_alive(&gui, &screen, face).await;
    });
    ran.expect("the loop runs");
}

/// The example itself.
fn the_clock_is_drawn() {
    let screen = Screen::open();
    let mut command = Command::new(env!("CARGO_BIN_EXE_winit_clock"));
    let mut clock = command.args(["--seconds", "60"]).spawn().expect("it can be started");
    caller_tokio::run(async move |_| screen.shows(Color(0xf6, 0xf3, 0xec)).await).expect("the dial is seen");
    clock.kill().expect("it runs");
    clock.wait().expect("it was killed");
}
