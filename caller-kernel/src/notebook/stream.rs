//! Text of a stream, as a terminal would leave it: what a progress bar draws over itself is kept once.

/// Adds text to what a stream has said. A carriage return goes back to the beginning of the line, and what follows it is
/// written over what is there; a backspace takes one character back.
pub(super) fn add(text: &mut String, more: &str) {
    // Only the last line can still change.
    let start = text.rfind('\n').map_or(0, |at| at + 1);
    if !more.contains(['\r', '\u{8}']) && !text[start..].ends_with('\r') {
        text.push_str(more);
        return;
    }
    let mut tail = text.split_off(start);
    tail.push_str(more);
    for line in tail.split_inclusive('\n') {
        let (body, end) = match line.strip_suffix('\n') {
            Some(body) => (body.trim_end_matches('\r'), "\n"),
            None => (line, ""),
        };
        text.extend(settled(body));
        text.push_str(end);
    }
}

fn settled(line: &str) -> Vec<char> {
    let mut shown: Vec<char> = Vec::new();
    let mut at = 0;
    for c in line.chars() {
        match c {
            '\r' => at = 0,
            '\u{8}' if at > 0 => {
                at -= 1;
                shown.remove(at);
            }
            '\u{8}' => {}
            c if at < shown.len() => {
                shown[at] = c;
                at += 1;
            }
            c => {
                shown.push(c);
                at += 1;
            }
        }
    }
    // What comes next is to be written over it.
    if at == 0 && line.ends_with('\r') {
        shown.push('\r');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(parts: &[&str]) -> String {
        let mut text = String::new();
        parts.iter().for_each(|part| add(&mut text, part));
        text
    }

    #[test]
    fn a_line_is_written_over() {
        assert_eq!(said(&["a\n", "10%\r20%\r", "30%\r", "done\nb"]), "a\ndone\nb");
        assert_eq!(said(&["abcdef\rxy"]), "xycdef");
        // It may yet be written over.
        assert_eq!(said(&["50%\r"]), "50%\r");
        assert_eq!(said(&["50%\r", "60"]), "60%");
        assert_eq!(said(&["one\r", "\ntwo\r\n"]), "one\ntwo\n");
        assert_eq!(said(&["a\r\rb"]), "b");
    }

    #[test]
    fn a_backspace_takes_a_character_back() {
        assert_eq!(said(&["ab", "\u{8}c\n\u{8}d"]), "ac\nd");
    }
}
