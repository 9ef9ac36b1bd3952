//! SCQ: the single-consumer queue.

use std::{
    sync::{Arc, Mutex, mpsc},
    thread,
};

use futures::StreamExt;

use super::{LONG, calls::turns, receive};
use crate::{
    SingleConsumerQueue,
    testing::{Fixture, probe::SOON},
};

pub fn scq_01_in_order_from_any_thread<F: Fixture>() {
    let fixture = F::new();
    let caller = fixture.caller();
    let queue = SingleConsumerQueue::new();
    assert!(queue.push_back(1));
    let consuming = queue.clone();
    let got = caller.call_soon(async move || consuming.consume().take(6).collect::<Vec<_>>().await);
    let adding = queue.clone();
    thread::spawn(move || adding.extend([2, 3, 4])).join().unwrap();
    assert!(queue.extend([5, 6]));
    assert_eq!(got.wait().timeout(LONG).blocking().unwrap(), [1, 2, 3, 4, 5, 6]);
    // Each way of adding wakes a consumer that waits.
    type Add = fn(&SingleConsumerQueue<u32>) -> bool;
    let ways: [(&str, Add); 3] = [
        ("push_back", |queue| queue.push_back(7)),
        ("push_front", |queue| queue.push_front(7)),
        ("extend", |queue| queue.extend([7])),
    ];
    for (name, add) in ways {
        let queue = SingleConsumerQueue::new();
        let consuming = queue.clone();
        let (sender, waiting) = mpsc::channel();
        let got = caller.call_soon(async move || {
            let mut consumer = consuming.consume();
            sender.send(()).unwrap();
            consumer.next().await
        });
        receive(&waiting);
        // When the caller has gone on, the call waits.
        turns(&caller);
        assert!(!got.is_done());
        thread::spawn(move || assert!(add(&queue))).join().unwrap();
        let got = got.wait().timeout(LONG).blocking();
        assert_eq!(got.unwrap_or_else(|error| panic!("{name}: {error}")), Some(7));
    }
}

pub fn scq_02_second_consumer<F: Fixture>() {
    F::new().block_on(async {
        let queue = SingleConsumerQueue::new();
        let mut first = queue.consume();
        let mut second = queue.consume();
        queue.push_back(1);
        assert_eq!(second.next().await, None);
        drop(second);
        assert_eq!(first.next().await, Some(1));
        assert!(queue.push_back(2));
        assert_eq!(first.next().await, Some(2));
    });
}

pub fn scq_03_stop_rejects<F: Fixture>() {
    let (queue, rejected) = rejecting();
    let mut consumer = queue.consume();
    queue.push_back(1);
    queue.push_front(0);
    queue.stop();
    assert!(queue.is_stopped());
    assert_eq!(*rejected.lock().unwrap(), [0, 1]);
    assert!(!queue.push_back(2) && !queue.push_front(3) && !queue.extend([4, 5]));
    assert_eq!(*rejected.lock().unwrap(), [0, 1, 2, 3, 4, 5]);
    assert_eq!(F::new().block_on(async { consumer.next().await }), None);
}

pub fn scq_04_consumer_leaves<F: Fixture>() {
    let (queue, rejected) = rejecting();
    queue.extend([1, 2, 3]);
    let mut consumer = queue.consume();
    assert_eq!(F::new().block_on(async { consumer.next().await }), Some(1));
    drop(consumer);
    assert!(queue.is_stopped());
    assert_eq!(*rejected.lock().unwrap(), [2, 3]);
}

pub fn scq_05_last_handle_without_consumer_rejects<F: Fixture>() {
    let (queue, rejected) = rejecting();
    let other = queue.clone();
    queue.extend([1, 2]);
    drop(queue);
    assert!(rejected.lock().unwrap().is_empty());
    assert!(other.push_back(3));
    drop(other);
    assert_eq!(*rejected.lock().unwrap(), [1, 2, 3]);
}

pub fn scq_05_consumer_takes_the_rest_of_the_last_handle<F: Fixture>() {
    let fixture = F::new();
    let caller = fixture.caller();
    let (queue, rejected) = rejecting();
    queue.extend([1, 2]);
    let mut consumer = queue.consume();
    drop(queue);
    let taken =
        caller.call_soon(async move || (consumer.next().await, consumer.next().await, consumer.next().await));
    let taken = taken.wait().timeout(LONG).blocking();
    assert_eq!(taken.unwrap(), (Some(1), Some(2), None));
    // One that waits hears that the last handle has gone; the items that it did not take are rejected.
    let (queue, late) = rejecting();
    let mut consumer = queue.consume();
    let ends = caller.call_soon(async move || consumer.next().await);
    drop(queue);
    assert_eq!(ends.wait().timeout(LONG).blocking().unwrap(), None);
    let (queue, left) = rejecting();
    queue.extend([1, 2, 3]);
    let mut consumer = queue.consume();
    drop(queue);
    assert_eq!(fixture.block_on(async { consumer.next().await }), Some(1));
    drop(consumer);
    assert_eq!(*left.lock().unwrap(), [2, 3]);
    assert!(rejected.lock().unwrap().is_empty() && late.lock().unwrap().is_empty());
}

/// A consumer that adds an item for each that it takes lets others have their turn, and is cancelled.
pub fn scq_a_consumer_that_feeds_its_queue_yields<F: Fixture>() {
    let caller = F::new().caller();
    let (sender, rounds) = mpsc::channel();
    let feeds = caller.call_soon(async move || {
        let queue = SingleConsumerQueue::new();
        queue.push_back(0);
        let mut consumer = queue.consume();
        while let Some(round) = consumer.next().await {
            if round == 1000 {
                sender.send(()).unwrap();
            }
            queue.push_back(round + 1);
        }
    });
    receive(&rounds);
    assert_eq!(caller.call_soon(async || 7).wait().timeout(SOON).blocking().unwrap(), 7);
    feeds.cancel_and_wait("enough").timeout(SOON).blocking().unwrap();
}

fn rejecting() -> (SingleConsumerQueue<u32>, Arc<Mutex<Vec<u32>>>) {
    let rejected = Arc::new(Mutex::new(Vec::new()));
    let reject = rejected.clone();
    (SingleConsumerQueue::with_reject(move |item| reject.lock().unwrap().push(item)), rejected)
}
