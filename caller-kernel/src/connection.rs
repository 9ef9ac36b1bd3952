//! Where a kernel listens, and its keys.

mod file;

mod encryption;

pub(crate) use encryption::security;
pub use file::{Connection, ConnectionError, Transport};
