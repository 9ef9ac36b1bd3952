//! A real window as the host, with both backends in its thread. It needs the main thread, and Xvfb for a display.

use std::{
    cell::RefCell,
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use caller::{
    AsyncEvent, Caller, Winit, current_host,
    winit::{
        application::ApplicationHandler,
        event::WindowEvent,
        event_loop::ActiveEventLoop,
        window::{Window, WindowId},
    },
};
use caller_async_std::AsyncStd;
use caller_screen::{Test, Tests};
use caller_tokio::Tokio;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// Each in a process of its own: most systems give a process one such loop.
const TESTS: [Test; 3] = [
    ("gst_05_start_traffic_close", gst_05_start_traffic_close),
    ("hst_04_a_loop_that_ends_early", hst_04_a_loop_that_ends_early),
    ("hst_05_a_panic_comes_out", hst_05_a_panic_comes_out),
];

fn main() -> ExitCode {
    Tests::new(&TESTS).main()
}

thread_local! {
    /// What stays in the thread of the loop.
    static WINDOW: RefCell<Option<Arc<Window>>> = const { RefCell::new(None) };
}

/// Makes a window, counts how often it is drawn, and asks for the next frame each time.
struct App {
    frames: Arc<AtomicUsize>,
    closed: AsyncEvent,
}

impl ApplicationHandler for App {
    fn resumed(&mut self, active: &ActiveEventLoop) {
        let window = active.create_window(Window::default_attributes()).expect("a window can be made");
        window.request_redraw();
        WINDOW.set(Some(Arc::new(window)));
    }

    fn window_event(&mut self, _active: &ActiveEventLoop, _window: WindowId, event: WindowEvent) {
        match event {
            WindowEvent::RedrawRequested => {
                self.frames.fetch_add(1, Ordering::SeqCst);
                WINDOW.with_borrow(|window| window.iter().for_each(|window| window.request_redraw()));
            }
            WindowEvent::CloseRequested | WindowEvent::Destroyed => self.closed.set(),
            _ => {}
        }
    }
}

async fn until(what: &str, condition: impl Fn() -> bool) {
    let patience = tokio::time::Instant::now() + Duration::from_secs(20);
    while !condition() {
        assert!(tokio::time::Instant::now() < patience, "{what} did not come");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

fn gst_05_start_traffic_close() {
    // Elsewhere than in the main thread nothing is started.
    let elsewhere = thread::spawn(|| caller::run(Winit::new(), Tokio::new(), async |_| ()));
    let error = elsewhere.join().expect("no panic").unwrap_err();
    assert!(error.is_mismatch() && error.to_string().contains("main thread"), "{error}");

    let frames = Arc::new(AtomicUsize::new(0));
    let closed = AsyncEvent::new();
    let host = Winit::with_handler({
        let (frames, closed) = (frames.clone(), closed.clone());
        move || App { frames: frames.clone(), closed: closed.clone() }
    });
    let ran = caller::run(host, Tokio::new(), async move |gui: Caller| {
        let here = thread::current().id();
        assert_eq!(current_host().map(|host| host.name()), Some("winit"));
        assert_eq!(Caller::main_thread().expect("it is this one"), gui);
        until("the first frame", || frames.load(Ordering::SeqCst) > 0).await;

        // From a worker, in the thread of the window.
        let worker = gui.clone().to_thread({
            let gui = gui.clone();
            async move || {
                let set = gui.call_soon(async || {
                    WINDOW.with_borrow(|window| {
                        window.as_ref().expect("it is there").set_title("from a worker")
                    });
                    thread::current().id()
                });
                set.await.expect("it runs")
            }
        });
        assert_eq!(worker.await.expect("it runs"), here);

        // A socket of tokio's, awaited in the thread of the window, which is drawn meanwhile.
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let server = gui.to_thread(async move || {
            let (mut stream, _) = listener.accept().await.expect("a peer");
            for word in ["one", "two", "three"] {
                stream.write_all(word.as_bytes()).await.expect("a peer");
                assert_eq!(stream.read_u8().await.expect("a peer"), b'!');
            }
        });
        let mut stream = TcpStream::connect(address).await.expect("it listens");
        let drawn = frames.load(Ordering::SeqCst);
        let mut word = [0; 8];
        for expected in ["one", "two", "three"] {
            let size = stream.read(&mut word).await.expect("a peer");
            assert_eq!(&word[..size], expected.as_bytes());
            WINDOW.with_borrow(|window| window.as_ref().expect("it is there").set_title(expected));
            assert_eq!(thread::current().id(), here);
            let before = frames.load(Ordering::SeqCst);
            until("a frame", || frames.load(Ordering::SeqCst) > before).await;
            stream.write_all(b"!").await.expect("a peer");
        }
        server.await.expect("it ends");
        assert!(frames.load(Ordering::SeqCst) >= drawn + 3, "it was drawn while we waited");

        // The other backend in the same thread.
        let guest = gui.call_using_backend(AsyncStd::new(), async move || {
            async_std::task::sleep(Duration::from_millis(1)).await;
            thread::current().id()
        });
        assert_eq!(guest.expect("a guest").await.expect("it runs"), here);

        // A call that never lets go does not keep the window from being drawn.
        let busy = gui.call_soon(async || {
            loop {
                tokio::task::yield_now().await;
            }
        });
        let before = frames.load(Ordering::SeqCst);
        until("frames beside a busy call", || frames.load(Ordering::SeqCst) > before + 3).await;
        busy.cancel("enough");

        // A second window, made by a call; dropping the first destroys it, and the handler hears of that.
        let made = gui.call_soon(async || {
            let window = Winit::event_loop(|active| active.create_window(Window::default_attributes()));
            window.expect("in the loop").expect("a window can be made")
        });
        drop(made.await.expect("it runs"));
        drop(WINDOW.take());
        closed.wait().await;
        "closed"
    });
    assert_eq!(ran.expect("it ends by itself"), "closed");
    assert!(current_host().is_none() && Caller::current().is_err() && Caller::main_thread().is_err());
    assert!(Winit::event_loop(|_| ()).is_none());
    // winit gives one loop a process: an error, and no panic.
    assert!(caller::run(Winit::new(), Tokio::new(), async |_| ()).unwrap_err().is_host());
}

fn hst_04_a_loop_that_ends_early() {
    struct Leaves;
    impl ApplicationHandler for Leaves {
        fn resumed(&mut self, active: &ActiveEventLoop) {
            active.exit();
        }
        fn window_event(&mut self, _: &ActiveEventLoop, _: WindowId, _: WindowEvent) {}
    }
    let error = caller::run(Winit::with_handler(|| Leaves), Tokio::new(), async |_| {
        std::future::pending::<()>().await;
    });
    let error = error.unwrap_err();
    assert!(error.is_host() && error.to_string().contains("ended before"), "{error}");
    assert!(current_host().is_none() && Caller::current().is_err());
}

fn hst_05_a_panic_comes_out() {
    let ran = std::panic::catch_unwind(|| {
        caller::run(Winit::new(), AsyncStd::new(), async |_| {
            async_std::task::sleep(Duration::from_millis(1)).await;
            panic!("on purpose");
        })
    });
    assert_eq!(ran.unwrap_err().downcast_ref(), Some(&"on purpose"));
    assert!(current_host().is_none() && Caller::current().is_err());
}
