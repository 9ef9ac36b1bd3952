//! What is known about what stands at the cursor.

use std::rc::Rc;

use mlua::{Function, Lua, Value};

use super::{
    lexer::{self, Kind, Token},
    path::{self, Step},
};
use crate::{
    lua::{docs::Doc, internal::is_ours, repr, runtime::Runtime},
    shell::{Detail, Inspection, MimeBundle},
};

/// How many lines of source are shown briefly.
const LINES: usize = 20;

pub(crate) fn inspect(
    lua: &Lua,
    runtime: &Rc<Runtime>,
    code: &str,
    cursor: usize,
    detail: Detail,
) -> Option<Inspection> {
    let byte = path::byte_at(code, cursor);
    let tokens = lexer::code_tokens(code);
    let steps = at_cursor(code, &tokens, byte)?;
    let value = path::resolve(lua, &steps)?;
    let name = name_of(&steps);
    let doc = runtime.docs.borrow().at(&name, &value);
    let mut text = match (&value, &doc) {
        (Value::Function(function), _) => of_function(runtime, &name, function, detail),
        // A table that can be called.
        (_, Some(doc)) if !doc.parameters.is_empty() => format!("function {}", doc.signature()),
        _ => {
            let shown = repr::text(runtime, &value);
            format!("{name}: {}\n{shown}", type_of(&value))
        }
    };
    if let Some(doc) = doc.filter(|doc| !doc.text.is_empty()) {
        text.push_str("\n\n");
        text.push_str(&doc.text);
    }
    Some(MimeBundle::text(text))
}

/// The way to what the cursor touches; where that is nothing, to the function in whose brackets it stands.
fn at_cursor(code: &str, tokens: &[Token], byte: usize) -> Option<Vec<Step>> {
    let touched = tokens
        .iter()
        .position(|token| token.kind == Kind::Name && token.at.start <= byte && byte <= token.at.end);
    if let Some(at) = touched {
        return path::steps(code, &tokens[..=at]);
    }
    let before = tokens.iter().take_while(|token| token.at.start < byte).count();
    let mut depth = 0;
    for at in (0..before).rev() {
        match tokens[at].text(code) {
            ")" if tokens[at].at.end <= byte => depth += 1,
            "(" if depth == 0 => return path::steps(code, &tokens[..at]),
            "(" => depth -= 1,
            _ => {}
        }
    }
    None
}

fn name_of(steps: &[Step]) -> String {
    let mut name = String::new();
    for step in steps {
        match step {
            Step::Name(part) if name.is_empty() => name.push_str(part),
            Step::Name(part) => {
                name.push('.');
                name.push_str(part);
            }
            Step::Index(at) => name.push_str(&format!("[{at}]")),
            Step::Literal => name.push_str("string"),
        }
    }
    name
}

fn type_of(value: &Value) -> String {
    match repr::metafield(value, "__name") {
        Some(Value::String(name)) => name.to_string_lossy(),
        _ if value.is_integer() => "integer".to_owned(),
        _ => value.type_name().to_owned(),
    }
}

fn of_function(runtime: &Rc<Runtime>, name: &str, function: &Function, detail: Detail) -> String {
    if let Some(doc) = runtime.docs.borrow().of(function) {
        return format!("function {}", doc.signature());
    }
    let Some((place, lines)) = source(runtime, function) else { return format!("function {name}\nbuiltin") };
    let head = signature(runtime, name, function).unwrap_or_else(|| name.to_owned());
    let shown = if detail == Detail::Full { lines.len() } else { lines.len().min(LINES) };
    let mut text = format!("function {head}\n{place}\n\n{}", lines[..shown].join("\n"));
    if shown < lines.len() {
        text.push_str(&format!("\n… {} more lines", lines.len() - shown));
    }
    text
}

/// Where a Lua function was defined, and the lines of its source.
fn source(runtime: &Rc<Runtime>, function: &Function) -> Option<(String, Vec<String>)> {
    let info = function.info();
    let place = info.short_src.filter(|place| info.what != "C" && !is_ours(place))?;
    let (first, last) = (info.line_defined?, info.last_line_defined?);
    let text = runtime.sources.borrow().get(&place);
    let lines =
        text.iter().flat_map(|text| text.lines().skip(first.saturating_sub(1)).take(last + 1 - first));
    let lines = lines.map(str::to_owned).collect();
    Some((format!("{place}:{first}"), lines))
}

/// How a function is called: from its docs, or from the text of its definition.
pub(crate) fn signature(runtime: &Rc<Runtime>, name: &str, function: &Function) -> Option<String> {
    if let Some(doc) = runtime.docs.borrow().of(function) {
        let Doc { parameters, .. } = &*doc;
        return Some(format!("{name}{parameters}"));
    }
    let (_, lines) = source(runtime, function)?;
    let text = lines.join("\n");
    let tokens = lexer::code_tokens(&text);
    // Where it is defined there may be others; only those that begin in its first line are meant.
    let first_line = lines.first()?.len();
    let begins = |at: &usize| tokens[*at].text(&text) == "function" && tokens[*at].at.start < first_line;
    let heads: Vec<_> =
        (0..tokens.len()).filter(begins).filter_map(|at| Head::read(&text, &tokens[at..])).collect();
    let info = function.info();
    let count = usize::from(info.num_params);
    let head = match &*heads {
        [only] => only,
        several => {
            let mut fitting =
                several.iter().filter(|head| head.count == count && head.is_vararg == info.is_vararg);
            let head = fitting.next()?;
            // Two that fit are as good as none, unless they read the same.
            if fitting.any(|other| other.parameters != head.parameters) {
                return None;
            }
            head
        }
    };
    Some(format!("{name}{}", head.parameters))
}

/// The head of a definition.
struct Head<'a> {
    /// With the brackets.
    parameters: &'a str,
    /// How many there are, with a method's `self`.
    count: usize,
    is_vararg: bool,
}

impl<'a> Head<'a> {
    /// Reads it from the tokens that begin with `function`.
    fn read(text: &'a str, tokens: &[Token]) -> Option<Self> {
        let sign = |sign: &str| tokens.iter().position(|token| token.text(text) == sign);
        let (open, close) = (sign("(")?, sign(")")?);
        let is_method = tokens[..open].iter().any(|token| token.text(text) == ":");
        let inner = tokens.get(open..close)?;
        Some(Self {
            parameters: text.get(tokens[open].at.start..tokens[close].at.end)?,
            count: usize::from(is_method) + inner.iter().filter(|token| token.kind == Kind::Name).count(),
            is_vararg: inner.iter().any(|token| token.text(text) == "..."),
        })
    }
}
