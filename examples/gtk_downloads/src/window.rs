//! The window: a text field, and a row for each file.

use caller::{PendingHandle, Result, gio};
use gtk4::{
    Align, Application, ApplicationWindow, Box as Row, Button, Entry, Label, Orientation, ProgressBar,
    ScrolledWindow, prelude::*,
};

/// The widgets. They live in the thread of the window.
pub(crate) struct Downloads {
    window: ApplicationWindow,
    list: Row,
    rows: Vec<File>,
}

/// The row of a file.
struct File {
    bar: ProgressBar,
    cancel: Button,
    state: Label,
}

impl Downloads {
    /// Opens the window, in the thread of the application.
    pub(crate) fn open() -> Self {
        let application =
            gio::Application::default().and_then(|running| running.downcast::<Application>().ok());
        let list = Row::builder().orientation(Orientation::Vertical).spacing(6).build();
        let whole = Row::builder().orientation(Orientation::Vertical).spacing(12).build();
        whole.set_margin_top(12);
        whole.set_margin_bottom(12);
        whole.set_margin_start(12);
        whole.set_margin_end(12);
        let field = Entry::builder().placeholder_text("Type here: it never stutters").build();
        whole.append(&field);
        whole.append(&ScrolledWindow::builder().child(&list).vexpand(true).build());
        let window = ApplicationWindow::builder().title("Downloads").child(&whole);
        let window = window.default_width(520).default_height(440).build();
        window.set_application(application.as_ref());
        window.present();
        Self { window, list, rows: Vec::new() }
    }

    /// Adds a row, whose button cancels the call.
    pub(crate) fn add(&mut self, name: &str, load: PendingHandle) {
        let row = Row::builder().orientation(Orientation::Horizontal).spacing(12).build();
        row.append(&Label::builder().label(name).width_chars(8).xalign(0.0).build());
        let bar = ProgressBar::builder().hexpand(true).valign(Align::Center).build();
        row.append(&bar);
        let state = Label::builder().label("waits").width_chars(10).xalign(1.0).build();
        row.append(&state);
        let cancel = Button::builder().label("Cancel").build();
        cancel.connect_clicked(move |_| {
            load.cancel("its button was pressed");
        });
        row.append(&cancel);
        self.list.append(&row);
        self.rows.push(File { bar, cancel, state });
    }

    /// Shows what part of a file is there.
    pub(crate) fn show(&mut self, number: usize, part: f64) {
        // What is told late, when the end is shown already, is of no use.
        if let Some(file) = self.rows.get(number).filter(|file| file.cancel.is_sensitive()) {
            file.bar.set_fraction(part);
            file.state.set_label(&format!("{:.0} %", 100.0 * part));
        }
    }

    /// Shows how it ended: with a number of bytes, or why not.
    pub(crate) fn finish(&self, number: usize, outcome: &Result<usize>) {
        let Some(file) = self.rows.get(number) else { return };
        file.cancel.set_sensitive(false);
        let text = match outcome {
            Ok(bytes) => {
                file.bar.set_fraction(1.0);
                format!("{} KiB", bytes / 1024)
            }
            Err(error) if error.is_cancelled() => "cancelled".to_owned(),
            Err(error) => error.to_string(),
        };
        file.state.set_label(&text);
    }
}

impl Drop for Downloads {
    fn drop(&mut self) {
        self.window.destroy();
    }
}
