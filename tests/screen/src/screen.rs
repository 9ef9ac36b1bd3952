//! What is seen.

use std::time::{Duration, Instant};

use x11rb::{
    connection::Connection,
    protocol::xproto::{ConnectionExt, ImageFormat},
    rust_connection::RustConnection,
};

use crate::color::Color;

/// How long something may take to be seen.
const PATIENCE: Duration = Duration::from_secs(20);

/// How many pixels of a color are no accident.
const MANY: usize = 10_000;

/// The screen of the display of the test, as the X server has it: what a window only meant to draw is not seen.
#[derive(Debug)]
pub struct Screen {
    connection: RustConnection,
    number: usize,
}

impl Screen {
    /// Connects to the display of the test.
    ///
    /// # Panics
    ///
    /// If there is none.
    pub fn open() -> Self {
        let (connection, number) = RustConnection::connect(None).expect("there is a display");
        Self { connection, number }
    }

    /// Waits until much of the screen has this color.
    ///
    /// # Panics
    ///
    /// If it has not after 20 seconds, as if the window is black or frozen.
    pub async fn shows(&self, color: Color) {
        self.until("is not seen", color, |pixels| pixels >= MANY).await;
    }

    /// Waits until none of the screen has this color.
    ///
    /// # Panics
    ///
    /// If some has after 20 seconds.
    pub async fn lacks(&self, color: Color) {
        self.until("is still seen", color, |pixels| pixels == 0).await;
    }

    async fn until(&self, what: &str, color: Color, is_right: impl Fn(usize) -> bool) {
        let begun = Instant::now();
        while !is_right(self.pixels(color)) {
            assert!(begun.elapsed() < PATIENCE, "{color:?} {what}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The color of one pixel.
    pub fn pixel(&self, x: i16, y: i16) -> Color {
        let image = self.image(x, y, 1, 1);
        let [blue, green, red, ..] = image[..] else { panic!("a pixel has 4 bytes: {image:?}") };
        Color(red, green, blue)
    }

    /// How many pixels have this color.
    fn pixels(&self, Color(red, green, blue): Color) -> usize {
        let root = &self.connection.setup().roots[self.number];
        let image = self.image(0, 0, root.width_in_pixels, root.height_in_pixels);
        image.chunks_exact(4).filter(|pixel| pixel[..3] == [blue, green, red]).count()
    }

    fn image(&self, x: i16, y: i16, width: u16, height: u16) -> Vec<u8> {
        let root = self.connection.setup().roots[self.number].root;
        let image = self.connection.get_image(ImageFormat::Z_PIXMAP, root, x, y, width, height, !0);
        image.expect("the server hears us").reply().expect("the screen can be seen").data
    }
}
