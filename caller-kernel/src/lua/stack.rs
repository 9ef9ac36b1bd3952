//! The places on the stack of a coroutine, as tracebacks and messages name them.

use std::cell::RefCell;

use mlua::Lua;

use super::{internal::is_ours, sources::Sources};

/// How many places are shown at each end of a deep stack.
const SHOWN: usize = 10;

/// The places in the running coroutine that are a user's, each with its line of the cell.
pub(crate) fn frames(lua: &Lua, sources: &RefCell<Sources>) -> Vec<String> {
    let depth = depth(lua);
    let mut shown = Vec::new();
    let mut level = 0;
    while level < depth {
        if depth > 3 * SHOWN && level == 2 * SHOWN {
            let skipped = depth - 3 * SHOWN;
            shown.push(format!("  … {skipped} more"));
            level += skipped;
            continue;
        }
        shown.extend(lua.inspect_stack(level, |debug| frame(sources, debug)).flatten());
        level += 1;
    }
    shown
}

/// The innermost place of a user's, as error messages begin with it. Empty if there is none, for instance since it was left
/// by a tail call.
pub(crate) fn place(lua: &Lua) -> String {
    let place = |debug: &mlua::debug::Debug<'_>| {
        let source = debug.source();
        let place = source.short_src.as_deref().filter(|place| source.what != "C" && !is_ours(place))?;
        Some(format!("{place}:{}: ", debug.current_line()?))
    };
    (1..16).find_map(|level| lua.inspect_stack(level, place).flatten()).unwrap_or_default()
}

/// How many levels the stack has. Asking for one costs its number of steps, so they are not tried one by one.
fn depth(lua: &Lua) -> usize {
    let exists = |level| lua.inspect_stack(level, |_| ()).is_some();
    let mut above = 1;
    while exists(above) {
        above *= 2;
    }
    let mut below = above / 2;
    while above - below > 1 {
        let middle = below + (above - below) / 2;
        if exists(middle) { below = middle } else { above = middle }
    }
    above
}

fn frame(sources: &RefCell<Sources>, debug: &mlua::debug::Debug<'_>) -> Option<String> {
    let source = debug.source();
    let place = source.short_src.as_deref()?.to_owned();
    if matches!(source.what, "C") || is_ours(&place) {
        return None;
    }
    let line = debug.current_line()?;
    let names = debug.names();
    let what = match (source.what, names.name.as_deref()) {
        ("main", _) => "in the cell".to_owned(),
        (_, Some(name)) => format!("in function '{name}'"),
        (_, None) => match source.line_defined {
            Some(defined) => format!("in the function of line {defined}"),
            None => "in a function".to_owned(),
        },
    };
    let mut text = format!("  {place}:{line}: {what}");
    if let Some(code) = sources.borrow().line(&place, line) {
        text.push_str(&format!("\n    {line} │ {}", code.trim_end()));
    }
    Some(text)
}
