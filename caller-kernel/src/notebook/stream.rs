//! Text of a stream, as a terminal would leave it: what a progress bar draws over itself is kept once.

/// What a stream has said. A carriage return goes back to the beginning of the line, and what follows it is written over
/// what is there; a backspace takes one character back.
#[derive(Clone, Debug, Default)]
pub(super) struct StreamText {
    text: String,
    /// Where the last line begins: only that can still change.
    line: usize,
    /// Where it is written on.
    at: usize,
    /// Whether the last that came was a carriage return.
    returned: bool,
}

const CONTROLS: [char; 3] = ['\r', '\n', '\u{8}'];

impl StreamText {
    /// Adds text.
    pub(super) fn add(&mut self, more: &str) {
        for piece in more.split_inclusive(CONTROLS) {
            let plain = piece.trim_end_matches(CONTROLS);
            self.put(plain);
            match &piece[plain.len()..] {
                "\r" => self.at = self.line,
                "\n" => {
                    self.text.push('\n');
                    self.line = self.text.len();
                    self.at = self.line;
                }
                "\u{8}" => self.take_back(),
                _ => {}
            }
            self.returned = piece.ends_with('\r');
        }
    }

    /// The text. What ends in a carriage return is to be written over by what may come next, wherever this is shown.
    pub(super) fn text(&self) -> String {
        let end = if self.returned { "\r" } else { "" };
        [&self.text, end].concat()
    }

    /// Writes over as many characters as there are in `plain`.
    fn put(&mut self, plain: &str) {
        let over: usize = self.text[self.at..].chars().take(plain.chars().count()).map(char::len_utf8).sum();
        self.text.replace_range(self.at..self.at + over, plain);
        self.at += plain.len();
    }

    fn take_back(&mut self) {
        if let Some(last) = self.text[self.line..self.at].chars().next_back() {
            self.at -= last.len_utf8();
            self.text.remove(self.at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(parts: &[&str]) -> String {
        let mut stream = StreamText::default();
        parts.iter().for_each(|part| stream.add(part));
        stream.text()
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
        // What is longer stays behind what is written over it, whatever the width of the characters.
        assert_eq!(said(&["abcd\rä", "€", "\n\rx"]), "ä€cd\nx");
        assert_eq!(said(&["ä€cd\rab\r"]), "abcd\r");
    }

    #[test]
    fn a_backspace_takes_a_character_back() {
        assert_eq!(said(&["ab", "\u{8}c\n\u{8}d"]), "ac\nd");
        assert_eq!(said(&["aä\u{8}", "\u{8}\u{8}b"]), "b");
    }

    #[test]
    fn a_long_line_costs_no_more_than_many_lines() {
        let mut stream = StreamText::default();
        for round in 0..300_000 {
            stream.add(if round % 100 == 0 { "\r##########" } else { "##########" });
        }
        assert_eq!(stream.text().len(), 1000);
        (0..300_000).for_each(|_| stream.add("##########"));
        assert_eq!(stream.text().len(), 3_001_000);
    }
}
