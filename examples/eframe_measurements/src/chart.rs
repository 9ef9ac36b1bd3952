//! Charts.

use std::collections::VecDeque;

use eframe::egui::{
    Align2, Color32, FontId, Painter, Pos2, Rect, Sense, Stroke, StrokeKind, Ui, Vec2, ecolor::Hsva, pos2,
    remap_clamp, vec2,
};

use crate::database::{Measurement, STATIONS};

const BAR: Color32 = Color32::from_rgb(0xe0, 0x8a, 0x4a);

/// How the temperatures of a search are distributed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Distribution {
    pub(crate) count: usize,
    /// NaN if there are none, as those that follow.
    pub(crate) median: f32,
    least: f32,
    most: f32,
    bars: [usize; Self::BARS],
}

impl Distribution {
    const BARS: usize = 18;

    /// Of these temperatures.
    pub(crate) fn of(mut values: Vec<f32>) -> Self {
        values.sort_unstable_by(f32::total_cmp);
        let at = |place: usize| values.get(place).copied().unwrap_or(f32::NAN);
        let (least, most) = (at(0), at(values.len().saturating_sub(1)));
        let mut bars = [0; Self::BARS];
        for value in &values {
            // A cast of NaN is zero.
            let bar = (value - least) / (most - least) * Self::BARS as f32;
            bars[(bar as usize).min(Self::BARS - 1)] += 1;
        }
        Self { count: values.len(), median: at(values.len() / 2), least, most, bars }
    }

    /// Draws bars into the rest of the space.
    pub(crate) fn show(&self, ui: &mut Ui) {
        let (rect, painter) = area(ui, ui.available_size());
        let highest = self.bars.iter().copied().max().unwrap_or(0).max(1);
        let inner = rect.shrink2(vec2(10.0, 22.0));
        let step = inner.height() / Self::BARS as f32;
        for (bar, count) in self.bars.iter().enumerate() {
            let width = inner.width() * *count as f32 / highest as f32;
            let bottom = inner.bottom() - step * bar as f32;
            let bar = Rect::from_min_max(
                pos2(inner.left(), bottom - step + 2.0),
                pos2(inner.left() + width, bottom),
            );
            painter.rect_filled(bar, 2.0, BAR);
        }
        if self.count > 0 {
            let color = ui.visuals().weak_text_color();
            let text = |at: Pos2, align, value: f32| {
                painter.text(at, align, format!("{value:.1} °C"), FontId::proportional(12.0), color);
            };
            text(inner.left_top() - vec2(0.0, 2.0), Align2::LEFT_BOTTOM, self.most);
            text(inner.left_bottom() + vec2(0.0, 3.0), Align2::LEFT_TOP, self.least);
        }
    }
}

/// Draws a line for each station through the values, from the oldest to the newest, in a space that has room for `most`
/// of them.
pub(crate) fn lines(ui: &mut Ui, height: f32, values: &VecDeque<Measurement>, most: usize) {
    let (rect, painter) = area(ui, vec2(ui.available_width(), height));
    let inner = rect.shrink(10.0);
    let least = values.iter().map(|each| each.value).fold(f32::INFINITY, f32::min);
    let highest = values.iter().map(|each| each.value).fold(f32::NEG_INFINITY, f32::max).max(least + 1.0);
    let room = most.saturating_sub(values.len());
    let point = |(place, each): (usize, &Measurement)| {
        let x = remap_clamp((room + place) as f32, 0.0..=most as f32, inner.x_range());
        pos2(x, remap_clamp(each.value, least..=highest, inner.bottom()..=inner.top()))
    };
    for station in 0..STATIONS.len() {
        let of_station = values.iter().enumerate().filter(|(_, each)| usize::from(each.station) == station);
        painter.line(of_station.map(point).collect(), Stroke::new(1.8, color(station)));
    }
}

/// Draws a dot in the color of a station.
pub(crate) fn dot(ui: &mut Ui, station: usize) {
    let (response, painter) = ui.allocate_painter(Vec2::splat(9.0), Sense::hover());
    painter.circle_filled(response.rect.center(), 4.0, color(station));
}

fn color(station: usize) -> Color32 {
    Hsva::new(0.07 + station as f32 / STATIONS.len() as f32, 0.6, 0.75, 1.0).into()
}

/// Takes the space, and gives it a frame.
fn area(ui: &mut Ui, size: Vec2) -> (Rect, Painter) {
    let (response, painter) = ui.allocate_painter(size, Sense::hover());
    let visuals = ui.visuals();
    painter.rect(response.rect, 4.0, visuals.extreme_bg_color, visuals.window_stroke, StrokeKind::Inside);
    (response.rect, painter)
}
