//! A window of GTK that loads many files from a server, which runs in this program too.
//!
//! ```sh
//! cargo run --package gtk_downloads --features gtk
//! ```
//!
//! Workers load the files, a few at a time, and each of them can be cancelled by its button; the window shows how far they
//! are. It is drawn meanwhile, and the text field takes what is typed, since nothing waits in its thread.

mod files;
mod window;

use std::{error::Error, net::SocketAddr, process::ExitCode};

use caller::{Caller, Gio, PoolSettings, Resident};
use caller_tokio::Tokio;
use clap::Parser;
use gtk4::{Application, gio::ApplicationFlags, prelude::*};
use window::Downloads;

/// Loads files, and shows it in a window
#[derive(Clone, Copy, Parser)]
struct Args {
    /// How many files there are
    #[arg(long, default_value_t = 16)]
    files: usize,
    /// Close the window when all files are there
    #[arg(long)]
    quit: bool,
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let args = Args::parse();
    // GTK reads no arguments: they are ours.
    let host = Gio::new(application).arguments(["gtk_downloads"]);
    Ok(host.run(Tokio::new(), async move |gui: Caller| match program(gui, args).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("gtk_downloads: {error}");
            ExitCode::FAILURE
        }
    })?)
}

fn application() -> Application {
    let application = Application::new(Some("org.example.CallerDownloads"), ApplicationFlags::NON_UNIQUE);
    application.connect_activate(|_| {});
    application
}

async fn program(gui: Caller, args: Args) -> Result<(), Box<dyn Error + Send + Sync>> {
    // Widgets are not `Send`: they are a resident of the window's thread, which every thread can reach.
    let window = gui.resident_local(Downloads::open())?;

    let server = gui.child_builder().name("server").spawn()?;
    let address = server.try_call_soon(async || files::serve().await).await?;

    // Four threads for all files.
    let settings = PoolSettings::default().limit(4);
    let loader = gui.child_builder().name("loader").pool(settings).spawn()?;
    let mut loads = Vec::new();
    for number in 0..args.files {
        loads.push(load(&gui, &loader, &window, address, number)?);
    }
    let mut loaded = 0;
    for load in loads {
        loaded += usize::from(load.await?);
    }
    println!("{loaded} of {} files are loaded", args.files);
    if !args.quit {
        // Until the window is closed, which ends the application.
        std::future::pending::<()>().await;
    }
    Ok(())
}

/// Has a worker load a file, and shows it in a row of the window. The pending tells whether it was loaded.
fn load(
    gui: &Caller,
    loader: &Caller,
    window: &Resident<Downloads>,
    address: SocketAddr,
    number: usize,
) -> caller::Result<caller::Pending<bool>> {
    let name = format!("file {}", number + 1);
    let shows = window.clone();
    let file = name.clone();
    let load = loader.try_to_thread(async move || {
        let show = |part| drop(shows.run(move |window| window.show(number, part)));
        files::load(address, &file, show).await
    });
    window.with_mut(|window| window.add(&name, load.handle()))?;
    let window = window.clone();
    gui.call_soon_local(async move || {
        let outcome = load.await;
        // A window that has closed shows nothing.
        let _closed = window.with(|window| window.finish(number, &outcome));
        outcome.is_ok()
    })
}
