//! A clock in a window of winit, with a tide around it.
//!
//! ```sh
//! cargo run --package winit_clock
//! cargo run --package winit_clock -- --seconds 3
//! ```
//!
//! The loop of the window owns the main thread; tokio is its guest there. A worker tells the time, a TCP stream tells the
//! tide, and both are drawn by a resident of the window's thread. The program ends when the window is closed, or after so
//! many seconds.

mod dial;

mod face;

use std::{
    error::Error,
    future, io,
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use caller::{
    AsyncEvent, Caller, Resident, Winit,
    winit::{
        application::ApplicationHandler, event::WindowEvent, event_loop::ActiveEventLoop, window::WindowId,
    },
};
use caller_tokio::Tokio;
use clap::Parser;
use jiff::Zoned;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    time::sleep,
};

use self::face::Face;

/// A clock in a window
#[derive(Parser)]
struct Args {
    /// End after so many seconds
    #[arg(long, value_name = "N")]
    seconds: Option<u64>,
}

/// The window, as the handler of its events reaches it. It is empty until the program has opened the window.
type Window = Arc<OnceLock<Resident<Face>>>;

/// The events of the window.
struct App {
    window: Window,
    closed: AsyncEvent,
}

impl ApplicationHandler for App {
    // The program opens the window.
    fn resumed(&mut self, _active: &ActiveEventLoop) {}

    fn window_event(&mut self, _active: &ActiveEventLoop, _window: WindowId, event: WindowEvent) {
        match event {
            // Not `exit`: the program ends the loop.
            WindowEvent::CloseRequested => self.closed.set(),
            WindowEvent::RedrawRequested => {
                // The handler runs in the thread of the resident, so it needs no call. A closed face is not drawn.
                let drawn = self.window.get().map(|face| face.try_with_mut(Face::draw));
                if let Some(Err(error)) = drawn
                    && error.is_failed()
                {
                    eprintln!("winit_clock: {error}");
                }
            }
            _ => {}
        }
    }
}

fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let args = Args::parse();
    let (window, closed) = (Window::default(), AsyncEvent::new());
    let host = Winit::with_handler({
        let (window, closed) = (window.clone(), closed.clone());
        move || App { window: window.clone(), closed: closed.clone() }
    });
    let frames = caller::run(host, Tokio::new(), async move |gui: Caller| {
        let face = gui.resident_local(Face::open()?)?;
        let face = window.get_or_init(|| face);
        let clock = gui.to_thread({
            let face = face.clone();
            async move || tell_time(face).await
        });
        let limit = async {
            match args.seconds {
                Some(seconds) => sleep(Duration::from_secs(seconds)).await,
                None => future::pending().await,
            }
        };
        tokio::select! {
            read = read_tide(&gui, face) => read?,
            () = closed.wait() => {}
            () = limit => {}
        }
        clock.cancel("the window closes");
        // The window is closed before the loop ends.
        let frames = face.with(Face::frames)?;
        face.close().await?;
        Ok::<_, Box<dyn Error + Send + Sync>>(frames)
    })??;
    println!("{frames} frames drawn");
    Ok(())
}

/// Tells the window the time, from another thread: each tick is a call.
async fn tell_time(face: Resident<Face>) {
    loop {
        let time = Zoned::now().time();
        if face.run(move |face| face.set_time(time)).await.is_err() {
            return; // the window is closed
        }
        sleep(Duration::from_millis(50)).await;
    }
}

/// Tells the window what a server says of the tide. The socket is awaited in the window's thread.
async fn read_tide(gui: &Caller, face: &Resident<Face>) -> Result<(), Box<dyn Error + Send + Sync>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let _server = gui.try_to_thread(async move || serve_tide(listener).await);
    let mut lines = BufReader::new(TcpStream::connect(address).await?).lines();
    while let Some(line) = lines.next_line().await? {
        let tide = line.parse()?;
        face.with_mut(|face| face.set_tide(tide))?;
    }
    Ok(())
}

/// A server that sends a line now and then: how high the water stands, from 0 to 1. It rises and falls in a minute.
async fn serve_tide(listener: TcpListener) -> io::Result<()> {
    let (mut stream, _) = listener.accept().await?;
    let begun = Instant::now();
    loop {
        let turn = begun.elapsed().as_secs_f32() / 60.0 * std::f32::consts::TAU;
        stream.write_all(format!("{:.3}\n", 0.5 - 0.35 * (turn + 0.8).cos()).as_bytes()).await?;
        sleep(Duration::from_millis(100)).await;
    }
}
