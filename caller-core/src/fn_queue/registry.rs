//! The queues of functions that one caller has, and what they are found by.

use std::{
    any::{Any, TypeId},
    collections::BTreeMap,
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::queue::{AnyQueue, FnQueue, QueueItem};
use crate::guard;
use crate::pending::PendingHandle;

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
    known: Mutex<BTreeMap<Key, Arc<dyn AnyQueue>>>,
}

impl Queues {
    fn known(&self) -> MutexGuard<'_, BTreeMap<Key, Arc<dyn AnyQueue>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts an item into the queue with this key: the way of all calls but the first. It comes back if there is no such
    /// queue, or it has ended.
    pub(crate) fn push<A: Send + 'static>(&self, key: Key, item: QueueItem<A>) -> Result<(), QueueItem<A>> {
        let known = self.known();
        let queue: Option<&dyn Any> = known.get(&key).map(|queue| &**queue as _);
        let Some(queue) = queue.and_then(<dyn Any>::downcast_ref::<FnQueue<A>>) else { return Err(item) };
        // The lock of the queue is taken under that of the list of queues, here alone; waking is not.
        let consumer = queue.items.add(item)?;
        drop(known);
        if let Some(consumer) = consumer {
            guard::wake(consumer);
        }
        Ok(())
    }

    pub(crate) fn find_or_add<A: Send + 'static>(&self, key: Key) -> (Arc<FnQueue<A>>, bool) {
        if let Some(known) = self.known().get(&key).cloned() {
            let known: Arc<dyn Any + Send + Sync> = known;
            if let Ok(known) = known.downcast() {
                return (known, false);
            }
        }
        self.sweep();
        let fresh = Arc::new(FnQueue::new(usize::MAX));
        let mut known = self.known();
        if known.contains_key(&key) {
            // Somebody was faster.
            drop(known);
            return self.find_or_add(key);
        }
        known.insert(key, fresh.clone());
        (fresh, true)
    }

    pub(crate) fn find(&self, key: Key) -> Option<Arc<dyn AnyQueue>> {
        self.sweep();
        self.known().get(&key).cloned()
    }

    pub(crate) fn all(&self) -> Vec<PendingHandle> {
        self.sweep();
        let known: Vec<_> = self.known().values().cloned().collect();
        known.iter().filter_map(|queue| queue.pending()).collect()
    }

    pub(crate) fn close(&self, key: Key) -> bool {
        let Some(queue) = self.known().remove(&key) else { return false };
        let open = !queue.is_over();
        queue.close("the queue was closed", false);
        open
    }

    pub(crate) fn remove<A: Send + 'static>(&self, key: Key, queue: &Arc<FnQueue<A>>) {
        let mut known = self.known();
        let same =
            known.get(&key).is_some_and(|known| std::ptr::addr_eq(Arc::as_ptr(known), Arc::as_ptr(queue)));
        let old = if same { known.remove(&key) } else { None };
        drop(known);
        drop(old);
    }

    /// Closes the queues that have ended, and those whose object has gone.
    fn sweep(&self) {
        let all: Vec<_> = self.known().iter().map(|(key, queue)| (*key, queue.clone())).collect();
        for (key, queue) in all {
            if queue.is_over() {
                let mut known = self.known();
                let same = known.get(&key).is_some_and(|known| Arc::ptr_eq(known, &queue));
                let old = if same { known.remove(&key) } else { None };
                drop(known);
                drop(old);
                queue.close("its object has gone", false);
            }
        }
    }
}

impl Queues {
    pub(crate) fn stop(&self, reason: &str) {
        let all = mem::take(&mut *self.known());
        for queue in all.into_values() {
            queue.close(reason, true);
        }
    }
}
