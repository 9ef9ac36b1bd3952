//! A Jupyter kernel between a running Rust program and a notebook.
//!
//! [`shell`] says what a language of cells is to the kernel. [`lua`] is such a language: Lua 5.4, whose cells are
//! coroutines in the thread of one caller, so that they wait without blocking it. [`Kernel`] runs beside a program, and
//! lets front ends run cells in it.
//!
//! # Features
//!
//! - `command`, which is on unless switched off: the command `caller-kernel`.
//! - `curve`: encrypted connections.
#![forbid(unsafe_code)]

mod zmtp;

mod wire;

mod connection;

mod sockets;

pub mod shell;

pub mod lua;

mod registration;

mod kernel;

pub mod notebook;

pub mod kernelspec;

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
    kernel::{InputError, Kernel, KernelBuilder, KernelError, KernelStream},
    registration::{Registration, RegistrationError},
    sockets::{Channel, ChannelSender, Closer, IoPub, Sockets},
    wire::{Header, Json, Message, Session, WireError},
    zmtp::{BindError, Class, KeyError, Subscription},
};
