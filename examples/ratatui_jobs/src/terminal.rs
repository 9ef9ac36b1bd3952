//! The loop of a terminal program, as a host.

use std::{
    fmt, io, iter,
    sync::{Arc, OnceLock, mpsc},
    thread,
};

use caller::{BoxError, Host, LocalFuture, Pump, Resident};
use ratatui::{
    Frame,
    crossterm::event::{self, Event},
};

/// What the terminal shows.
pub(crate) trait View: 'static {
    /// Draws the whole screen.
    fn draw(&self, frame: &mut Frame<'_>);

    /// Takes a key, or another event of the terminal.
    fn event(&mut self, event: &Event);
}

/// The view, as the loop reaches it. It is empty until the program has made the view.
pub(crate) type Shown<V> = Arc<OnceLock<Resident<V>>>;

/// A loop that waits for an event or a wake, has the view take the event or the program go on, and draws the view. It takes
/// over the terminal while it runs.
pub(crate) struct Terminal<V: View>(pub(crate) Shown<V>);

impl<V: View> Host for Terminal<V> {
    fn name(&self) -> &'static str {
        "terminal"
    }

    fn run(&self, program: LocalFuture<'static>) -> Result<(), BoxError> {
        let (sender, turns) = mpsc::channel();
        let wakes = sender.clone();
        let mut program = Pump::new(program, move || drop(wakes.send(Turn::Woken)));
        let mut terminal = ratatui::try_init()?;
        let _restores = Restores;
        thread::Builder::new().name("events".to_owned()).spawn(move || read(&sender))?;
        while program.turn() {
            if let Some(view) = self.0.get() {
                terminal.draw(|frame| drop(view.with(|view| view.draw(frame))))?;
            }
            // What came meanwhile belongs to the same turn: a flood of it is drawn once.
            for turn in iter::once(turns.recv()?).chain(turns.try_iter()) {
                if let (Turn::Event(event), Some(view)) = (turn, self.0.get()) {
                    let event = event?;
                    match view.with_mut(|view| view.event(&event)) {
                        // The program has closed its view, and goes on.
                        Err(error) if error.is_closed() => {}
                        taken => taken?,
                    }
                }
            }
        }
        Ok(())
    }
}

/// Why the loop goes on.
enum Turn {
    Event(io::Result<Event>),
    /// The program was woken.
    Woken,
}

/// Reads events until the loop has ended. The last read waits for an event that nobody needs, and ends with the process.
fn read(turns: &mpsc::Sender<Turn>) {
    loop {
        let event = event::read();
        let failed = event.is_err();
        if turns.send(Turn::Event(event)).is_err() || failed {
            return;
        }
    }
}

/// Gives the terminal back as it was, whatever ends the loop.
struct Restores;

impl Drop for Restores {
    fn drop(&mut self) {
        ratatui::restore();
    }
}

impl<V: View> fmt::Debug for Terminal<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Terminal")
    }
}
