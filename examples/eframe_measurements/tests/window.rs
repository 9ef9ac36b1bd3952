//! Windows of eframe that are looked at: a caller is attached to the loop of eframe, and what counts is what stands on the
//! screen. They need the main thread, Xvfb for a display, and OpenGL in software.

use std::{
    collections::BTreeSet,
    panic::{self, AssertUnwindSafe},
    process::{Command, ExitCode},
    sync::mpsc::{self, Sender},
    thread::{self, JoinHandle},
    time::Duration,
};

use caller::{Attached, Caller, CallerState, Pending, Resident, current_host};
use caller_screen::{Color, Paint, Screen, Test, Tests, under_load};
use caller_tokio::Tokio;
use eframe::{
    CreationContext, Frame, NativeOptions,
    egui::{Color32, Context, Ui, ViewportBuilder, ViewportCommand, ViewportId},
};
use tokio::time::{sleep, timeout};

/// How long a window may take to show all that a test looks for.
const PATIENCE: Duration = Duration::from_secs(60);

const TESTS: [Test; 5] = [
    ("the_window_is_drawn_and_goes_on_under_load", the_window_is_drawn_and_goes_on_under_load),
    ("a_minimised_window_takes_calls", a_minimised_window_takes_calls),
    ("closing_the_window_ends_the_caller", closing_the_window_ends_the_caller),
    ("a_panic_of_the_window_ends_the_caller", a_panic_of_the_window_ends_the_caller),
    ("the_measurements_are_drawn", the_measurements_are_drawn),
];

fn main() -> ExitCode {
    Tests::new(&TESTS).main()
}

/// A window of one color. It asks for no frame itself.
struct App {
    attached: Attached,
    face: Resident<Paint>,
    panics: bool,
}

/// What other threads have of the window.
#[derive(Clone)]
struct Window {
    gui: Caller,
    face: Resident<Paint>,
    context: Context,
}

impl App {
    fn new(creation: &CreationContext<'_>) -> Self {
        let context = creation.egui_ctx.clone();
        let builder = Caller::builder().name("window").backend(Tokio::new());
        let attached = builder.attach("eframe", move || context.request_repaint_of(ViewportId::ROOT));
        let attached = attached.expect("the thread is free");
        let face = attached.caller().resident_local(Paint::new(Color::RED)).expect("this is its thread");
        Self { attached, face, panics: false }
    }
}

impl eframe::App for App {
    fn logic(&mut self, _context: &Context, _frame: &mut Frame) {
        assert!(self.attached.turn());
    }

    fn ui(&mut self, ui: &mut Ui, _frame: &mut Frame) {
        let Color(red, green, blue) = self.face.with(Paint::next).expect("this is its thread");
        ui.painter().rect_filled(ui.max_rect(), 0.0, Color32::from_rgb(red, green, blue));
        assert!(!self.panics || self.face.with(Paint::frames).is_ok_and(|frames| frames < 3), "on purpose");
    }
}

/// Opens a window, and closes it when `look` has ended, which runs in a thread of its own. So whatever is drawn was asked
/// for by a call. `begin` is called in the window's thread, before the first frame.
fn open<T: Send + 'static>(
    begin: impl FnOnce(&mut App),
    look: impl AsyncFnOnce(Window) -> T + Send + 'static,
) -> (eframe::Result, Option<JoinHandle<T>>) {
    let viewport = ViewportBuilder::default().with_inner_size([200.0, 200.0]).with_decorations(false);
    // Each pixel has the color that is drawn.
    let options = NativeOptions { viewport, dithering: false, ..NativeOptions::default() };
    let mut looks = None;
    let create = |creation: &CreationContext<'_>| {
        let mut app = App::new(creation);
        begin(&mut app);
        let (gui, face) = (app.attached.caller().clone(), app.face.clone());
        let window = Window { gui, face, context: creation.egui_ctx.clone() };
        looks = Some(thread::spawn(move || {
            let _closes = Closes(window.context.clone());
            let looks = caller_tokio::run(async move |_| timeout(PATIENCE, look(window)).await);
            looks.expect("it looks").expect("calls of the window end")
        }));
        Ok(Box::new(app) as Box<dyn eframe::App>)
    };
    let ran = eframe::run_native("window", options, Box::new(create));
    (ran, looks)
}

/// As [`open`], for a window that works.
fn opened<T: Send + 'static>(look: impl AsyncFnOnce(Window) -> T + Send + 'static) -> T {
    let (ran, looks) = open(|_| (), look);
    ran.expect("there is OpenGL: apt-get install libgl1 libgl1-mesa-dri");
    looks.expect("the window was made").join().expect("it saw what it looked for")
}

/// Closes the window, also after a panic.
struct Closes(Context);

impl Drop for Closes {
    fn drop(&mut self) {
        self.0.send_viewport_cmd_to(ViewportId::ROOT, ViewportCommand::Close);
    }
}

impl Window {
    /// Changes the color. It does not wait: a test looks at the screen for that.
    fn set(&self, color: Color) {
        drop(self.face.call(async move |paint| paint.set(color)));
    }

    async fn frames(&self) -> u32 {
        self.face.call(async |paint| paint.frames()).await.expect("the window is there")
    }
}

fn the_window_is_drawn_and_goes_on_under_load() {
    opened(async |window| {
        let screen = Screen::open();
        screen.shows(Color::RED).await;
        // The first frames come by themselves, but not as many as these.
        for color in [Color::GREEN, Color::BLUE, Color::RED].repeat(5) {
            window.set(color);
            screen.shows(color).await;
        }

        let first = window.frames().await;
        drop(window.face.call(async |paint| paint.change_always()));
        let load = window.gui.call_soon({
            let gui = window.gui.clone();
            async move || {
                let (screen, mut seen) = (Screen::open(), BTreeSet::new());
                let worked = under_load(&gui, || {
                    seen.insert(screen.pixel(100, 100));
                    seen.len() >= 10
                });
                (worked.await, seen.len())
            }
        });
        let (worked, seen) = load.await.expect("the window is drawn");
        println!("under load: {} frames, {seen} of them seen, {worked:?}", window.frames().await - first);

        window.set(Color::BLUE);
        screen.shows(Color::BLUE).await;
    });
}

fn a_minimised_window_takes_calls() {
    opened(async |window| {
        let screen = Screen::open();
        screen.shows(Color::RED).await;
        screen.minimize_windows(true);
        let frames = window.frames().await;
        for _ in 0..5 {
            let worker = window.gui.to_thread(async || 6 * 7);
            let inside = window.gui.call_soon(async move || worker.await);
            assert_eq!(inside.await.flatten().expect("both run"), 42);
        }
        window.set(Color::GREEN);
        assert_eq!(window.frames().await, frames, "it is not drawn meanwhile");
        screen.minimize_windows(false);
        window.set(Color::BLUE);
        screen.shows(Color::BLUE).await;
    });
}

/// Tells in which thread it is dropped.
struct Probe(Sender<thread::ThreadId>);

impl Drop for Probe {
    fn drop(&mut self) {
        let _told = self.0.send(thread::current().id());
    }
}

/// What a window leaves behind: a call that has begun, a worker's, and one that has not begun; and a child.
struct Left {
    calls: Vec<Pending<()>>,
    child: Caller,
    dropped: mpsc::Receiver<thread::ThreadId>,
}

impl Left {
    fn begin(gui: &Caller) -> Self {
        let (tell, dropped) = mpsc::channel();
        let probe = Probe(tell);
        let never = async move || {
            let _probe = probe;
            sleep(Duration::from_secs(3600)).await;
        };
        let (never, child) = (gui.call_soon(never), gui.child("child").expect("it has one child"));
        let worker = child.to_thread(async || sleep(Duration::from_secs(3600)).await);
        let later = gui.call_later(Duration::from_secs(3600), async || ());
        Self { calls: vec![never, worker, later], child, dropped }
    }

    /// All of it has ended, and the thread is free.
    fn has_ended(self) {
        for call in self.calls {
            let error = call.wait_blocking().expect_err("it never ends by itself");
            assert!(error.is_closed() || error.is_cancelled(), "{error}");
        }
        assert_eq!(self.dropped.try_iter().collect::<Vec<_>>(), [thread::current().id()]);
        self.child.stopped().blocking().expect("it is another thread");
        assert_eq!(self.child.state(), CallerState::Stopped);
        assert!(Caller::current().is_err() && current_host().is_none());
    }
}

fn closing_the_window_ends_the_caller() {
    // Twice: the thread is free for another window.
    for closes in [Screen::close_windows as fn(&Screen), |_| ()] {
        let left = opened(async move |window| {
            let screen = Screen::open();
            screen.shows(Color::RED).await;
            let left = Left::begin(&window.gui);
            // What was submitted before has begun.
            window.gui.call_soon(async || ()).await.expect("the window takes calls");
            closes(&screen);
            // Or it is closed by the program, when this has ended.
            left
        });
        left.has_ended();
    }
}

fn a_panic_of_the_window_ends_the_caller() {
    let mut left = None;
    let begin = |app: &mut App| {
        left = Some(Left::begin(app.attached.caller()));
        app.panics = true;
    };
    let look = async |window: Window| window.gui.stopped().await;
    let ran = panic::catch_unwind(AssertUnwindSafe(|| drop(open(begin, look))));
    let panic = ran.expect_err("the panic of a window goes on");
    assert_eq!(panic.downcast_ref::<&str>(), Some(&"on purpose"));
    left.expect("it was made").has_ended();
}

/// The example itself.
fn the_measurements_are_drawn() {
    let screen = Screen::open();
    let mut command = Command::new(env!("CARGO_BIN_EXE_eframe_measurements"));
    let mut program = command.args(["--rows", "20000"]).spawn().expect("it can be started");
    let closes = caller_tokio::run(async move |_| {
        screen.shows(Color(0xe0, 0x8a, 0x4a)).await;
        screen.close_windows();
    });
    if closes.is_err() {
        program.kill().expect("it runs");
    }
    let status = program.wait().expect("it ends");
    closes.expect("the bars are seen");
    assert!(status.success(), "{status}");
}
