//! A window whose title is a clock: the time comes from a worker, the number behind it from a TCP stream, and both are set
//! in the window's own thread, while it is drawn.
//!
//! ```sh
//! cargo run -p caller-tokio --example winit_clock --features caller-core/winit
//! cargo run -p caller-tokio --example winit_clock --features caller-core/winit -- --seconds 3
//! ```
//!
//! It ends when the window is closed, or after so many seconds. The loop of the window owns the main thread; tokio is its
//! guest there.

use std::{
    cell::RefCell,
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use caller::{
    AsyncEvent, Caller, Winit,
    winit::{
        application::ApplicationHandler,
        dpi::LogicalSize,
        event::WindowEvent,
        event_loop::ActiveEventLoop,
        window::{Window, WindowId},
    },
};
use caller_tokio::Tokio;
use clap::Parser;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};

/// A window whose title is a clock.
#[derive(Parser)]
struct Args {
    /// End after so many seconds
    #[arg(long, value_name = "N")]
    seconds: Option<u64>,
}

thread_local! {
    /// The window stays in its thread; calls that run there find it.
    static WINDOW: RefCell<Option<Window>> = const { RefCell::new(None) };
}

static FRAMES: AtomicUsize = AtomicUsize::new(0);

/// The window's events.
struct App {
    closed: AsyncEvent,
}

impl ApplicationHandler for App {
    fn resumed(&mut self, active: &ActiveEventLoop) {
        let size = LogicalSize::new(480, 120);
        let attributes = Window::default_attributes().with_title("a clock").with_inner_size(size);
        match active.create_window(attributes) {
            Ok(window) => WINDOW.set(Some(window)),
            Err(error) => {
                eprintln!("the window could not be made: {error}");
                self.closed.set();
            }
        }
    }

    fn window_event(&mut self, _active: &ActiveEventLoop, _window: WindowId, event: WindowEvent) {
        match event {
            // Not `exit`: what runs in the loop ends it.
            WindowEvent::CloseRequested => self.closed.set(),
            WindowEvent::RedrawRequested => {
                FRAMES.fetch_add(1, Ordering::Relaxed);
            }
            _ => {}
        }
    }
}

/// What the title is made of. It belongs to the window's thread, so it needs no lock.
#[derive(Clone, Default)]
struct Title {
    clock: String,
    count: String,
}

/// Changes the title, in the window's thread.
fn change(change: impl FnOnce(&mut Title)) {
    thread_local! { static TITLE: RefCell<Title> = RefCell::default(); }
    TITLE.with_borrow_mut(|title| {
        change(title);
        WINDOW.with_borrow(|window| {
            if let Some(window) = window {
                window.set_title(&format!("{} · {}", title.clock, title.count));
                window.request_redraw();
            }
        });
    });
}

/// Somebody who sends a line now and then.
async fn count(listener: TcpListener) -> std::io::Result<()> {
    let (mut stream, _) = listener.accept().await?;
    for number in 1_u64.. {
        stream.write_all(format!("line {number}\n").as_bytes()).await?;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args = Args::parse();
    let closed = AsyncEvent::new();
    let host = Winit::with_handler({
        let closed = closed.clone();
        move || App { closed: closed.clone() }
    });
    let lines = caller::run(host, Tokio::new(), async move |gui: Caller| {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let server = gui.try_to_thread(async move || count(listener).await);

        // A worker tells the time: each tick is a call in the window's thread.
        let clock = gui.to_thread({
            let gui = gui.clone();
            async move || {
                let begun = Instant::now();
                loop {
                    let seconds = begun.elapsed().as_secs();
                    let text = format!("{:02}:{:02}", seconds / 60, seconds % 60);
                    let set = gui.call_soon(async move || change(|title| title.clock = text));
                    if set.await.is_err() {
                        return; // the window has closed
                    }
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
            }
        });

        // And a socket is awaited in the window's thread itself.
        let mut lines = BufReader::new(TcpStream::connect(address).await?).lines();
        let limit = args.seconds.map(|seconds| tokio::time::Instant::now() + Duration::from_secs(seconds));
        let over = async {
            match limit {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::pin!(over);
        let mut heard = 0;
        loop {
            tokio::select! {
                line = lines.next_line() => {
                    let Some(line) = line? else { break };
                    change(|title| title.count = line);
                    heard += 1;
                }
                () = closed.wait() => break,
                () = &mut over => break,
            }
        }
        clock.cancel("the window closes");
        server.cancel("the window closes");
        WINDOW.take();
        Ok::<_, std::io::Error>(heard)
    })??;
    println!("{lines} lines heard, {} frames drawn", FRAMES.load(Ordering::Relaxed));
    Ok(())
}
