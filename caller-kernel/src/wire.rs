//! Messages of the Jupyter protocol, on the wire and off it.
//!
//! [`session`] signs, checks and makes messages; a [`message`] has a [`header`] and parts that stay [`json`] as it
//! came, so that what we do not know is kept. Follows
//! [the wire protocol](https://jupyter-client.readthedocs.io/en/stable/messaging.html#the-wire-protocol).

mod error;

mod json;

mod header;

mod message;

mod replay;

mod session;

pub(crate) use session::random_hex;
pub use {error::WireError, header::Header, json::Json, message::Message, session::Session};
