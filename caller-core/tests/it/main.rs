//! The behaviour of the core on the manual backend, whose time is virtual.

mod boundary;
mod cancellers;
mod children;
mod conformance;
mod depth;
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
#[cfg(feature = "tracing")]
mod subscriber;
mod support;
mod texts;
mod timeouts;
mod timers;
mod trackers;
mod waiters;
mod waiting;
