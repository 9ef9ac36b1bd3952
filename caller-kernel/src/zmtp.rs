//! The sockets of a kernel: the binding side of ZMTP 3.1, which also speaks 3.0.
//!
//! A kernel binds (but for the one question that a [`Dialer`] asks), and needs three kinds of socket: a [`Router`] (shell, control, stdin), a [`Publisher`] that
//! knows its subscribers (iopub), and an echo (the [`Heartbeat`]). Each peer has a queue and a task of its own, so what
//! one peer does or leaves undone is felt by that peer alone.
//!
//! From bytes to messages, the pure half knows no socket: [`frame`] cuts bytes into frames, [`command`] reads commands,
//! [`traffic`] puts frames together to messages, [`mechanism`] is the handshake and what it leads to. The other half does
//! the work: [`endpoint`] listens, [`server`] accepts, [`handshake`] makes a peer of a connection, [`peer`] reads and
//! writes, [`queue`] holds what is to be written; [`socket`] is what makes one kind of socket unlike another.
//!
//! Follows [ZMTP 3.1](https://rfc.zeromq.org/spec/37/) and [ZMTP 3.0](https://rfc.zeromq.org/spec/23/).

mod limits;

pub(crate) mod frame;

pub(crate) mod greeting;

pub(crate) mod command;

pub(crate) mod traffic;

#[cfg(feature = "curve")]
pub(crate) mod curve;

pub(crate) mod mechanism;

mod queue;

mod error;

pub(crate) mod handshake;

mod socket;

mod peer;

mod key_error;

#[cfg(unix)]
mod ipc;

mod endpoint;

mod server;

mod dialer;

mod router;

mod publisher;

mod heartbeat;

#[cfg(test)]
pub(crate) use endpoint::Halves;
pub(crate) use {
    dialer::{Dialer, Kind},
    endpoint::Endpoint,
    error::PeerError,
    heartbeat::Heartbeat,
    limits::Limits,
    mechanism::Security,
    publisher::Publisher,
    router::{Router, RouterSender},
    server::Server,
};
pub use {endpoint::BindError, key_error::KeyError, publisher::Subscription, queue::Class};
