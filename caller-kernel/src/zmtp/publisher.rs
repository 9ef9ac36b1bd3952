//! A socket that sends each message to those who subscribed to it, and knows them.
//! See [XPUB](https://rfc.zeromq.org/spec/29/).

use super::{
    endpoint::{BindError, Endpoint},
    limits::{FRAME_COST, Limits},
    mechanism::Security,
    queue::{Class, Ended, Outgoing, Pushed},
    server::Server,
    socket::{Peer, Socket},
    traffic::{self, Inbound},
};
use bytes::Bytes;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::mpsc;

/// A client subscribed to a topic: from now on it gets what begins with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// The number of the subscriber, for [`Publisher::send_to`].
    pub(crate) subscriber: u64,
    pub(crate) topic: Bytes,
}

impl Subscription {
    /// What the topics begin with; empty for all of them.
    #[must_use]
    pub fn topic(&self) -> &[u8] {
        &self.topic
    }
}

/// Subscriptions wait here until they are taken; while it is full, a subscriber that says more is not read from.
const WAITING: usize = 256;

/// A bound XPUB socket. Its handles send from any thread.
#[derive(Clone, Debug)]
pub(crate) struct Publisher(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    subscribers: Mutex<HashMap<u64, Subscriber>>,
    /// Gone when the socket is closed.
    events: Mutex<Option<mpsc::Sender<Subscription>>>,
    /// The most that one subscriber's topics may take.
    topics: usize,
}

#[derive(Debug)]
struct Subscriber {
    peer: Arc<Peer>,
    /// As often as it subscribed: each has to be cancelled.
    topics: Vec<Bytes>,
    size: usize,
}

impl Publisher {
    /// Listens. The events tell of each subscription, in its order for each subscriber.
    pub(crate) async fn bind(
        endpoint: Endpoint,
        limits: Limits,
        security: Security,
    ) -> Result<(Server, (Self, mpsc::Receiver<Subscription>)), BindError> {
        let (events, subscribed) = mpsc::channel(WAITING);
        let shared = Arc::new(Shared {
            subscribers: Mutex::default(),
            events: Mutex::new(Some(events)),
            topics: limits.topics,
        });
        let server = Server::bind(endpoint, Arc::clone(&shared), limits, security).await?;
        Ok((server, (Self(shared), subscribed)))
    }

    /// Whether anybody subscribed to something.
    pub(crate) fn is_heard(&self) -> bool {
        lock(&self.0.subscribers).values().any(|subscriber| !subscriber.topics.is_empty())
    }

    /// Queues a message for all whose topics its first part begins with. Never waits for any of them. Gives those
    /// for whom it was dropped.
    pub(crate) fn publish(&self, parts: Vec<Bytes>, class: Class) -> Vec<u64> {
        let mut dropped = Vec::new();
        let message = Outgoing::new(parts);
        let Some(first) = message.parts.first() else { return dropped };
        // Under the lock, so that messages of several threads have one order for all subscribers.
        for (&number, subscriber) in &*lock(&self.0.subscribers) {
            if !subscriber.topics.iter().any(|topic| first.starts_with(topic)) {
                continue;
            }
            if subscriber.peer.queue.push(message.clone(), class) == Pushed::Dropped {
                dropped.push(number);
            }
        }
        dropped
    }

    /// Queues a message for one subscriber alone. `false` when it is gone.
    pub(crate) fn send_to(&self, subscriber: u64, parts: Vec<Bytes>) -> bool {
        let Some(peer) = lock(&self.0.subscribers).get(&subscriber).map(|one| Arc::clone(&one.peer)) else {
            return false;
        };
        peer.queue.push(Outgoing::new(parts), Class::Essential) == Pushed::Queued
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing under these locks can leave it half changed.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    fn subscribe(&self, peer: &Peer, topic: &Bytes) {
        let mut subscribers = lock(&self.subscribers);
        let Some(subscriber) = subscribers.get_mut(&peer.id) else { return };
        subscriber.size += topic.len() + FRAME_COST;
        if subscriber.size > self.topics {
            peer.queue.end(Ended::Topics);
            return;
        }
        // A copy, as the rest of a read would live as long as the topic.
        subscriber.topics.push(Bytes::copy_from_slice(topic));
    }

    fn cancel(&self, peer: &Peer, topic: &Bytes) {
        let mut subscribers = lock(&self.subscribers);
        let Some(subscriber) = subscribers.get_mut(&peer.id) else { return };
        if let Some(index) = subscriber.topics.iter().position(|own| own == topic) {
            subscriber.topics.swap_remove(index);
            subscriber.size -= topic.len() + FRAME_COST;
        }
    }
}

impl Socket for Shared {
    const TYPE: &'static str = "XPUB";
    const PEERS: &'static [&'static str] = &["SUB", "XSUB"];

    fn join(&self, peer: &Arc<Peer>) {
        let subscriber = Subscriber { peer: Arc::clone(peer), topics: Vec::new(), size: 0 };
        lock(&self.subscribers).insert(peer.id, subscriber);
    }

    async fn receive(&self, peer: &Arc<Peer>, inbound: Inbound) {
        let said = match inbound {
            // Other messages to a publisher mean nothing here.
            Inbound::Message(parts) => traffic::subscription(&parts),
            said => Some(said),
        };
        match said {
            Some(Inbound::Subscribe(topic)) => {
                self.subscribe(peer, &topic);
                let events = lock(&self.events).clone();
                if let Some(events) = events {
                    // Nobody need take the events.
                    let _ = events.send(Subscription { subscriber: peer.id, topic }).await;
                }
            }
            Some(Inbound::Cancel(topic)) => self.cancel(peer, &topic),
            _ => {}
        }
    }

    fn leave(&self, peer: &Peer) {
        lock(&self.subscribers).remove(&peer.id);
    }

    fn closed(&self) {
        lock(&self.events).take();
    }
}
