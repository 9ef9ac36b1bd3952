//! Tests of the sockets, with peers made of the same codec.

mod client;

mod channels;

mod handshake;

mod publisher;

mod router;

mod front;

mod kernel;
