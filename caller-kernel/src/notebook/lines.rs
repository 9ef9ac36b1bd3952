//! Text of many lines, which stands in the file as an array of lines, and in memory as one text. Which texts those are, and
//! where a line ends, is what nbformat does.

use serde_json::Value;

use crate::shell::is_json;

/// Makes one text of each array of lines.
pub(super) fn join(notebook: &mut Value) {
    each_text(notebook, &|text, mime| {
        let Value::Array(lines) = &*text else { return };
        let joins = mime.is_none_or(|mime| !is_json(mime));
        if joins && let Some(lines) = lines.iter().map(Value::as_str).collect::<Option<Vec<_>>>() {
            *text = lines.concat().into();
        }
    });
}

/// Makes an array of lines of each text that is one in files.
pub(super) fn split(notebook: &mut Value) {
    each_text(notebook, &|text, mime| {
        let splits = mime.is_none_or(|mime| {
            mime.starts_with("text/") || matches!(mime, "application/javascript" | "image/svg+xml")
        });
        if splits && let Value::String(whole) = &*text {
            *text = lines(whole).into();
        }
    });
}

/// Goes to each place that may hold a text of many lines; in data, with its MIME type.
fn each_text(notebook: &mut Value, change: &dyn Fn(&mut Value, Option<&str>)) {
    let Some(Value::Array(cells)) = notebook.get_mut("cells") else { return };
    for cell in cells {
        if let Some(source) = cell.get_mut("source") {
            change(source, None);
        }
        if let Some(Value::Object(attachments)) = cell.get_mut("attachments") {
            attachments.values_mut().for_each(|data| each_format(data, change));
        }
        if cell.get("cell_type").and_then(Value::as_str) != Some("code") {
            continue;
        }
        let Some(Value::Array(outputs)) = cell.get_mut("outputs") else { continue };
        for output in outputs {
            if let Some(text) = output.get_mut("text") {
                change(text, None);
            }
            if let Some(data) = output.get_mut("data") {
                each_format(data, change);
            }
        }
    }
}

fn each_format(data: &mut Value, change: &dyn Fn(&mut Value, Option<&str>)) {
    if let Value::Object(formats) = data {
        formats.iter_mut().for_each(|(mime, text)| change(text, Some(mime)));
    }
}

/// The lines of a text, with their ends. More than the line feed ends one, as in Python's `splitlines`.
fn lines(text: &str) -> Vec<&str> {
    let mut lines = Vec::new();
    let mut start = 0;
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let ends = match c {
            '\r' => chars.peek().is_none_or(|(_, next)| *next != '\n'),
            '\n' | '\u{b}' | '\u{c}' | '\u{1c}'..='\u{1e}' | '\u{85}' | '\u{2028}' | '\u{2029}' => true,
            _ => false,
        };
        if ends {
            let end = at + c.len_utf8();
            lines.push(&text[start..end]);
            start = end;
        }
    }
    if start < text.len() {
        lines.push(&text[start..]);
    }
    lines
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn lines_end_where_those_of_python_do() {
        assert_eq!(lines(""), [""; 0]);
        assert_eq!(lines("a"), ["a"]);
        assert_eq!(lines("a\n\nb\n"), ["a\n", "\n", "b\n"]);
        assert_eq!(lines("a\r\nb\rc\u{2028}d"), ["a\r\n", "b\r", "c\u{2028}", "d"]);
    }

    #[test]
    fn texts_are_split_and_joined_and_json_is_not() {
        let whole = json!({ "cells": [
            { "cell_type": "markdown", "source": "a\nb", "attachments": { "x": { "text/plain": "c\nd" } } },
            { "cell_type": "code", "source": "", "outputs": [
                { "output_type": "stream", "text": "e\nf" },
                { "output_type": "display_data", "data": {
                    "text/html": "g\nh", "image/svg+xml": "i\nj", "image/png": "k\nl",
                    "application/json": ["m\n", "n"], "application/vnd.vega+json": "o\np",
                } },
            ] },
        ] });
        let mut split_up = whole.clone();
        split(&mut split_up);
        assert_eq!(
            split_up,
            json!({ "cells": [
                { "cell_type": "markdown", "source": ["a\n", "b"], "attachments": { "x": { "text/plain": ["c\n", "d"] } } },
                { "cell_type": "code", "source": [], "outputs": [
                    { "output_type": "stream", "text": ["e\n", "f"] },
                    { "output_type": "display_data", "data": {
                        "text/html": ["g\n", "h"], "image/svg+xml": ["i\n", "j"], "image/png": "k\nl",
                        "application/json": ["m\n", "n"], "application/vnd.vega+json": "o\np",
                    } },
                ] },
            ] })
        );
        join(&mut split_up);
        assert_eq!(split_up, whole);
    }
}
