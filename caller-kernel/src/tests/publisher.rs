//! Output for many, some of whom do not listen.

use super::client::{Client, anywhere, soon};
use crate::zmtp::{Class, Limits, Publisher, Security, Server, Subscription};
use bytes::Bytes;
use tokio::sync::mpsc::Receiver;

struct Bound {
    server: Server,
    publisher: Publisher,
    events: Receiver<Subscription>,
}

impl Bound {
    async fn new(limits: Limits) -> Self {
        let (server, (publisher, events)) =
            Publisher::bind(anywhere(), limits, Security::Null).await.unwrap();
        Self { server, publisher, events }
    }

    async fn subscriber(&mut self, topic: &[u8]) -> Client {
        let mut client = Client::connect(self.server.endpoint(), "SUB", "").await;
        client.command("SUBSCRIBE", topic).await;
        assert_eq!(self.event().await.topic, topic);
        client
    }

    async fn event(&mut self) -> Subscription {
        soon(self.events.recv()).await.unwrap()
    }

    fn publish(&self, topic: &'static str) {
        self.publisher.publish(vec![topic.into(), "body".into()], Class::Essential);
    }
}

async fn topic(client: &mut Client) -> Bytes {
    client.recv().await.unwrap().swap_remove(0)
}

#[tokio::test]
async fn each_gets_what_begins_with_its_topics() {
    let mut bound = Bound::new(Limits::default()).await;
    assert!(!bound.publisher.is_heard());
    let mut all = bound.subscriber(b"").await;
    let mut some = Client::connect_as(0, bound.server.endpoint(), "SUB", "").await;
    // As 3.0 says it.
    some.send(&[b"\x01stream"]).await;
    assert_eq!(bound.event().await.topic(), b"stream");
    assert!(bound.publisher.is_heard());
    for topic in ["status", "stream", "streams", "strea", "status"] {
        bound.publish(topic);
    }
    for expected in ["status", "stream", "streams", "strea", "status"] {
        assert_eq!(topic(&mut all).await, expected);
    }
    for expected in ["stream", "streams"] {
        assert_eq!(topic(&mut some).await, expected);
    }
}

#[tokio::test]
async fn a_subscription_can_be_cancelled() {
    let mut bound = Bound::new(Limits::default()).await;
    // Each way of saying it, and each as often as it was made.
    let mut client = bound.subscriber(b"a").await;
    client.send(&[b"\x01a"]).await;
    bound.event().await;
    client.send(&[b"\x00a"]).await;
    client.command("SUBSCRIBE", b"mark").await;
    bound.event().await;
    bound.publish("a1");
    client.command("CANCEL", b"a").await;
    client.command("CANCEL", b"never").await;
    client.command("SUBSCRIBE", b"mark").await;
    bound.event().await;
    bound.publish("a2");
    bound.publish("mark");
    assert_eq!(topic(&mut client).await, "a1");
    assert_eq!(topic(&mut client).await, "mark");
}

#[tokio::test]
async fn one_subscriber_can_be_spoken_to_alone() {
    let mut bound = Bound::new(Limits::default()).await;
    let mut other = bound.subscriber(b"").await;
    let mut client = Client::connect(bound.server.endpoint(), "SUB", "").await;
    client.command("SUBSCRIBE", b"").await;
    let event = bound.event().await;
    assert!(bound.publisher.send_to(event.subscriber, vec!["welcome".into()]));
    assert!(!bound.publisher.send_to(event.subscriber + 1, vec!["lost".into()]));
    bound.publish("all");
    assert_eq!(topic(&mut client).await, "welcome");
    assert_eq!(topic(&mut client).await, "all");
    assert_eq!(topic(&mut other).await, "all");
}

const MANY: u32 = 20_000;

/// Numbered, a kilobyte each.
fn numbered(number: u32) -> Vec<Bytes> {
    vec![Bytes::copy_from_slice(&number.to_be_bytes()), vec![0; 1000].into()]
}

#[tokio::test]
async fn a_stalled_subscriber_is_not_felt_and_misses_what_may_be_missed() {
    let mut bound = Bound::new(Limits { unread: [1 << 20, 2 << 20, 64 << 20], ..Limits::default() }).await;
    let mut stalled = bound.subscriber(b"").await;
    let mut fast = bound.subscriber(b"").await;
    let mut lost = [0, 0];
    for number in 0..MANY {
        // Every hundredth is one that must not be lost.
        let class = match number % 100 {
            0 => Class::Essential,
            of if of % 2 == 0 => Class::Display,
            _ => Class::Stream,
        };
        for subscriber in bound.publisher.publish(numbered(number), class) {
            assert_eq!(subscriber, 1, "the one that stalls");
            lost[class as usize] += 1;
        }
        assert_eq!(topic(&mut fast).await, number.to_be_bytes()[..]);
    }
    // As many of both were there; what is shown is kept for longer than what is printed.
    let [streams, displays] = lost;
    assert!(displays > MANY / 4 && streams > displays + 500, "{lost:?} were dropped");
    // What was not dropped is all there.
    let mut seen = Vec::new();
    for _ in streams + displays..MANY {
        let number = topic(&mut stalled).await;
        seen.push(u32::from_be_bytes(number[..].try_into().unwrap()));
    }
    assert!(seen.is_sorted());
    assert_eq!(seen.iter().filter(|number| *number % 100 == 0).count(), MANY as usize / 100);
}

#[tokio::test]
async fn a_stalled_subscriber_is_sent_away_before_it_costs_too_much() {
    let mut bound = Bound::new(Limits { unread: [1 << 20; 3], ..Limits::default() }).await;
    let mut stalled = bound.subscriber(b"").await;
    let mut fast = bound.subscriber(b"").await;
    for number in 0..MANY {
        assert!(bound.publisher.publish(numbered(number), Class::Essential).is_empty());
        assert_eq!(topic(&mut fast).await, number.to_be_bytes()[..]);
    }
    let mut seen = 0;
    // It got what the system had for it, maybe to the middle of a frame.
    while stalled.recv().await.is_some() {
        seen += 1;
    }
    assert!(seen < MANY);
}

#[tokio::test]
async fn subscriptions_are_not_free() {
    let mut bound = Bound::new(Limits { topics: 1000, ..Limits::default() }).await;
    let mut client = Client::connect(bound.server.endpoint(), "SUB", "").await;
    // Cancelled ones do not count.
    for _ in 0..50 {
        client.command("SUBSCRIBE", b"a").await;
        bound.event().await;
        client.command("CANCEL", b"a").await;
    }
    client.command("SUBSCRIBE", &[b'b'; 900]).await;
    bound.event().await;
    bound.publisher.publish(vec![vec![b'b'; 900].into()], Class::Essential);
    assert_eq!(topic(&mut client).await.len(), 900);
    client.command("SUBSCRIBE", b"c").await;
    client.end().await;
}

#[tokio::test]
async fn many_come_and_go() {
    let mut bound = Bound::new(Limits::default()).await;
    let mut stays = bound.subscriber(b"").await;
    for _ in 0..300 {
        let mut client = bound.subscriber(b"").await;
        bound.publish("one");
        assert_eq!(topic(&mut stays).await, "one");
        assert_eq!(topic(&mut client).await, "one");
        client.shutdown().await;
        client.end().await;
    }
    stays.shutdown().await;
    stays.end().await;
    // Nobody is left in the books.
    assert!(!bound.publisher.is_heard());
}
