//! What a guest costs, beside the same runtime by itself: a TCP echo ping-pong between two tasks, and a timer.

#[path = "../../caller-tokio/benches/cost/rounds.rs"]
mod rounds;
#[path = "../../caller-tokio/benches/cost/table.rs"]
mod table;

use std::time::Duration;

use async_std::task;
use caller::{Backend, Caller};
use caller_async_std::AsyncStd;
use caller_tokio::Tokio;

use self::{
    rounds::{Size, in_turn},
    table::Row,
};

/// A TCP echo, and somebody who talks to it, each in a task of tokio's in this thread.
async fn tokio_ping_pong(trips: usize) {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::{TcpListener, TcpStream},
        task::spawn_local,
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let echo = spawn_local(async move {
        let (mut stream, _) = listener.accept().await.expect("a peer");
        stream.set_nodelay(true).expect("an option");
        let mut byte = [0];
        while stream.read_exact(&mut byte).await.is_ok() {
            stream.write_all(&byte).await.expect("a peer");
        }
    });
    let talk = spawn_local(async move {
        let mut stream = TcpStream::connect(address).await.expect("the echo");
        stream.set_nodelay(true).expect("an option");
        let mut byte = [0];
        for _ in 0..trips {
            stream.write_all(&byte).await.expect("the echo");
            stream.read_exact(&mut byte).await.expect("the echo");
        }
    });
    talk.await.expect("it ends");
    echo.await.expect("it ends");
}

async fn async_std_talk(address: std::net::SocketAddr, trips: usize) {
    use async_std::{io::prelude::*, net::TcpStream};
    let mut stream = TcpStream::connect(address).await.expect("the echo");
    stream.set_nodelay(true).expect("an option");
    let mut byte = [0];
    for _ in 0..trips {
        stream.write_all(&byte).await.expect("the echo");
        stream.read_exact(&mut byte).await.expect("the echo");
    }
}

async fn async_std_echo(listener: async_std::net::TcpListener) {
    use async_std::io::prelude::*;
    let (mut stream, _) = listener.accept().await.expect("a peer");
    stream.set_nodelay(true).expect("an option");
    let mut byte = [0];
    while stream.read_exact(&mut byte).await.is_ok() {
        stream.write_all(&byte).await.expect("a peer");
    }
}

async fn async_std_listener() -> (async_std::net::TcpListener, std::net::SocketAddr) {
    let listener = async_std::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    (listener, address)
}

/// The same as tokio's, in two calls of a guest's.
fn async_std_ping_pong_in(caller: &Caller, trips: usize) {
    let (listener, address) = task::block_on(async_std_listener());
    let echo = caller.call_using_backend(AsyncStd::new(), async move || async_std_echo(listener).await);
    let talk = caller.call_using_backend(AsyncStd::new(), async move || async_std_talk(address, trips).await);
    talk.expect("a guest").wait_blocking().expect("it ends");
    echo.expect("a guest").wait_blocking().expect("it ends");
}

fn async_std_ping_pong(trips: usize) {
    task::block_on(async {
        let (listener, address) = async_std_listener().await;
        let echo = task::spawn_local(async_std_echo(listener));
        task::spawn_local(async_std_talk(address, trips)).await;
        echo.await;
    });
}

const TIMER: Duration = Duration::from_millis(1);

fn caller(backend: impl Backend) -> Caller {
    Caller::builder().backend(backend).spawn().expect("a caller")
}

fn main() {
    let size = Size::of_this_run();
    let (trips, timers) = (size.trips(), size.trips() / 25);
    let on_async_std = caller(AsyncStd::new());
    let on_tokio = caller(Tokio::new());
    let in_tokio = |function: fn(usize) -> caller::LocalFuture<'static>, count: usize| {
        let call = on_async_std.call_using_backend(Tokio::new(), async move || function(count).await);
        call.expect("a guest").wait_blocking().expect("it ends");
    };
    let native = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build_local(tokio::runtime::LocalOptions::default())
        .expect("a runtime");

    let [guest, alone] = in_turn(
        size.rounds,
        trips,
        [&mut || in_tokio(|trips| Box::pin(tokio_ping_pong(trips)), trips), &mut || {
            native.block_on(tokio_ping_pong(trips));
        }],
    );
    let row = |name, peer, ours, theirs| Row::times(name, peer, ours, theirs, 3.5);
    let mut rows = vec![row("TCP ping-pong, tokio as guest", "tokio, native", guest, alone)];
    let [guest, alone] = in_turn(
        size.rounds,
        trips,
        [&mut || async_std_ping_pong_in(&on_tokio, trips), &mut || async_std_ping_pong(trips)],
    );
    rows.push(row("TCP ping-pong, async-std as guest", "async-std, native", guest, alone));

    let ticks = async |count: usize| {
        for _ in 0..count {
            tokio::time::sleep(TIMER).await;
        }
    };
    let [guest, alone] = in_turn(
        size.rounds,
        timers,
        [
            &mut || {
                let call = on_async_std.call_using_backend(Tokio::new(), async move || ticks(timers).await);
                call.expect("a guest").wait_blocking().expect("it ends");
            },
            &mut || native.block_on(ticks(timers)),
        ],
    );
    rows.push(row("timer of 1 ms, tokio as guest", "tokio, native", guest, alone));
    let ticks = async |count: usize| {
        for _ in 0..count {
            task::sleep(TIMER).await;
        }
    };
    let [guest, alone] = in_turn(
        size.rounds,
        timers,
        [
            &mut || {
                let call = on_tokio.call_using_backend(AsyncStd::new(), async move || ticks(timers).await);
                call.expect("a guest").wait_blocking().expect("it ends");
            },
            &mut || task::block_on(ticks(timers)),
        ],
    );
    rows.push(row("timer of 1 ms, async-std as guest", "async-std, native", guest, alone));
    table::show(&rows);
    on_async_std.force_stop();
    on_tokio.force_stop();
}
