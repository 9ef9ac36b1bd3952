//! A window of GTK that is looked at: its host is made as everybody makes it, and what counts is what stands on the
//! screen. It needs the main thread, and Xvfb for a display.

use std::{
    env,
    process::{Command, ExitCode},
    rc::Rc,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use caller::{Caller, Gio, Glib};
use caller_screen::{Color, Paint, Painted, Screen, Test, Tests, looks_alive, paint_from_a_worker};
use caller_tokio::Tokio;
use gtk4::{
    Application, DrawingArea, Window, builders::WindowBuilder, gio::ApplicationFlags, glib::ControlFlow,
    prelude::*,
};
const TESTS: [Test; 3] = [
    ("the_window_is_drawn_and_goes_on_under_load", the_window_is_drawn_and_goes_on_under_load),
    ("an_application_ends_with_its_last_window", an_application_ends_with_its_last_window),
    ("a_second_instance_activates_the_first", a_second_instance_activates_the_first),
];

fn main() -> ExitCode {
    if env::var_os(SECOND).is_some() {
        second_instance();
        return ExitCode::SUCCESS;
    }
    Tests::new(&TESTS).with_bus().main()
}

/// A window of one color.
struct Face {
    window: Window,
    paint: Rc<Paint>,
}

impl Painted for Face {
    fn paint(&self) -> &Paint {
        &self.paint
    }
}

impl Face {
    /// A window of its own.
    fn open() -> Self {
        gtk4::init().expect("there is a display");
        Self::show(Window::builder())
    }

    fn show(builder: WindowBuilder) -> Self {
        let paint = Rc::new(Paint::new(Color::RED));
        let area = DrawingArea::new();
        area.set_draw_func({
            let paint = paint.clone();
            move |_, cairo, _, _| {
                let Color(red, green, blue) = paint.next();
                cairo.set_source_rgb(
                    f64::from(red) / 255.0,
                    f64::from(green) / 255.0,
                    f64::from(blue) / 255.0,
                );
                cairo.paint().expect("it can be painted");
            }
        });
        area.add_tick_callback(|area, _| {
            area.queue_draw();
            ControlFlow::Continue
        });
        let window = builder.child(&area).decorated(false).default_width(200).default_height(200).build();
        window.present();
        Self { window, paint }
    }
}

impl Drop for Face {
    fn drop(&mut self) {
        self.window.destroy();
    }
}

fn the_window_is_drawn_and_goes_on_under_load() {
    let screen = Screen::open();
    let ran = caller::run(Glib::new(), Tokio::new(), async move |gui: Caller| {
        let face = gui.resident_local(Face::open()).expect("this is its thread");
        looks_alive(&gui, &screen, &face).await;
    });
    ran.expect("the loop runs");
}

/// How often somebody started the application.
static ACTIVATIONS: AtomicU32 = AtomicU32::new(0);

fn application() -> Application {
    let application = Application::new(Some("org.example.CallerWindow"), ApplicationFlags::empty());
    application.connect_activate(|_| {
        ACTIVATIONS.fetch_add(1, Ordering::SeqCst);
    });
    application
}

/// The application that runs in this thread.
fn running() -> Application {
    let running = caller::gio::Application::default().expect("one runs");
    running.downcast().expect("it is one of GTK's")
}

fn an_application_ends_with_its_last_window() {
    let screen = Screen::open();
    let host = Gio::new(application).arguments(["window"]);
    let ran = host.run(Tokio::new(), async move |gui: Caller| {
        let face = Face::show(Window::builder().application(&running()));
        let face = gui.resident_local(face).expect("this is its thread");
        screen.shows(Color::RED).await;
        paint_from_a_worker(&face, Color::GREEN).await;
        screen.shows(Color::GREEN).await;
        // As the button of a window does. Nothing that comes later is reached.
        face.with(|face| face.window.close()).expect("this is its thread");
        tokio::time::sleep(Duration::from_secs(3600)).await;
        ExitCode::FAILURE
    });
    assert_eq!(ran.expect("the loop runs"), ExitCode::SUCCESS);
}

const SECOND: &str = "CALLER_TEST_SECOND";

fn a_second_instance_activates_the_first() {
    let host = Gio::new(application).arguments(["window"]);
    let ran = host.run(Tokio::new(), async move |gui: Caller| {
        let _hold = running().hold();
        assert_eq!(ACTIVATIONS.load(Ordering::SeqCst), 1);
        let second = gui.to_thread(async || {
            let mut command = Command::new(env::current_exe().expect("we have a name"));
            command.env(SECOND, "1").status().expect("it runs")
        });
        assert!(second.await.expect("it runs").success(), "the second ends well, without its program");
        assert_eq!(ACTIVATIONS.load(Ordering::SeqCst), 2, "the first was activated");
        ExitCode::from(5)
    });
    assert_eq!(ran.expect("the loop runs"), ExitCode::from(5));
}

fn second_instance() {
    let host = Gio::new(application).arguments(["window"]);
    let ran = host.run(Tokio::new(), async |_| -> ExitCode { panic!("it runs in the first instance alone") });
    assert_eq!(ran.expect("the first runs"), ExitCode::SUCCESS);
}
