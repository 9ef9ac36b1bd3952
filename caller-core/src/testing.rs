//! For whoever writes a backend: a backend with virtual time, and the suite that every backend passes.
//!
//! A backend's tests implement [`Fixture`] for a type of their own and stamp the suite with
//! [`conformance!`](crate::conformance).

pub mod conformance;
mod fixture;
pub mod harness;
#[cfg(target_os = "linux")]
mod idle;
mod manual;
pub mod probe;
mod process;

#[cfg(target_os = "linux")]
pub use self::idle::assert_idle;
pub use self::{
    fixture::{Fixture, Running},
    manual::Manual,
    process::Process,
};
pub use crate::{guard::Place, kept::kept_wakers};
