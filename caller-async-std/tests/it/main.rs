//! async-std as a backend.

mod conformance;
mod guests;
mod own_world;
