//! smol as a backend.

mod attach;
mod attributes;
mod conformance;
mod guests;
#[cfg(target_os = "linux")]
mod idle;
mod loops;
mod own_world;
#[cfg(target_os = "linux")]
mod threads;
