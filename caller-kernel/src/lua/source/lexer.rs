//! The tokens of Lua code: enough to know what a cell ends in, and what stands at a cursor.

use std::ops::Range;

use crate::lua::keywords::KEYWORDS;

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A name.
    Name,
    /// A keyword.
    Keyword,
    /// A number.
    Number,
    /// A text, which may be unfinished.
    Text,
    /// An operator or other sign.
    Sign,
    /// A comment.
    Comment,
}

/// A piece of code, with the bytes where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    pub(crate) at: Range<usize>,
    pub(crate) end: End,
}

/// How a text or comment ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// It does, as do all other tokens.
    Closed,
    /// It goes on beyond the end of the code.
    Open,
    /// It does not, and cannot go on: the line is over.
    Broken,
}

impl Token {
    pub(crate) fn text<'a>(&self, code: &'a str) -> &'a str {
        &code[self.at.clone()]
    }
}

/// All tokens, comments too. It never fails: what is no token is a sign.
pub(crate) fn tokens(code: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(c) = code[at..].chars().next() {
        if c.is_whitespace() {
            at += c.len_utf8();
            continue;
        }
        let (kind, length, end) = token(&code[at..], c);
        tokens.push(Token { kind, at: at..at + length, end });
        at += length;
    }
    tokens
}

/// The tokens that are no comments.
pub(crate) fn code_tokens(code: &str) -> Vec<Token> {
    let mut tokens = tokens(code);
    tokens.retain(|token| token.kind != Kind::Comment);
    tokens
}

fn token(rest: &str, first: char) -> (Kind, usize, End) {
    if let Some(comment) = rest.strip_prefix("--") {
        if let Some((length, end)) = long(comment) {
            return (Kind::Comment, 2 + length, end);
        }
        return (Kind::Comment, rest.find('\n').unwrap_or(rest.len()), End::Closed);
    }
    if let Some((length, end)) = long(rest) {
        return (Kind::Text, length, end);
    }
    if first == '"' || first == '\'' {
        let (length, end) = short(rest, first);
        return (Kind::Text, length, end);
    }
    let second = rest[first.len_utf8()..].chars().next();
    if first.is_ascii_digit() || (first == '.' && second.is_some_and(|c| c.is_ascii_digit())) {
        return (Kind::Number, number(rest), End::Closed);
    }
    if first.is_ascii_alphabetic() || first == '_' {
        let length = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        let kind = if KEYWORDS.contains(&&rest[..length]) { Kind::Keyword } else { Kind::Name };
        return (kind, length, End::Closed);
    }
    let signs = ["...", "..", "==", "~=", "<=", ">=", "//", "<<", ">>", "::"];
    let sign = signs.iter().find(|sign| rest.starts_with(**sign));
    (Kind::Sign, sign.map_or(first.len_utf8(), |sign| sign.len()), End::Closed)
}

/// A text or comment in long brackets: its length and end.
fn long(rest: &str) -> Option<(usize, End)> {
    let after = rest.strip_prefix('[')?;
    let level = after.bytes().take_while(|b| *b == b'=').count();
    after[level..].strip_prefix('[')?;
    let close = format!("]{}]", "=".repeat(level));
    let body = level + 2;
    Some(match rest[body..].find(&close) {
        Some(end) => (body + end + close.len(), End::Closed),
        None => (rest.len(), End::Open),
    })
}

/// A text in quotes: its length and end.
fn short(rest: &str, quote: char) -> (usize, End) {
    let mut chars = rest.char_indices().skip(1).peekable();
    // Whether what came last has the text go on in the next line.
    let mut goes_on = false;
    while let Some((at, c)) = chars.next() {
        goes_on = false;
        match c {
            '\\' => {
                let escaped = chars.next().map(|(_, c)| c);
                goes_on = matches!(escaped, None | Some('\n' | 'z'));
                if escaped == Some('z') {
                    while chars.next_if(|(_, c)| c.is_ascii_whitespace()).is_some() {}
                }
            }
            '\n' => return (at, End::Broken),
            c if c == quote => return (at + 1, End::Closed),
            _ => {}
        }
    }
    (rest.len(), if goes_on { End::Open } else { End::Broken })
}

fn number(rest: &str) -> usize {
    let mut last = ' ';
    let end = rest.find(|c: char| {
        let exponent = matches!(last, 'e' | 'E' | 'p' | 'P') && (c == '+' || c == '-');
        last = c;
        !(c.is_ascii_alphanumeric() || c == '.' || exponent)
    });
    end.unwrap_or(rest.len())
}

/// How much a token opens (or closes, if it is negative).
pub(crate) fn nesting(token: &Token, code: &str) -> i32 {
    match (token.kind, token.text(code)) {
        (Kind::Keyword, "function" | "do" | "if" | "repeat") | (Kind::Sign, "(" | "{" | "[") => 1,
        (Kind::Keyword, "end" | "until") | (Kind::Sign, ")" | "}" | "]") => -1,
        _ => 0,
    }
}
