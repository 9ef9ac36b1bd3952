//! async-std as a backend.

mod conformance;
mod guests;
mod hosts;
mod loops;
mod own_world;
