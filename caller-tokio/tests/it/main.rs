//! The behaviour of the tokio backend.

#[cfg(unix)]
mod checksums;
mod conformance;
mod invariants;
mod runtimes;
mod times;
