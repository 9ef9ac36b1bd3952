//! The texts of the cells of one state.

use std::{collections::BTreeMap, rc::Rc};

/// The texts of the cells, by their numbers.
#[derive(Default)]
pub(crate) struct Sources {
    texts: BTreeMap<u32, Rc<str>>,
    bytes: usize,
}

/// How much of the cells is kept: the oldest goes first.
const KEPT_BYTES: usize = 8 << 20;

/// What a cell takes besides its text, about.
const OVERHEAD: usize = 64;

impl Sources {
    pub(crate) fn put(&mut self, count: u32, text: &str) {
        let size = |text: &str| text.len() + OVERHEAD;
        self.bytes += size(text);
        let old = self.texts.insert(count, text.into());
        self.bytes -= old.map_or(0, |old| size(&old));
        while self.bytes > KEPT_BYTES
            && self.texts.len() > 1
            && let Some((_, oldest)) = self.texts.pop_first()
        {
            self.bytes -= size(&oldest);
        }
    }

    /// The name under which error messages know a cell.
    pub(crate) fn name(count: u32) -> String {
        format!("In [{count}]")
    }

    /// The text of the cell of this name.
    pub(crate) fn get(&self, name: &str) -> Option<Rc<str>> {
        let count = name.strip_prefix("In [")?.strip_suffix(']')?;
        self.texts.get(&count.parse().ok()?).cloned()
    }

    /// A line, counted from one.
    pub(crate) fn line(&self, name: &str, line: usize) -> Option<String> {
        self.get(name)?.lines().nth(line.checked_sub(1)?).map(str::to_owned)
    }
}
