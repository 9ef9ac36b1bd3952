//! A Jupyter kernel between a running Rust program and a notebook.
//!
//! [`shell`] says what a language of cells is to the kernel. [`lua`] is such a language: Lua 5.4, whose cells are
//! coroutines in the thread of one caller, so that they wait without blocking it.
#![forbid(unsafe_code)]

pub mod lua;
pub mod shell;
