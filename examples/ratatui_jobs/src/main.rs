//! A list of jobs in the terminal, each with its progress, and a key that cancels it.
//!
//! ```sh
//! cargo run --package ratatui_jobs
//! ```
//!
//! Workers do the jobs, a few at a time. The loop that reads the keys and draws is a host, written in this example: the
//! program runs in its thread, with tokio as its guest, and waits for workers while the loop waits for keys.

mod primes;

mod terminal;

mod board;

use std::error::Error;

use caller::{AsyncEvent, Caller, PoolSettings, Resident};
use caller_tokio::Tokio;
use clap::Parser;

use self::{
    board::Board,
    terminal::{Shown, Terminal},
};

/// Counts primes in many jobs, and shows them in the terminal
#[derive(Clone, Copy, Parser)]
struct Args {
    /// How many jobs there are
    #[arg(long, value_name = "N", default_value_t = 8)]
    jobs: usize,
    /// How many of them run at the same time
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..))]
    workers: u8,
    /// How many numbers a job looks at
    #[arg(long, value_name = "N", default_value_t = 2_000_000)]
    size: u64,
}

fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let args = Args::parse();
    let shown = Shown::default();
    let host = Terminal(shown.clone());
    let (done, all) =
        caller::run(host, Tokio::new(), async move |ui: Caller| program(ui, shown, args).await)??;
    println!("{done} of {all} jobs are done");
    Ok(())
}

async fn program(
    ui: Caller,
    shown: Shown<Board>,
    args: Args,
) -> Result<(usize, usize), Box<dyn Error + Send + Sync>> {
    let quit = AsyncEvent::new();
    let board = ui.resident_local(Board::new(quit.clone()))?;
    let board = shown.get_or_init(|| board);
    let settings = PoolSettings::default().limit(args.workers.into());
    let workers = ui.child_builder().name("workers").pool(settings).spawn()?;
    for number in 0..args.jobs {
        start(&ui, &workers, board, number, args.size)?;
    }
    quit.wait().await;
    // The end of the program cancels the jobs that are left.
    Ok(board.with(Board::done)?)
}

/// Has a worker do a job, and shows it on the board.
fn start(
    ui: &Caller,
    workers: &Caller,
    board: &Resident<Board>,
    number: usize,
    size: u64,
) -> caller::Result<()> {
    let shows = board.clone();
    let first = size * number as u64;
    let job = workers.to_thread(async move || {
        let show = |part| drop(shows.run(move |board| board.progress(number, part)));
        primes::count(first..first + size, show).await
    });
    board.with_mut(|board| board.add(format!("job {}", number + 1), job.handle()))?;
    let board = board.clone();
    let _shown = ui.call_soon_local(async move || {
        let outcome = job.await;
        board.with_mut(|board| board.finish(number, &outcome))
    });
    Ok(())
}
