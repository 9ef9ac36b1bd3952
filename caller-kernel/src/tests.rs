//! Tests of the sockets, with peers made of the same codec.

mod client;

mod channels;

#[cfg(feature = "curve")]
mod curve;

mod handshake;

mod publisher;

mod registration;

mod router;

mod front;

mod kernel;
