//! A Jupyter kernel between a running Rust program and a notebook.
//!
//! So far there is the floor of it: a [`Connection`], the [`Sockets`] that listen there, the [`Message`]s that come and
//! go, and the [`Registration`] of a kernel that chooses its own ports. This crate will hold the kernel to embed in a program, the `Shell` trait for the language of its cells, a Lua
//! shell, and the `caller-kernel` command.
#![forbid(unsafe_code)]

mod zmtp;

mod wire;

mod connection;

mod encryption;

mod sockets;

mod registration;

#[cfg(any(test, feature = "fuzzing"))]
#[cfg_attr(not(feature = "fuzzing"), allow(unreachable_pub, reason = "exported with the feature alone"))]
mod fuzz;

#[cfg(test)]
mod tests;

#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub use fuzz::fuzz_wire;
pub use {
    connection::{Connection, ConnectionError, Transport},
    encryption::KeyError,
    registration::{Registration, RegistrationError},
    sockets::{Channel, ChannelSender, Closer, IoPub, Sockets},
    wire::{Header, Json, Message, Session, WireError},
    zmtp::{BindError, Class, Subscription},
};
