//! The outputs of the cells of a notebook, as a front end records them.
//!
//! See [outputs in the format][format] and [messages on iopub][messages].
//!
//! [format]: https://nbformat.readthedocs.io/en/latest/format_description.html#code-cell-outputs
//! [messages]: https://jupyter-client.readthedocs.io/en/stable/messaging.html#messages-on-the-iopub-pub-sub-channel

use serde_json::{Map, Value, json};

use super::stream::StreamText;
use crate::shell::{CellError, Data, Display, MimeBundle, Stream, is_json};

/// The outputs of all cells that run, as ids of displays go from cell to cell.
#[derive(Clone, Debug, Default)]
pub(super) struct Sheet {
    cells: Vec<Outputs>,
}

#[derive(Clone, Debug, Default)]
struct Outputs {
    entries: Vec<Entry>,
    /// Whether the next one takes the place of all.
    clear_next: bool,
}

#[derive(Clone, Debug)]
enum Entry {
    Stream {
        stream: Stream,
        text: StreamText,
    },
    /// A display, or a result if it has the number of its cell.
    Shown {
        bundle: MimeBundle,
        id: Option<String>,
        count: Option<u32>,
    },
    Error(CellError),
}

impl Sheet {
    /// One with so many cells.
    pub(super) fn new(cells: usize) -> Self {
        Self { cells: vec![Outputs::default(); cells] }
    }

    /// A cell writes text. What follows text of the same stream is one with it.
    pub(super) fn stream(&mut self, cell: usize, stream: Stream, more: &str) {
        if more.is_empty() {
            return;
        }
        let entries = self.cells[cell].begin_entry();
        match entries.last_mut() {
            Some(Entry::Stream { stream: last, text }) if *last == stream => text.add(more),
            _ => {
                let mut text = StreamText::default();
                text.add(more);
                entries.push(Entry::Stream { stream, text });
            }
        }
    }

    /// A cell shows something, or changes what any cell has shown.
    pub(super) fn display(&mut self, cell: usize, display: Display) {
        let Display { bundle, id, update } = display;
        if update {
            if let Some(id) = id {
                self.update(&id, &bundle);
            }
            return;
        }
        self.cells[cell].begin_entry().push(Entry::Shown { bundle, id, count: None });
    }

    /// All that was shown under this id changes. If there is none, this is nothing.
    fn update(&mut self, wanted: &str, new: &MimeBundle) {
        for entry in self.cells.iter_mut().flat_map(|cell| &mut cell.entries) {
            if let Entry::Shown { bundle, id: Some(id), .. } = entry
                && id == wanted
            {
                bundle.clone_from(new);
            }
        }
    }

    /// A cell ends in a value.
    pub(super) fn result(&mut self, cell: usize, count: u32, bundle: MimeBundle) {
        self.cells[cell].begin_entry().push(Entry::Shown { bundle, id: None, count: Some(count) });
    }

    /// A cell ends in an error.
    pub(super) fn error(&mut self, cell: usize, error: CellError) {
        self.cells[cell].begin_entry().push(Entry::Error(error));
    }

    /// A cell clears its outputs; with `wait`, when there is something new.
    pub(super) fn clear(&mut self, cell: usize, wait: bool) {
        let outputs = &mut self.cells[cell];
        if wait {
            outputs.clear_next = true;
        } else {
            outputs.entries.clear();
        }
    }

    /// The outputs of a cell as they stand in a notebook.
    pub(super) fn of(&self, cell: usize) -> Vec<Value> {
        self.cells[cell].entries.iter().map(Entry::json).collect()
    }
}

impl Outputs {
    /// The entries, when one is about to be added.
    fn begin_entry(&mut self) -> &mut Vec<Entry> {
        if std::mem::take(&mut self.clear_next) {
            self.entries.clear();
        }
        &mut self.entries
    }
}

impl Entry {
    fn json(&self) -> Value {
        match self {
            Self::Stream { stream, text } => {
                json!({ "output_type": "stream", "name": stream.name(), "text": text.text() })
            }
            Self::Shown { bundle, count: None, .. } => json!({
                "output_type": "display_data",
                "data": data(&bundle.data),
                "metadata": bundle.metadata,
            }),
            Self::Shown { bundle, count: Some(count), .. } => json!({
                "output_type": "execute_result",
                "execution_count": count,
                "data": data(&bundle.data),
                "metadata": bundle.metadata,
            }),
            Self::Error(CellError { ename, evalue, traceback }) => json!({
                "output_type": "error", "ename": ename, "evalue": evalue, "traceback": traceback,
            }),
        }
    }
}

/// Data as the format has it: of other types than JSON it is text.
fn data(data: &Data) -> Map<String, Value> {
    let as_text = |(mime, value): (&String, &Value)| {
        let value = match value {
            Value::String(_) => value.clone(),
            _ if is_json(mime) => value.clone(),
            other => other.to_string().into(),
        };
        (mime.clone(), value)
    };
    data.iter().map(as_text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The outputs of all cells, one a line.
    fn transcript(sheet: &Sheet) -> String {
        let cells = (0..sheet.cells.len()).map(|cell| {
            let outputs = sheet.of(cell).into_iter().map(|output| format!("  {output}\n"));
            format!("cell {cell}\n{}", outputs.collect::<String>())
        });
        cells.collect()
    }

    fn shown(text: &str, id: Option<&str>, update: bool) -> Display {
        Display { bundle: MimeBundle::text(text), id: id.map(str::to_owned), update }
    }

    #[test]
    fn text_of_one_stream_is_one_output_until_something_else_comes() {
        let mut sheet = Sheet::new(1);
        sheet.stream(0, Stream::Stdout, "a\n");
        sheet.stream(0, Stream::Stdout, "");
        sheet.stream(0, Stream::Stdout, "b\n");
        sheet.stream(0, Stream::Stderr, "c\n");
        sheet.stream(0, Stream::Stdout, "d\n");
        sheet.display(0, shown("e", None, false));
        sheet.stream(0, Stream::Stdout, "f\r");
        sheet.stream(0, Stream::Stdout, "g\n");
        insta::assert_snapshot!(transcript(&sheet), @r#"
        cell 0
          {"name":"stdout","output_type":"stream","text":"a\nb\n"}
          {"name":"stderr","output_type":"stream","text":"c\n"}
          {"name":"stdout","output_type":"stream","text":"d\n"}
          {"data":{"text/plain":"e"},"metadata":{},"output_type":"display_data"}
          {"name":"stdout","output_type":"stream","text":"g\n"}
        "#);
    }

    #[test]
    fn results_have_the_number_of_the_cell_and_errors_their_traceback() {
        let mut sheet = Sheet::new(2);
        sheet.result(0, 7, MimeBundle::text("42"));
        sheet.error(1, CellError::new("Error", "no"));
        insta::assert_snapshot!(transcript(&sheet), @r#"
        cell 0
          {"data":{"text/plain":"42"},"execution_count":7,"metadata":{},"output_type":"execute_result"}
        cell 1
          {"ename":"Error","evalue":"no","output_type":"error","traceback":["Error: no"]}
        "#);
    }

    #[test]
    fn an_update_changes_what_was_shown_under_its_id_in_any_cell() {
        let mut sheet = Sheet::new(2);
        sheet.display(0, shown("old", Some("a"), false));
        sheet.display(0, shown("other", Some("b"), false));
        sheet.display(1, shown("old too", Some("a"), false));
        sheet.display(1, shown("new", Some("a"), true));
        sheet.display(1, shown("nobody", Some("c"), true));
        sheet.display(1, shown("nobody", None, true));
        insta::assert_snapshot!(transcript(&sheet), @r#"
        cell 0
          {"data":{"text/plain":"new"},"metadata":{},"output_type":"display_data"}
          {"data":{"text/plain":"other"},"metadata":{},"output_type":"display_data"}
        cell 1
          {"data":{"text/plain":"new"},"metadata":{},"output_type":"display_data"}
        "#);
    }

    #[test]
    fn clearing_waits_if_it_is_told_to() {
        let mut sheet = Sheet::new(3);
        for cell in 0..3 {
            sheet.stream(cell, Stream::Stdout, "old\n");
        }
        sheet.clear(0, false);
        sheet.clear(1, true);
        // An update is nothing new.
        sheet.display(1, shown("update", Some("a"), true));
        sheet.clear(2, true);
        sheet.stream(2, Stream::Stdout, "new\n");
        sheet.stream(2, Stream::Stdout, "newer\n");
        insta::assert_snapshot!(transcript(&sheet), @r#"
        cell 0
        cell 1
          {"name":"stdout","output_type":"stream","text":"old\n"}
        cell 2
          {"name":"stdout","output_type":"stream","text":"new\nnewer\n"}
        "#);
    }

    #[test]
    fn data_that_is_no_json_is_text() {
        let mut sheet = Sheet::new(1);
        let bundle = MimeBundle::default()
            .with("text/html", json!({ "a": 1 }))
            .with("application/json", json!({ "a": 1 }))
            .with("application/vnd.vegalite.v5+json", json!([1]));
        sheet.result(0, 1, bundle);
        insta::assert_snapshot!(transcript(&sheet), @r#"
        cell 0
          {"data":{"application/json":{"a":1},"application/vnd.vegalite.v5+json":[1],"text/html":"{\"a\":1}"},"execution_count":1,"metadata":{},"output_type":"execute_result"}
        "#);
    }
}
