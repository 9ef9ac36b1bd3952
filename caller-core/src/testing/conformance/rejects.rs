//! The queue for one consumer, whose last handle goes without a stop: nothing is lost silently.

use std::sync::{Arc, Mutex};

use crate::{SingleConsumerQueue, testing::Fixture};

/// A queue that lists what it rejects.
fn listing() -> (SingleConsumerQueue<u32>, Arc<Mutex<Vec<u32>>>) {
    let rejected = Arc::new(Mutex::new(Vec::new()));
    let list = rejected.clone();
    (SingleConsumerQueue::with_reject(move |item| list.lock().unwrap().push(item)), rejected)
}

pub fn the_last_handle_rejects_what_is_left<F: Fixture>() {
    let (queue, rejected) = listing();
    let other = queue.clone();
    queue.extend([1, 2, 3]);
    drop(queue);
    assert!(rejected.lock().unwrap().is_empty(), "there is another handle");
    drop(other);
    assert_eq!(*rejected.lock().unwrap(), [1, 2, 3]);
}
