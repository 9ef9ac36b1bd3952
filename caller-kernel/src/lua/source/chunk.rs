//! From the text of a cell to a function: what it ends in is its result.

use mlua::{Function, Lua, chunk::ChunkMode};

use super::lexer::{self, End, Kind, Token};
use crate::{
    lua::failure,
    shell::{CellError, IsComplete, RunMode},
};

/// A cell that can be run.
pub(crate) struct Chunk {
    pub(crate) function: Function,
    /// Whether its result is shown.
    pub(crate) shows: bool,
    /// The lines with which it begins that are not Lua, without the `%`.
    pub(crate) magics: Vec<String>,
}

/// Returns what follows, and not by a tail call, which would leave no trace of the cell in error messages.
const RETURN: &str = "local __result <close> = nil return ";

/// How many statements from the end are tried as where the result begins.
const TRIED: usize = 16;

/// Compiles a cell, whose error messages name it by `name`.
///
/// An expression at the end is its result, as with `return`; a semicolon behind it suppresses that.
pub(crate) fn compile(lua: &Lua, name: &str, text: &str) -> Result<Chunk, CellError> {
    let (code, magics) = without_magics(text);
    let tokens = lexer::code_tokens(&code);
    let shows = tokens.last().is_none_or(|last| last.text(&code) != ";");
    let function = match result_at(lua, &code, &tokens) {
        Some((start, end)) => {
            let (before, after) = (&code[..start], &code[end..]);
            let result = without_return(&code[start..end]);
            load(lua, name, &format!("{before}{RETURN}{result}{after}"))
        }
        None => load(lua, name, &code),
    };
    let function = function.map_err(|error| failure::syntax(&code, name, &error))?;
    Ok(Chunk { function, shows, magics })
}

/// Compiles an expression.
pub(crate) fn expression(lua: &Lua, name: &str, text: &str) -> Result<Function, CellError> {
    // Without a comment at its end.
    let text = lexer::code_tokens(text).last().map_or("", |last| &text[..last.at.end]);
    let function = load(lua, name, &format!("{RETURN}{text}"));
    function.map_err(|error| failure::syntax(text, name, &error))
}

/// Whether a cell could be run as it is.
pub(crate) fn is_complete(lua: &Lua, text: &str) -> IsComplete {
    let (code, _) = without_magics(text);
    let tokens = lexer::code_tokens(&code);
    if result_at(lua, &code, &tokens).is_some() {
        return IsComplete::Complete;
    }
    let Err(error) = load(lua, "cell", &code) else { return IsComplete::Complete };
    if tokens.iter().any(|token| token.end == End::Broken) {
        return IsComplete::Invalid;
    }
    let goes_on =
        |error: &mlua::Error| matches!(error, mlua::Error::SyntaxError { incomplete_input: true, .. });
    let mut unfinished = goes_on(&error);
    for start in starts(&code, &tokens) {
        // What is no statement may be an expression that goes on.
        let rest = load(lua, "cell", &format!("return {}", &code[start..]));
        unfinished = unfinished
            || (rest.is_err_and(|error| goes_on(&error)) && load(lua, "cell", &code[..start]).is_ok());
    }
    if !unfinished {
        return IsComplete::Invalid;
    }
    let depth: i32 = tokens.iter().map(|token| lexer::nesting(token, &code)).sum();
    IsComplete::Incomplete { indent: "  ".repeat(usize::try_from(depth).unwrap_or(0)) }
}

pub(crate) fn load(lua: &Lua, name: &str, code: &str) -> mlua::Result<Function> {
    // Text alone: compiled code that was tampered with can do anything.
    lua.load(code).set_name(format!("={name}")).set_mode(ChunkMode::Text).into_function()
}

/// Takes off the lines with which a cell begins that are not Lua; those after them keep their number.
fn without_magics(text: &str) -> (String, Vec<String>) {
    let mut magics = Vec::new();
    let mut code = String::with_capacity(text.len());
    let mut head = true;
    for (at, line) in text.split_inclusive('\n').enumerate() {
        let trimmed = line.trim();
        if head && let Some(magic) = trimmed.strip_prefix('%') {
            magics.push(magic.trim().to_owned());
        } else if !(at == 0 && RunMode::is_hash_line(line)) {
            let is_comment = |token: &Token| token.kind == Kind::Comment && token.end == End::Closed;
            head &= lexer::tokens(line).iter().all(is_comment);
            code.push_str(line);
            continue;
        }
        code.push('\n');
    }
    (code, magics)
}

/// Where the expression stands that is the result, if the cell ends in one.
fn result_at(lua: &Lua, code: &str, tokens: &[Token]) -> Option<(usize, usize)> {
    let last = tokens.last()?;
    let end =
        if last.text(code) == ";" { tokens.get(tokens.len().checked_sub(2)?)?.at.end } else { last.at.end };
    let is_expression = |start: usize| {
        let text = if start < end { without_return(&code[start..end]) } else { "" };
        !text.trim().is_empty() && load(lua, "cell", &format!("return {text}")).is_ok()
    };
    let first = tokens.first()?.at.start;
    if is_expression(first) {
        return Some((first, end));
    }
    let whole = load(lua, "cell", code).is_ok();
    starts(code, tokens).into_iter().find_map(|start| {
        // Lua would read on from the line before, if it could: only a name never continues an expression.
        let apart = !whole || code[start..].starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        let found =
            start != first && apart && is_expression(start) && load(lua, "cell", &code[..start]).is_ok();
        found.then_some((start, end))
    })
}

/// An expression without the `return` that a user wrote before it.
fn without_return(text: &str) -> &str {
    match text.strip_prefix("return") {
        Some(rest) if !rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_') => rest,
        _ => text,
    }
}

/// Where the last statements may begin, the last one first: at the first token of a line, behind semicolons, and at a
/// `return`, outside of all blocks.
fn starts(code: &str, tokens: &[Token]) -> Vec<usize> {
    let mut depth = 0;
    let mut before: Option<&Token> = None;
    let mut starts = Vec::new();
    for token in tokens {
        let new_line = before.is_none_or(|before| code[before.at.end..token.at.start].contains('\n'));
        let after_semicolon = before.is_some_and(|before| before.text(code) == ";");
        if depth == 0 && (new_line || after_semicolon || token.text(code) == "return") {
            starts.push(token.at.start);
        }
        depth += lexer::nesting(token, code);
        before = Some(token);
    }
    starts.reverse();
    starts.truncate(TRIED);
    starts
}
