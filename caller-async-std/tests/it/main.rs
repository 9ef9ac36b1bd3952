//! async-std as a backend.

#[path = "../../../caller-tokio/tests/it/alone.rs"]
mod alone;
mod conformance;
mod ends;
mod fairness;
mod guests;
mod hosts;
mod idle;
mod loops;
mod own_world;
