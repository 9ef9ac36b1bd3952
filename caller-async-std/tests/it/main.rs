//! async-std as a backend.

mod conformance;
mod own_world;
