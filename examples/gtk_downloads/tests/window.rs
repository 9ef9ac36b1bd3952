//! A window of GTK that is looked at: its host is made as everybody makes it, and what counts is what stands on the
//! screen. It needs the main thread, and Xvfb for a display.

#[path = "window/screen.rs"]
mod screen;

use std::{
    cell::Cell,
    env,
    process::{Command, ExitCode},
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use caller::{Caller, Gio, Glib, Resident};
use caller_tokio::Tokio;
use gtk4::{
    Application, DrawingArea, Window, builders::WindowBuilder, gio::ApplicationFlags, glib::ControlFlow,
    prelude::*,
};
use screen::{Screen, main_of};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

fn main() {
    if env::var_os(SECOND).is_some() {
        return second_instance();
    }
    main_of(&[
        ("the_window_is_drawn_and_goes_on_under_load", the_window_is_drawn_and_goes_on_under_load),
        ("an_application_ends_with_its_last_window", an_application_ends_with_its_last_window),
        ("a_second_instance_activates_the_first", a_second_instance_activates_the_first),
    ]);
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Color(u8, u8, u8);

const RED: Color = Color(255, 0, 0);
const GREEN: Color = Color(0, 255, 0);
const BLUE: Color = Color(0, 0, 255);

/// A window of one color.
struct Face {
    window: Window,
    color: Rc<Cell<Color>>,
    frames: Rc<Cell<u32>>,
}

impl Face {
    /// A window of its own.
    fn open() -> Self {
        gtk4::init().expect("there is a display");
        Self::show(Window::builder())
    }

    fn show(builder: WindowBuilder) -> Self {
        let (color, frames) = (Rc::new(Cell::new(RED)), Rc::new(Cell::new(0)));
        let area = DrawingArea::new();
        area.set_draw_func({
            let (color, frames) = (color.clone(), frames.clone());
            move |_, cairo, _, _| {
                let Color(red, green, blue) = color.get();
                cairo.set_source_rgb(
                    f64::from(red) / 255.0,
                    f64::from(green) / 255.0,
                    f64::from(blue) / 255.0,
                );
                cairo.paint().expect("it can be painted");
                frames.set(frames.get() + 1);
            }
        });
        area.add_tick_callback(|area, _| {
            area.queue_draw();
            ControlFlow::Continue
        });
        let window = builder.child(&area).decorated(false).default_width(200).default_height(200).build();
        window.present();
        Self { window, color, frames }
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
        screen.shows(RED).await;

        // Changed from another thread.
        set(&face, GREEN).await;
        screen.shows(GREEN).await;

        let load = Load::begin(&gui);
        let (begun, first) = (Instant::now(), frames(&face));
        let mut echoes = 0;
        let mut echo = Echo::connect().await;
        while begun.elapsed() < Duration::from_secs(2) {
            echo.once().await;
            echoes += 1;
        }
        let drawn = frames(&face) - first;
        let calls = load.end().await;
        println!("in 2 s of load: {drawn} frames, {calls} calls, {echoes} echoes");
        assert!(drawn >= 10, "the window froze: {drawn} frames");
        assert!(echoes >= 10 && calls >= 20_000, "{echoes} echoes, {calls} calls");

        set(&face, BLUE).await;
        screen.shows(BLUE).await;
        face.close().await.expect("nobody has it");
        screen.lacks(BLUE).await;
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
        screen.shows(RED).await;
        set(&face, GREEN).await;
        screen.shows(GREEN).await;
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

/// Sets the color, from a worker's thread.
async fn set(face: &Resident<Face>, color: Color) {
    let face = face.clone();
    let sets = face
        .caller()
        .clone()
        .to_thread(async move || face.call(async move |face| face.color.set(color)).await);
    sets.await.expect("it runs").expect("the window is there");
}

fn frames(face: &Resident<Face>) -> u32 {
    face.with(|face| face.frames.get()).expect("this is its thread")
}

/// Calls from another thread, about a hundred thousand a second, and a worker that computes.
struct Load {
    over: Arc<AtomicBool>,
    calls: thread::JoinHandle<usize>,
    computes: caller::Pending<u64>,
}

impl Load {
    fn begin(gui: &Caller) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let calls = thread::spawn({
            let (over, gui) = (over.clone(), gui.clone());
            move || {
                let mut calls = Vec::new();
                while !over.load(Ordering::Relaxed) {
                    calls.extend((0..1000).map(|_| gui.call_soon(async || ())));
                    thread::sleep(Duration::from_millis(10));
                }
                let count = calls.len();
                calls.into_iter().for_each(|call| call.wait_blocking().expect("it runs"));
                count
            }
        });
        let computes = gui.to_thread({
            let over = over.clone();
            async move || {
                let mut sum = 0_u64;
                while !over.load(Ordering::Relaxed) {
                    sum = (0..10_000_u64).fold(sum, |sum, number| sum.wrapping_mul(31).wrapping_add(number));
                }
                sum
            }
        });
        Self { over, calls, computes }
    }

    /// Ends it. Gives how many calls there were.
    async fn end(self) -> usize {
        self.over.store(true, Ordering::Relaxed);
        self.computes.await.expect("it runs");
        let calls = self.calls;
        let joins = tokio::task::spawn_blocking(move || calls.join().expect("it does not panic"));
        joins.await.expect("it runs")
    }
}

/// A socket of tokio's, in the thread of the window.
struct Echo(TcpStream);

impl Echo {
    async fn connect() -> Self {
        // A server in the same thread.
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("it has one");
        tokio::task::spawn_local(async move {
            let (mut stream, _) = listener.accept().await.expect("we connect");
            while let Ok(word) = stream.read_u32().await {
                stream.write_u32(word).await.expect("we read");
            }
        });
        Self(TcpStream::connect(address).await.expect("it listens"))
    }

    async fn once(&mut self) {
        self.0.write_u32(42).await.expect("it reads");
        assert_eq!(self.0.read_u32().await.expect("it writes"), 42);
    }
}
