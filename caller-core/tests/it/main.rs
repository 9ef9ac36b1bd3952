//! The behaviour of the core on the manual backend, whose time is virtual.

mod cancellers;
mod children;
mod conformance;
mod direct;
mod errors;
mod groups;
mod hostile;
mod limits;
mod manual;
mod reentry;
mod reports;
mod send_sync;
#[cfg(feature = "tracing")]
mod spans;
mod stress;
mod support;
mod texts;
mod timeouts;
mod timers;
mod trackers;
mod waiters;
mod waiting;
