//! The behaviour of the tokio backend.

mod conformance;
