#![doc = include_str!("../docs/writing_a_backend.md")]
//! ```
#![doc = include_str!("../examples/toy_backend.rs")]
//! ```
#![doc = include_str!("../docs/testing_a_backend.md")]

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
