//! The service; see the README beside it.

use std::{error::Error, path::PathBuf, time::Duration};

use axum_sqlite::{StoreHandle, router};
use caller::{AsyncEvent, Caller};
use caller_tokio::Tokio;
use clap::Parser;
use tokio::net::TcpListener;

/// How long clients may take for their answers when the service ends.
const GRACE: Duration = Duration::from_secs(5);

/// A web service with notes in a SQLite database.
#[derive(Parser)]
struct Args {
    /// The port; 0 takes one that is free
    #[arg(long, default_value_t = 3000)]
    port: u16,
    /// The file of the database; without one it is in memory
    #[arg(long, value_name = "FILE")]
    database: Option<PathBuf>,
    /// End after so many seconds
    #[arg(long, value_name = "N")]
    seconds: Option<u64>,
}

#[caller::main(backend = Tokio::new(), name = "service")]
async fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let service = Caller::current()?;
    // SQLite blocks, so the connection has a thread of its own, which ends with it.
    let store = StoreHandle::open(service.resident_builder().own_thread("sqlite"), args.database).await?;

    let over = AsyncEvent::new();
    let end = over.clone();
    ctrlc::set_handler(move || end.set())?;
    if let Some(seconds) = args.seconds {
        let end = over.clone();
        drop(service.call_later(Duration::from_secs(seconds), async move || end.set()));
    }

    let listener = TcpListener::bind(("127.0.0.1", args.port)).await?;
    println!("serving at http://{}", listener.local_addr()?);
    let served = axum::serve(listener, router(store)).with_graceful_shutdown(over.wait());
    let late = async {
        over.wait().await;
        tokio::time::sleep(GRACE).await;
    };
    tokio::select! {
        served = served => served?,
        () = late => println!("some clients did not get their answers in time"),
    }
    // The caller stops: calls that are left end, inside SQLite too, and the connection is closed in its thread.
    Ok(())
}
