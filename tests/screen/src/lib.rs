//! Tests that open windows: each runs in a process of its own, on a display of its own, and looks at what the display
//! shows.
//!
//! A test program without libtest's harness (`harness = false`) runs them by [`Tests`]. A test asks [`Screen`] what it
//! sees, draws what [`Paint`] says, and shows by [`looks_alive`] or [`under_load`] that the window goes on being drawn.

mod color;
mod display;
mod load;
mod paint;

mod screen;

mod painted;

mod harness;

pub use self::{
    color::Color,
    harness::{Test, Tests},
    load::{Worked, under_load},
    paint::Paint,
    painted::{Painted, looks_alive, paint_from_a_worker},
    screen::Screen,
};
