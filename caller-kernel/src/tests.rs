//! Tests of the sockets with peers made of the same codec.
