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

/// What may become of a message when its receiver does not keep up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// It may be dropped for a subscriber that has too much unread: the output of prints.
    Stream,
    /// It is never dropped: status, results, errors, replies. A subscriber that leaves too many of them unread is
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
    messages: VecDeque<Outgoing>,
    /// Of all that is not yet written, what is being written included.
    bytes: usize,
    /// The context of the last ping that is not answered. An older one needs no answer then, so that a peer that
    /// pings and does not read costs nothing.
    pong: Option<Bytes>,
    phase: Phase,
}

#[derive(Debug)]
pub(crate) struct Queue {
    state: Mutex<State>,
    soft: usize,
    hard: usize,
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
    bytes: usize,
}

/// A batch is full once it has this many bytes.
const BATCH: usize = 64 << 10;

impl Queue {
    /// An empty queue. A message is dropped or the peer is sent away when the queue would hold more than this; but
    /// a queue that is empty takes any message.
    pub(crate) fn new(soft: usize, hard: usize) -> Self {
        let state = State { messages: VecDeque::new(), bytes: 0, pong: None, phase: Phase::Open };
        Self { state: state.into(), soft, hard, filled: Notify::new(), ended: Notify::new() }
    }

    pub(crate) fn push(&self, message: Outgoing, class: Class) -> Pushed {
        let mut state = self.lock();
        if !matches!(state.phase, Phase::Open) {
            return Pushed::Gone;
        }
        let bytes = state.bytes + message.size;
        if state.bytes > 0 && class == Class::Stream && bytes > self.soft {
            return Pushed::Dropped;
        }
        if state.bytes > 0 && bytes > self.hard {
            drop(state);
            self.end(Ended::Overflow);
            return Pushed::Gone;
        }
        state.bytes = bytes;
        state.messages.push_back(message);
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
        state.bytes = 0;
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
        while batch.bytes < BATCH {
            let Some(message) = state.messages.pop_front() else { break };
            batch.bytes += message.size;
            batch.messages.push(message);
        }
        if batch.messages.is_empty() && batch.pong.is_none() {
            return matches!(state.phase, Phase::Closing).then_some(None);
        }
        Some(Some(batch))
    }

    /// Makes room: these messages were written.
    pub(crate) fn written(&self, batch: Batch) {
        let mut state = self.lock();
        // At its end the queue has forgotten them.
        state.bytes = state.bytes.saturating_sub(batch.bytes);
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
    pub(crate) fn bytes(&self) -> usize {
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
        let Some(Some(batch)) = queue.take() else { return 0 };
        let messages = batch.messages.len();
        queue.written(batch);
        messages
    }

    #[test]
    fn streams_are_dropped_where_essentials_are_not() {
        let queue = Queue::new(1000, 2000);
        assert_eq!(queue.push(message(900), Class::Stream), Pushed::Queued);
        assert_eq!(queue.push(message(200), Class::Stream), Pushed::Dropped);
        assert_eq!(queue.push(message(200), Class::Essential), Pushed::Queued);
        assert_eq!(queue.bytes(), 1100);
        assert_eq!(taken(&queue), 2);
        assert_eq!(queue.push(message(900), Class::Stream), Pushed::Queued);
    }

    #[test]
    fn too_many_essentials_end_the_peer() {
        let queue = Queue::new(1000, 2000);
        assert_eq!(queue.push(message(1900), Class::Essential), Pushed::Queued);
        assert_eq!(queue.push(message(200), Class::Essential), Pushed::Gone);
        assert_eq!(queue.push(message(100), Class::Essential), Pushed::Gone);
        assert_eq!((queue.bytes(), taken(&queue)), (0, 0));
        assert!(matches!(queue.lock().phase, Phase::Ended(Ended::Overflow)));
    }

    #[test]
    fn an_empty_queue_takes_any_message() {
        let queue = Queue::new(1000, 2000);
        assert_eq!(queue.push(message(5000), Class::Stream), Pushed::Queued);
        // It counts until it is written, so what is being written is in the bound.
        let batch = queue.take().unwrap().unwrap();
        assert_eq!(queue.push(message(100), Class::Stream), Pushed::Dropped);
        queue.written(batch);
        assert_eq!(queue.push(message(100), Class::Stream), Pushed::Queued);
    }

    #[test]
    fn a_closed_queue_is_emptied_first() {
        let queue = Queue::new(1000, 2000);
        queue.push(message(100), Class::Essential);
        queue.close();
        assert_eq!(queue.push(message(100), Class::Essential), Pushed::Gone);
        assert_eq!(taken(&queue), 1);
        assert!(matches!(queue.take(), Some(None)));
    }

    #[test]
    fn only_the_last_ping_is_answered() {
        let queue = Queue::new(1000, 2000);
        queue.pong(Bytes::from_static(b"1"));
        queue.pong(Bytes::from_static(b"2"));
        assert_eq!(queue.take().unwrap().unwrap().pong.unwrap(), "2");
        assert!(queue.take().is_none());
    }

    #[test]
    fn a_batch_has_a_size() {
        let queue = Queue::new(1 << 20, 1 << 20);
        for _ in 0..10 {
            queue.push(message(BATCH / 4), Class::Essential);
        }
        assert_eq!(taken(&queue), 4);
        assert_eq!(queue.bytes(), 6 * BATCH / 4);
    }
}
