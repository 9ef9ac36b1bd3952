//! The attribute macros of [`caller-core`](https://docs.rs/caller-core).
//!
//! Nothing is exported yet. This crate will hold `#[caller::queued]`, `#[caller::call_soon]`,
//! `#[caller::to_thread]`, `#[caller::call_later]`, `#[caller::call_direct]`, `#[caller::main]` and
//! `#[caller::test]`, re-exported by `caller-core`, which is the crate to depend on.
