//! A window whose title is a clock: the time comes from a worker, the number behind it from a TCP stream, and both are set
//! in the window's own thread, while it is drawn.
//!
//! ```sh
//! cargo run --package winit_clock
//! cargo run --package winit_clock -- --seconds 3
//! ```
//!
//! It ends when the window is closed, or after so many seconds. The loop of the window owns the main thread; tokio is its
//! guest there. The window is a resident of that thread: the worker reaches it by calls, the thread itself without waiting.

use std::{
    error::Error,
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use caller::{
    AsyncEvent, Caller, Refused, Resident, Winit,
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

static FRAMES: AtomicUsize = AtomicUsize::new(0);

/// The window's events.
struct App {
    closed: AsyncEvent,
}

impl ApplicationHandler for App {
    // The program makes the window.
    fn resumed(&mut self, _active: &ActiveEventLoop) {}

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

/// The window, with what its title is made of. It belongs to the thread of the loop, so it needs no lock.
struct Face {
    window: Window,
    time: String,
    line: String,
}

impl Face {
    fn open() -> Result<Self, Box<dyn Error + Send + Sync>> {
        let size = LogicalSize::new(480, 120);
        let attributes = Window::default_attributes().with_title("a clock").with_inner_size(size);
        let window =
            Winit::event_loop(|active| active.create_window(attributes)).ok_or("not in the loop")??;
        Ok(Self { window, time: String::new(), line: String::new() })
    }

    fn set_time(&mut self, time: String) {
        self.time = time;
        self.draw();
    }

    fn set_line(&mut self, line: String) {
        self.line = line;
        self.draw();
    }

    fn draw(&self) {
        self.window.set_title(&format!("{} · {}", self.time, self.line));
        self.window.request_redraw();
    }
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

/// Tells the time: each tick is a call in the window's thread.
async fn tell_time(face: Resident<Face>) {
    let begun = Instant::now();
    loop {
        let seconds = begun.elapsed().as_secs();
        let text = format!("{:02}:{:02}", seconds / 60, seconds % 60);
        if face.call_mut(async move |face| face.set_time(text)).await.is_err() {
            return; // the window has closed
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let args = Args::parse();
    let closed = AsyncEvent::new();
    let host = Winit::with_handler({
        let closed = closed.clone();
        move || App { closed: closed.clone() }
    });
    let lines = caller::run(host, Tokio::new(), async move |gui: Caller| {
        // It exists already, in this thread, and stays here.
        let face = gui.resident_local(Face::open()?).map_err(Refused::into_error)?;

        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let server = gui.try_to_thread(async move || count(listener).await);
        let clock = gui.to_thread({
            let face = face.clone();
            async move || tell_time(face).await
        });

        // A socket is awaited in the window's thread itself.
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
                    // In its own thread, without a call.
                    face.with_mut(|face| face.set_line(line))?;
                    heard += 1;
                }
                () = closed.wait() => break,
                () = &mut over => break,
            }
        }
        clock.cancel("the window closes");
        server.cancel("the window closes");
        // The window goes before the loop does.
        face.close().await?;
        Ok::<_, Box<dyn Error + Send + Sync>>(heard)
    })??;
    println!("{lines} lines heard, {} frames drawn", FRAMES.load(Ordering::Relaxed));
    Ok(())
}
