//! A socket that knows who said what, and answers that one. See [ROUTER](https://rfc.zeromq.org/spec/28/).

use super::{
    endpoint::{BindError, Endpoint},
    limits::Limits,
    mechanism::Security,
    queue::{Class, Ended, Outgoing, Pushed},
    server::Server,
    socket::{Peer, Socket},
    traffic::Inbound,
};
use bytes::Bytes;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::{Notify, mpsc};

/// Messages from all peers wait here until they are taken; while it is full, peers are not read from.
const WAITING: usize = 256;

/// What a bound ROUTER socket hears.
#[derive(Debug)]
pub(crate) struct Router {
    sender: RouterSender,
    incoming: mpsc::Receiver<Vec<Bytes>>,
}

impl Router {
    pub(crate) async fn bind(
        endpoint: Endpoint,
        limits: Limits,
        security: Security,
    ) -> Result<(Server, Self), BindError> {
        let (inbox, incoming) = mpsc::channel(WAITING);
        let shared =
            Arc::new(Shared { peers: Mutex::default(), left: Notify::new(), inbox: Mutex::new(Some(inbox)) });
        let server = Server::bind(endpoint, Arc::clone(&shared), limits, security).await?;
        Ok((server, Self { sender: RouterSender(shared), incoming }))
    }

    /// What answers, from any thread.
    pub(crate) fn sender(&self) -> &RouterSender {
        &self.sender
    }

    /// The next message, after the identity of who sent it. `None` when the socket is closed and all is taken. Cancel
    /// safe: none is lost.
    pub(crate) async fn recv(&mut self) -> Option<Vec<Bytes>> {
        self.incoming.recv().await
    }
}

/// Sends to the peers of a router, from any thread.
#[derive(Clone, Debug)]
pub(crate) struct RouterSender(Arc<Shared>);

impl RouterSender {
    /// Queues a message for a peer. `false` when there is no such peer, or it is sent away as it left too much unread.
    pub(crate) fn send(&self, identity: &[u8], parts: Vec<Bytes>) -> bool {
        let Some(peer) = lock(&self.0.peers).get(identity).cloned() else { return false };
        peer.queue.push(Outgoing::new(parts), Class::Essential) == Pushed::Queued
    }

    /// Whether there is such a peer.
    pub(crate) fn has(&self, identity: &[u8]) -> bool {
        lock(&self.0.peers).contains_key(identity)
    }

    /// Waits until a peer has left since this was last waited for, which one waiter may do.
    pub(crate) async fn left(&self) {
        self.0.left.notified().await;
    }

    #[cfg(test)]
    pub(crate) fn peers(&self) -> usize {
        lock(&self.0.peers).len()
    }
}

#[derive(Debug)]
struct Shared {
    peers: Mutex<HashMap<Bytes, Arc<Peer>>>,
    left: Notify,
    /// Gone when the socket is closed.
    inbox: Mutex<Option<mpsc::Sender<Vec<Bytes>>>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing under these locks can leave it half changed.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Socket for Shared {
    const TYPE: &'static str = "ROUTER";
    const PEERS: &'static [&'static str] = &["DEALER", "REQ", "ROUTER"];

    /// A peer that comes back before we saw it leave takes over its identity.
    ///
    /// The later connection has it, whichever was faster to join: the earlier one may be dead already.
    fn join(&self, peer: &Arc<Peer>) {
        let mut peers = lock(&self.peers);
        let stale = match peers.get(&peer.identity) {
            Some(current) if current.id > peer.id => Some(Arc::clone(peer)),
            _ => peers.insert(peer.identity.clone(), Arc::clone(peer)),
        };
        drop(peers);
        if let Some(stale) = stale {
            stale.queue.end(Ended::HandedOver);
        }
    }

    async fn receive(&self, peer: &Arc<Peer>, inbound: Inbound) {
        // Subscriptions mean nothing here.
        let Inbound::Message(mut parts) = inbound else { return };
        parts.insert(0, peer.identity.clone());
        let inbox = lock(&self.inbox).clone();
        if let Some(inbox) = inbox {
            // If nobody takes messages any more, the socket is about to close.
            let _ = inbox.send(parts).await;
        }
    }

    fn leave(&self, peer: &Peer) {
        let mut peers = lock(&self.peers);
        // Its identity may be another's by now.
        if peers.get(&peer.identity).is_some_and(|current| current.id == peer.id) {
            peers.remove(&peer.identity);
            drop(peers);
            self.left.notify_one();
        }
    }

    fn closed(&self) {
        lock(&self.inbox).take();
    }
}
