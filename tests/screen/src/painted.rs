//! A window under test, as a resident of its thread.

use std::collections::BTreeSet;

use caller::{Caller, Resident};

use crate::{color::Color, load::under_load, paint::Paint, screen::Screen};

/// A window that draws what its [`Paint`] says.
pub trait Painted: 'static {
    /// What it draws.
    fn paint(&self) -> &Paint;
}

/// Sets the color, from a worker's thread.
pub async fn paint_from_a_worker<P: Painted>(window: &Resident<P>, color: Color) {
    let window = window.clone();
    let sets = window
        .caller()
        .clone()
        .to_thread(async move || window.call(async move |window| window.paint().set(color)).await);
    sets.await.expect("a worker runs").expect("the window is there");
}

/// Looks at a red window: it is drawn, and drawn again when it was changed from another thread; it goes on being drawn under
/// load; and it is gone when it is closed. It has to be called in the thread of `gui`, which is that of the window.
///
/// # Panics
///
/// If the screen does not show that.
pub async fn looks_alive<P: Painted>(gui: &Caller, screen: &Screen, window: &Resident<P>) {
    let frames = || window.with(|window| window.paint().frames()).expect("this is its thread");
    screen.shows(Color::RED).await;
    paint_from_a_worker(window, Color::GREEN).await;
    screen.shows(Color::GREEN).await;

    let first = frames();
    window.with(|window| window.paint().change_always()).expect("this is its thread");
    let mut seen = BTreeSet::new();
    let worked = under_load(gui, || {
        seen.insert(screen.pixel(100, 100));
        seen.len() >= 10
    });
    let worked = worked.await;
    println!("under load: {} frames, {} of them seen, {worked:?}", frames() - first, seen.len());

    paint_from_a_worker(window, Color::BLUE).await;
    screen.shows(Color::BLUE).await;
    window.close().await.expect("nobody has it");
    screen.lacks(Color::BLUE).await;
}
