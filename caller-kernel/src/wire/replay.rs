//! The memory of signatures.

use std::collections::{HashSet, VecDeque};

/// The digest of a message.
pub(crate) type Digest = [u8; 32];

/// What is remembered of one: half of it is enough to tell two messages apart.
type Known = [u8; 16];

/// The last digests that came, up to a number of them.
#[derive(Debug)]
pub(crate) struct Replay {
    known: HashSet<Known>,
    order: VecDeque<Known>,
    limit: usize,
}

impl Replay {
    pub(crate) fn new(limit: usize) -> Self {
        Self { known: HashSet::new(), order: VecDeque::new(), limit }
    }

    /// Remembers a digest. `false` when it is known already.
    pub(crate) fn insert(&mut self, digest: &Digest) -> bool {
        let digest: Known = std::array::from_fn(|place| digest[place]);
        if !self.known.insert(digest) {
            return false;
        }
        self.order.push_back(digest);
        if self.order.len() > self.limit
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_is_forgotten() {
        let mut replay = Replay::new(2);
        assert!(replay.insert(&[1; 32]));
        assert!(replay.insert(&[2; 32]));
        assert!(!replay.insert(&[1; 32]));
        assert!(replay.insert(&[3; 32]));
        assert!(replay.insert(&[1; 32]));
        assert!(!replay.insert(&[3; 32]));
        assert_eq!((replay.known.len(), replay.order.len()), (2, 2));
    }
}
