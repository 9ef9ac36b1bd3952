//! Messages of the Jupyter protocol, on the wire and off it.
//!
//! [`session`] signs, checks and makes messages; a [`message`] has a [`header`] and parts that stay [`json`] as it
//! came, so that what we do not know is kept. Follows
//! [the wire protocol](https://jupyter-client.readthedocs.io/en/stable/messaging.html#the-wire-protocol).

mod error;

mod json;

mod or_default;

mod header;

mod message;

mod replay;

mod session;

pub use {error::WireError, header::Header, json::Json, message::Message, session::Session};
pub(crate) use {or_default::or_default, session::random_hex};
