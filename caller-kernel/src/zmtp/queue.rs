//! What is to be written to one peer: filled from any thread, emptied by the peer's task.
//!
//! ```text
//! open ──close──▶ closing ──all written──▶ (the task ends)
//!   └─────┴──────end(why)──▶ ended: nothing more is written, the task ends at once
//! ```

use super::limits::FRAME_COST;
use bytes::Bytes;
use std::{
    collections::VecDeque,
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::Notify;

/// What may become of a message when its receiver does not keep up. How much may wait is counted for each class on its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// It is dropped for a subscriber that has more than 128 MiB of this class unread: the output of prints.
    Stream,
    /// The same with 256 MiB: displays, and messages of comms.
    Display,
    /// It is never dropped: status, results, errors, replies. A client that has more than 512 MiB of this class unread is
    /// disconnected.
    Essential,
}

/// A message to be written, shared by the queues it is in.
#[derive(Clone, Debug)]
pub(crate) struct Outgoing {
    pub(crate) parts: Arc<[Bytes]>,
    /// What it counts for, in bytes.
    size: usize,
}

impl Outgoing {
    pub(crate) fn new(parts: impl Into<Arc<[Bytes]>>) -> Self {
        let parts = parts.into();
        let size = parts.iter().map(|part| part.len() + FRAME_COST).sum();
        Self { parts, size }
    }
}

/// What became of a message that was to be queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pushed {
    Queued,
    Dropped,
    /// The peer is gone, or is sent away because of this message.
    Gone,
}

/// Why a peer is sent away without what it was still to get.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Ended {
    #[error("the peer left too much unread")]
    Overflow,
    #[error("another peer came with the same identity")]
    HandedOver,
    #[error("the peer holds too many subscriptions")]
    Topics,
}

#[derive(Debug)]
enum Phase {
    Open,
    Closing,
    Ended(Ended),
}

#[derive(Debug)]
struct State {
    messages: VecDeque<(Outgoing, Class)>,
    /// Of the messages of each class.
    bytes: [usize; 3],
    /// The context of the last ping that is not answered. An older one needs no answer then, so that a peer that
    /// pings and does not read costs nothing.
    pong: Option<Bytes>,
    phase: Phase,
}

#[derive(Debug)]
pub(crate) struct Queue {
    state: Mutex<State>,
    unread: [usize; 3],
    /// The one waiter is the writing half of the peer's task.
    filled: Notify,
    /// The one waiter is the peer's task.
    ended: Notify,
}

/// Some messages to be written in one go.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub(crate) pong: Option<Bytes>,
    pub(crate) messages: Vec<Outgoing>,
}

/// A batch is full once it has this many bytes.
const BATCH: usize = 64 << 10;

impl Queue {
    /// An empty queue. A message is dropped, or the peer is sent away, when the queue already has more of its class than
    /// this. So a message of any size goes to whoever keeps up.
    pub(crate) fn new(unread: [usize; 3]) -> Self {
        let state = State { messages: VecDeque::new(), bytes: [0; 3], pong: None, phase: Phase::Open };
        Self { state: state.into(), unread, filled: Notify::new(), ended: Notify::new() }
    }

    pub(crate) fn push(&self, message: Outgoing, class: Class) -> Pushed {
        let mut state = self.lock();
        if !matches!(state.phase, Phase::Open) {
            return Pushed::Gone;
        }
        if state.bytes[class as usize] > self.unread[class as usize] {
            if class != Class::Essential {
                return Pushed::Dropped;
            }
            drop(state);
            self.end(Ended::Overflow);
            return Pushed::Gone;
        }
        state.bytes[class as usize] += message.size;
        state.messages.push_back((message, class));
        drop(state);
        self.filled.notify_one();
        Pushed::Queued
    }

    /// Answers a ping, ahead of the messages.
    pub(crate) fn pong(&self, context: Bytes) {
        self.lock().pong = Some(context);
        self.filled.notify_one();
    }

    /// Takes no more; what is there is still written.
    pub(crate) fn close(&self) {
        let mut state = self.lock();
        if let Phase::Open = state.phase {
            state.phase = Phase::Closing;
        }
        drop(state);
        self.filled.notify_one();
    }

    pub(crate) fn is_closing(&self) -> bool {
        !matches!(self.lock().phase, Phase::Open)
    }

    /// Takes no more, and forgets what is there.
    pub(crate) fn end(&self, why: Ended) {
        let mut state = self.lock();
        if let Phase::Ended(_) = state.phase {
            return;
        }
        state.phase = Phase::Ended(why);
        state.bytes = [0; 3];
        let forgotten = mem::take(&mut state.messages);
        drop(state);
        drop(forgotten);
        self.ended.notify_one();
    }

    /// Waits until there is something to write. `None` when all is written and there will be no more.
    pub(crate) async fn next(&self) -> Option<Batch> {
        loop {
            // A push between the look and the wait leaves a permit, so it is not missed.
            if let Some(batch) = self.take() {
                return batch;
            }
            self.filled.notified().await;
        }
    }

    fn take(&self) -> Option<Option<Batch>> {
        let mut state = self.lock();
        let mut batch = Batch { pong: state.pong.take(), ..Batch::default() };
        let mut bytes = 0;
        while bytes < BATCH {
            let Some((message, class)) = state.messages.pop_front() else { break };
            bytes += message.size;
            state.bytes[class as usize] -= message.size;
            batch.messages.push(message);
        }
        if batch.messages.is_empty() && batch.pong.is_none() {
            return matches!(state.phase, Phase::Closing).then_some(None);
        }
        Some(Some(batch))
    }

    /// Waits until the peer is to be sent away.
    pub(crate) async fn ended(&self) -> Ended {
        loop {
            if let Phase::Ended(why) = self.lock().phase {
                return why;
            }
            self.ended.notified().await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing under the lock can leave it half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    pub(crate) fn bytes(&self) -> [usize; 3] {
        self.lock().bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(size: usize) -> Outgoing {
        Outgoing::new([Bytes::from(vec![0; size - FRAME_COST])])
    }

    fn taken(queue: &Queue) -> usize {
        queue.take().flatten().map_or(0, |batch| batch.messages.len())
    }

    const UNREAD: [usize; 3] = [1000, 2000, 3000];

    #[test]
    fn each_class_has_a_bound_of_its_own() {
        let queue = Queue::new(UNREAD);
        for class in [Class::Stream, Class::Display] {
            let fits = UNREAD[class as usize] / 100;
            for _ in 0..=fits {
                assert_eq!(queue.push(message(100), class), Pushed::Queued);
            }
            assert_eq!(queue.push(message(100), class), Pushed::Dropped);
            // Those that matter more have their room.
            assert_eq!(queue.push(message(100), Class::Essential), Pushed::Queued);
        }
        assert_eq!(queue.bytes(), [1100, 2100, 200]);
        assert_eq!(taken(&queue), 11 + 21 + 2);
        assert_eq!(queue.bytes(), [0; 3]);
        assert_eq!(queue.push(message(900), Class::Stream), Pushed::Queued);
    }

    #[test]
    fn too_many_essentials_end_the_peer() {
        let queue = Queue::new(UNREAD);
        assert_eq!(queue.push(message(3100), Class::Essential), Pushed::Queued);
        assert_eq!(queue.push(message(200), Class::Display), Pushed::Queued);
        assert_eq!(queue.push(message(200), Class::Essential), Pushed::Gone);
        assert_eq!(queue.push(message(100), Class::Essential), Pushed::Gone);
        assert_eq!((queue.bytes(), taken(&queue)), ([0; 3], 0));
        assert!(matches!(queue.lock().phase, Phase::Ended(Ended::Overflow)));
    }

    #[test]
    fn a_message_of_any_size_goes_to_who_keeps_up() {
        let queue = Queue::new(UNREAD);
        assert_eq!(queue.push(message(100), Class::Display), Pushed::Queued);
        assert_eq!(queue.push(message(5000), Class::Display), Pushed::Queued);
        assert_eq!(queue.push(message(100), Class::Display), Pushed::Dropped);
        assert_eq!(taken(&queue), 2);
        assert_eq!(queue.push(message(100), Class::Display), Pushed::Queued);
    }

    #[test]
    fn a_closed_queue_is_emptied_first() {
        let queue = Queue::new(UNREAD);
        queue.push(message(100), Class::Essential);
        queue.close();
        assert_eq!(queue.push(message(100), Class::Essential), Pushed::Gone);
        assert_eq!(taken(&queue), 1);
        assert!(matches!(queue.take(), Some(None)));
    }

    #[test]
    fn only_the_last_ping_is_answered() {
        let queue = Queue::new(UNREAD);
        queue.pong(Bytes::from_static(b"1"));
        queue.pong(Bytes::from_static(b"2"));
        assert_eq!(queue.take().unwrap().unwrap().pong.unwrap(), "2");
        assert!(queue.take().is_none());
    }

    #[test]
    fn a_batch_has_a_size() {
        let queue = Queue::new([1 << 20; 3]);
        for _ in 0..10 {
            queue.push(message(BATCH / 4), Class::Essential);
        }
        assert_eq!(taken(&queue), 4);
        assert_eq!(queue.bytes(), [0, 0, 6 * BATCH / 4]);
    }
}
