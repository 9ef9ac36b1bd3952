//! Patterns of shells: `*` is any text, `?` any character, `[a-z]` one of these, `[!a-z]` none of them.

/// A pattern, which fits whole texts. Letters are as they are.
pub(crate) struct Glob(Vec<Part>);

enum Part {
    Any,
    One,
    Letter(char),
    Set { ranges: Vec<(char, char)>, not: bool },
}

impl Glob {
    pub(crate) fn new(pattern: &str) -> Self {
        let pattern: Vec<char> = pattern.chars().collect();
        let mut parts = Vec::new();
        let mut at = 0;
        while let Some(&letter) = pattern.get(at) {
            at += 1;
            parts.push(match letter {
                // Several are as good as one, and take no longer.
                '*' if matches!(parts.last(), Some(Part::Any)) => continue,
                '*' => Part::Any,
                '?' => Part::One,
                '[' => match set(&pattern[at..]) {
                    Some((part, length)) => {
                        at += length;
                        part
                    }
                    None => Part::Letter('['),
                },
                letter => Part::Letter(letter),
            });
        }
        Self(parts)
    }

    /// Whether a text fits, in time of at most its length by that of the pattern.
    pub(crate) fn fits(&self, text: &str) -> bool {
        let text: Vec<char> = text.chars().collect();
        let (mut part, mut at) = (0, 0);
        // Where to go on if what follows the last `*` does not fit: it may stand for one character more.
        let mut back = None;
        loop {
            match (self.0.get(part), text.get(at)) {
                (None, None) => return true,
                (Some(Part::Any), _) => {
                    back = Some((part + 1, at));
                    part += 1;
                }
                (Some(one), Some(&letter)) if one.fits(letter) => {
                    part += 1;
                    at += 1;
                }
                _ => match &mut back {
                    Some((after, from)) if *from < text.len() => {
                        *from += 1;
                        (part, at) = (*after, *from);
                    }
                    _ => return false,
                },
            }
        }
    }
}

impl Part {
    fn fits(&self, letter: char) -> bool {
        match self {
            Self::Any | Self::One => true,
            Self::Letter(own) => *own == letter,
            Self::Set { ranges, not } => {
                ranges.iter().any(|(from, to)| (*from..=*to).contains(&letter)) != *not
            }
        }
    }
}

/// The set that begins behind a bracket, and how long it is. None if it does not end.
fn set(pattern: &[char]) -> Option<(Part, usize)> {
    let not = matches!(pattern.first(), Some('!' | '^'));
    let first = usize::from(not);
    // A bracket that is the first of a set belongs to it.
    let end = first + 1 + pattern.get(first + 1..)?.iter().position(|letter| *letter == ']')?;
    let mut letters = &pattern[first..end];
    let mut ranges = Vec::new();
    while let Some((&from, rest)) = letters.split_first() {
        match rest {
            ['-', to, rest @ ..] => {
                ranges.push((from, *to));
                letters = rest;
            }
            rest => {
                ranges.push((from, from));
                letters = rest;
            }
        }
    }
    Some((Part::Set { ranges, not }, end + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_fit() {
        for (pattern, text, fits) in [
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("a*", "abc\ndef", true),
            ("*b*d*", "abcdef", true),
            ("*b*d", "abcdef", false),
            ("**", "a", true),
            ("a?c", "aäc", true),
            ("a?c", "ac", false),
            ("[a-c]x", "bx", true),
            ("[a-c]x", "dx", false),
            ("[!a-c]x", "dx", true),
            ("[]]", "]", true),
            ("[a-]", "-", true),
            ("[ab", "[ab", true),
            ("print(1[?]*", "print(1?)", true),
            ("A", "a", false),
        ] {
            assert_eq!(Glob::new(pattern).fits(text), fits, "{pattern:?} {text:?}");
        }
    }

    #[test]
    fn no_pattern_takes_long() {
        let pattern = "*a".repeat(40) + "b";
        assert!(!Glob::new(&pattern).fits(&"a".repeat(20_000)));
    }
}
