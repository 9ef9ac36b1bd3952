//! async-std as a backend.

mod conformance;
mod ends;
mod fairness;
mod guests;
mod hosts;
#[cfg(target_os = "linux")]
mod idle;
mod loops;
mod own_world;
#[cfg(target_os = "linux")]
mod threads;
