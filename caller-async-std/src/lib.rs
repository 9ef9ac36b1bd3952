//! The async-std backend of [`caller-core`](https://docs.rs/caller-core).
//!
//! Nothing is exported yet. This crate will hold `AsyncStd`, the backend, and async-std as a guest in a
//! thread that another runtime drives.
//!
//! async-std itself is discontinued (RUSTSEC-2025-0052): new programs are better served by the tokio backend.
#![forbid(unsafe_code)]
