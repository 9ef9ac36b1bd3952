//! What a window under test draws.

use std::cell::Cell;

use crate::color::Color;

/// The color of a window, and the number of its frames.
#[derive(Debug)]
pub struct Paint {
    color: Cell<Option<Color>>,
    frames: Cell<u32>,
}

impl Paint {
    /// Paint of one color.
    pub fn new(color: Color) -> Self {
        Self { color: Cell::new(Some(color)), frames: Cell::new(0) }
    }

    /// Has the next frames be of this color.
    pub fn set(&self, color: Color) {
        self.color.set(Some(color));
    }

    /// Has each of the next frames be of another color than the frame before it.
    pub fn change_always(&self) {
        self.color.set(None);
    }

    /// Counts a frame, and gives its color.
    pub fn next(&self) -> Color {
        let frame = self.frames.get().wrapping_add(1);
        self.frames.set(frame);
        let [.., high, low] = frame.to_be_bytes();
        self.color.get().unwrap_or(Color(high, low, 128))
    }

    /// How many frames were drawn.
    pub fn frames(&self) -> u32 {
        self.frames.get()
    }
}
