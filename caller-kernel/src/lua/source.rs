//! The text of cells: what it compiles to, and what stands at a cursor.

mod lexer;

pub(super) mod chunk;

mod path;

pub(super) mod inspect;

pub(super) mod complete;
