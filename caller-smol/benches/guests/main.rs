//! What a guest costs, in each host, beside the same runtime by itself: a TCP echo ping-pong between two tasks, and a timer.

#[path = "../../../caller-tokio/benches/cost/rounds.rs"]
mod rounds;
#[path = "../../../caller-tokio/benches/cost/table.rs"]
mod table;

mod worlds;

use caller::Caller;
use caller_async_std::AsyncStd;
use caller_smol::Smol;
use caller_tokio::Tokio;

use self::{
    rounds::{Size, in_turn},
    table::Row,
    worlds::{World, listen},
};

/// Both rows of a guest in a host.
struct Names {
    ping_pong: &'static str,
    timer: &'static str,
}

macro_rules! names {
    ($guest:literal in $host:literal) => {
        Names {
            ping_pong: concat!("TCP ping-pong, ", $guest, " as guest of ", $host),
            timer: concat!("timer of 1 ms, ", $guest, " as guest of ", $host),
        }
    };
}

fn caller<W: World>() -> Caller {
    Caller::builder().backend(W::make()).spawn().expect("a caller")
}

/// A TCP echo and somebody who talks to it, each in a guest call of its own.
fn ping_pong<G: World>(host: &Caller, trips: usize) {
    let (listener, address) = listen();
    let echo = host.call_using_backend(G::make(), async move || G::echo(listener).await);
    let talk = host.call_using_backend(G::make(), async move || G::talk(address, trips).await);
    talk.expect("a guest").wait_blocking().expect("it ends");
    echo.expect("a guest").wait_blocking().expect("it ends");
}

fn ticks<G: World>(host: &Caller, count: usize) {
    let call = host.call_using_backend(G::make(), async move || G::ticks(count).await);
    call.expect("a guest").wait_blocking().expect("it ends");
}

/// The rows of a guest in both of the other runtimes, each beside itself alone, in turn.
fn rows<G: World>(size: Size, hosts: [&Caller; 2], names: [Names; 2], peer: &'static str) -> [Row; 4] {
    let (trips, timers) = (size.trips(), size.trips() / 25);
    let native = || {
        let (listener, address) = listen();
        G::alone([G::echo(listener), G::talk(address, trips)]);
    };
    let [first, second] = hosts;
    let [in_first, in_second, alone] = in_turn(
        size.rounds,
        trips,
        [&mut || ping_pong::<G>(first, trips), &mut || ping_pong::<G>(second, trips), &mut { native }],
    );
    let [ticks_in_first, ticks_in_second, ticks_alone] = in_turn(
        size.rounds,
        timers,
        [&mut || ticks::<G>(first, timers), &mut || ticks::<G>(second, timers), &mut || {
            G::alone([G::ticks(timers)]);
        }],
    );
    let [first, second] = names;
    let row = |name, ours, theirs| Row::times(name, peer, ours, theirs, 2.0);
    [
        row(first.ping_pong, in_first, alone),
        row(second.ping_pong, in_second, alone),
        row(first.timer, ticks_in_first, ticks_alone),
        row(second.timer, ticks_in_second, ticks_alone),
    ]
}

fn main() {
    let size = Size::of_this_run();
    let (on_tokio, on_async_std, on_smol) = (caller::<Tokio>(), caller::<AsyncStd>(), caller::<Smol>());
    let mut all = Vec::new();
    all.extend(rows::<Tokio>(
        size,
        [&on_async_std, &on_smol],
        [names!("tokio" in "async-std"), names!("tokio" in "smol")],
        "tokio, native",
    ));
    all.extend(rows::<AsyncStd>(
        size,
        [&on_tokio, &on_smol],
        [names!("async-std" in "tokio"), names!("async-std" in "smol")],
        "async-std, native",
    ));
    all.extend(rows::<Smol>(
        size,
        [&on_tokio, &on_async_std],
        [names!("smol" in "tokio"), names!("smol" in "async-std")],
        "smol, native",
    ));
    table::show(&all);
    for caller in [on_tokio, on_async_std, on_smol] {
        caller.force_stop();
    }
}
