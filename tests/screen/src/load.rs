//! What a window has to bear, and be drawn all the same.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use caller::{Caller, Pending};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// How long the load is kept up at least.
const LOAD: Duration = Duration::from_secs(2);

/// How long a window may take to be drawn often enough. A busy machine needs longer than [`LOAD`].
const PATIENCE: Duration = Duration::from_secs(30);

/// How many calls are a load, and how many words of the socket show that it is read.
const ENOUGH: Worked = Worked { calls: 20_000, echoes: 10 };

/// What was done under load.
#[derive(Clone, Copy, Debug)]
pub struct Worked {
    /// Calls in the window's thread.
    pub calls: usize,
    /// Words that went to a server, in the window's thread too, and came back.
    pub echoes: usize,
}

/// Makes about a hundred thousand calls a second in the thread of `gui`, from another thread, while a worker computes and
/// a socket of tokio's is read in the thread of `gui`. It has to be called in that thread. It asks `is_drawn`, after each
/// word of the socket, whether the window was drawn often enough by now, and ends when it was, after two seconds at the earliest.
///
/// # Panics
///
/// If the window was not drawn often enough after 30 seconds.
pub async fn under_load(gui: &Caller, mut is_drawn: impl FnMut() -> bool) -> Worked {
    let load = Load::begin(gui);
    let begun = Instant::now();
    let mut echoes = 0;
    let mut echo = Echo::connect().await;
    loop {
        echo.once().await;
        echoes += 1;
        let (calls, is_drawn) = (load.made.load(Ordering::Relaxed), is_drawn());
        if is_drawn && begun.elapsed() >= LOAD && calls >= ENOUGH.calls && echoes >= ENOUGH.echoes {
            break;
        }
        let drawn = if is_drawn { "drawn" } else { "frozen" };
        assert!(begun.elapsed() < PATIENCE, "the window is {drawn}, after {calls} calls and {echoes} echoes");
    }
    Worked { calls: load.end().await, echoes }
}

/// Calls from another thread, and a worker that computes.
struct Load {
    over: Over,
    made: Arc<AtomicUsize>,
    calls: thread::JoinHandle<usize>,
    computes: Pending<u64>,
}

impl Load {
    fn begin(gui: &Caller) -> Self {
        let (over, made) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let calls = thread::spawn({
            let (over, made, gui) = (over.clone(), made.clone(), gui.clone());
            move || {
                let mut calls = Vec::new();
                while !over.load(Ordering::Relaxed) {
                    calls.extend((0..1000).map(|_| gui.call_soon(async || ())));
                    made.store(calls.len(), Ordering::Relaxed);
                    thread::sleep(Duration::from_millis(10));
                }
                let count = calls.len();
                calls.into_iter().for_each(|call| call.wait_blocking().expect("the loop runs"));
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
        Self { over: Over(over), made, calls, computes }
    }

    /// Ends it. Gives the number of calls.
    async fn end(self) -> usize {
        drop(self.over);
        self.computes.await.expect("a worker computes");
        let calls = self.calls;
        let joins = tokio::task::spawn_blocking(move || calls.join().expect("all calls ran"));
        joins.await.expect("a thread can be joined")
    }
}

/// Ends the load when it is dropped, also by a panic: the worker would keep its caller from ending.
struct Over(Arc<AtomicBool>);

impl Drop for Over {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A socket of tokio's, and its server in the same thread.
struct Echo(TcpStream);

impl Echo {
    async fn connect() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let address = listener.local_addr().expect("it has an address");
        tokio::task::spawn_local(async move {
            let (mut stream, _) = listener.accept().await.expect("we connect");
            while let Ok(word) = stream.read_u32().await {
                stream.write_u32(word).await.expect("we read");
            }
        });
        Self(TcpStream::connect(address).await.expect("the server listens"))
    }

    async fn once(&mut self) {
        self.0.write_u32(42).await.expect("the server reads");
        assert_eq!(self.0.read_u32().await.expect("the server writes"), 42);
    }
}
