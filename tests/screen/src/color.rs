//! Colors of pixels.

/// A color: red, green and blue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Color(pub u8, pub u8, pub u8);

impl Color {
    /// Red.
    pub const RED: Self = Self(255, 0, 0);
    /// Green.
    pub const GREEN: Self = Self(0, 255, 0);
    /// Blue.
    pub const BLUE: Self = Self(0, 0, 255);

    /// The pixel in the order of an X server and of winit's surfaces: blue is the lowest byte.
    pub fn to_pixel(self) -> u32 {
        u32::from_be_bytes([0, self.0, self.1, self.2])
    }
}
