//! The waiters of one object, first come, first served.
//!
//! A future that waits registers its waker under a key, renews the waker at each poll, and removes the entry when the
//! future is dropped. The owner of the list guards it with a lock. No method wakes or drops a waker: each hands the
//! waker out, and the owner passes it to [`guard::wake`] or [`guard::discard_waker`] after it has released the lock,
//! since both run code of a runtime.

use std::{collections::VecDeque, mem, task::Waker};

use crate::{
    guard::{self, Place},
    kept,
};

/// Names one entry of one list. A later entry has a greater key, and a list never uses a key twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Key(u64);

/// Waiters in the order in which they came. Finding one by its key takes logarithmic time, removing one as long on
/// average. A list without waiters holds at most a small buffer, and a new one none.
#[derive(Debug)]
pub(crate) struct List<T: 'static> {
    /// Sorted by key. Removal leaves `None`, so that nothing has to move. The first and the last entry are never `None`.
    entries: VecDeque<(Key, Option<T>)>,
    /// How many entries are not `None`.
    len: usize,
    last: u64,
}

/// A list whose entries are only wakers.
pub(crate) type Wakers = List<Waker>;

/// The capacity that an empty list keeps.
const KEPT_CAPACITY: usize = 64;

/// How many removed entries a list may hold beside as many as there are waiters.
const SLACK: usize = 8;

impl<T: 'static> List<T> {
    pub(crate) const fn new() -> Self {
        Self { entries: VecDeque::new(), len: 0, last: 0 }
    }

    /// Adds a waiter behind the others.
    pub(crate) fn push(&mut self, value: T) -> Key {
        self.last += 1;
        let key = Key(self.last);
        self.entries.push_back((key, Some(value)));
        self.len += 1;
        kept::add(1);
        key
    }

    fn position(&self, key: Key) -> Option<usize> {
        self.entries.binary_search_by_key(&key, |(known, _)| *known).ok()
    }

    /// The waiter with this key, unless it was removed.
    pub(crate) fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        let at = self.position(key)?;
        self.entries[at].1.as_mut()
    }

    /// Whether the waiter with this key is still on the list. A waiter that is not was taken by [`pop`](Self::pop) or
    /// [`take`](Self::take): it was chosen, and its future has to pass the turn on if it does not use it.
    pub(crate) fn contains(&self, key: Key) -> bool {
        self.position(key).is_some_and(|at| self.entries[at].1.is_some())
    }

    /// The waiter that came first.
    pub(crate) fn first(&self) -> Option<&T> {
        self.entries.front()?.1.as_ref()
    }

    /// Removes the waiter with this key. None if it was removed before.
    #[must_use]
    pub(crate) fn remove(&mut self, key: Key) -> Option<T> {
        let at = self.position(key)?;
        let value = self.entries[at].1.take()?;
        self.removed_one();
        Some(value)
    }

    /// Removes the waiter that came first.
    #[must_use]
    pub(crate) fn pop(&mut self) -> Option<T> {
        let (_, value) = self.entries.pop_front()?;
        self.removed_one();
        value
    }

    /// Removes all waiters.
    #[must_use]
    pub(crate) fn take(&mut self) -> Self {
        let taken = mem::take(self);
        self.last = taken.last;
        taken
    }

    /// Removes the waiters that `is` chooses, in their order.
    #[must_use]
    pub(crate) fn extract(&mut self, mut is: impl FnMut(&T) -> bool) -> Vec<T> {
        let chosen = self.entries.iter_mut().filter_map(|(_, value)| value.take_if(|value| is(value)));
        let chosen: Vec<_> = chosen.collect();
        chosen.iter().for_each(|_| self.removed_one());
        chosen
    }

    /// Counts one waiter less, and restores the order of the buffer.
    fn removed_one(&mut self) {
        self.len -= 1;
        kept::remove(1);
        if self.len == 0 {
            self.entries.clear();
            if self.entries.capacity() > KEPT_CAPACITY {
                self.entries = VecDeque::new();
            }
            return;
        }
        while self.entries.front().is_some_and(|(_, value)| value.is_none()) {
            self.entries.pop_front();
        }
        while self.entries.back().is_some_and(|(_, value)| value.is_none()) {
            self.entries.pop_back();
        }
        if self.entries.len() > 2 * self.len + SLACK {
            self.entries.retain(|(_, value)| value.is_some());
        }
        if self.entries.capacity() > KEPT_CAPACITY.max(8 * self.len) {
            self.entries.shrink_to(2 * self.len);
        }
    }

    /// The waiters before the one with this key, in their order.
    pub(crate) fn before(&self, key: Key) -> impl Iterator<Item = &T> {
        let before = self.entries.iter().take_while(move |(known, _)| *known < key);
        before.filter_map(|(_, value)| value.as_ref())
    }

    /// The number of waiters.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }
}

impl Wakers {
    /// Adds a waker under a new key, or renews the waker under `key`. Returns the waker that it replaced.
    #[must_use]
    pub(crate) fn register(&mut self, key: &mut Option<Key>, waker: Waker) -> Option<Waker> {
        if let Some(old) = key.and_then(|key| self.get_mut(key)) {
            return Some(mem::replace(old, waker));
        }
        *key = Some(self.push(waker));
        None
    }

    /// Wakes all, in their order. The list was taken out of its lock before.
    pub(crate) fn wake(mut self) {
        while let Some(waker) = self.pop() {
            guard::wake(waker);
        }
    }
}

impl<T: 'static> Default for List<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: 'static> Drop for List<T> {
    fn drop(&mut self) {
        while let Some(value) = self.pop() {
            guard::discard(Place::WakerDrop, value);
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::{
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering},
        },
        task::Wake,
    };

    use super::*;

    /// Behind every entry.
    const END: Key = Key(u64::MAX);

    /// Does what a list does, and looks through all of it each time.
    #[derive(Default)]
    struct Model(Vec<(Key, u32)>);

    impl Model {
        fn remove(&mut self, key: Key) -> Option<u32> {
            let at = self.0.iter().position(|(known, _)| *known == key)?;
            Some(self.0.remove(at).1)
        }
    }

    fn compare_with_model(seed: u64) {
        let mut random = fastrand::Rng::with_seed(seed);
        let (mut list, mut model) = (List::new(), Model::default());
        let mut keys = Vec::new();
        // Phases in which the list grows, and phases in which it shrinks.
        let mut growing = true;
        for step in 0..3_000 {
            if random.u32(..200) == 0 {
                growing = !growing;
            }
            let kind = if random.u32(..4) == 0 { random.u32(..6) } else { u32::from(!growing) };
            let known = (!keys.is_empty()).then(|| keys[random.usize(..keys.len())]);
            match (kind, known) {
                (1, Some(key)) => assert_eq!(list.remove(key), model.remove(key), "seed {seed} step {step}"),
                (2, _) => {
                    let first = (!model.0.is_empty()).then(|| model.0.remove(0).1);
                    assert_eq!(list.pop(), first, "seed {seed} step {step}");
                }
                (3, Some(key)) => {
                    let found = model.0.iter_mut().find(|(known, _)| *known == key);
                    assert_eq!(list.contains(key), found.is_some(), "seed {seed} step {step}");
                    let found = found.map(|(_, value)| value);
                    assert_eq!(list.get_mut(key), found, "seed {seed} step {step}");
                }
                (4, _) => {
                    let modulus = random.u32(2..9);
                    let extracted = list.extract(|value| value % modulus == 0);
                    let expected: Vec<_> = model
                        .0
                        .extract_if(.., |(_, value)| *value % modulus == 0)
                        .map(|(_, value)| value)
                        .collect();
                    assert_eq!(extracted, expected, "seed {seed} step {step}");
                }
                (5, _) if random.u32(..40) == 0 => {
                    let taken: Vec<_> = list.take().before(END).copied().collect();
                    let expected: Vec<_> =
                        mem::take(&mut model.0).into_iter().map(|(_, value)| value).collect();
                    assert_eq!(taken, expected, "seed {seed} step {step}");
                }
                _ => {
                    let key = list.push(step);
                    assert!(keys.last().is_none_or(|last| *last < key), "seed {seed} step {step}: keys grow");
                    keys.push(key);
                    model.0.push((key, step));
                }
            }
            assert_eq!(list.len(), model.0.len(), "seed {seed} step {step}");
            assert_eq!(list.is_empty(), model.0.is_empty(), "seed {seed} step {step}");
            assert!(
                list.entries.len() <= 2 * list.len() + SLACK,
                "seed {seed} step {step}: what was removed stays"
            );
            assert!(list.entries.capacity() <= KEPT_CAPACITY.max(8 * list.len()), "seed {seed} step {step}");
        }
        assert!(list.before(END).eq(model.0.iter().map(|(_, value)| value)), "seed {seed}");
    }

    #[test]
    fn it_does_what_its_model_does() {
        for _ in 0..40 {
            compare_with_model(fastrand::u64(..));
        }
    }

    #[test]
    fn an_empty_list_holds_no_great_buffer() {
        let mut list = List::new();
        assert_eq!(list.entries.capacity(), 0, "a new list allocates nothing");
        let keys: Vec<_> = (0..10_000).map(|number| list.push(number)).collect();
        for key in keys {
            assert!(list.remove(key).is_some());
        }
        assert!(list.entries.capacity() <= KEPT_CAPACITY);
    }

    #[test]
    fn many_waiters_leave_from_the_middle_in_no_time() {
        let mut list = List::new();
        let mut keys: Vec<_> = (0..200_000).map(|number| list.push(number)).collect();
        fastrand::shuffle(&mut keys);
        let began = std::time::Instant::now();
        for key in &keys {
            assert!(list.contains(*key) && list.remove(*key).is_some());
        }
        // A list that moves the rest each time takes more than 20 s.
        assert!(began.elapsed() < std::time::Duration::from_secs(5), "{:?}", began.elapsed());
    }

    /// Panics when it is woken and when it is dropped, and counts both.
    #[derive(Default)]
    struct Hostile(Arc<AtomicUsize>);

    impl Wake for Hostile {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
            panic!("woken, on purpose");
        }
    }

    impl Drop for Hostile {
        fn drop(&mut self) {
            self.0.fetch_add(100, Ordering::SeqCst);
            if !std::thread::panicking() {
                panic!("dropped, on purpose");
            }
        }
    }

    #[test]
    fn wakers_that_panic_keep_none_from_being_woken_or_dropped() {
        let counts = [(); 3].map(|()| Arc::new(AtomicUsize::new(0)));
        let fill = || {
            let mut list = Wakers::new();
            for count in &counts {
                let old = list.register(&mut None, Arc::new(Hostile(count.clone())).into());
                assert!(old.is_none());
            }
            list
        };
        fill().wake();
        assert_eq!(counts.each_ref().map(|count| count.load(Ordering::SeqCst)), [101; 3]);
        drop(fill());
        assert_eq!(counts.each_ref().map(|count| count.load(Ordering::SeqCst)), [201; 3]);
    }

    #[test]
    fn a_renewed_waker_keeps_its_place() {
        let mut list = Wakers::new();
        let (mut one, mut two) = (None, None);
        assert!(list.register(&mut one, Waker::noop().clone()).is_none());
        assert!(list.register(&mut two, Waker::noop().clone()).is_none());
        let key = one;
        assert!(list.register(&mut one, Waker::noop().clone()).is_some());
        assert_eq!((one, list.len()), (key, 2));
        assert!(list.pop().is_some());
        assert!(!one.is_some_and(|key| list.contains(key)) && two.is_some_and(|key| list.contains(key)));
    }
}
