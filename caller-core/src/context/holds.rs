//! The locks that are held by what a thread polls.

use std::{cell::RefCell, mem::ManuallyDrop};

/// A lock that is held: its id, and the number of the time it was taken. Whether it still is, the lock knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hold {
    pub(crate) lock: u64,
    pub(crate) time: u64,
}

/// How many of them need no allocation.
const FEW: usize = 4;

/// A stack, the innermost hold last.
struct Holds {
    few: [Hold; FEW],
    len: usize,
    /// Those above the first few. Empty again, it has given back its memory, so a thread that ends leaves nothing.
    more: ManuallyDrop<Vec<Hold>>,
}

thread_local! {
    /// Without a destructor, so that locks are known to be held in the destructors of other thread-local values too.
    static HOLDS: RefCell<Holds> = const {
        RefCell::new(Holds {
            few: [Hold { lock: 0, time: 0 }; FEW],
            len: 0,
            more: ManuallyDrop::new(Vec::new()),
        })
    };
}

impl Holds {
    /// Those from a depth on, the innermost last.
    fn from(&self, depth: usize) -> impl DoubleEndedIterator<Item = Hold> {
        let few = &self.few[..self.len.min(FEW)];
        let (few, more) = (few.get(depth..), self.more.get(depth.saturating_sub(FEW)..));
        few.unwrap_or_default().iter().chain(more.unwrap_or_default()).copied()
    }
}

pub(super) fn push(hold: Hold) {
    HOLDS.with_borrow_mut(|holds| {
        match holds.few.get_mut(holds.len) {
            Some(place) => *place = hold,
            None => holds.more.push(hold),
        }
        holds.len += 1;
    });
}

pub(super) fn pop() {
    HOLDS.with_borrow_mut(|holds| {
        holds.len -= 1;
        if holds.more.pop().is_some() && holds.more.is_empty() {
            *holds.more = Vec::new();
        }
    });
}

/// How many there are.
pub(super) fn depth() -> usize {
    HOLDS.with_borrow(|holds| holds.len)
}

/// Those from a depth on, in their order.
pub(super) fn from(depth: usize) -> Vec<Hold> {
    HOLDS.with_borrow(|holds| holds.from(depth).collect())
}

/// The time of the innermost hold of a lock, of those from a depth on.
pub(super) fn find(lock: u64, depth: usize) -> Option<u64> {
    HOLDS.with_borrow(|holds| holds.from(depth).rev().find(|hold| hold.lock == lock).map(|hold| hold.time))
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn holds_are_a_stack_of_any_depth() {
        let hold = |number| Hold { lock: number % 3, time: number };
        for number in 0..10 {
            assert_eq!(depth() as u64, number);
            push(hold(number));
            for below in 0..=10 {
                let expected: Vec<_> = (below..=number).map(hold).collect();
                assert_eq!(from(below as usize), expected, "{number} {below}");
                for lock in 0..3 {
                    let last = expected.iter().rev().find(|hold| hold.lock == lock);
                    assert_eq!(find(lock, below as usize), last.map(|hold| hold.time));
                }
            }
        }
        (0..10).for_each(|_| pop());
        assert!(depth() == 0 && from(0).is_empty());
        HOLDS.with_borrow(|holds| assert_eq!(holds.more.capacity(), 0));
    }
}
