//! What the window shows.

use std::{collections::VecDeque, time::Instant};

use eframe::egui::{
    Align, CentralPanel, Grid, Layout, Panel, RichText, ScrollArea, Slider, Spinner, TextEdit, TextStyle, Ui,
};
use jiff::Timestamp;

use crate::{
    chart::{self, Distribution},
    database::{Measurement, Query},
};

/// How many new measurements are shown: those of 20 seconds.
const NEW: usize = 400;

/// The state of the window. It lives in the window's thread, so it needs no lock.
#[derive(Default)]
pub(crate) struct View {
    frames: u64,
    new: VecDeque<Measurement>,
    arrived: u64,
    /// Whether there is a database.
    is_enabled: bool,
    query: Query,
    /// The number of the search.
    number: u64,
    begun: Option<Instant>,
    found: Vec<Measurement>,
    distribution: Option<Distribution>,
    status: String,
}

/// What somebody asked for.
pub(crate) enum Asked {
    Search(Query),
    Cancel,
}

/// What the program tells.
impl View {
    /// Has it take queries from now on.
    pub(crate) fn enable(&mut self) {
        self.is_enabled = true;
    }

    /// What stands in the fields.
    pub(crate) fn query(&self) -> Query {
        self.query.clone()
    }

    /// Adds a measurement that has just arrived.
    pub(crate) fn add_new(&mut self, new: Measurement) {
        self.arrived += 1;
        self.new.push_back(new);
        if self.new.len() > NEW {
            self.new.pop_front();
        }
    }

    /// A search begins, which has the number that this gives.
    pub(crate) fn begin(&mut self) -> u64 {
        self.number += 1;
        self.begun = Some(Instant::now());
        self.found.clear();
        self.distribution = None;
        self.number
    }

    /// Adds what a search has found.
    pub(crate) fn add_found(&mut self, number: u64, found: Vec<Measurement>) {
        // A page of a search that was cancelled may come late.
        if number == self.number && self.begun.is_some() {
            self.found.extend(found);
        }
    }

    /// The search has ended well.
    pub(crate) fn finish(&mut self, distribution: Distribution) {
        let took = self.begun.take().map(|begun| begun.elapsed().as_secs_f32()).unwrap_or_default();
        self.status = format!("{} found in {took:.2} s", thousands(distribution.count));
        if distribution.count > 0 {
            self.status += &format!("   ·   median {:.1} °C", distribution.median);
        }
        self.distribution = Some(distribution);
    }

    /// The search was cancelled.
    pub(crate) fn cancel(&mut self) {
        self.begun = None;
        self.status = format!("cancelled, with {} found", thousands(self.found.len()));
    }

    /// Something failed.
    pub(crate) fn fail(&mut self, error: &str) {
        self.begun = None;
        error.clone_into(&mut self.status);
    }

    /// What happened in the end.
    pub(crate) fn told(&self) -> String {
        format!("{} frames drawn, {} measurements arrived, {}", self.frames, self.arrived, self.status)
    }
}

/// What is drawn.
impl View {
    /// Draws a frame.
    pub(crate) fn show(&mut self, ui: &mut Ui) -> Option<Asked> {
        self.frames += 1;
        Panel::top("new").show_separator_line(false).show(ui, |ui| self.show_new(ui));
        let asked = Panel::top("query").show(ui, |ui| self.show_query(ui)).inner;
        Panel::bottom("status").show(ui, |ui| self.show_status(ui));
        Panel::right("distribution").resizable(false).exact_size(190.0).show(ui, |ui| {
            ui.label(RichText::new("Distribution").strong());
            match &self.distribution {
                Some(distribution) => distribution.show(ui),
                None => drop(ui.weak("…")),
            }
        });
        CentralPanel::default().show(ui, |ui| self.show_found(ui));
        asked
    }

    fn show_new(&self, ui: &mut Ui) {
        ui.add_space(6.0);
        ui.horizontal(|ui| {
            ui.heading("Temperature");
            if let Some(last) = self.new.back() {
                ui.label(format!("{:.1} °C at {}", last.value, last.station()));
            }
            let arrived = format!("{} have arrived", thousands(self.arrived));
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| ui.weak(arrived));
        });
        chart::lines(ui, 120.0, &self.new, NEW);
        ui.add_space(4.0);
    }

    fn show_query(&mut self, ui: &mut Ui) -> Option<Asked> {
        ui.add_space(4.0);
        let before = self.query.clone();
        let row = ui.horizontal(|ui| {
            if !self.is_enabled {
                ui.disable();
            }
            ui.label("Station");
            ui.add(
                TextEdit::singleline(&mut self.query.station).hint_text("all of them").desired_width(130.0),
            );
            ui.add_space(12.0);
            ui.label("at least");
            ui.add(Slider::new(&mut self.query.least, 0.0..=30.0).suffix(" °C").fixed_decimals(1));
            ui.add_space(12.0);
            if self.begun.is_some() {
                let cancelled = ui.button("Cancel").clicked();
                ui.add(Spinner::new());
                return cancelled;
            }
            false
        });
        ui.add_space(4.0);
        if row.inner {
            return Some(Asked::Cancel);
        }
        (self.query != before).then(|| Asked::Search(self.query.clone()))
    }

    fn show_status(&self, ui: &mut Ui) {
        ui.horizontal(|ui| {
            if !self.is_enabled && self.status.is_empty() {
                ui.label("the database is being opened");
            } else if self.begun.is_some() {
                ui.label(format!("{} found so far", thousands(self.found.len())));
            } else {
                ui.label(&self.status);
            }
            let frames = format!("frame {}", thousands(self.frames));
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| ui.weak(frames));
        });
    }

    fn show_found(&self, ui: &mut Ui) {
        let height = ui.text_style_height(&TextStyle::Monospace);
        // Only the rows that are seen cost anything.
        ScrollArea::vertical().auto_shrink(false).show_rows(ui, height, self.found.len(), |ui, rows| {
            let grid = Grid::new("found").striped(true).start_row(rows.start).min_row_height(height);
            grid.min_col_width((ui.available_width() - 2.0 * ui.spacing().item_spacing.x) / 3.0).show(
                ui,
                |ui| {
                    for found in self.found.get(rows).unwrap_or_default() {
                        let time = Timestamp::from_second(found.time).unwrap_or_default();
                        ui.monospace(time.strftime("%Y-%m-%d %H:%M:%S").to_string());
                        ui.horizontal(|ui| {
                            chart::dot(ui, found.station.into());
                            ui.label(found.station());
                        });
                        ui.monospace(format!("{:>6.1} °C", found.value));
                        ui.end_row();
                    }
                },
            );
        });
    }
}

/// A number with a thin space between thousands.
fn thousands(number: impl ToString) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push('\u{2009}');
        }
        text.push(digit);
    }
    text
}
