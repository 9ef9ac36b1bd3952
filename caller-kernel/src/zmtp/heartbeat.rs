//! A socket that says what it hears.
//! See [heartbeat](https://jupyter-client.readthedocs.io/en/stable/messaging.html#heartbeat-for-kernels).

use super::{
    endpoint::{BindError, Endpoint},
    limits::Limits,
    mechanism::Security,
    queue::{Class, Outgoing},
    server::Server,
    socket::{Peer, Socket},
    traffic::Inbound,
};
use std::sync::Arc;

/// A bound REP socket that echoes. Nothing has to be done for it: its peers' tasks answer.
#[derive(Debug)]
pub(crate) struct Heartbeat;

impl Heartbeat {
    pub(crate) async fn bind(
        endpoint: Endpoint,
        limits: Limits,
        security: Security,
    ) -> Result<(Server, ()), BindError> {
        Ok((Server::bind(endpoint, Arc::new(Self), limits, security).await?, ()))
    }
}

impl Socket for Heartbeat {
    const TYPE: &'static str = "REP";
    const PEERS: &'static [&'static str] = &["REQ", "DEALER"];

    fn join(&self, _: &Arc<Peer>) {}

    async fn receive(&self, peer: &Arc<Peer>, inbound: Inbound) {
        // All parts go back, the empty one with which a REQ begins included. Who floods and does not read is
        // sent away by its queue.
        if let Inbound::Message(parts) = inbound {
            peer.queue.push(Outgoing::new(parts), Class::Essential);
        }
    }

    fn leave(&self, _: &Peer) {}
}
