//! The list of jobs: what is on the screen, and what the keys do.

use caller::{AsyncEvent, PendingHandle, Result};
use ratatui::{
    Frame,
    crossterm::event::{Event, KeyCode, KeyModifiers},
    layout::{Constraint, Layout, Rect},
    style::{Color, Modifier, Style, Stylize},
    symbols,
    text::Line,
    widgets::{Block, BorderType, LineGauge, Padding, Paragraph},
};

use crate::terminal::View;

/// The jobs. They are shown by the loop in whose thread they live.
pub(crate) struct Board {
    jobs: Vec<Job>,
    selected: usize,
    quit: AsyncEvent,
}

struct Job {
    name: String,
    call: PendingHandle,
    state: State,
}

enum State {
    Waits,
    /// And which part is done, from 0 to 1.
    Runs(f64),
    Done(usize),
    Cancelled,
    Failed(String),
}

impl Board {
    /// A board without jobs. The key `q` sets `quit`.
    pub(crate) fn new(quit: AsyncEvent) -> Self {
        Self { jobs: Vec::new(), selected: 0, quit }
    }

    /// Adds a job. `call` is what its key cancels.
    pub(crate) fn add(&mut self, name: String, call: PendingHandle) {
        self.jobs.push(Job { name, call, state: State::Waits });
    }

    /// Shows which part of a job is done.
    pub(crate) fn progress(&mut self, number: usize, part: f64) {
        // A worker's last words may come after the end.
        if let Some(job) = self.jobs.get_mut(number).filter(|job| !job.has_ended()) {
            job.state = State::Runs(part);
        }
    }

    /// Shows how a job ended: with a number of primes, or why not.
    pub(crate) fn finish(&mut self, number: usize, outcome: &Result<usize>) {
        let Some(job) = self.jobs.get_mut(number) else { return };
        job.state = match outcome {
            Ok(primes) => State::Done(*primes),
            Err(error) if error.is_cancelled() => State::Cancelled,
            Err(error) => State::Failed(error.to_string()),
        };
    }

    /// How many jobs are done, and how many there are.
    pub(crate) fn done(&self) -> (usize, usize) {
        let done = self.jobs.iter().filter(|job| matches!(job.state, State::Done(_)));
        (done.count(), self.jobs.len())
    }
}

impl View for Board {
    fn event(&mut self, event: &Event) {
        let Some(key) = event.as_key_press_event() else { return };
        match key.code {
            KeyCode::Up => self.selected = self.selected.saturating_sub(1),
            KeyCode::Down => self.selected = (self.selected + 1).min(self.jobs.len().saturating_sub(1)),
            // The terminal sends no signal while the program has it.
            KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => self.quit.set(),
            KeyCode::Char('c') => {
                let selected = self.jobs.get(self.selected);
                selected.map(|job| job.call.cancel("its key was pressed"));
            }
            KeyCode::Char('q') | KeyCode::Esc => self.quit.set(),
            _ => {}
        }
    }

    fn draw(&self, frame: &mut Frame<'_>) {
        let (done, all) = self.done();
        let block = Block::bordered()
            .border_type(BorderType::Rounded)
            .border_style(Style::new().dark_gray())
            .padding(Padding::symmetric(2, 1))
            .title(Line::from(" Jobs ".bold().white()))
            .title(Line::from(format!(" {done} of {all} done ").white()).right_aligned())
            .title_bottom(Line::from(" ↑ ↓ select   c cancel   q quit ".white()).centered());
        let area = frame.area();
        let rows = block.inner(area);
        frame.render_widget(block, area);
        // Two lines for each; the list moves so that the selected job is seen.
        let seen = usize::from(rows.height.div_ceil(2)).max(1);
        let first = (self.selected + 1).saturating_sub(seen);
        for ((number, job), y) in
            self.jobs.iter().enumerate().skip(first).zip((rows.y..rows.bottom()).step_by(2))
        {
            job.draw(frame, Rect { y, height: 1, ..rows }, number == self.selected);
        }
    }
}

impl Job {
    fn has_ended(&self) -> bool {
        !matches!(self.state, State::Waits | State::Runs(_))
    }

    fn draw(&self, frame: &mut Frame<'_>, row: Rect, is_selected: bool) {
        let (part, color, text) = match &self.state {
            State::Waits => (0.0, Color::DarkGray, "waits".to_owned()),
            State::Runs(part) => (*part, Color::Cyan, format!("{:.0} %", 100.0 * part)),
            State::Done(primes) => (1.0, Color::Green, format!("{primes} primes")),
            State::Cancelled => (0.0, Color::Red, "cancelled".to_owned()),
            State::Failed(why) => (0.0, Color::Red, why.clone()),
        };
        let widths =
            [Constraint::Length(2), Constraint::Length(12), Constraint::Fill(1), Constraint::Length(16)];
        let [mark, name, gauge, state] = row.layout(&Layout::horizontal(widths));
        let style = Style::new().add_modifier(if is_selected { Modifier::BOLD } else { Modifier::empty() });
        frame.render_widget(Paragraph::new(if is_selected { "▶" } else { "" }).yellow(), mark);
        frame.render_widget(Paragraph::new(self.name.as_str()).style(style), name);
        let line = LineGauge::default()
            .ratio(part.clamp(0.0, 1.0))
            .label("")
            .filled_symbol(symbols::line::THICK_HORIZONTAL)
            .unfilled_symbol(symbols::line::THICK_HORIZONTAL)
            .filled_style(Style::new().fg(color))
            .unfilled_style(Style::new().fg(Color::Indexed(238)));
        frame.render_widget(line, gauge);
        frame.render_widget(Paragraph::new(text).right_aligned().fg(color), state);
    }
}
