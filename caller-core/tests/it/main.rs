//! The behaviour of the core on the manual backend, whose time is virtual.

mod conformance;
mod errors;
mod hostile;
mod send_sync;
#[cfg(feature = "tracing")]
mod spans;
mod stress;
mod texts;
