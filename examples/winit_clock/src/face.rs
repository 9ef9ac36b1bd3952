//! The window, and what it shows.

use std::{error::Error, num::NonZeroU32};

use caller::{
    Winit,
    winit::{
        dpi::{LogicalSize, PhysicalSize},
        event_loop::OwnedDisplayHandle,
        window::Window,
    },
};
use jiff::civil::Time;
use softbuffer::{Context, Surface};
use tiny_skia::Pixmap;

use crate::dial;

/// The window with its surface. It lives in the thread of the loop, so it needs no lock.
pub(crate) struct Face {
    surface: Surface<OwnedDisplayHandle, Window>,
    /// Of the size of the window.
    pixmap: Option<Pixmap>,
    time: Time,
    tide: f32,
    frames: u32,
}

impl Face {
    /// Opens the window, in the loop.
    pub(crate) fn open() -> Result<Self, Box<dyn Error + Send + Sync>> {
        let attributes =
            Window::default_attributes().with_title("Clock").with_inner_size(LogicalSize::new(480, 480));
        let made = Winit::event_loop(|active| {
            Ok::<_, Box<dyn Error + Send + Sync>>((
                active.create_window(attributes)?,
                active.owned_display_handle(),
            ))
        });
        let (window, display) = made.ok_or("not in the loop")??;
        let context = Context::new(display).map_err(text)?;
        let surface = Surface::new(&context, window).map_err(text)?;
        Ok(Self { surface, pixmap: None, time: Time::midnight(), tide: 0.0, frames: 0 })
    }

    /// Shows the time from the next frame on.
    pub(crate) fn set_time(&mut self, time: Time) {
        if time.second() != self.time.second() {
            let title = format!("{} · tide {:.0} %", time.strftime("%H:%M:%S"), 100.0 * self.tide);
            self.surface.window().set_title(&title);
        }
        self.time = time;
        self.surface.window().request_redraw();
    }

    /// Shows the tide from the next frame on.
    pub(crate) fn set_tide(&mut self, tide: f32) {
        self.tide = tide;
        self.surface.window().request_redraw();
    }

    /// How many frames were drawn.
    pub(crate) fn frames(&self) -> u32 {
        self.frames
    }

    /// Draws a frame.
    pub(crate) fn draw(&mut self) -> Result<(), Box<dyn Error + Send + Sync>> {
        let PhysicalSize { width, height } = self.surface.window().inner_size();
        let (Some(columns), Some(rows)) = (NonZeroU32::new(width), NonZeroU32::new(height)) else {
            return Ok(()); // a minimised window
        };
        self.surface.resize(columns, rows).map_err(text)?;
        let fits = |pixmap: &Pixmap| pixmap.width() == width && pixmap.height() == height;
        if !self.pixmap.as_ref().is_some_and(fits) {
            self.pixmap = Pixmap::new(width, height);
        }
        let pixmap = self.pixmap.as_mut().ok_or("the window is too large")?;
        dial::draw(pixmap, self.time, self.tide);
        let mut buffer = self.surface.buffer_mut().map_err(text)?;
        for (to, from) in buffer.iter_mut().zip(pixmap.pixels()) {
            *to = u32::from_be_bytes([0, from.red(), from.green(), from.blue()]);
        }
        buffer.present().map_err(text)?;
        self.frames += 1;
        Ok(())
    }
}

/// An error of the surface is not `Send`.
fn text(error: softbuffer::SoftBufferError) -> String {
    error.to_string()
}
