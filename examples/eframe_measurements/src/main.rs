//! Measurements in a window of eframe: they arrive by a socket, are kept in SQLite, and are searched while one types.
//!
//! ```sh
//! cargo run --package eframe_measurements
//! cargo run --package eframe_measurements -- --seconds 3
//! ```
//!
//! eframe keeps its loop to itself, so the caller of the window's thread is attached to it. A tokio socket is read in that
//! thread, the database has a thread of its own, and workers compute; none of them holds up a frame.

mod args;

mod database;

mod chart;

mod view;

mod feed;

mod search;

mod app;

use std::error::Error;

use clap::Parser;
use eframe::{NativeOptions, Renderer, egui::ViewportBuilder};

use self::{app::App, args::Args};

fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let args = Args::parse();
    let viewport = ViewportBuilder::default().with_inner_size([760.0, 560.0]);
    let options = NativeOptions { viewport, renderer: Renderer::Glow, ..NativeOptions::default() };
    let mut program = None;
    let create = |creation: &eframe::CreationContext<'_>| {
        let (app, running) = App::new(creation, args)?;
        program = Some(running);
        Ok(Box::new(app) as Box<dyn eframe::App>)
    };
    eframe::run_native("Measurements", options, Box::new(create)).map_err(|error| error.to_string())?;
    // The window is closed, and its thread is free again. Closing it has cancelled what was outstanding.
    match program.map(caller::Pending::wait_blocking) {
        Some(Err(error)) if !error.is_closed() => Err(error.into()),
        _ => Ok(()),
    }
}
