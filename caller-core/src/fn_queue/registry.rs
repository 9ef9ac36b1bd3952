//! The queues of functions that one caller has, and what they are found by.

use std::{
    any::{Any, TypeId},
    collections::BTreeMap,
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::queue::{AnyQueue, FnQueue, QueueItem};
use crate::{guard, pending::PendingHandle, sync::AsyncEvent};

/// What a queue is found by: the types of its function and argument, and the address of its object.
pub(crate) type Key = (TypeId, usize);

pub(crate) fn key<F: 'static, A: 'static>(object: usize) -> Key {
    (TypeId::of::<(F, A)>(), object)
}

pub(crate) fn method_key<F: 'static, S: ?Sized, A: 'static>(object: &Arc<S>) -> Key {
    key::<F, A>(Arc::as_ptr(object).addr())
}

/// The queues of functions of one caller.
#[derive(Default)]
pub(crate) struct Queues {
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    queues: BTreeMap<Key, Arc<dyn AnyQueue>>,
    /// The ends of queues that are found no more, and whose items may still run.
    leaving: BTreeMap<Key, Vec<AsyncEvent>>,
    /// How many queues there are when the next sweep is due, of those that are made by adding a queue.
    sweep_at: usize,
}

/// Up to so many queues, each one that is added sweeps them all. Beyond, sweeps double the number between them.
const FEW: usize = 64;

impl Known {
    /// Takes a queue off the list. The next one with its key waits until no item of it runs any more.
    fn retire(&mut self, key: &Key) -> Option<Arc<dyn AnyQueue>> {
        let queue = self.queues.remove(key)?;
        if !queue.ended().is_set() {
            self.leaving.entry(*key).or_default().push(queue.ended().clone());
        }
        Some(queue)
    }

    /// Takes a queue off the list if it is this one.
    fn retire_this(&mut self, key: &Key, queue: *const ()) -> Option<Arc<dyn AnyQueue>> {
        let known = self.queues.get(key)?;
        if std::ptr::addr_eq(Arc::as_ptr(known), queue) { self.retire(key) } else { None }
    }

    /// What a new queue with this key has to wait for.
    fn before(&mut self, key: &Key) -> Vec<AsyncEvent> {
        let Some(leaving) = self.leaving.get_mut(key) else { return Vec::new() };
        leaving.retain(|ended| !ended.is_set());
        leaving.clone()
    }
}

impl Queues {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts an item into the queue with this key: the way of all calls but the first. It comes back if there is no such
    /// queue, or it has ended.
    pub(crate) fn push<A: Send + 'static>(&self, key: Key, item: QueueItem<A>) -> Result<(), QueueItem<A>> {
        let known = self.known();
        let queue: Option<&dyn Any> = known.queues.get(&key).map(|queue| &**queue as _);
        let Some(queue) = queue.and_then(<dyn Any>::downcast_ref::<FnQueue<A>>) else { return Err(item) };
        // The lock of the queue is taken under that of the list of queues, here alone; waking is not.
        let consumer = queue.items.add(item)?;
        drop(known);
        if let Some(consumer) = consumer {
            guard::wake(consumer);
        }
        Ok(())
    }

    /// The queue with this key, and whether it was added now.
    pub(crate) fn find_or_add<A: Send + 'static>(&self, key: Key) -> (Arc<FnQueue<A>>, bool) {
        loop {
            if let Some(known) = self.known().queues.get(&key).cloned() {
                let known: Arc<dyn Any + Send + Sync> = known;
                if let Ok(known) = known.downcast() {
                    return (known, false);
                }
            }
            if self.sweep_is_due() {
                self.sweep();
            }
            let mut known = self.known();
            if known.queues.contains_key(&key) {
                // Another thread was faster.
                continue;
            }
            let fresh = Arc::new(FnQueue::new(usize::MAX, known.before(&key)));
            known.queues.insert(key, fresh.clone());
            return (fresh, true);
        }
    }

    pub(crate) fn find(&self, key: Key) -> Option<Arc<dyn AnyQueue>> {
        self.sweep();
        self.known().queues.get(&key).cloned()
    }

    pub(crate) fn all(&self) -> Vec<PendingHandle> {
        self.sweep();
        let known: Vec<_> = self.known().queues.values().cloned().collect();
        known.iter().filter_map(|queue| queue.pending()).collect()
    }

    pub(crate) fn close(&self, key: Key) -> bool {
        let Some(queue) = self.known().retire(&key) else { return false };
        let open = !queue.is_over();
        queue.close("the queue was closed", false);
        open
    }

    pub(crate) fn remove<A: Send + 'static>(&self, key: Key, queue: &Arc<FnQueue<A>>) {
        let old = self.known().retire_this(&key, Arc::as_ptr(queue).cast());
        drop(old);
    }

    fn sweep_is_due(&self) -> bool {
        let mut known = self.known();
        let count = known.queues.len();
        let due = count < FEW || count >= known.sweep_at;
        if due {
            known.sweep_at = count * 2;
        }
        due
    }

    /// Closes the queues that have ended, and those whose object has gone.
    fn sweep(&self) {
        let mut known = self.known();
        known.leaving.retain(|_, leaving| {
            leaving.retain(|ended| !ended.is_set());
            !leaving.is_empty()
        });
        let all: Vec<_> = known.queues.iter().map(|(key, queue)| (*key, queue.clone())).collect();
        drop(known);
        for (key, queue) in all {
            if queue.is_over() {
                let old = self.known().retire_this(&key, Arc::as_ptr(&queue).cast());
                drop(old);
                queue.close("its object has gone", false);
            }
        }
    }

    pub(crate) fn stop(&self, reason: &str) {
        let all = mem::take(&mut self.known().queues);
        for queue in all.into_values() {
            queue.close(reason, true);
        }
    }
}
