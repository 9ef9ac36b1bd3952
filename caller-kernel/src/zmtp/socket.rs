//! A kind of socket, and a peer that has joined one.

use super::{queue::Queue, traffic::Inbound};
use bytes::Bytes;
use std::sync::Arc;

/// What makes one kind of socket unlike another.
pub(crate) trait Socket: Send + Sync + 'static {
    /// The name of this kind, as peers are told.
    const TYPE: &'static str;
    /// The kinds that may be its peers.
    const PEERS: &'static [&'static str];

    fn join(&self, peer: &Arc<Peer>);

    /// Takes what a peer said. While this waits, that peer is not read from.
    fn receive(&self, peer: &Arc<Peer>, inbound: Inbound) -> impl Future<Output = ()> + Send;

    fn leave(&self, peer: &Peer);

    /// All peers have left, and no more come.
    fn closed(&self) {}
}

/// A peer that has joined a socket.
#[derive(Debug)]
pub(crate) struct Peer {
    /// Unlike that of any other peer of the socket, ever.
    pub(crate) id: u64,
    /// What it is addressed by: its own choice, or ours if it made none.
    pub(crate) identity: Bytes,
    pub(crate) queue: Queue,
}
