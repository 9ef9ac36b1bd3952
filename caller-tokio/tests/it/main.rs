//! The behaviour of the tokio backend.

mod alone;
#[cfg(unix)]
mod checksums;
mod conformance;
mod invariants;
mod runtimes;
