//! Numbers as they are spelt.
//!
//! What a notebook says of itself passes through unread, and Python, which wrote most of it, has integers of any size, spells
//! `1e-07` so, and knows `NaN` and `Infinity`. A number that would come out as another text stands in the tree as a text
//! under a mark.

use std::sync::LazyLock;

use serde_json::{Number, value::RawValue};

use crate::wire::random_hex;

/// Drawn by lot, so no text begins with it by chance, nor by intent.
static MARK: LazyLock<String> = LazyLock::new(random_hex::<16>);

/// JSON whose numbers all come out as they go in.
pub(super) fn hide(text: &str) -> String {
    let mut hidden = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| c == '"' || begins(c)) {
        let (before, token) = rest.split_at(at);
        let end = if token.starts_with('"') { end_of_text(token) } else { end_of_number(token) };
        let (token, after) = token.split_at(end);
        hidden.push_str(before);
        if changes(token) {
            hidden.extend(["\"", &MARK, token, "\""]);
        } else {
            hidden.push_str(token);
        }
        rest = after;
    }
    hidden + rest
}

/// Whether this text stands for a number.
pub(super) fn is_hidden(text: &str) -> bool {
    text.starts_with(&*MARK)
}

/// The JSON with the numbers as they were.
pub(super) fn show(text: &str) -> String {
    let mark = format!("\"{}", *MARK);
    let mut parts = text.split(&mark);
    let mut shown = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (token, rest) = part.split_once('"').unwrap_or((part, ""));
        shown.extend([token, rest]);
    }
    shown
}

/// Whether a number may begin so; those of Python's that JSON has not, too.
fn begins(c: char) -> bool {
    c.is_ascii_digit() || "-NI".contains(c)
}

fn end_of_number(token: &str) -> usize {
    token.find(|c: char| !c.is_ascii_alphanumeric() && !"+-.".contains(c)).unwrap_or(token.len())
}

fn end_of_text(token: &str) -> usize {
    let mut escaped = false;
    let end = token.bytes().skip(1).position(|byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    });
    end.map_or(token.len(), |end| end + 2)
}

/// Whether this is a number that would come out as another text.
fn changes(token: &str) -> bool {
    if matches!(token, "NaN" | "Infinity" | "-Infinity") {
        return true;
    }
    // What is no number is left for the parser to refuse.
    token.starts_with(begins)
        && serde_json::from_str::<&RawValue>(token).is_ok()
        && !serde_json::from_str::<Number>(token).is_ok_and(|number| number.to_string() == token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_would_change_are_hidden_and_shown() {
        let text =
            r#"{"1e-7": [1, -2.5, 1e-07, 1E5, 1.0, -0, 12345678901234567890123, 1e400, NaN, -Infinity]}"#;
        let hidden = hide(text);
        insta::assert_snapshot!(hidden.replace(&*MARK, "#"), @r##"{"1e-7": [1, -2.5, "#1e-07", "#1E5", 1.0, "#-0", "#12345678901234567890123", "#1e400", "#NaN", "#-Infinity"]}"##);
        assert_eq!(show(&hidden), text);
    }

    #[test]
    fn what_is_no_number_stays() {
        for text in [
            r#"["\"1e-07", "\\", 1, "-1e-07\\\"", "NaN""#,
            "NaNa",
            "1e",
            "01",
            "- 1",
            "Nothing",
            "\"1e-07",
            "é",
        ] {
            assert_eq!(hide(text), text);
        }
    }
}
