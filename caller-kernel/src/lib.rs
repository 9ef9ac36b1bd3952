//! A Jupyter kernel between a running Rust program and a notebook.
//!
//! Nothing is exported yet. This crate will hold the kernel to embed in a program, the `Shell` trait for the
//! language of its cells, a Lua shell, and the `caller-kernel` command.
#![forbid(unsafe_code)]
