//! How the clock is drawn.

use std::f32::consts::TAU;

use jiff::civil::Time;
use tiny_skia::{Color, FillRule, LineCap, Paint, Path, PathBuilder, Pixmap, Stroke, Transform};

type Rgb = [u8; 3];

const GROUND: Rgb = [0x1e, 0x22, 0x2e];
const RING: Rgb = [0x33, 0x39, 0x4a];
const TIDE: Rgb = [0x3f, 0xa7, 0xb5];
const DIAL: Rgb = [0xf6, 0xf3, 0xec];
const INK: Rgb = [0x2b, 0x30, 0x3f];
const SECOND: Rgb = [0xe0, 0x5a, 0x33];

/// Draws the clock, and the tide as a part of the ring around it, from 0 to 1.
pub(crate) fn draw(pixmap: &mut Pixmap, time: Time, tide: f32) {
    let (width, height) = (pixmap.width() as f32, pixmap.height() as f32);
    // The dial has a radius of 1, and noon is above its centre.
    let radius = 0.41 * width.min(height);
    let unit = Transform::from_scale(radius, radius).post_translate(width / 2.0, height / 2.0);
    let mut pen = Pen { pixmap, unit };
    pen.pixmap.fill(color(GROUND));

    pen.stroke(arc(1.11, 1.0), 0.05, RING, 0.0);
    pen.stroke(arc(1.11, tide), 0.05, TIDE, 0.0);
    pen.disc(1.0, DIAL);
    for minute in 0..60_u8 {
        let (inner, thickness) = match minute {
            0 | 15 | 30 | 45 => (0.76, 0.035),
            _ if minute % 5 == 0 => (0.83, 0.025),
            _ => (0.90, 0.01),
        };
        pen.stroke(line(inner, 0.93), thickness, INK, f32::from(minute) / 60.0);
    }

    // Each hand goes on with the faster ones.
    let seconds = f32::from(time.second()) + f32::from(time.millisecond()) / 1000.0;
    let minutes = f32::from(time.minute()) + seconds / 60.0;
    let hours = f32::from(time.hour()) + minutes / 60.0;
    pen.stroke(line(-0.12, 0.52), 0.06, INK, hours / 12.0);
    pen.stroke(line(-0.14, 0.78), 0.04, INK, minutes / 60.0);
    pen.stroke(line(-0.20, 0.86), 0.016, SECOND, seconds / 60.0);
    pen.disc(0.055, SECOND);
    pen.disc(0.02, DIAL);
}

/// Draws shapes whose unit is the radius of the dial.
struct Pen<'a> {
    pixmap: &'a mut Pixmap,
    unit: Transform,
}

impl Pen<'_> {
    /// Strokes a path with round ends, turned clockwise by `turns`.
    fn stroke(&mut self, path: Option<Path>, width: f32, with: Rgb, turns: f32) {
        let Some(path) = path else { return };
        let stroke = Stroke { width, line_cap: LineCap::Round, ..Stroke::default() };
        let transform = self.unit.pre_rotate(360.0 * turns);
        self.pixmap.stroke_path(&path, &paint(with), &stroke, transform, None);
    }

    /// Fills a circle around the centre.
    fn disc(&mut self, radius: f32, with: Rgb) {
        let Some(path) = PathBuilder::from_circle(0.0, 0.0, radius) else { return };
        self.pixmap.fill_path(&path, &paint(with), FillRule::Winding, self.unit, None);
    }
}

/// A line from the centre towards noon, between two distances.
fn line(from: f32, to: f32) -> Option<Path> {
    let mut path = PathBuilder::new();
    path.move_to(0.0, -from);
    path.line_to(0.0, -to);
    path.finish()
}

/// A part of a circle, clockwise from noon. `None` if it is empty.
fn arc(radius: f32, part: f32) -> Option<Path> {
    // Chords of a hundredth of a turn and less, which nobody sees.
    let chords = (part.clamp(0.0, 1.0) * 120.0).ceil();
    let mut path = PathBuilder::new();
    path.move_to(0.0, -radius);
    for chord in 1..=chords as u16 {
        let (sin, cos) = (TAU * part * f32::from(chord) / chords).sin_cos();
        path.line_to(radius * sin, -radius * cos);
    }
    path.finish()
}

fn paint(with: Rgb) -> Paint<'static> {
    let mut paint = Paint { anti_alias: true, ..Paint::default() };
    paint.set_color(color(with));
    paint
}

fn color([red, green, blue]: Rgb) -> Color {
    Color::from_rgba8(red, green, blue, 255)
}
